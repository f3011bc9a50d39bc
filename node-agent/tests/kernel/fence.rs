//! The fence: who answers for an address, seen from another host.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_node_agent::desired::{Fencing, InterfaceChoice};
use holdfast_node_agent::election::Report;
use holdfast_node_agent::network::fence::pulse::{self, Pulse, Sent};
use holdfast_node_agent::network::fence::{Closed, Fence, Guard, Guarded};
use holdfast_node_agent::network::interfaces::InterfaceIndex;
use holdfast_vrrp::{Family, State, Transport};
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::lan::{Lan, Namespace};
use crate::node::{GroupSpec, Node, StateFolder, eventually};

const TABLE: &str = "holdfast-test";
const TIMEOUT: Duration = Duration::from_millis(300);
/// What the kernel's ticks and a busy machine add.
const TOLERANCE: Duration = Duration::from_millis(100);
/// How long ping waits for an answer that does not come.
const SILENCE: Duration = Duration::from_secs(1);
const VIP4: &str = "10.0.0.100";
const VIP6: &str = "fd00::100";
const VRID: u8 = 51;

/// A host with a fence around its addresses, and one that asks for them.
struct Scene {
    lan: Lan,
    fence: Fence,
    /// Of the virtual routers that send.
    pulses: Vec<Arc<Pulse>>,
}

impl Scene {
    fn new() -> Self {
        let lan = Lan::new(2);
        let fence = lan.host(1).enter(|| Fence::open(TABLE).expect("the kernel has the hook"));
        Self { lan, fence, pulses: Vec::new() }
    }

    fn host(&self) -> &Namespace {
        self.lan.host(1)
    }

    fn eth0(&self) -> InterfaceIndex {
        self.host().enter(|| InterfaceIndex::new(if_nametoindex("eth0").expect("eth0 is there")))
    }

    fn guarded(&self, address: &str, virtual_router_id: u8, timeout: Duration) -> Guarded {
        let (interface, address): (_, IpAddr) = (self.eth0(), address.parse().expect("an address"));
        let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        Guarded { interface, address, guard: Guard { family, virtual_router_id, timeout, release: timeout * 3 } }
    }

    /// Advertises, guards an address and puts it on the interface, as an agent does.
    fn hold(&mut self, address: &str, virtual_router_id: u8, timeout: Duration) {
        let guarded = self.guarded(address, virtual_router_id, timeout);
        self.advertise(guarded.guard.family, virtual_router_id, 100);
        self.guard(&[guarded]);
        let (length, nodad) = if guarded.address.is_ipv4() { (32, "") } else { (128, "nodad") };
        self.host().ip(&format!("address add {address}/{length} dev eth0 {nodad}"));
    }

    fn guard(&mut self, guarded: &[Guarded]) {
        let Self { lan, fence, .. } = self;
        lan.host(1).enter(|| fence.guard(guarded).expect("they can be guarded"));
    }

    /// Sends an advert and takes note of it.
    fn advertise(&mut self, family: Family, virtual_router_id: u8, priority: u8) {
        let sent = if priority == 0 { Sent::Release } else { Sent::Claim };
        let pulse = self.fence.pulses().of(self.eth0(), family, virtual_router_id);
        pulse.beat(sent, pulse::now().expect("the machine has a clock"));
        self.pulses.push(pulse);
        self.host().enter(|| advertise(family, virtual_router_id, priority));
    }

    /// Lets the fence look at what others have done to it; returns whether it had to be put back.
    fn restore(&mut self) -> bool {
        let Self { lan, fence, .. } = self;
        lan.host(1).enter(|| fence.restore().expect("it can be put back"));
        fence.take_restored()
    }

    /// Whether the address answers to one who knows where it is.
    fn answers(&self, address: &str) -> bool {
        ping(self.lan.host(2), address)
    }

    /// Whether it answers to one who has to ask where it is.
    fn is_found(&self, address: &str) -> bool {
        self.lan.host(2).ip("neighbour flush dev eth0");
        self.answers(address)
    }

    /// What the fence has dropped.
    fn closed(&mut self) -> u64 {
        let closed = self.fence.closed().expect("the counters can be read");
        closed.iter().map(|closed| closed.packets).sum()
    }
}

fn ping(namespace: &Namespace, address: &str) -> bool {
    let arguments = ["netns", "exec", namespace.name(), "ping", "-c1", "-n", "-W0.2", "-w1", address];
    let status = Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("ping is there").success()
}

fn advertise(family: Family, virtual_router_id: u8, priority: u8) {
    let advert = [0x31, virtual_router_id, priority, 0, 0, 100, 0, 0];
    let protocol = Some(Protocol::from(112));
    let eth0 = if_nametoindex("eth0").expect("eth0 is there");
    let (socket, group): (_, SocketAddr) = match family {
        Family::Ipv4 => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, protocol).expect("a socket");
            socket.bind_device(Some(b"eth0")).expect("root may");
            (socket, (Ipv4Addr::new(224, 0, 0, 18), 0).into())
        }
        Family::Ipv6 => {
            let socket = Socket::new(Domain::IPV6, Type::RAW, protocol).expect("a socket");
            socket.set_multicast_if_v6(eth0).expect("eth0 is there");
            (socket, (Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12), 0).into())
        }
    };
    socket.send_to(&advert, &SockAddr::from(group)).expect("an advert leaves");
}

fn await_restoration(scene: &mut Scene) {
    eventually("the damage is noticed", || scene.restore());
}

/// Waits until the address is silent, and returns how long that took.
fn await_silence(scene: &Scene, address: &str, since: Instant) -> Duration {
    eventually(&format!("{address} is silent"), || !scene.answers(address));
    since.elapsed()
}

#[test]
fn an_address_answers_for_as_long_as_its_last_advert_allows() {
    for (address, family) in [(VIP4, Family::Ipv4), (VIP6, Family::Ipv6)] {
        let mut scene = Scene::new();
        scene.hold(address, VRID, TIMEOUT);
        assert!(scene.is_found(address), "the advert before counts");
        for _ in 0..4 {
            scene.advertise(family, VRID, 100);
            std::thread::sleep(TIMEOUT / 2);
            assert!(scene.answers(address), "{address} answers between adverts");
        }

        scene.advertise(family, VRID, 100);
        let silent = await_silence(&scene, address, Instant::now());
        assert!(silent + TOLERANCE >= TIMEOUT, "too early, after {silent:?}");
        assert!(!scene.answers(address), "to one who knows where it was");
        assert!(!scene.is_found(address), "to one who asks");
        assert!(scene.answers("10.0.0.1"), "other addresses are no concern of the fence");
        assert!(scene.closed() > 0, "what was dropped is counted");

        scene.advertise(family, VRID, 100);
        assert!(scene.is_found(address), "an advert opens it at once");
    }
}

#[test]
fn an_advert_of_another_renews_nothing() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    let begun = Instant::now();
    let silent = loop {
        scene.advertise(Family::Ipv4, VRID + 1, 100);
        scene.advertise(Family::Ipv4, VRID + 1, 0);
        scene.advertise(Family::Ipv6, VRID, 100);
        if !scene.answers(VIP4) {
            break begun.elapsed();
        }
        assert!(begun.elapsed() < TIMEOUT * 10, "it is kept alive");
    };
    assert!(silent + TOLERANCE >= TIMEOUT, "too early, after {silent:?}");
}

#[test]
fn whoever_says_goodbye_answers_for_as_long_as_it_waits_for_a_successor() {
    for (address, family) in [(VIP4, Family::Ipv4), (VIP6, Family::Ipv6)] {
        let mut scene = Scene::new();
        scene.hold(address, VRID, TIMEOUT);
        scene.advertise(family, VRID, 100);
        scene.advertise(family, VRID, 0);
        let silent = await_silence(&scene, address, Instant::now());
        assert!(silent + TOLERANCE >= TIMEOUT * 3, "{address}: too early, after {silent:?}");
    }
}

#[test]
fn each_virtual_router_has_its_own_time_and_it_can_be_changed() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    scene.hold("10.0.0.101", VRID + 1, TIMEOUT * 20);
    await_silence(&scene, VIP4, Instant::now());
    assert!(scene.answers("10.0.0.101"));

    let longer = scene.guarded(VIP4, VRID, TIMEOUT * 20);
    scene.guard(&[longer]);
    scene.advertise(Family::Ipv4, VRID, 100);
    std::thread::sleep(TIMEOUT * 2);
    assert!(scene.answers(VIP4));
}

#[test]
fn what_the_last_advert_promised_is_kept_when_the_next_promises_less() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT * 10);
    let shorter = scene.guarded(VIP4, VRID, TIMEOUT);
    scene.guard(&[shorter]);
    std::thread::sleep(TIMEOUT * 2);
    assert!(scene.answers(VIP4), "the next advert may come as late as the ones before");
    scene.advertise(Family::Ipv4, VRID, 100);
    let silent = await_silence(&scene, VIP4, Instant::now());
    assert!(silent < TIMEOUT + SILENCE + TOLERANCE, "too late, after {silent:?}");
}

#[test]
fn the_last_advert_counts_for_more_when_the_next_may_come_later() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    let longer = scene.guarded(VIP4, VRID, TIMEOUT * 10);
    scene.guard(&[longer]);
    std::thread::sleep(TIMEOUT * 2);
    assert!(scene.answers(VIP4));
    await_silence(&scene, VIP4, Instant::now());
}

#[test]
fn an_address_that_comes_back_soon_answers_for_as_long_as_its_last_advert_allows() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    let guarded = scene.guarded(VIP4, VRID, TIMEOUT);
    std::thread::sleep(TIMEOUT * 2 / 3);
    scene.fence.release(&[(scene.eth0(), guarded.address)]).expect("it can be released");
    scene.advertise(Family::Ipv4, VRID, 100);
    let begun = Instant::now();
    scene.guard(&[guarded]);
    std::thread::sleep(TIMEOUT * 2 / 3);
    assert!(scene.answers(VIP4), "what was left of the first time would be over by now");
    let silent = await_silence(&scene, VIP4, begun);
    assert!(silent + TOLERANCE >= TIMEOUT, "too early, after {silent:?}");
    let again = scene.guarded("10.0.0.101", VRID, TIMEOUT);
    scene.guard(&[again]);
    assert!(!scene.answers(VIP4), "no advert has left since");
}

#[test]
fn an_address_that_is_released_is_no_concern_of_the_fence() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    await_silence(&scene, VIP4, Instant::now());
    scene.fence.release(&[(scene.eth0(), VIP4.parse().expect("an address"))]).expect("it can be released");
    assert!(scene.answers(VIP4));
}

#[test]
fn a_fence_that_somebody_took_away_is_put_back() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    assert!(!scene.restore(), "our own changes are no damage");
    scene.host().exec("nft flush ruleset");
    await_restoration(&mut scene);
    await_silence(&scene, VIP4, Instant::now());

    scene.host().exec(&format!("nft flush map netdev {TABLE} vip4"));
    await_restoration(&mut scene);
    await_silence(&scene, VIP4, Instant::now());
    assert!(!scene.restore());
}

#[test]
fn a_fence_that_is_put_back_opens_only_for_those_that_have_sent_of_late() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    scene.hold("10.0.0.101", VRID + 1, TIMEOUT * 20);
    await_silence(&scene, VIP4, Instant::now());
    scene.host().exec("nft flush ruleset");
    await_restoration(&mut scene);
    assert!(!scene.answers(VIP4), "whoever sends its adverts is dead or stuck");
    assert!(scene.answers("10.0.0.101"), "the last advert has some time left");
    scene.advertise(Family::Ipv4, VRID, 100);
    assert!(scene.answers(VIP4));
}

#[test]
fn damage_that_a_change_comes_upon_is_told_once() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT * 20);
    scene.host().exec("nft flush ruleset");
    scene.hold("10.0.0.101", VRID, TIMEOUT * 20);
    assert!(scene.fence.take_restored());
    assert!(!scene.restore(), "it is put back already");
    assert!(scene.host().exec("nft list ruleset").contains(VIP4));
}

/// A program that keeps a table of this name for itself (`flags owner`), until it is dropped.
struct Owner(Child);

impl Owner {
    fn take(host: &Namespace, table: &str) -> Self {
        let arguments = ["netns", "exec", host.name(), "nft", "-i"];
        let child = Command::new("ip").args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut owner = Self(child.expect("nft is there"));
        let order = format!("delete table netdev {table}; add table netdev {table} {{ flags owner; }}\n");
        owner.0.stdin.as_mut().expect("it is piped").write_all(order.as_bytes()).expect("nft reads");
        eventually("the table is taken", || host.exec("nft list ruleset").contains("flags owner"));
        owner
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn while_the_fence_cannot_be_set_up_every_order_says_so_and_lifetimes_are_short() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT * 20);
    let place = (scene.eth0(), VIP4.parse().expect("an address"));
    assert!(scene.fence.lifetime(place.0, place.1).is_some());
    let owner = Owner::take(scene.host(), TABLE);
    let Scene { lan, fence, .. } = &mut scene;
    lan.host(1).enter(|| {
        assert!(fence.restore().is_err());
        assert!(fence.renew([place].into_iter()).is_err(), "not done is not well done");
        assert!(fence.renew(std::iter::empty()).is_err());
    });
    assert!(!fence.stands());
    assert_eq!(fence.lifetime(place.0, place.1), None);
    drop(owner);
    eventually("nothing is in its way", || lan.host(1).enter(|| fence.renew([place].into_iter()).is_ok()));
    assert!(scene.fence.stands());
    assert!(scene.fence.lifetime(place.0, place.1).is_some());
    assert!(scene.answers(VIP4));
}

#[test]
fn an_interface_that_is_gone_leaves_the_others_their_fence() {
    let mut scene = Scene::new();
    scene.host().ip("link add gone0 type veth peer name gone1");
    let index = scene.host().exec("cat /sys/class/net/gone0/ifindex").trim().parse().expect("a number");
    let gone = Guarded { interface: InterfaceIndex::new(index), ..scene.guarded("10.0.0.101", VRID, TIMEOUT) };
    let other = Guarded { interface: InterfaceIndex::new(9_999), ..gone };
    let here = scene.guarded(VIP4, VRID, TIMEOUT);
    scene.guard(&[gone]);
    scene.host().ip("link delete gone0");
    scene.guard(&[other, here]);
    assert!(!scene.fence.take_restored(), "that nobody has damaged");
    scene.hold(VIP4, VRID, TIMEOUT);
    await_silence(&scene, VIP4, Instant::now());
    assert!(scene.fence.lifetime(here.interface, here.address).is_some());
    assert!(scene.fence.lifetime(other.interface, other.address).is_none());
}

#[test]
fn a_renamed_interface_keeps_its_fence() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    scene.host().ip("link set eth0 down");
    scene.host().ip("link set eth0 name uplink");
    scene.host().ip("link set uplink up");
    let Scene { lan, fence, .. } = &mut scene;
    lan.host(1).enter(|| fence.follow_interfaces().expect("it can be attached anew"));
    await_silence(&scene, VIP4, Instant::now());
    assert!(scene.closed() > 0);
}

#[test]
fn an_interface_that_comes_back_with_its_number_begins_with_nothing_and_gets_a_fence() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    let interface = scene.eth0();
    scene.lan.unplug(1);
    let Scene { lan, fence, .. } = &mut scene;
    lan.host(1).enter(|| fence.forget_interface(interface).expect("it can be forgotten"));
    assert_eq!(fence.lifetime(interface, VIP4.parse().expect("an address")), None);
    scene.lan.plug_as(1, interface.get());
    assert_eq!(scene.eth0(), interface);
    scene.host().ip(&format!("address add {VIP4}/32 dev eth0"));
    assert!(scene.answers(VIP4), "nobody guards it");
    scene.host().ip(&format!("address delete {VIP4}/32 dev eth0"));
    scene.hold(VIP4, VRID, TIMEOUT);
    await_silence(&scene, VIP4, Instant::now());
}

#[test]
fn nft_can_show_it_and_nothing_is_left_of_it_when_it_is_removed() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    scene.hold(VIP6, VRID, TIMEOUT);
    let shown = scene.host().exec("nft list ruleset");
    assert!(shown.contains(TABLE) && shown.contains(VIP4) && shown.contains(VIP6), "{shown}");
    scene.host().exec("nft -j list ruleset");
    scene.fence.remove().expect("it can be removed");
    assert_eq!(scene.host().exec("nft list ruleset").trim(), "");
}

#[test]
fn the_next_run_takes_over_what_a_killed_agent_left_and_tells_what_was_dropped() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    await_silence(&scene, VIP4, Instant::now());
    let mut next = scene.host().enter(|| Fence::open(TABLE).expect("the kernel has the hook"));
    assert!(!scene.answers(VIP4), "the leftover guards until it is replaced");
    next.replace_leftover().expect("it can be replaced");
    assert!(scene.answers(VIP4));
    let told = next.closed().expect("the counters can be read");
    let [Closed { interface, family: Family::Ipv4, virtual_router_id: VRID, packets: 1.. }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(*interface, scene.eth0());
    assert_eq!(next.closed(), Ok(vec![]), "it is told once");
}

#[test]
fn thousands_of_addresses_are_guarded_quickly() {
    let mut scene = Scene::new();
    let guarded: Vec<Guarded> = (0..10_000_u32)
        .map(|number| {
            let address = Ipv4Addr::from(0x0a09_0000 + number).to_string();
            scene.guarded(&address, u8::try_from(number % 250 + 1).expect("small"), TIMEOUT)
        })
        .collect();
    let begun = Instant::now();
    scene.guard(&guarded);
    println!("10,000 addresses in {:?}", begun.elapsed());
    assert!(!scene.restore(), "so many changes of our own are no damage");
    scene.host().exec("nft flush ruleset");
    await_restoration(&mut scene);
    assert!(!scene.restore(), "and its restoration is none");
    let begun = Instant::now();
    let places: Vec<_> = guarded.iter().map(|guarded| (guarded.interface, guarded.address)).collect();
    scene.fence.release(&places).expect("they can be released");
    println!("and released in {:?}", begun.elapsed());
}

#[test]
fn reports_that_were_lost_are_no_damage() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT * 20);
    scene.hold(VIP6, VRID, TIMEOUT * 20);
    overrun(&scene);
    assert!(!scene.restore(), "all is there");
    overrun(&scene);
    scene.host().exec(&format!("nft flush map netdev {TABLE} vip4"));
    assert!(scene.restore(), "but it is looked for");
    assert!(scene.host().exec("nft list ruleset").contains(VIP4));
}

/// Others change more than the watch has room for: each element is a report, and it takes some hundred bytes of memory.
fn overrun(scene: &Scene) {
    let elements = (0..60_000_u32).map(|number| Ipv4Addr::from(0x0b00_0000 + number).to_string());
    let elements = elements.collect::<Vec<_>>().join(", ");
    let rules = format!("table ip other {{\n set many {{ type ipv4_addr\n elements = {{ {elements} }} }}\n }}\n");
    let file = std::env::temp_dir().join(format!("{}.nft", scene.host().name()));
    std::fs::write(&file, rules).expect("there is room");
    for _ in 0..4 {
        scene.host().exec(&format!("nft -f {}", file.display()));
        scene.host().exec("nft delete table ip other");
    }
    std::fs::remove_file(&file).expect("it is there");
}

/// A group that is elected on the interface with a subnet, whatever its name is.
fn group() -> GroupSpec {
    let address = VIP4.parse().expect("an address");
    GroupSpec::new(VRID, 100, VIP4).with(|spec| spec.interface = InterfaceChoice::HoldingSubnetOf(address))
}

fn master(lan: &Lan, folder: StateFolder, group: &GroupSpec) -> Node {
    let mut node = Node::start_with(lan.host(1), folder);
    node.apply(&[group.group()]);
    node.await_state(&group.name, State::Master);
    eventually("the address answers", || ping(lan.host(2), VIP4));
    node
}

/// Seconds until the kernel removes each of the virtual addresses.
fn lifetimes(host: &Namespace) -> Vec<u64> {
    let shown = host.ip("address show dev eth0 dynamic");
    let lifetimes = shown.split("valid_lft ").skip(1);
    lifetimes.map(|rest| rest.split_once("sec").and_then(|(text, _)| text.parse().ok()).expect("a number")).collect()
}

#[test]
fn lifetimes_are_short_while_there_is_no_fence_and_long_again_when_it_is_back() {
    let lan = Lan::new(2);
    let folder = StateFolder::default();
    // More than are renewed at once.
    let many = group().with(|spec| spec.addresses.extend((1..200).map(|last| ([10, 0, 9, last].into(), 32))));
    let mut node = master(&lan, folder.clone(), &many);
    let all = |is_right: fn(&u64) -> bool| {
        let lifetimes = lifetimes(lan.host(1));
        lifetimes.len() == many.addresses.len() && lifetimes.iter().all(is_right)
    };
    eventually("they live long", || all(|seconds| *seconds > 20));
    let owner = Owner::take(lan.host(1), &folder.fence());
    node.await_report("the loss", |report| match report {
        Report::Degraded { message } if message.contains("the fence cannot be set up") => Some(()),
        _ => None,
    });
    eventually("they live shortly", || all(|seconds| *seconds <= 2));
    assert_eq!(node.router("vip51").fencing, Some(Fencing::None), "that is what is in force");
    drop(owner);
    eventually("they live long again", || all(|seconds| *seconds > 20));
    node.until("that is in force", |snapshot| snapshot.virtual_routers[0].fencing == Some(Fencing::Overlap));
    let renewed = node.snapshot().counters["leases_renewed"];
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(node.snapshot().counters["leases_renewed"], renewed, "no need to renew them often");
    assert_eq!(node.router("vip51").counters.get("addresses_restored"), None, "none was gone for a while");
}

#[test]
fn what_was_dropped_while_no_agent_ran_is_told_by_the_next() {
    let lan = Lan::new(2);
    let folder = StateFolder::default();
    let fence = lan.host(1).enter(|| Fence::open(&folder.fence()).expect("the kernel has the hook"));
    let mut killed = Scene { lan, fence, pulses: Vec::new() };
    killed.hold(VIP4, VRID, TIMEOUT);
    await_silence(&killed, VIP4, Instant::now());
    let mut node = Node::start_with(killed.host(), folder);
    let dropped = node.await_report("what was dropped", |report| match report {
        Report::FenceWasClosed { interface, virtual_router_id: VRID, packets } if interface == "eth0" => Some(*packets),
        _ => None,
    });
    assert!(dropped > 0);
    assert_eq!(node.snapshot().counters["fence_dropped_packets"], dropped);
}

#[test]
fn fencing_is_told_of_what_is_held() {
    let lan = Lan::new(2);
    let node = master(&lan, StateFolder::default(), &group());
    node.until("it is fenced", |snapshot| snapshot.virtual_routers[0].fencing == Some(Fencing::Overlap));
    let mut backup = Node::start(lan.host(2));
    backup.apply(&[group().with(|spec| spec.priority = 50).group()]);
    backup.await_state("vip51", State::Backup);
    assert_eq!(backup.router("vip51").fencing, None, "it holds nothing");
    node.apply(&[group().with(|spec| spec.fencing = Fencing::None).group()]);
    node.until("it is not fenced", |snapshot| snapshot.virtual_routers[0].fencing == Some(Fencing::None));
}

#[test]
fn a_master_that_has_nobody_to_tell_answers_for_its_addresses() {
    let lan = Lan::new(2);
    let alone = group().with(|spec| spec.transport = Transport::Unicast(vec![]));
    let node = master(&lan, StateFolder::default(), &alone);
    std::thread::sleep(alone.interval * 10);
    assert!(ping(lan.host(2), VIP4));
    assert_eq!(node.router("vip51").fencing, Some(Fencing::None));
    let peer = group().with(|spec| spec.transport = Transport::Unicast(vec![[10, 0, 0, 2].into()]));
    node.apply(&[peer.group()]);
    node.until("it is fenced", |snapshot| snapshot.virtual_routers[0].fencing == Some(Fencing::Overlap));
    std::thread::sleep(peer.interval * 10);
    assert!(ping(lan.host(2), VIP4), "now adverts leave");
}

#[test]
fn a_master_on_a_renamed_interface_is_fenced_as_before() {
    let lan = Lan::new(2);
    let folder = StateFolder::default();
    let mut node = master(&lan, folder.clone(), &group());
    let brake = folder.brake();
    lan.host(1).ip("link set eth0 name uplink");
    // The thread takes note of another address, and stands still: no advert leaves any more.
    node.apply(&[group().with(|spec| spec.addresses.push(("10.0.0.101".parse().expect("an address"), 32))).group()]);
    brake.await_standstill();
    eventually("the kernel falls silent", || !ping(lan.host(2), VIP4));
    assert!(lan.host(1).addresses("uplink").contains(&format!("{VIP4}/32")), "though the address is there yet");
    brake.release();
    node.await_report("what was dropped", |report| matches!(report, Report::FenceClosed { .. }).then_some(()));
}
