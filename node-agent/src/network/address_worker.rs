//! Programs addresses on a thread of its own, one order after the other.
//!
//! Each request takes the kernel's one lock for network configuration, which others on a busy node hold for hundreds of
//! milliseconds: pods come and go. Adverts must not wait for it, so the election thread gives orders and hears of their
//! outcomes later. Orders are carried out strictly in order, so a renewal can never put back what was removed after it
//! was ordered. The thread does nothing of its own accord but to put back a fence that somebody took away, and opens it only
//! for those whose adverts leave: once the election thread is dead or stuck, nothing is renewed.
//!
//! An address is fenced before it is there, and no more once it is gone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::fence::{Closed, Fence, Guard, Guarded};
use super::interfaces::{InterfaceIndex, Placement};
use super::local_route;
use super::netlink::{AddressCommands, AddressRequest, Lifetime, Outcome};
use crate::system;

/// After how many addresses the outcomes are told: so that the first can be announced while others are yet to come.
const REQUESTS_AT_ONCE: usize = 64;

/// The election thread's side. Its descriptor is readable when something is completed.
pub struct AddressWorker {
    /// None once it was stopped.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    completed: Receiver<Completed>,
    shared: Arc<Shared>,
    port: u32,
}

/// A request, and what keeps the address alive from then on, if it is to be fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// What is to be done.
    pub request: AddressRequest,
    /// Who keeps the address alive. For an address to be removed it means nothing.
    pub guard: Option<Guard>,
}

/// Something that has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The outcomes of the next requests, in the order in which they were ordered.
    Programmed(Vec<Outcome>),
    /// A renewal, with the numbers of addresses that the kernel renewed and for which it refused.
    Renewed {
        /// How many were renewed.
        renewed: usize,
        /// How many were refused.
        refused: usize,
    },
    /// Something about the fence.
    Fence(FenceNews),
    /// An order to change what keeps addresses alive has been carried out, well or not.
    Guarded,
}

/// An address on an interface.
type Place = (InterfaceIndex, IpAddr);

/// What is to be known of the fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceNews {
    /// Somebody had taken it away; it is back.
    Restored,
    /// It cannot be set up. Addresses live shortly instead, until it can.
    Lost(Errno),
    /// It can be set up again.
    Found,
    /// What was dropped since the last time, for each virtual router.
    Closed(Vec<Closed>),
}

/// What has become of interfaces, as far as the fence has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkNews {
    /// This one is gone.
    Gone(InterfaceIndex),
    /// Some have other names.
    Renamed,
    /// Anything may have happened: reports were lost.
    Unknown,
}

enum Order {
    Program(Vec<Task>),
    Renew(Vec<Placement>),
    Guard(Vec<(Placement, Option<Guard>)>),
    Links(LinkNews),
    TakeOverFence,
}

struct Shared {
    /// Wakes the election thread.
    wake: EventFd,
    /// Wakes the worker.
    ordered: EventFd,
    stopped: AtomicBool,
}

impl AddressWorker {
    /// Starts the thread, which ends with the value, after what was ordered, and takes the fence down then. It gets the real-time
    /// priority, if there is one: the election thread waits for its work.
    pub fn start(realtime_priority: Option<i32>, fence: Option<Fence>) -> io::Result<Self> {
        let commands = AddressCommands::open()?;
        let port = commands.port();
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let ordered = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let shared = Arc::new(Shared { wake, ordered, stopped: AtomicBool::new(false) });
        let (orders, inbox) = channel();
        let (outbox, completed) = channel();
        let worker = Worker {
            commands,
            fence,
            fence_lost: false,
            orders: inbox,
            completed: outbox,
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name("addresses".to_owned()).spawn(move || {
            if let Some(priority) = realtime_priority {
                // The election thread tells when it is refused; one complaint is enough.
                let _ = system::schedule_in_real_time(priority);
            }
            worker.work();
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread), completed, shared, port })
    }

    /// The netlink port that all requests come from.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Orders requests to be carried out.
    pub fn program(&self, tasks: Vec<Task>) {
        self.order(Order::Program(tasks));
    }

    /// Takes the fence over from an earlier run. To be ordered after the removal of the addresses that it left behind.
    pub fn take_over_fence(&self) {
        self.order(Order::TakeOverFence);
    }

    /// Changes what keeps addresses alive that are there.
    pub fn guard(&self, guards: Vec<(Placement, Option<Guard>)>) {
        self.order(Order::Guard(guards));
    }

    /// Keeps the fence attached to the interfaces that it watches.
    pub fn note_links(&self, news: LinkNews) {
        self.order(Order::Links(news));
    }

    /// Orders a renewal. What is ordered after it has to wait for it, so it should not be of too many at once.
    pub fn renew(&self, placements: Vec<Placement>) {
        self.order(Order::Renew(placements));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends only when this side hangs up.
            let _ = orders.send(order);
            let _ = self.shared.ordered.write(1);
        }
    }

    /// What has been completed since the last call.
    pub fn take_completed(&self) -> impl Iterator<Item = Completed> + '_ {
        let _ = self.shared.wake.read();
        self.completed.try_iter()
    }

    /// Drops all orders that are not yet begun, and waits for the end of the one that is. Nothing is done any more when
    /// this returns. The fence stays: addresses may, too.
    pub fn stop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.end();
    }

    fn end(&mut self) {
        self.orders = None;
        let _ = self.shared.ordered.write(1);
        if let Some(thread) = self.thread.take() {
            // If it has panicked it does nothing any more either.
            let _ = thread.join();
        }
    }
}

impl Drop for AddressWorker {
    fn drop(&mut self) {
        self.end();
    }
}

impl AsFd for AddressWorker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

/// The thread's side.
struct Worker {
    commands: AddressCommands,
    /// None where the kernel has none.
    fence: Option<Fence>,
    fence_lost: bool,
    orders: Receiver<Order>,
    completed: Sender<Completed>,
    shared: Arc<Shared>,
}

impl Worker {
    fn work(mut self) {
        while self.wait() {
            let _ = self.shared.ordered.read();
            self.with_fence(Fence::restore);
            loop {
                match self.orders.try_recv() {
                    Ok(order) => self.carry_out(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return self.end(),
                }
            }
        }
    }

    /// Until there is an order, or the fence has changed. False if that cannot be awaited.
    fn wait(&self) -> bool {
        let readable = |source| PollFd::new(source, PollFlags::POLLIN);
        let mut sources = vec![readable(self.shared.ordered.as_fd())];
        sources.extend(self.fence.as_ref().map(|fence| readable(fence.as_fd())));
        matches!(poll(&mut sources, PollTimeout::NONE), Ok(_) | Err(Errno::EINTR))
    }

    fn carry_out(&mut self, order: Order) {
        if self.shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        match order {
            Order::Program(tasks) => self.program(&tasks),
            Order::Renew(placements) => self.renew(&placements),
            Order::Links(news) => self.follow_links(news),
            Order::TakeOverFence => {
                self.with_fence(Fence::replace_leftover);
                self.count_closed();
            }
            Order::Guard(guards) => {
                self.guard(&guards);
                self.tell(Completed::Guarded);
            }
        }
    }

    fn guard(&mut self, guards: &[(Placement, Option<Guard>)]) {
        let fenced: Vec<_> = guards.iter().filter_map(|(placement, guard)| guarded(placement, *guard)).collect();
        let free: Vec<_> =
            guards.iter().filter(|(_, guard)| guard.is_none()).map(|(placement, _)| place(placement)).collect();
        self.fence_off(&fenced);
        self.unfence(&free);
    }

    fn follow_links(&mut self, news: LinkNews) {
        self.with_fence(|fence| match news {
            LinkNews::Gone(interface) => fence.forget_interface(interface),
            LinkNews::Renamed => fence.follow_interfaces(),
            LinkNews::Unknown => fence.attach_anew(),
        });
    }

    /// All of them are fenced at once: a change of the fence costs more than what is in it.
    fn program(&mut self, tasks: &[Task]) {
        let last: HashMap<_, _> = tasks.iter().map(|task| (place(&task.request.placement()), task)).collect();
        let kept = last.values().filter(|task| !matches!(task.request, AddressRequest::Remove(_)));
        let kept: Vec<_> = kept.filter_map(|task| guarded(&task.request.placement(), task.guard)).collect();
        self.fence_off(&kept);
        let mut present = HashMap::new();
        for some in tasks.chunks(REQUESTS_AT_ONCE) {
            if self.shared.stopped.load(Ordering::Relaxed) {
                return;
            }
            let requests: Vec<_> = some.iter().map(|task| task.request).collect();
            self.program_addresses(&requests, &mut present);
        }
        let is_free = |place: &Place, task: &Task| needs_no_fence(task, present.get(place).copied().unwrap_or(true));
        let free: Vec<_> = last.iter().filter(|(place, task)| is_free(place, task)).map(|(place, _)| *place).collect();
        if !free.is_empty() {
            self.count_closed();
            self.unfence(&free);
        }
    }

    /// Takes note of what is on its interface since.
    fn program_addresses(&mut self, requests: &[AddressRequest], present: &mut HashMap<Place, bool>) {
        let mut outcomes = Vec::with_capacity(requests.len());
        self.commands.execute(requests, lifetime(self.fence.as_ref()), &mut outcomes);
        for (request, outcome) in requests.iter().zip(&outcomes) {
            present.insert(place(&request.placement()), is_present(request, *outcome));
        }
        if let Some((first, last)) = new_ipv6(requests, &outcomes) {
            // What comes before need not wait.
            let rest = outcomes.split_off(first);
            self.tell(Completed::Programmed(std::mem::replace(&mut outcomes, rest)));
            local_route::wait(last.0, last.1);
        }
        self.tell(Completed::Programmed(outcomes));
    }

    fn renew(&mut self, placements: &[Placement]) {
        self.with_fence(|fence| fence.renew(placements.iter().map(place)));
        let mut refused = Vec::new();
        self.commands.renew(placements, lifetime(self.fence.as_ref()), &mut refused);
        let renewed = placements.len().saturating_sub(refused.len());
        self.tell(Completed::Renewed { renewed, refused: refused.len() });
        self.count_closed();
    }

    fn fence_off(&mut self, addresses: &[Guarded]) {
        if !addresses.is_empty() {
            self.with_fence(|fence| fence.guard(addresses));
        }
    }

    fn unfence(&mut self, places: &[Place]) {
        if !places.is_empty() {
            self.with_fence(|fence| fence.release(places));
        }
    }

    /// Does something to the fence, and tells what has become of it.
    fn with_fence(&mut self, change: impl FnOnce(&mut Fence) -> Result<(), Errno>) {
        let Some(fence) = &mut self.fence else { return };
        let done = change(fence);
        let restored = fence.take_restored().then_some(FenceNews::Restored);
        let news = match done {
            Ok(()) if self.fence_lost && fence.stands() => Some(FenceNews::Found),
            Err(error) if !self.fence_lost => Some(FenceNews::Lost(error)),
            _ => None,
        };
        self.fence_lost = done.is_err() || self.fence_lost && !fence.stands();
        for news in restored.into_iter().chain(news) {
            self.tell(Completed::Fence(news));
        }
    }

    fn count_closed(&mut self) {
        if let Some(Ok(closed)) = self.fence.as_mut().map(Fence::closed)
            && !closed.is_empty()
        {
            self.tell(Completed::Fence(FenceNews::Closed(closed)));
        }
    }

    /// Nothing is held any more: the fence has no more use. After a hurried end something may be, and it guards on.
    fn end(&mut self) {
        if let Some(fence) = self.fence.as_mut().filter(|_| !self.shared.stopped.load(Ordering::Relaxed)) {
            // It forgets its addresses by and by.
            let _ = fence.remove();
        }
    }

    fn tell(&self, completed: Completed) {
        // Nobody is left to tell when the election thread has ended.
        if self.completed.send(completed).is_ok() {
            let _ = self.shared.wake.write(1);
        }
    }
}

fn place(placement: &Placement) -> Place {
    (placement.interface, placement.address)
}

fn guarded(placement: &Placement, guard: Option<Guard>) -> Option<Guarded> {
    guard.map(|guard| Guarded { interface: placement.interface, address: placement.address, guard })
}

fn lifetime(fence: Option<&Fence>) -> impl Fn(&Placement) -> Lifetime {
    move |placement| {
        let fenced = fence.and_then(|fence| fence.lifetime(placement.interface, placement.address));
        fenced.unwrap_or(Lifetime::SHORT)
    }
}

/// The place of the first IPv6 address that was added, and the last one with its interface. The kernel installs the routes
/// of a batch in its order, so the last one speaks for all.
fn new_ipv6(requests: &[AddressRequest], outcomes: &[Outcome]) -> Option<(usize, (Ipv6Addr, InterfaceIndex))> {
    let added = |(request, outcome): (&AddressRequest, &Outcome)| match (request, outcome) {
        (AddressRequest::Add(placement) | AddressRequest::Restore(placement), Ok(())) => match placement.address {
            IpAddr::V6(address) => Some((address, placement.interface)),
            IpAddr::V4(_) => None,
        },
        _ => None,
    };
    let first = requests.iter().zip(outcomes).position(|pair| added(pair).is_some())?;
    Some((first, requests.iter().zip(outcomes).rev().find_map(added)?))
}

/// Whether an address is no concern of the fence after its last request. One that could not be removed stays fenced: its
/// task names no guard, since nobody wants it.
const fn needs_no_fence(task: &Task, is_present: bool) -> bool {
    !is_present || (task.guard.is_none() && !matches!(task.request, AddressRequest::Remove(_)))
}

/// Whether the kernel may answer for the address of a request since. What it refused to remove is still there; what it
/// refused to add is not there, or is somebody else's.
fn is_present(request: &AddressRequest, outcome: Outcome) -> bool {
    let is_absent = matches!(
        (request, outcome),
        (_, Err(Errno::ENODEV))
            | (AddressRequest::Remove(_), Ok(()) | Err(Errno::EADDRNOTAVAIL))
            | (AddressRequest::Add(_), Err(_))
    );
    !is_absent
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::Family;
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn what_could_not_be_removed_stays_fenced_and_what_could_not_be_added_does_not() {
        let placement = Placement {
            interface: InterfaceIndex::new(2),
            address: "10.77.0.100".parse().expect("an address"),
            prefix_length: 32,
        };
        let second = std::time::Duration::from_secs(1);
        let guard = Guard { family: Family::Ipv4, virtual_router_id: 51, timeout: second, release: second };
        let add = (AddressRequest::Add(placement), Some(guard));
        let restore = (AddressRequest::Restore(placement), Some(guard));
        let add_unfenced = (AddressRequest::Add(placement), None);
        let remove = (AddressRequest::Remove(placement), None);
        for ((request, guard), outcome, is_free) in [
            (add, Ok(()), false),
            (add, Err(Errno::EEXIST), true),
            (restore, Err(Errno::ENOMEM), false),
            (restore, Err(Errno::ENODEV), true),
            (add_unfenced, Ok(()), true),
            (remove, Ok(()), true),
            (remove, Err(Errno::EADDRNOTAVAIL), true),
            (remove, Err(Errno::ENODEV), true),
            (remove, Err(Errno::ENOMEM), false),
            (remove, Err(Errno::ENOBUFS), false),
        ] {
            let task = Task { request, guard };
            assert_eq!(needs_no_fence(&task, is_present(&request, outcome)), is_free, "{request:?} {outcome:?}");
        }
    }

    #[test]
    fn only_added_ipv6_addresses_are_waited_for() {
        const ETH0: InterfaceIndex = InterfaceIndex::new(2);
        let place = |address: &str| Placement {
            interface: ETH0,
            address: address.parse().expect("an address"),
            prefix_length: 64,
        };
        let [ipv4, first, last] = ["10.77.0.100", "fd77::100", "fd77::101"].map(place);
        let added = [AddressRequest::Add(ipv4), AddressRequest::Restore(first), AddressRequest::Add(last)];
        let removed = [AddressRequest::Remove(first), AddressRequest::Renew(last)];
        let refused = Err(Errno::EEXIST);
        let waited = |place: usize, address: &str| Some((place, (address.parse().expect("an address"), ETH0)));
        assert_eq!(new_ipv6(&added, &[Ok(()), Ok(()), Ok(())]), waited(1, "fd77::101"));
        assert_eq!(new_ipv6(&added, &[Ok(()), Ok(()), refused]), waited(1, "fd77::100"));
        assert_eq!(new_ipv6(&added, &[Ok(()), refused, refused]), None);
        assert_eq!(new_ipv6(&removed, &[Ok(()), Ok(())]), None);
    }
}
