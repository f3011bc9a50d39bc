//! What goes over the wire, and what the sockets take in and leave out.

use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use holdfast_node_agent::network::packet_socket::{PacketSocket, Traffic};
use holdfast_node_agent::network::{advert_socket::AdvertSocket, interfaces::InterfaceIndex};
use holdfast_node_agent::snapshot::RouterState;
use holdfast_node_agent::system::{Outgoing, ReceiveBatch, bind_packet_socket, send_batch};
use holdfast_vrrp::wire::{arp, neighbor};
use holdfast_vrrp::{State, Transport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lan::{Lan, Namespace};
use crate::node::{GroupSpec, Node, PATIENCE};

const ALL_ETHERNET_TYPES: u16 = 0x0003;

/// Sees every frame of an interface, in both directions.
struct Capture(Socket);

impl Capture {
    fn on(namespace: &Namespace) -> Self {
        let index = index_of(namespace);
        let socket = namespace.enter(|| {
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).expect("root may");
            bind_packet_socket(&socket, index.get(), ALL_ETHERNET_TYPES).expect("the interface is there");
            socket
        });
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a valid time");
        Self(socket)
    }

    /// The next frame that `wanted` accepts.
    fn await_frame(&mut self, what: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 9_000];
        while Instant::now() < end {
            let Ok(length) = self.0.read(&mut buffer) else { continue };
            if wanted(&buffer[..length]) {
                return buffer[..length].to_vec();
            }
        }
        panic!("no {what}");
    }

    /// Frames that are there now and that `wanted` accepts.
    fn pending(&mut self, wanted: impl Fn(&[u8]) -> bool) -> usize {
        let (mut buffer, mut count) = ([0; 9_000], 0);
        while let Ok(length) = self.0.read(&mut buffer) {
            count += usize::from(wanted(&buffer[..length]));
        }
        count
    }
}

fn index_of(namespace: &Namespace) -> InterfaceIndex {
    InterfaceIndex::new(namespace.exec("cat /sys/class/net/eth0/ifindex").trim().parse().expect("a number"))
}

fn mac_of(namespace: &Namespace) -> Vec<u8> {
    let text = namespace.exec("cat /sys/class/net/eth0/address");
    text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}

fn ethernet_type(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

fn is_ipv4_advert(frame: &[u8]) -> bool {
    ethernet_type(frame) == 0x0800 && frame[23] == 112
}

fn is_ipv6_advert(frame: &[u8]) -> bool {
    ethernet_type(frame) == 0x86dd && frame[20] == 112
}

fn octets(address: &str) -> Vec<u8> {
    match address.parse().expect("an address") {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[test]
fn an_ipv4_advert_looks_as_the_protocol_wants_it() {
    let lan = Lan::new(2);
    let mut capture = Capture::on(lan.host(2));
    let node = Node::start(lan.host(1));
    node.apply(&[GroupSpec::new(51, 200, "10.0.0.100").group()]);
    let frame = capture.await_frame("advert", is_ipv4_advert);
    assert_eq!(frame[..6], [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12], "to the group's Ethernet address");
    assert_eq!(frame[6..12], mac_of(lan.host(1)), "from the interface's own");
    assert_eq!(frame[14], 0x45, "no options");
    assert_eq!(frame[15], 0xc0, "network control");
    assert_eq!(frame[16..18], 32_u16.to_be_bytes(), "no padding in the packet");
    assert_eq!(frame[22], 255, "time to live");
    assert_eq!(frame[26..30], octets("10.0.0.1"));
    assert_eq!(frame[30..34], octets("224.0.0.18"));
    assert_eq!(frame[34..40], [0x31, 51, 200, 1, 0, 10]);
    assert_eq!(frame[42..46], octets("10.0.0.100"));
    let next = capture.await_frame("second advert", is_ipv4_advert);
    assert_eq!(next[34..], frame[34..]);
    node.handle.drain();
    capture.await_frame("release", |frame| is_ipv4_advert(frame) && frame[36] == 0);
}

#[test]
fn an_ipv6_advert_looks_as_the_protocol_wants_it() {
    let lan = Lan::new(2);
    let mut capture = Capture::on(lan.host(2));
    let node = Node::start(lan.host(1));
    node.apply(&[GroupSpec::new(51, 200, "fd00::100").group()]);
    let frame = capture.await_frame("advert", is_ipv6_advert);
    assert_eq!(frame[..6], [0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);
    assert_eq!((frame[14], frame[15] >> 4), (0x6c, 0), "version 6, network control");
    assert_eq!(frame[21], 255, "hop limit");
    assert_eq!(frame[22..24], [0xfe, 0x80], "from the link-local address");
    assert_eq!(frame[38..54], octets("ff02::12"));
    assert_eq!(frame[54..60], [0x31, 51, 200, 1, 0, 10]);
    drop(node);
}

#[test]
fn unicast_adverts_have_a_hop_limit_of_255_and_the_routable_source() {
    let lan = Lan::new(2);
    let cases = [("10.0.0.100", "10.0.0.2", 22, 26..30, "10.0.0.1"), ("fd00::100", "fd00::2", 21, 22..38, "fd00::1")];
    for (address, peer, hop_limit, source, expected) in cases {
        let mut capture = Capture::on(lan.host(2));
        let node = Node::start(lan.host(1));
        let peer = peer.parse().expect("an address");
        node.apply(&[GroupSpec::new(51, 200, address)
            .with(|spec| spec.transport = Transport::Unicast(vec![peer]))
            .group()]);
        let frame = capture.await_frame("advert", |frame| is_ipv4_advert(frame) || is_ipv6_advert(frame));
        assert_eq!(frame[..6], mac_of(lan.host(2)), "to the peer's Ethernet address");
        assert_eq!(frame[hop_limit], 255);
        assert_eq!(frame[source], octets(expected));
        drop(node);
    }
}

#[test]
fn a_takeover_is_advertised_then_announced_for_every_address() {
    let lan = Lan::new(2);
    let mut capture = Capture::on(lan.host(2));
    let node = Node::start(lan.host(1));
    let two = GroupSpec::new(51, 200, "10.0.0.100").with(|spec| spec.addresses.push(([10, 0, 0, 101].into(), 32)));
    node.apply(&[two.group()]);
    let relevant = |frame: &[u8]| is_ipv4_advert(frame) || ethernet_type(frame) == arp::ETHERTYPE;
    assert!(is_ipv4_advert(&capture.await_frame("advert", relevant)), "the advert comes first");
    for address in ["10.0.0.100", "10.0.0.101"] {
        let frame = capture.await_frame("announcement", relevant);
        assert_eq!(ethernet_type(&frame), arp::ETHERTYPE);
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(frame[20..22], [0, 1], "a request");
        assert_eq!(frame[22..28], mac_of(lan.host(1)));
        assert_eq!((&frame[28..32], &frame[38..42]), (&octets(address)[..], &octets(address)[..]));
    }
    drop(node);
}

#[test]
fn a_neighbor_advertisement_says_whether_the_node_is_a_router() {
    for (forwarding, flags) in [("0", 0x20), ("1", 0xa0)] {
        let lan = Lan::new(2);
        lan.host(1).sysctl("net/ipv6/conf/eth0/forwarding", forwarding);
        let mut capture = Capture::on(lan.host(2));
        let node = Node::start(lan.host(1));
        node.apply(&[GroupSpec::new(51, 200, "fd00::100").group()]);
        let is_announcement = |frame: &[u8]| {
            ethernet_type(frame) == neighbor::ETHERTYPE
                && frame[20] == 58
                && frame[54] == 136
                && frame[22..38] == octets("fd00::100")
        };
        let frame = capture.await_frame("neighbour advertisement", is_announcement);
        assert_eq!(frame[38..54], octets("ff02::1"));
        assert_eq!(frame[58], flags, "forwarding {forwarding}");
        drop(node);
    }
}

#[test]
fn a_node_does_not_hear_itself() {
    let lan = Lan::new(1);
    for address in ["10.0.0.100", "fd00::100"] {
        let mut node = Node::start(lan.host(1));
        node.apply(&[GroupSpec::new(51, 200, address).group()]);
        node.await_state("vip51", State::Master);
        node.until("it has advertised", |snapshot| snapshot.virtual_routers[0].counters.get("adverts_sent") > Some(&5));
        let eth0 = node.snapshot().interfaces.into_iter().find(|interface| interface.name == "eth0").expect("eth0");
        assert_eq!(eth0.counters["packets_received"], 0, "{address}");
        assert_eq!(node.router("vip51").counters.get("own_adverts"), None, "{address}");
    }
}

#[test]
fn the_group_is_joined_while_a_virtual_router_runs() {
    let lan = Lan::new(1);
    let groups = || lan.host(1).ip("maddress show dev eth0");
    let mut node = Node::start(lan.host(1));
    node.apply(&[
        GroupSpec::new(51, 200, "10.0.0.100").group(),
        GroupSpec::new(51, 200, "fd00::100").with(|spec| spec.name = "six".to_owned()).group(),
    ]);
    node.until("both are masters", |snapshot| {
        snapshot.virtual_routers.iter().all(|router| router.state == RouterState::Master)
    });
    assert!(groups().contains("224.0.0.18") && groups().contains("ff02::12"), "{}", groups());
    node.handle.drain();
    node.await_finished();
    crate::node::eventually("it leaves", || !groups().contains("224.0.0.18") && !groups().contains("ff02::12"));
}

#[test]
fn a_unicast_advert_to_a_node_is_not_answered_with_an_error() {
    let lan = Lan::new(2);
    let mut node = Node::start(lan.host(1));
    node.apply(&[GroupSpec::new(51, 200, "10.0.0.100").group()]);
    node.await_state("vip51", State::Master);
    let mut capture = Capture::on(lan.host(2));
    let socket = sender(lan.host(2), "10.0.0.2");
    send(&socket, "10.0.0.1", &[0; 20]);
    node.until("it came", |snapshot| {
        snapshot.interfaces.iter().any(|interface| interface.counters.get("unknown_virtual_router") == Some(&1))
    });
    let is_icmp = |frame: &[u8]| ethernet_type(frame) == 0x0800 && frame[23] == 1;
    assert_eq!(capture.pending(is_icmp), 0, "no ICMP protocol unreachable");
}

fn sender(namespace: &Namespace, source: &str) -> AdvertSocket {
    let (index, source) = (index_of(namespace), source.parse().expect("an address"));
    namespace.enter(|| AdvertSocket::open(index, "eth0", source).expect("root may"))
}

fn send(socket: &AdvertSocket, destination: &str, bytes: &[u8]) {
    let destination = Some((destination.parse().expect("an address"), 0));
    let sent = send_batch(socket, std::iter::once(Outgoing { bytes, destination }));
    assert_eq!(sent.expect("it can be sent"), 1);
}

#[test]
fn the_filters_let_adverts_and_claims_through_and_nothing_else() {
    let lan = Lan::new(2);
    let (here, there) = (lan.host(1), lan.host(2));
    let index = index_of(here);
    let open = |traffic| here.enter(|| PacketSocket::open(index, traffic).expect("root may"));
    let (four, six, claims) = (open(Traffic::Ipv4), open(Traffic::Ipv6), open(Traffic::Arp));
    claims.watch(&[[10, 0, 0, 2].into()]).expect("a filter");
    // Pings, and the ARP and neighbour discovery before them; adverts of both families; both directions.
    there.exec("ping -q -c 1 10.0.0.1");
    there.exec("ping -q -c 1 fd00::1");
    here.exec("ping -q -c 1 fd00::2");
    send(&sender(there, "10.0.0.2"), "224.0.0.18", &[0x31; 12]);
    send(&sender(there, "10.0.0.2"), "10.0.0.1", &[0x32; 12]);
    send(&sender(here, "10.0.0.1"), "224.0.0.18", &[0x33; 12]);
    send(&sender(there, "fd00::2"), "fd00::1", &[0x34; 12]);
    let received = |socket: &PacketSocket| {
        let mut batch = ReceiveBatch::default();
        batch.receive(socket).expect("no error");
        batch.packets().map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let adverts: Vec<u8> = received(&four).iter().map(|packet| packet[20]).collect();
    assert_eq!(adverts, [0x31, 0x32], "not our own, not pings");
    for packet in received(&six) {
        assert!(
            packet[6] == 112 || (packet[6] == 58 && packet[40] == 136),
            "next header {} type {}",
            packet[6],
            packet[40]
        );
    }
    let senders: Vec<Vec<u8>> = received(&claims).iter().map(|packet| packet[14..18].to_vec()).collect();
    assert!(!senders.is_empty());
    assert!(senders.iter().all(|sender| *sender == octets("10.0.0.2")), "{senders:?}");
    claims.watch(&[[10, 0, 0, 9].into()]).expect("another filter");
    there.ip("neighbour flush dev eth0");
    there.exec("ping -q -c 1 10.0.0.1");
    assert_eq!(received(&claims), Vec::<Vec<u8>>::new());
}

#[test]
fn an_arp_filter_may_have_thousands_of_addresses() {
    let lan = Lan::new(2);
    let index = index_of(lan.host(1));
    let socket = lan.host(1).enter(|| PacketSocket::open(index, Traffic::Arp).expect("root may"));
    for count in [0, 1, 1_000, 1_024, 1_025, 5_000] {
        let addresses: Vec<_> = (0..count).map(|number: u32| std::net::Ipv4Addr::from(0x0a09_0000 + number)).collect();
        socket.watch(&addresses).unwrap_or_else(|error| panic!("{count}: {error}"));
    }
}

#[test]
fn a_flood_of_junk_keeps_a_master_neither_from_its_adverts_nor_from_its_peer() {
    const BATCHES: usize = 1_000;
    let lan = Lan::new(3);
    let (mut one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&[GroupSpec::new(51, 200, "10.0.0.100").group()]);
    two.apply(&[GroupSpec::new(51, 100, "10.0.0.100").group()]);
    one.await_state("vip51", State::Master);
    two.until("the backup follows", |snapshot| snapshot.virtual_routers[0].master_address.is_some());
    let flood = sender(lan.host(3), "10.0.0.3");
    // For the group's VRID with a wrong checksum, for another VRID, too short, and longer than any advert.
    let kinds: [&[u8]; 4] =
        [&[0x31, 51, 255, 1, 0, 10, 0, 0, 10, 0, 0, 100], &[0x31, 99, 255, 0], &[0x31], &[0x31; 1_400]];
    let destination = Some(("224.0.0.18".parse().expect("an address"), 0));
    let mut sent = 0;
    for _ in 0..BATCHES {
        let packets = (0..64).map(|number| Outgoing { bytes: kinds[number % kinds.len()], destination });
        // A full queue on the way is part of a flood.
        sent += send_batch(&flood, packets).unwrap_or_default();
    }
    assert!(sent > 10_000, "only {sent} packets left");
    one.until("the flood is over", |snapshot| {
        let eth0 = snapshot.interfaces.iter().find(|interface| interface.name == "eth0").expect("eth0");
        eth0.counters["packets_received"] + eth0.counters["receive_drops"] >= sent as u64
    });
    assert_eq!((one.router("vip51").transitions, two.router("vip51").transitions), (1, 0));
    let rejected = one.router("vip51").counters;
    assert!(rejected["rejected_checksum"] > 1_000, "{rejected:?}");
    let eth0 = one.snapshot().interfaces.into_iter().find(|interface| interface.name == "eth0").expect("eth0");
    assert!(eth0.counters["unknown_virtual_router"] > 1_000, "{:?}", eth0.counters);
    println!("{sent} packets of junk: {:?} {:?}", eth0.counters, one.snapshot().counters);
}
