//! Netlink: adding, removing and hearing of addresses.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use holdfast_node_agent::network::interfaces::{InterfaceIndex, InterfaceTable, NetworkChange, Placement};
use holdfast_node_agent::network::netlink::{AddressCommands, AddressRequest, Heard, Lifetime, Monitor, Outcome};
use holdfast_node_agent::network::ownership::MARK;
use nix::errno::Errno;

use crate::lan::{Lan, Namespace};

/// Opens a command socket and finds `eth0`, in the namespace.
fn commands(namespace: &Namespace) -> (AddressCommands, InterfaceIndex) {
    let mut commands = namespace.enter(|| AddressCommands::open().expect("netlink"));
    let table = read(&mut commands);
    let index = table.find("eth0").expect("eth0 is there").link.index;
    (commands, index)
}

fn read(commands: &mut AddressCommands) -> InterfaceTable {
    let mut table = InterfaceTable::default();
    for change in commands.dump().expect("a dump") {
        table.apply(change);
    }
    table
}

fn execute(commands: &mut AddressCommands, requests: &[AddressRequest]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    commands.execute(requests, |_| Lifetime::SHORT, &mut outcomes);
    outcomes
}

fn placement(interface: InterfaceIndex, address: &str, prefix_length: u8) -> Placement {
    Placement { interface, address: address.parse().expect("an address"), prefix_length }
}

fn many(interface: InterfaceIndex, count: u32) -> Vec<Placement> {
    let first = u32::from(Ipv4Addr::new(10, 9, 0, 0));
    let address = |number| IpAddr::from(Ipv4Addr::from(first + number));
    (0..count).map(|number| Placement { interface, address: address(number), prefix_length: 32 }).collect()
}

#[test]
fn a_virtual_address_is_marked_and_never_the_nodes_own_source() {
    let lan = Lan::new(1);
    let host = lan.host(1);
    let (mut commands, eth0) = commands(host);
    let (four, six) = (placement(eth0, "10.0.0.100", 32), placement(eth0, "fd00::100", 128));
    assert_eq!(execute(&mut commands, &[AddressRequest::Add(four), AddressRequest::Add(six)]), [Ok(()), Ok(())]);
    let printed = host.ip("-details address show dev eth0");
    let line = |address: &str| {
        let lines: Vec<&str> = printed.lines().collect();
        let place = lines.iter().position(|line| line.contains(address)).expect("the address is there");
        format!("{} {}", lines[place], lines[place + 1])
    };
    for address in ["10.0.0.100/32", "fd00::100/128"] {
        let shown = line(address);
        for wanted in ["noprefixroute", "dynamic", "valid_lft"] {
            assert!(shown.contains(wanted), "{wanted} in {shown}");
        }
        assert!(!shown.contains("tentative"), "{shown}");
    }
    assert!(line("fd00::100/128").contains("deprecated"));
    let route = host.ip("route get 10.0.0.9");
    assert!(route.contains("src 10.0.0.1"), "{route}");
    let route = host.ip("route get fd00::9");
    assert!(route.contains("src fd00::1 "), "{route}");
    let marks: HashSet<_> = read(&mut commands)
        .get(eth0)
        .expect("eth0")
        .addresses
        .iter()
        .filter(|address| address.address == four.address || address.address == six.address)
        .map(|address| address.protocol)
        .collect();
    assert_eq!(marks, HashSet::from([Some(MARK)]));
}

#[test]
fn every_request_of_a_batch_has_its_own_outcome() {
    let lan = Lan::new(1);
    let (mut commands, eth0) = commands(lan.host(1));
    let nowhere = InterfaceIndex::new(9_999);
    let vip = placement(eth0, "10.0.0.100", 32);
    let requests = [
        AddressRequest::Add(vip),
        AddressRequest::Add(vip),
        AddressRequest::Restore(vip),
        AddressRequest::Add(placement(nowhere, "10.0.0.101", 32)),
        AddressRequest::Remove(vip),
        AddressRequest::Remove(vip),
        AddressRequest::Add(placement(eth0, "fd00::1", 64)),
    ];
    let outcomes = execute(&mut commands, &requests);
    let expected =
        [Ok(()), Err(Errno::EEXIST), Ok(()), Err(Errno::ENODEV), Ok(()), Err(Errno::EADDRNOTAVAIL), Err(Errno::EEXIST)];
    assert_eq!(outcomes, expected);
}

#[test]
fn two_thousand_addresses_are_added_and_removed_in_one_batch_each() {
    let lan = Lan::new(1);
    let (mut commands, eth0) = commands(lan.host(1));
    let all = many(eth0, 2_000);
    let timed = |commands: &mut AddressCommands, what: &str, request: fn(Placement) -> AddressRequest| {
        let requests: Vec<_> = all.iter().copied().map(request).collect();
        let begin = Instant::now();
        let outcomes = execute(commands, &requests);
        println!("{what} of 2000 addresses: {:?}", begin.elapsed());
        assert!(outcomes.iter().all(Result::is_ok), "{:?}", outcomes.iter().find(|outcome| outcome.is_err()));
    };
    timed(&mut commands, "addition", AddressRequest::Add);
    let begin = Instant::now();
    let mut refused = Vec::new();
    for chunk in all.chunks(16) {
        commands.renew(chunk, |_| Lifetime::SHORT, &mut refused);
    }
    println!("renewal of 2000 addresses: {:?}", begin.elapsed());
    assert_eq!(refused, []);
    timed(&mut commands, "removal", AddressRequest::Remove);
    assert!(lan.host(1).addresses("eth0").iter().all(|address| !address.starts_with("10.9.")));
}

#[test]
fn a_renewal_is_told_when_it_is_refused() {
    let lan = Lan::new(1);
    let (mut commands, _) = commands(lan.host(1));
    let mut refused = Vec::new();
    commands.renew(&[placement(InterfaceIndex::new(9_999), "10.0.0.100", 32)], |_| Lifetime::SHORT, &mut refused);
    assert_eq!(refused, [Errno::ENODEV]);
}

#[test]
fn the_monitor_hears_what_others_do_and_not_what_we_add() {
    let lan = Lan::new(1);
    let host = lan.host(1);
    let (mut commands, eth0) = commands(host);
    let mut monitor = host.enter(|| Monitor::open().expect("netlink"));
    monitor.ignore_additions_by(&[commands.port()]).expect("a filter");
    let vip = placement(eth0, "10.0.0.100", 32);
    assert_eq!(execute(&mut commands, &[AddressRequest::Add(vip), AddressRequest::Restore(vip)]), [Ok(()), Ok(())]);
    host.ip("address add 10.0.0.50/24 dev eth0");
    execute(&mut commands, &[AddressRequest::Remove(vip)]);
    host.ip("address delete 10.0.0.50/24 dev eth0");
    let mut changes = Vec::new();
    assert_eq!(monitor.read(&mut changes).expect("no error"), Heard::Everything);
    let told: Vec<_> = changes
        .iter()
        .map(|change| match change {
            NetworkChange::AddressSet(_, address) => format!("+{}", address.address),
            NetworkChange::AddressGone { placement, port } => {
                format!("-{} by us: {}", placement.address, *port == commands.port())
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["+10.0.0.50", "-10.0.0.100 by us: true", "-10.0.0.50 by us: false"]);
}

#[test]
fn the_monitor_says_when_reports_were_lost() {
    let lan = Lan::new(1);
    let host = lan.host(1);
    let (mut commands, eth0) = commands(host);
    let mut monitor = host.enter(|| Monitor::with_receive_buffer(4_096).expect("netlink"));
    let requests: Vec<_> = many(eth0, 200).into_iter().map(AddressRequest::Add).collect();
    execute(&mut commands, &requests);
    let mut changes = Vec::new();
    assert_eq!(monitor.read(&mut changes).expect("no error"), Heard::Overrun);
    monitor.discard();
    changes.clear();
    host.ip("address add 10.0.0.50/24 dev eth0");
    assert_eq!(monitor.read(&mut changes).expect("no error"), Heard::Everything);
    assert_eq!(changes.len(), 1, "it goes on after that");
}

#[test]
fn a_dump_shows_links_and_addresses_with_their_flags() {
    let lan = Lan::new(1);
    let host = lan.host(1);
    host.ip("address add 10.0.0.60/24 dev eth0");
    host.ip("link add link eth0 name child type macvlan mode bridge");
    let (mut commands, eth0) = commands(host);
    let table = read(&mut commands);
    let interface = table.get(eth0).expect("eth0");
    assert!(interface.link.mac.is_some());
    assert!(table.is_up(interface));
    let secondary = interface.addresses.iter().find(|address| address.address == IpAddr::from([10, 0, 0, 60]));
    assert!(secondary.is_some_and(|address| address.secondary));
    let child = table.find("child").expect("the macvlan");
    assert_eq!(child.link.parent, Some(eth0));
    assert!(!table.is_up(child));
    assert!(table.find("lo").is_some_and(|lo| lo.link.mac.is_none_or(|mac| mac.bytes() == &[0; 6])));
}
