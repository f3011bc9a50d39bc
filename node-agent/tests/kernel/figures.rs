//! How fast it is. The numbers are printed; the assertions only catch what is badly wrong.

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use holdfast_node_agent::desired::DesiredGroup;
use holdfast_node_agent::snapshot::RouterState;
use holdfast_node_agent::system::bind_packet_socket;
use holdfast_vrrp::State;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lan::{Lan, Namespace};
use crate::node::{GroupSpec, Node, eventually};

/// Sees the IPv4 packets that an interface sends and receives, with the kernel's time.
struct TimedCapture(Socket);

impl TimedCapture {
    fn on(namespace: &Namespace, number: u32) -> Self {
        const ALL_ETHERNET_TYPES: u16 = 0x0003;
        let file = format!("cat /sys/class/net/eth{number}/ifindex");
        let index = namespace.exec(&file).trim().parse().expect("a number");
        let socket =
            namespace.enter(|| Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).expect("root may"));
        socket.set_recv_buffer_size(64 << 20).expect("a valid size");
        setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).expect("root may");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("the kernel can");
        bind_packet_socket(&socket, index, ALL_ETHERNET_TYPES).expect("the interface is there");
        Self(socket)
    }

    /// The time since 1970 and the bytes of the frames that are there.
    fn drain(&self) -> Vec<(Duration, Vec<u8>)> {
        let mut frames = Vec::new();
        let mut buffer = [0; 2_048];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        loop {
            let (length, time) = {
                let mut slices = [IoSliceMut::new(&mut buffer)];
                let received = recvmsg::<SockaddrStorage>(
                    self.0.as_raw_fd(),
                    &mut slices,
                    Some(&mut control),
                    MsgFlags::MSG_DONTWAIT,
                );
                let Ok(message) = received else { return frames };
                let time = message.cmsgs().expect("room for them").find_map(|control| match control {
                    ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                    _ => None,
                });
                (message.bytes, time.expect("a time"))
            };
            frames.push((time, buffer[..length].to_vec()));
        }
    }
}

fn mac_of(namespace: &Namespace, number: u32) -> Vec<u8> {
    let text = namespace.exec(&format!("cat /sys/class/net/eth{number}/address"));
    text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// How late each advert is against the schedule, which is that of the most punctual one around it: a master that is
/// late by more than an interval begins a new one.
fn lateness(times: &[Duration], interval: Duration) -> Vec<Duration> {
    const AROUND: usize = 20;
    let nanoseconds = |time: &Duration| i64::try_from(time.as_nanos()).expect("292 years");
    let late = |place: usize| {
        let neighbors = &times[place.saturating_sub(AROUND)..times.len().min(place + AROUND)];
        let interval = nanoseconds(&interval);
        let phase = |time: &Duration| {
            let since = nanoseconds(time) - nanoseconds(&times[place]);
            since - (since + interval / 2).div_euclid(interval) * interval
        };
        let earliest = neighbors.iter().map(phase).min().unwrap_or_default();
        Duration::from_nanos(u64::try_from(-earliest).expect("it is its own neighbour"))
    };
    (0..times.len()).map(late).collect()
}

/// Prints how late the adverts of a master leave, which follow a fixed schedule, and returns how many did in 4 s.
fn punctuality(lan: &Lan, node: &mut Node, what: &str) -> usize {
    let capture = TimedCapture::on(lan.host(1), 0);
    let interval = Duration::from_millis(10);
    node.apply(&[GroupSpec::new(51, 200, "10.0.0.100").with(|spec| spec.interval = interval).group()]);
    node.await_state("vip51", State::Master);
    std::thread::sleep(Duration::from_secs(4));
    let is_advert = |frame: &[u8]| frame[12..14] == [0x08, 0x00] && frame[23] == 112;
    let frames = capture.drain();
    let times: Vec<Duration> = frames.into_iter().filter(|(_, frame)| is_advert(frame)).map(|(time, _)| time).collect();
    let mut late = lateness(&times, interval);
    late.sort_unstable();
    println!(
        "{} adverts every 10 ms{what}: late by p50 {:?}, p90 {:?}, p99 {:?}, at most {:?}",
        late.len(),
        percentile(&late, 50),
        percentile(&late, 90),
        percentile(&late, 99),
        late[late.len() - 1]
    );
    late.len()
}

#[test]
fn adverts_leave_when_they_are_due() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    let count = punctuality(&lan, &mut node, "");
    assert!(count >= 100, "{count} adverts in 4 s");
}

/// With more busy threads than processors, the usual policy would hand a turn to each of them first.
#[test]
fn real_time_keeps_adverts_punctual_on_a_busy_machine() {
    let lan = Lan::new(1);
    let mut node = Node::start_in_real_time(lan.host(1));
    // Threads get their names and policies when they have begun to run.
    for thread in ["election", "addresses"] {
        let policy = || {
            let statistics = std::fs::read_to_string(thread_of(lan.host(1), thread)?.join("stat")).ok()?;
            statistics.split_whitespace().nth(40).map(str::to_owned)
        };
        eventually(&format!("{thread} has SCHED_RR"), || policy().as_deref() == Some("2"));
    }
    let _busy = BusyThreads::start(8);
    let count = punctuality(&lan, &mut node, " in real time beside 8 busy threads");
    assert!(count >= 300, "{count} adverts in 4 s");
}

/// Threads that do nothing, as fast as they can, until dropped.
struct BusyThreads(Arc<AtomicBool>);

impl BusyThreads {
    fn start(count: usize) -> Self {
        let wanted = Arc::new(AtomicBool::new(true));
        for _ in 0..count {
            let wanted = Arc::clone(&wanted);
            std::thread::spawn(move || {
                while wanted.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(wanted)
    }
}

impl Drop for BusyThreads {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn groups(count: u32, priority: u8, interval: Duration) -> Vec<DesiredGroup> {
    (0..count)
        .map(|number| {
            let vrid = u8::try_from(number % 250 + 1).expect("small");
            let address = IpAddr::from(Ipv4Addr::from(0x0a09_0000 + number));
            GroupSpec::new(vrid, priority, "10.0.0.100")
                .with(|spec| {
                    spec.name = format!("vip{number}");
                    spec.addresses = vec![(address, 32)];
                    spec.interval = interval;
                    spec.interface =
                        holdfast_node_agent::desired::InterfaceChoice::Named(format!("eth{}", number / 250));
                })
                .group()
        })
        .collect()
}

fn all(node: &Node, state: RouterState) {
    node.until("all groups are in their state", |snapshot| {
        snapshot.virtual_routers.iter().all(|router| router.state == state)
    });
}

/// All VIPs of a node that crashed move at once.
fn mass_takeover(count: u32) {
    let interfaces = count.div_ceil(250);
    let interval = Duration::from_millis(100);
    let lan = Lan::new(2);
    // A VRID counts per interface, and there are 255.
    (1..interfaces).for_each(|interface| lan.widen(interface));
    let (one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&groups(count, 200, interval));
    all(&one, RouterState::Master);
    two.apply(&groups(count, 100, interval));
    two.until("the backup follows all masters", |snapshot| {
        snapshot.virtual_routers.len() == count as usize
            && snapshot.virtual_routers.iter().all(|router| router.master_address.is_some())
    });
    let captures: Vec<_> = (0..interfaces).map(|number| TimedCapture::on(lan.host(2), number)).collect();
    let begin = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    lan.isolate(1, interfaces, true);
    let cut = Instant::now();
    all(&two, RouterState::Master);
    let mut adverts = Vec::new();
    let mut announced = std::collections::BTreeMap::new();
    let own: Vec<Vec<u8>> = (0..interfaces).map(|number| mac_of(lan.host(2), number)).collect();
    eventually("every address is announced", || {
        let frames = captures.iter().flat_map(TimedCapture::drain);
        for (time, frame) in frames.filter(|(_, frame)| own.iter().any(|mac| frame[6..12] == mac[..])) {
            if frame[12..14] == [0x08, 0x00] && frame[23] == 112 {
                adverts.push(time);
            }
            if frame[12..14] == [0x08, 0x06] && frame[28..32] == frame[38..42] && frame[28] == 10 {
                announced.entry(frame[28..32].to_vec()).or_insert(time);
            }
        }
        announced.len() == count as usize
    });
    adverts.sort_unstable();
    let mut times: Vec<Duration> = announced.values().map(|time| time.saturating_sub(begin)).collect();
    times.sort_unstable();
    println!(
        "{count} VIPs after a crash (protocol: 261..361 ms): announced first {:?}, median {:?}, last {:?}; \
         first advert {:?}; all seen after {:?}",
        times[0],
        percentile(&times, 50),
        times[times.len() - 1],
        adverts[0].saturating_sub(begin),
        cut.elapsed()
    );
    assert!(times[times.len() - 1] < Duration::from_secs(5));
    let counters = two.snapshot().counters;
    println!("{counters:?}");
}

/// A thread with this name in a namespace, below `/proc`.
fn thread_of(namespace: &Namespace, name: &str) -> Option<PathBuf> {
    let threads = std::fs::read_dir("/proc/self/task").expect("it is there").flatten().map(|thread| thread.path());
    let inode = std::fs::metadata(format!("/run/netns/{}", namespace.name())).expect("it is there").ino();
    let is_it = |thread: &PathBuf| {
        std::fs::read_to_string(thread.join("comm")).is_ok_and(|found| found.trim() == name)
            && std::fs::metadata(thread.join("ns/net")).is_ok_and(|found| found.ino() == inode)
    };
    threads.into_iter().find(is_it)
}

/// The time that the election thread in a namespace has run.
fn running_time(namespace: &Namespace) -> Duration {
    let thread = thread_of(namespace, "election").expect("it runs");
    let statistics = std::fs::read_to_string(thread.join("schedstat")).expect("it runs");
    Duration::from_nanos(statistics.split_whitespace().next().and_then(|time| time.parse().ok()).expect("a number"))
}

/// What a thousand masters and their backups cost, in time of one processor.
#[test]
fn a_thousand_masters_are_cheap() {
    let lan = Lan::new(2);
    (1..4).for_each(|interface| lan.widen(interface));
    let (one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&groups(1_000, 200, Duration::from_millis(100)));
    two.apply(&groups(1_000, 100, Duration::from_millis(100)));
    all(&one, RouterState::Master);
    // Until the announcements of the takeover are over.
    std::thread::sleep(Duration::from_secs(6));
    let settled = [&one, &two].map(transitions);
    let sent = || -> u64 { one.snapshot().virtual_routers.iter().map(|router| router.counters["adverts_sent"]).sum() };
    let measure = || (sent(), Instant::now(), [1, 2].map(|host| running_time(lan.host(host))));
    let (first_sent, begin, first_times) = measure();
    std::thread::sleep(Duration::from_secs(5));
    let (last_sent, end, last_times) = measure();
    let (adverts, took) = (f64::from(u32::try_from(last_sent - first_sent).expect("not so many")), end - begin);
    for (role, (first, last)) in ["master", "backup"].iter().zip(first_times.iter().zip(last_times)) {
        let busy = last.saturating_sub(*first).as_secs_f64();
        println!(
            "1000 x 100 ms, {role}: {:.1} % of a processor, {:.1} us for each of {:.0} adverts a second",
            100.0 * busy / took.as_secs_f64(),
            busy * 1e6 / adverts,
            adverts / took.as_secs_f64()
        );
    }
    for (role, node, before) in [("master", &one, settled[0]), ("backup", &two, settled[1])] {
        println!("{role}: {} changes of state, {} of them meanwhile", transitions(node), transitions(node) - before);
    }
}

fn transitions(node: &Node) -> u64 {
    node.snapshot().virtual_routers.iter().map(|router| router.transitions).sum()
}

#[test]
fn two_hundred_and_fifty_addresses_move_together() {
    mass_takeover(250);
}

#[test]
fn a_thousand_addresses_move_together() {
    mass_takeover(1_000);
}

/// A turn that comes late makes a master step down, and a thousand takeovers make the next turn late.
#[test]
fn a_thousand_masters_stay_masters_on_a_busy_machine_in_real_time() {
    let lan = Lan::new(2);
    (1..4).for_each(|interface| lan.widen(interface));
    let (one, two) = (Node::start_in_real_time(lan.host(1)), Node::start_in_real_time(lan.host(2)));
    one.apply(&groups(1_000, 200, Duration::from_millis(100)));
    two.apply(&groups(1_000, 100, Duration::from_millis(100)));
    all(&one, RouterState::Master);
    let before = transitions(&one) + transitions(&two);
    let busy = BusyThreads::start(8);
    std::thread::sleep(Duration::from_secs(10));
    let changes = transitions(&one) + transitions(&two) - before;
    drop(busy);
    println!("1000 x 100 ms in real time beside 8 busy threads: {changes} changes of state in 10 s");
    assert!(changes < 1_000, "{changes} changes of state");
}
