//! The kernel lifetime of addresses: who renews keeps, who stops loses.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use holdfast_node_agent::network::address_worker::{AddressWorker, Completed, Task};
use holdfast_node_agent::network::interfaces::{InterfaceIndex, Placement};
use holdfast_node_agent::network::netlink::{AddressRequest, Lifetime};

use crate::lan::{Lan, Namespace};
use crate::node::eventually;

/// The kernel looks for expired addresses no more often than once a second.
const LAZINESS: Duration = Duration::from_secs(1);

fn lease() -> Duration {
    Lifetime::SHORT.as_duration()
}

fn placement(namespace: &Namespace, address: &str) -> Placement {
    let index = namespace.exec("cat /sys/class/net/eth0/ifindex").trim().parse().expect("a number");
    let address: IpAddr = address.parse().expect("an address");
    let prefix_length = if address.is_ipv4() { 32 } else { 128 };
    Placement { interface: InterfaceIndex::new(index), address, prefix_length }
}

fn start(namespace: &Namespace) -> AddressWorker {
    namespace.enter(|| AddressWorker::start(None, None)).expect("netlink")
}

fn unfenced(request: AddressRequest) -> Task {
    Task { request, guard: None }
}

/// Waits until everything that was ordered is completed: so many requests and renewals.
fn await_completed(worker: &AddressWorker, requests: usize, renewals: usize) {
    let (mut done, mut renewed) = (0, 0);
    let end = Instant::now() + Duration::from_secs(10);
    while (done, renewed) != (requests, renewals) {
        assert!(Instant::now() < end, "{done} of {requests} requests and {renewed} of {renewals} renewals");
        for completed in worker.take_completed() {
            match completed {
                Completed::Programmed(outcomes) => {
                    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
                    done += outcomes.len();
                }
                Completed::Renewed { refused, .. } => {
                    assert_eq!(refused, 0);
                    renewed += 1;
                }
                Completed::Fence(_) | Completed::Guarded => panic!("there is no fence: {completed:?}"),
            }
        }
    }
}

#[test]
fn an_address_that_nobody_renews_goes_when_its_lease_ends() {
    let lan = Lan::new(1);
    for (address, placed) in [("10.0.0.100", "10.0.0.100/32"), ("fd00::100", "fd00::100/128")] {
        let worker = start(lan.host(1));
        worker.program(vec![unfenced(AddressRequest::Add(placement(lan.host(1), address)))]);
        await_completed(&worker, 1, 0);
        let begin = Instant::now();
        assert!(lan.host(1).has(placed));
        eventually("it expires", || !lan.host(1).has(placed));
        let lived = begin.elapsed();
        println!("{address} lived {lived:?} with a lease of {:?}", lease());
        assert!(lived + Duration::from_millis(100) > lease(), "{lived:?}");
        assert!(lived < lease() + LAZINESS + Duration::from_millis(250), "{lived:?}");
    }
}

#[test]
fn an_address_that_is_renewed_stays() {
    let lan = Lan::new(1);
    let worker = start(lan.host(1));
    let both = ["10.0.0.100", "fd00::100"].map(|address| placement(lan.host(1), address));
    worker.program(both.map(AddressRequest::Add).map(unfenced).to_vec());
    await_completed(&worker, 2, 0);
    let begin = Instant::now();
    while begin.elapsed() < lease() * 2 + LAZINESS {
        worker.renew(both.to_vec());
        await_completed(&worker, 0, 1);
        std::thread::sleep(Duration::from_millis(650));
        let there = lan.host(1).has("10.0.0.100/32") && lan.host(1).has("fd00::100/128");
        assert!(there, "after {:?}", begin.elapsed());
    }
}

#[test]
fn a_renewal_never_puts_back_what_was_removed_after_it() {
    let lan = Lan::new(1);
    let worker = start(lan.host(1));
    let placement = placement(lan.host(1), "10.0.0.100");
    for round in 0..100 {
        worker.program(vec![unfenced(AddressRequest::Add(placement))]);
        worker.renew(vec![placement; 64]);
        worker.program(vec![unfenced(AddressRequest::Remove(placement))]);
        await_completed(&worker, 2, 1);
        assert!(!lan.host(1).has("10.0.0.100/32"), "round {round}");
    }
}

#[test]
fn a_worker_that_was_stopped_touches_nothing_more() {
    let lan = Lan::new(1);
    let mut worker = start(lan.host(1));
    let placement = placement(lan.host(1), "10.0.0.100");
    for _ in 0..100 {
        worker.program(vec![unfenced(AddressRequest::Add(placement))]);
        worker.program(vec![unfenced(AddressRequest::Remove(placement))]);
    }
    worker.stop();
    let before = lan.host(1).addresses("eth0");
    worker.program([AddressRequest::Restore(placement), AddressRequest::Remove(placement)].map(unfenced).to_vec());
    worker.renew(vec![placement]);
    let completed: usize = worker.take_completed().filter(|done| matches!(done, Completed::Renewed { .. })).count();
    assert_eq!((completed, lan.host(1).addresses("eth0")), (0, before));
}
