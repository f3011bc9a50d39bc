//! The loop of the election thread. Each stage of a wake-up has a file below this one.

mod addresses;
mod adverts;
mod announcements;
mod apply;
mod carry_out;
mod counters;
mod fencing;
mod links;
mod network;
mod notices;
mod outbox;
mod receive;
mod snapshot;
mod succeed;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use std::{process, thread};

use holdfast_vrrp::{Event, Instant, TrackState};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::sync::mpsc::UnboundedSender;

use self::adverts::AdvertOutbox;
use self::announcements::FrameOutbox;
use self::counters::Counted;
use self::fencing::FenceState;
use self::links::LinkState;
use super::clock::Clock;
use super::command::{Command, Inbox, Question};
use super::demultiplex::Demultiplexer;
use super::engine::Engine;
use super::holdings::{AddressBatch, AddressProblem, Holdings};
use super::leases::Leases;
use super::record::Record;
use super::repeats::Repeats;
use super::report::{Disappearance, Report};
use super::rest::rest;
use super::slot::{Seat, Slot};
use super::stall::{LATE, receive_budget};
use super::{ElectionError, ElectionOptions, Realtime};
use crate::network::address_worker::AddressWorker;
use crate::network::fence::Fence;
use crate::network::interfaces::{InterfaceIndex, InterfaceTable, NetworkChange};
use crate::network::netlink::{AddressCommands, Monitor};
use crate::network::packet_socket;
use crate::network::sockets::Sockets;
use crate::system::{self, ReceiveBatch};

/// Above ordinary processes, below the kernel's own threads (50) and what other real-time programs use.
const REALTIME_PRIORITY: i32 = 20;

/// `EX_SOFTWARE` of `sysexits.h`.
const EXIT_CODE_OF_A_PANIC: i32 = 70;

/// When to try again what failed for reasons that no event tells the end of.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const TOKEN_COMMANDS: u64 = 0;
const TOKEN_MONITOR: u64 = 1;
const TOKEN_TIMER: u64 = 2;
const TOKEN_WORKER: u64 = 3;
const TOKEN_FIRST_RECEIVER: u64 = 16;

/// How many sources of events are looked at in one wake-up; the others come next time.
const EVENTS_AT_ONCE: usize = 256;

/// Everything that the election thread has.
pub(super) struct Driver {
    clock: Clock,
    now: Instant,
    epoll: Epoll,
    timer: TimerFd,
    armed: Armed,
    inbox: Inbox,
    reports: UnboundedSender<Report>,
    ready: Ready,
    /// When the last sleep ended.
    woken: Instant,
    /// When it began.
    idle_since: Instant,
    /// To be answered at the end of the round.
    questions: Vec<Question>,
    batch: ReceiveBatch,

    monitor: Monitor,
    /// For reading; what changes something goes to the worker.
    kernel: AddressCommands,
    worker: AddressWorker,
    interfaces: InterfaceTable,
    kernel_marks: bool,
    /// Reading the network failed; when to try again.
    retry_reading: Option<Instant>,
    changes: Vec<NetworkChange>,
    sockets: Sockets,

    engine: Engine,
    demultiplexer: Demultiplexer,
    /// The virtual addresses of all groups.
    virtual_addresses: HashSet<IpAddr>,
    health: HashMap<String, TrackState>,
    /// All groups are to stop, and then the thread.
    stopping: bool,
    /// How many groups are on their way out.
    leaving: usize,

    links: LinkState,

    holdings: Holdings,
    leases: Leases,
    fence: FenceState,
    record: Record,
    /// Renewals that are under way: the next one waits for them.
    renewals: usize,
    requested: AddressBatch,
    problems: Vec<AddressProblem>,
    /// Addresses that are there by now and that somebody waits to announce.
    confirmed: Vec<(Seat, IpAddr)>,
    /// Addresses to be set anew because their prefix length changed.
    reshaped: Vec<(Seat, IpAddr)>,
    /// Addresses that vanished while their group had no more use for them.
    abandoned: Vec<(Seat, InterfaceIndex, IpAddr)>,
    vanished: HashMap<(InterfaceIndex, IpAddr), Disappearance>,
    repeats: Repeats,

    adverts: AdvertOutbox,
    frames: FrameOutbox,
    failed_adverts: Vec<Seat>,
    forwarding: HashMap<InterfaceIndex, (bool, Instant)>,
    counted: Counted,
}

/// What has something, as the last sleep found.
#[derive(Debug, Default)]
struct Ready {
    commands: bool,
    monitor: bool,
    worker: bool,
    /// How many sockets had packets.
    heard: usize,
    /// Numbers of receiving sockets that are not read empty yet.
    receivers: Vec<usize>,
}

impl Ready {
    /// There were packets, all of them are read, and there was nothing else.
    fn has_heard_packets_only(&self) -> bool {
        self.heard > 0 && self.receivers.is_empty() && !self.commands && !self.monitor && !self.worker
    }
}

/// For when the timer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Armed {
    Never,
    At(Instant),
    /// It has rung, and goes on until it is set anew.
    Rung,
}

impl Armed {
    /// Whether the timer can stay as it is. It may ring early, when nothing is due: the deadline of a backup moves away with
    /// every advert, and a ring now and then costs less than setting the timer each time.
    fn serves(self, next: Option<Instant>) -> bool {
        match (self, next) {
            (Self::At(at), Some(next)) => at <= next,
            (Self::Never, None) => true,
            _ => false,
        }
    }
}

/// Opens everything in the caller's thread, so that errors come out there, then starts the loop.
pub(super) fn spawn(
    options: ElectionOptions,
    inbox: Inbox,
    reports: UnboundedSender<Report>,
) -> Result<(), ElectionError> {
    let realtime = options.realtime;
    let mut driver = Driver::open(options, inbox, reports)?;
    let run = move || driver.run_guarded(realtime);
    thread::Builder::new().name("election".to_owned()).spawn(run).map_err(ElectionError::Thread)?;
    Ok(())
}

impl Driver {
    fn open(options: ElectionOptions, inbox: Inbox, reports: UnboundedSender<Report>) -> Result<Self, ElectionError> {
        let ElectionOptions { owned, realtime, memory_lock, fence } = options;
        let priority = (realtime != Realtime::Off).then_some(REALTIME_PRIORITY);
        packet_socket::check_permission().map_err(ElectionError::PacketSocket)?;
        let monitor = Monitor::open().map_err(ElectionError::Netlink)?;
        let kernel = AddressCommands::open().map_err(ElectionError::Netlink)?;
        let fence = fence.map(|table| Fence::open(&table));
        let (mut fence, no_fence) = match fence.transpose() {
            Ok(fence) => (fence, None),
            Err(error) => (None, Some(error)),
        };
        let fence_state = FenceState::of(fence.as_ref());
        // Should it be unreadable, there still is the record.
        let fenced = fence.as_mut().and_then(|fence| fence.leftover().ok()).unwrap_or_default();
        let worker = AddressWorker::start(priority, fence).map_err(ElectionError::Netlink)?;
        monitor.ignore_additions_by(&[worker.port()]).map_err(ElectionError::Netlink)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(ElectionError::EventLoop)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags).map_err(ElectionError::EventLoop)?;
        let readable = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
        epoll.add(&inbox, readable(TOKEN_COMMANDS)).map_err(ElectionError::EventLoop)?;
        epoll.add(&monitor, readable(TOKEN_MONITOR)).map_err(ElectionError::EventLoop)?;
        epoll.add(&timer, readable(TOKEN_TIMER)).map_err(ElectionError::EventLoop)?;
        epoll.add(&worker, readable(TOKEN_WORKER)).map_err(ElectionError::EventLoop)?;
        let clock = Clock::default();
        let mut driver = Self {
            now: clock.now(),
            clock,
            epoll,
            timer,
            armed: Armed::Never,
            inbox,
            reports,
            ready: Ready::default(),
            woken: Instant::ZERO,
            idle_since: Instant::ZERO,
            questions: Vec::new(),
            batch: ReceiveBatch::default(),
            monitor,
            kernel,
            worker,
            interfaces: InterfaceTable::default(),
            kernel_marks: false,
            retry_reading: None,
            changes: Vec::new(),
            sockets: Sockets::default(),
            engine: Engine::default(),
            demultiplexer: Demultiplexer::default(),
            virtual_addresses: HashSet::new(),
            health: HashMap::new(),
            stopping: false,
            leaving: 0,
            links: LinkState::default(),
            holdings: Holdings::default(),
            leases: Leases::default(),
            fence: fence_state,
            record: Record::load(owned, fenced),
            renewals: 0,
            requested: AddressBatch::default(),
            problems: Vec::new(),
            confirmed: Vec::new(),
            reshaped: Vec::new(),
            abandoned: Vec::new(),
            vanished: HashMap::new(),
            repeats: Repeats::default(),
            adverts: AdvertOutbox::default(),
            frames: FrameOutbox::default(),
            failed_adverts: Vec::new(),
            forwarding: HashMap::new(),
            counted: Counted::default(),
        };
        if memory_lock && let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
            driver.degraded(format!("the memory of the agent cannot be locked: {error}"));
        }
        if let Some(error) = no_fence {
            driver.report(Report::NoFence { error: error.to_string() });
        }
        driver.read_network().map_err(ElectionError::ReadNetwork)?;
        driver.worker.take_over_fence();
        Ok(driver)
    }

    /// Runs to the end. A panic takes the addresses off the interfaces first: nobody would renew or defend them.
    fn run_guarded(&mut self, realtime: Realtime) {
        if catch_unwind(AssertUnwindSafe(|| self.run(realtime))).is_ok() {
            return;
        }
        // Should this panic too, the addresses expire.
        let _ = catch_unwind(AssertUnwindSafe(|| self.withdraw_everything()));
        process::exit(EXIT_CODE_OF_A_PANIC);
    }

    fn run(&mut self, realtime: Realtime) {
        self.begin_real_time(realtime);
        while !self.is_finished() {
            self.arm_timer();
            self.rest();
            self.sleep();
            self.wake_up();
        }
        self.report(Report::Finished);
    }

    fn begin_real_time(&self, realtime: Realtime) {
        let begin = || system::schedule_in_real_time(REALTIME_PRIORITY).map_err(|error| error.to_string());
        match realtime {
            Realtime::Off => {}
            Realtime::Auto => {
                if let Err(error) = begin() {
                    self.report(Report::OrdinaryScheduling { error });
                }
            }
            Realtime::On => {
                if let Err(error) = begin() {
                    self.degraded(format!("the election thread cannot have a real-time priority: {error}"));
                }
            }
        }
    }

    /// Lets packets gather while they come thick.
    fn rest(&mut self) {
        let slept = self.woken.saturating_since(self.idle_since);
        self.idle_since = self.clock.now();
        if !self.ready.has_heard_packets_only() || self.is_busy() {
            return;
        }
        let due = self.next_deadline().map(|deadline| deadline.saturating_since(self.idle_since));
        if let Some(rest) = rest(slept, due) {
            thread::sleep(rest);
        }
    }

    /// Waits for a wish, a packet, a report of the kernel, or the earliest deadline.
    fn sleep(&mut self) {
        let mut events = [EpollEvent::empty(); EVENTS_AT_ONCE];
        // An interrupted wait is a wake-up without an event.
        let count = self.epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or_default();
        let mut receivers = std::mem::take(&mut self.ready.receivers);
        receivers.clear();
        self.ready = Ready { receivers, ..Ready::default() };
        for event in events.iter().take(count) {
            match event.data() {
                TOKEN_COMMANDS => self.ready.commands = true,
                TOKEN_MONITOR => self.ready.monitor = true,
                TOKEN_TIMER => self.armed = Armed::Rung,
                TOKEN_WORKER => self.ready.worker = true,
                token => {
                    self.ready.heard += 1;
                    self.ready.receivers.extend(usize::try_from(token - TOKEN_FIRST_RECEIVER));
                }
            }
        }
    }

    /// One round. Wishes, packets and reports come before timers: what they say may be what a timer waits for.
    fn wake_up(&mut self) {
        self.now = self.clock.now();
        self.woken = self.now;
        let late = self.next_deadline().map_or(Duration::ZERO, |deadline| self.now.saturating_since(deadline));
        self.counted.wake_ups += 1;
        self.counted.late_wake_ups += u64::from(late >= LATE);

        self.take_commands();
        self.receive(receive_budget(late));
        self.take_outcomes();
        self.apply_prepared();
        self.hear_network();
        self.now = self.clock.now();
        self.engine.fire_timers(self.now);
        self.carry_out();
        self.send_frames();
        self.renew_leases();
        self.retire_finished();
        self.record_owned();
        self.answer_questions();
    }

    fn take_commands(&mut self) {
        if !self.ready.commands {
            return;
        }
        self.inbox.acknowledge();
        while let Some(command) = self.inbox.take() {
            match command {
                Command::Apply(desired) => self.prepare(desired),
                Command::Health(name, state) => self.track_health(name, state),
                Command::Ask(question) => self.questions.push(question),
                Command::Drain => self.stop(Event::Drain),
                Command::Abort => self.stop(Event::Abort),
            }
        }
    }

    fn stop(&mut self, how: Event<'_>) {
        self.stopping = true;
        for slot in self.engine.slots() {
            self.let_go(slot, how);
        }
    }

    /// Lets a group leave, or leave faster.
    fn let_go(&mut self, slot: Slot, how: Event<'_>) {
        let Some(running) = self.engine.get_mut(slot) else { return };
        self.leaving += usize::from(!std::mem::replace(&mut running.leaving, true));
        self.engine.handle(self.now, slot, how);
    }

    fn is_finished(&self) -> bool {
        self.stopping && self.engine.is_empty() && self.holdings.is_empty()
    }

    /// The earliest time at which there is something to do.
    fn next_deadline(&mut self) -> Option<Instant> {
        let renewal = if self.renewals > 0 { None } else { self.leases.next() };
        let waiting = [self.engine.next_deadline(), renewal, self.links.retry, self.retry_reading];
        waiting.into_iter().flatten().min()
    }

    /// Whether something is left to be done at once.
    fn is_busy(&self) -> bool {
        self.engine.has_requests() || !self.frames.is_empty()
    }

    fn arm_timer(&mut self) {
        let next = if self.is_busy() { Some(self.now) } else { self.next_deadline() };
        if self.armed.serves(next) {
            return;
        }
        // Neither can fail for a valid descriptor and a time after the machine's start.
        let _ = match next {
            Some(deadline) => {
                self.timer.set(Expiration::OneShot(time_spec(deadline)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            }
            None => self.timer.unset(),
        };
        self.armed = next.map_or(Armed::Never, Armed::At);
    }

    fn report(&self, report: Report) {
        // Without a reader there is nobody to tell.
        let _ = self.reports.send(report);
    }

    fn degraded(&self, message: String) {
        self.report(Report::Degraded { message });
    }
}

/// Time zero would disarm the timer.
fn time_spec(deadline: Instant) -> TimeSpec {
    TimeSpec::from_duration(Duration::from_nanos(deadline.as_nanos().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_is_set_when_it_would_ring_too_late_or_rings_for_nothing() {
        let at = |nanoseconds| Instant::from_nanos(nanoseconds);
        for (armed, next, serves) in [
            (Armed::At(at(10)), Some(at(10)), true),
            (Armed::At(at(10)), Some(at(11)), true),
            (Armed::At(at(10)), Some(at(9)), false),
            (Armed::At(at(10)), None, false),
            (Armed::Rung, Some(at(10)), false),
            (Armed::Rung, None, false),
            (Armed::Never, Some(at(10)), false),
            (Armed::Never, None, true),
        ] {
            assert_eq!(armed.serves(next), serves, "{armed:?} for {next:?}");
        }
    }
}
