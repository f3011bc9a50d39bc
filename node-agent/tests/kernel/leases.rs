//! The kernel lifetime of addresses: who renews keeps, who stops loses.

use std::time::{Duration, Instant};

use holdfast_node_agent::network::interfaces::Placement;
use holdfast_node_agent::network::lease_keeper::LeaseKeeper;
use holdfast_node_agent::network::netlink::{AddressCommands, AddressRequest, LEASE_SECONDS};

use crate::lan::{Lan, Namespace};
use crate::node::eventually;

/// The kernel looks for expired addresses no more often than once a second.
const LAZINESS: Duration = Duration::from_secs(1);

fn lease() -> Duration {
    Duration::from_secs(LEASE_SECONDS.into())
}

fn place(namespace: &Namespace, address: &str) -> (AddressCommands, Placement) {
    let index = namespace.exec("cat /sys/class/net/eth0/ifindex").trim().parse().expect("a number");
    let address: std::net::IpAddr = address.parse().expect("an address");
    let placement = Placement {
        interface: holdfast_node_agent::network::interfaces::InterfaceIndex::new(index),
        address,
        prefix_length: if address.is_ipv4() { 32 } else { 128 },
    };
    let mut commands = namespace.enter(|| AddressCommands::open().expect("netlink"));
    let mut outcomes = Vec::new();
    commands.execute(&[AddressRequest::Add(placement)], &mut outcomes);
    assert_eq!(outcomes, [Ok(())]);
    (commands, placement)
}

#[test]
fn an_address_that_nobody_renews_goes_when_its_lease_ends() {
    let lan = Lan::new(1);
    for (address, placed) in [("10.0.0.100", "10.0.0.100/32"), ("fd00::100", "fd00::100/128")] {
        let begin = Instant::now();
        let _commands = place(lan.host(1), address);
        eventually("it expires", || !lan.host(1).has(placed));
        let lived = begin.elapsed();
        println!("{address} lived {lived:?} with a lease of {:?}", lease());
        assert!(lived > lease() - Duration::from_millis(100), "{lived:?}");
        assert!(lived < lease() + LAZINESS + Duration::from_millis(250), "{lived:?}");
    }
}

#[test]
fn an_address_that_is_renewed_stays() {
    let lan = Lan::new(1);
    let keeper = lan.host(1).enter(|| LeaseKeeper::start(None).expect("netlink"));
    let (_commands, four) = place(lan.host(1), "10.0.0.100");
    let (_commands, six) = place(lan.host(1), "fd00::100");
    keeper.hold([four, six]);
    let begin = Instant::now();
    while begin.elapsed() < lease() * 2 + LAZINESS {
        keeper.renew(vec![four, six]);
        std::thread::sleep(Duration::from_millis(650));
        assert!(lan.host(1).has("10.0.0.100/32") && lan.host(1).has("fd00::100/128"), "after {:?}", begin.elapsed());
    }
    assert_eq!(keeper.refused(), 0);
}

#[test]
fn what_was_forgotten_is_not_put_back_by_a_late_renewal() {
    let lan = Lan::new(1);
    let keeper = lan.host(1).enter(|| LeaseKeeper::start(None).expect("netlink"));
    let (mut commands, placement) = place(lan.host(1), "10.0.0.100");
    keeper.hold([placement]);
    let mut outcomes = Vec::new();
    for round in 0..200 {
        keeper.renew(vec![placement; 64]);
        keeper.forget([placement]);
        outcomes.clear();
        commands.execute(&[AddressRequest::Remove(placement)], &mut outcomes);
        assert_eq!(outcomes, [Ok(())]);
        // Whatever was queued has been skipped by the time that a later order is carried out.
        keeper.renew(vec![placement; 64]);
        assert!(!lan.host(1).has("10.0.0.100/32"), "round {round}");
        outcomes.clear();
        commands.execute(&[AddressRequest::Add(placement)], &mut outcomes);
        assert_eq!(outcomes, [Ok(())], "round {round}");
        keeper.hold([placement]);
    }
}
