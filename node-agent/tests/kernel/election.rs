//! Elections between nodes of one LAN.

use std::time::Duration;

use holdfast_node_agent::desired::InterfaceChoice;
use holdfast_node_agent::snapshot::RouterState;
use holdfast_vrrp::{State, Transport};

use crate::lan::Lan;
use crate::node::{GroupSpec, Node, eventually};

#[test]
fn the_highest_priority_becomes_master_and_holds_the_addresses() {
    for (address, placed) in [("10.0.0.100", "10.0.0.100/32"), ("fd00::100", "fd00::100/128")] {
        let lan = Lan::new(2);
        let (mut one, mut two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
        one.apply(&[GroupSpec::new(51, 200, address).group()]);
        two.apply(&[GroupSpec::new(51, 100, address).group()]);
        one.await_state("vip51", State::Master);
        two.await_state("vip51", State::Backup);
        two.until("the backup follows the master", |snapshot| snapshot.virtual_routers[0].master_address.is_some());
        assert!(one.is_master("vip51"));
        lan.host(1).await_address(placed);
        let held = [address.parse::<std::net::IpAddr>().expect("an address")];
        one.until("it is told", |snapshot| snapshot.virtual_routers[0].held == held);
        assert!(!lan.host(2).has(placed), "{address} is not on that of the backup");
        assert_eq!(two.router("vip51").state, RouterState::Backup);
    }
}

#[test]
fn a_master_that_vanishes_is_replaced_within_the_master_down_interval() {
    let lan = Lan::new(2);
    let (mut one, mut two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&[GroupSpec::new(51, 200, "10.0.0.100").group()]);
    two.apply(&[GroupSpec::new(51, 100, "10.0.0.100").group()]);
    one.await_state("vip51", State::Master);
    two.until("the backup follows", |snapshot| snapshot.virtual_routers[0].master_address.is_some());
    let begin = std::time::Instant::now();
    lan.isolate(1, 1, true);
    two.await_state("vip51", State::Master);
    let took = begin.elapsed();
    // 3 x 100 ms + 60.9 ms after the last advert, which was up to 100 ms before.
    assert!(took >= Duration::from_millis(255), "{took:?}");
    assert!(took < Duration::from_millis(600), "{took:?}");
    lan.host(2).await_address("10.0.0.100/32");
    lan.isolate(1, 1, false);
    two.await_state("vip51", State::Backup);
    eventually("the part of the network that comes back wins", || !lan.host(2).has("10.0.0.100/32"));
}

#[test]
fn a_drain_hands_over_before_it_lets_go() {
    let lan = Lan::new(2);
    let (mut one, mut two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&[GroupSpec::new(51, 200, "10.0.0.100").group()]);
    two.apply(&[GroupSpec::new(51, 100, "10.0.0.100").group()]);
    one.await_state("vip51", State::Master);
    two.until("the backup follows", |snapshot| snapshot.virtual_routers[0].master_address.is_some());
    one.handle.drain();
    two.await_state("vip51", State::Master);
    one.await_finished();
    assert!(!lan.host(1).has("10.0.0.100/32"));
    lan.host(2).await_address("10.0.0.100/32");
    assert_eq!(two.router("vip51").reason, "MasterReleased");
}

#[test]
fn unicast_peers_elect_without_multicast() {
    let lan = Lan::new(2);
    let unicast = |priority, peer: &str| {
        let address = if peer.contains(':') { "fd00::100" } else { "10.0.0.100" };
        let peer: std::net::IpAddr = peer.parse().expect("an address");
        GroupSpec::new(51, priority, address).with(|spec| {
            spec.transport = Transport::Unicast(vec![peer]);
            spec.known_peers = Some(vec![peer]);
        })
    };
    for peers in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
        let (mut one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
        one.apply(&[unicast(200, peers.1).group()]);
        two.apply(&[unicast(100, peers.0).group()]);
        one.await_state("vip51", State::Master);
        two.until("the backup follows", |snapshot| {
            snapshot.virtual_routers[0].master_address == Some(peers.0.parse().expect("an address"))
        });
        assert_eq!(two.router("vip51").state, RouterState::Backup, "{peers:?}");
    }
}

#[test]
fn a_configuration_that_stays_the_same_disturbs_nobody() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    let (kept, changed) = (GroupSpec::new(51, 100, "10.0.0.100"), GroupSpec::new(52, 100, "10.0.0.101"));
    node.apply(&[kept.group(), changed.group()]);
    node.await_state("vip51", State::Master);
    node.await_state("vip52", State::Master);
    node.drain_reports();
    let more = changed.with(|spec| spec.addresses.push(("10.0.0.102".parse().expect("an address"), 32)));
    node.apply(&[kept.group(), more.group(), GroupSpec::new(53, 100, "10.0.0.103").group()]);
    node.await_state("vip53", State::Master);
    assert_eq!(node.router("vip51").transitions, 1);
    assert_eq!(node.router("vip52").transitions, 1, "an address more is no new election");
    lan.host(1).await_address("10.0.0.102/32");
    node.apply(&[kept.group()]);
    eventually("the addresses of groups that went are gone", || {
        lan.host(1)
            .addresses("eth0")
            .iter()
            .all(|address| !address.starts_with("10.0.0.10") || address == "10.0.0.100/32")
    });
    assert_eq!(node.router("vip51").transitions, 1);
    lan.host(1).await_address("10.0.0.100/32");
}

#[test]
fn a_changed_prefix_length_is_set_without_an_election() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    let narrow = GroupSpec::new(51, 100, "10.0.0.100");
    node.apply(&[narrow.group()]);
    node.await_state("vip51", State::Master);
    node.apply(&[narrow.with(|spec| spec.addresses[0].1 = 24).group()]);
    eventually("the wider prefix is there", || lan.host(1).has("10.0.0.100/24"));
    assert!(!lan.host(1).has("10.0.0.100/32"));
    assert_eq!(node.router("vip51").transitions, 1);
}

#[test]
fn the_interface_is_found_by_the_subnet_of_the_address() {
    let lan = Lan::new(1);
    lan.host(1).ip("link add other type veth peer name end");
    lan.host(1).ip("link set other up");
    lan.host(1).ip("link set end up");
    lan.host(1).ip("address add 192.0.2.1/24 dev other");
    let mut node = Node::start(lan.host(1));
    let address = "192.0.2.100".parse().expect("an address");
    let spec =
        GroupSpec::new(51, 100, "192.0.2.100").with(|spec| spec.interface = InterfaceChoice::HoldingSubnetOf(address));
    node.apply(&[spec.group()]);
    node.await_state("vip51", State::Master);
    assert_eq!(node.router("vip51").interface.as_deref(), Some("other"));
    // The kernel is asked for it by another thread than the one that elects.
    eventually("it has the address", || lan.host(1).addresses("other").contains(&"192.0.2.100/32".to_owned()));
}
