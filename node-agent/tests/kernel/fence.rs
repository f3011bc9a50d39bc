//! The fence: who answers for an address, seen from another host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_node_agent::network::fence::{Fence, Guard, Guarded};
use holdfast_node_agent::network::interfaces::InterfaceIndex;
use holdfast_vrrp::Family;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::lan::{Lan, Namespace};
use crate::node::{PATIENCE, eventually};

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
}

impl Scene {
    fn new() -> Self {
        let lan = Lan::new(2);
        let fence = lan.host(1).enter(|| Fence::open(TABLE).expect("the kernel has the hook"));
        Self { lan, fence }
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

    /// Guards an address and puts it on the interface, as the agent does just after its first advert.
    fn hold(&mut self, address: &str, virtual_router_id: u8, timeout: Duration) {
        let guarded = self.guarded(address, virtual_router_id, timeout);
        let namespace = self.lan.host(1);
        let fence = &mut self.fence;
        namespace.enter(|| fence.guard(&[guarded]).expect("it can be guarded"));
        let (length, nodad) = if guarded.address.is_ipv4() { (32, "") } else { (128, "nodad") };
        self.host().ip(&format!("address add {address}/{length} dev eth0 {nodad}"));
    }

    fn advertise(&self, family: Family, virtual_router_id: u8, priority: u8) {
        self.host().enter(|| advertise(family, virtual_router_id, priority));
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
    scene.fence.guard(&[longer]).expect("it can be changed");
    scene.advertise(Family::Ipv4, VRID, 100);
    std::thread::sleep(TIMEOUT * 2);
    assert!(scene.answers(VIP4));
}

#[test]
fn an_address_that_comes_back_soon_has_its_full_time_again() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    let guarded = scene.guarded(VIP4, VRID, TIMEOUT);
    std::thread::sleep(TIMEOUT * 2 / 3);
    scene.fence.release(&[(scene.eth0(), guarded.address)]).expect("it can be released");
    scene.fence.guard(&[guarded]).expect("it can be guarded again");
    std::thread::sleep(TIMEOUT * 2 / 3);
    assert!(scene.answers(VIP4), "what was left of the first time would be over by now");
    let begun = Instant::now();
    let silent = await_silence(&scene, VIP4, begun);
    assert!(silent + TOLERANCE >= TIMEOUT, "too early, after {silent:?}");
    for timeout in [TIMEOUT * 3, TIMEOUT] {
        let changed = scene.guarded(VIP4, VRID, timeout);
        scene.fence.guard(&[changed]).expect("it can be changed");
        assert!(scene.answers(VIP4), "a change of the time counts as an advert");
    }
    let silent = await_silence(&scene, VIP4, Instant::now());
    assert!(silent < TIMEOUT + SILENCE + TOLERANCE, "too late, after {silent:?}");
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
    assert_eq!(scene.fence.restore(), Ok(false), "our own changes are no damage");
    scene.host().exec("nft flush ruleset");
    await_restoration(&mut scene);
    await_silence(&scene, VIP4, Instant::now());

    scene.host().exec(&format!("nft flush map netdev {TABLE} vip4"));
    await_restoration(&mut scene);
    await_silence(&scene, VIP4, Instant::now());
    assert_eq!(scene.fence.restore(), Ok(false));
}

fn await_restoration(scene: &mut Scene) {
    let begun = Instant::now();
    let Scene { lan, fence } = scene;
    while !lan.host(1).enter(|| fence.restore().expect("it can be put back")) {
        assert!(begun.elapsed() < PATIENCE, "the damage is not noticed");
        std::thread::sleep(Duration::from_millis(10));
    }
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
fn the_next_run_takes_over_what_a_killed_agent_left() {
    let mut scene = Scene::new();
    scene.hold(VIP4, VRID, TIMEOUT);
    await_silence(&scene, VIP4, Instant::now());
    let mut next = scene.host().enter(|| Fence::open(TABLE).expect("the kernel has the hook"));
    assert!(!scene.answers(VIP4), "the leftover guards until it is replaced");
    next.replace_leftover().expect("it can be replaced");
    assert!(scene.answers(VIP4));
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
    let Scene { lan, fence } = &mut scene;
    lan.host(1).enter(|| fence.guard(&guarded).expect("they can be guarded"));
    println!("10,000 addresses in {:?}", begun.elapsed());
    assert_eq!(scene.fence.restore(), Ok(false), "so many changes of our own are no damage");
    scene.host().exec("nft flush ruleset");
    await_restoration(&mut scene);
    assert_eq!(scene.fence.restore(), Ok(false), "and its restoration is none");
    let begun = Instant::now();
    let places: Vec<_> = guarded.iter().map(|guarded| (guarded.interface, guarded.address)).collect();
    scene.fence.release(&places).expect("they can be released");
    println!("and released in {:?}", begun.elapsed());
}
