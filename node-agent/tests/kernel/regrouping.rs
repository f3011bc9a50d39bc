//! Groups that change their members while an address is in use: nothing leaves an interface that is to stay there.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use holdfast_node_agent::desired::DesiredGroup;
use holdfast_node_agent::election::Report;
use holdfast_vrrp::{GroupConfig, Preemption, State, Transport};

use crate::lan::{Lan, Namespace};
use crate::node::{GroupSpec, Node, eventually};

/// The virtual routers of these groups as one group.
fn united(name: &str, parts: &[&GroupSpec]) -> DesiredGroup {
    let groups: Vec<DesiredGroup> = parts.iter().map(|part| part.group()).collect();
    let members = groups.iter().flat_map(|group| group.config.members().to_vec()).collect();
    let preemption = Preemption::Preempt { delay: Duration::ZERO };
    DesiredGroup {
        name: name.to_owned(),
        routers: groups.into_iter().flat_map(|group| group.routers).collect(),
        config: GroupConfig::new(members, preemption, vec![]).expect("a valid configuration"),
        trackers: vec![],
    }
}

/// Every address that leaves an interface from now on.
struct Departures {
    monitor: Child,
    reader: Option<JoinHandle<Vec<String>>>,
}

impl Departures {
    fn watch(namespace: &Namespace) -> Self {
        let arguments = ["-n", namespace.name(), "-o", "monitor", "address"];
        let mut monitor =
            Command::new("ip").args(arguments).stdout(Stdio::piped()).spawn().expect("the ip program is there");
        let lines = BufReader::new(monitor.stdout.take().expect("it is piped")).lines();
        let departures = move || lines.map_while(Result::ok).filter(|line| line.starts_with("Deleted")).collect();
        let watching = Self { monitor, reader: Some(std::thread::spawn(departures)) };
        // It listens once it has told of a change.
        namespace.ip("address add 127.0.0.9/32 dev lo");
        namespace.ip("address delete 127.0.0.9/32 dev lo");
        watching
    }

    /// What has left, in the words of `ip`, without the loopback interface.
    fn end(mut self) -> Vec<String> {
        let _ = self.monitor.kill();
        let lines = self.reader.take().map(|reader| reader.join().expect("no panic")).unwrap_or_default();
        lines.into_iter().filter(|line| !line.contains(" lo ")).collect()
    }
}

impl Drop for Departures {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// Two nodes, the first of them master of each of these groups.
fn nodes_with(lan: &Lan, groups: impl Fn(u8) -> Vec<DesiredGroup>) -> (Node, Node) {
    let (mut one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
    one.apply(&groups(200));
    for group in groups(200) {
        one.await_state(&group.name, State::Master);
    }
    two.apply(&groups(100));
    two.until("the backup follows in everything", |snapshot| {
        snapshot.virtual_routers.len() == groups(100).iter().map(|group| group.routers.len()).sum::<usize>()
            && snapshot.virtual_routers.iter().all(|router| router.master_address.is_some())
    });
    (one, two)
}

fn became_master(node: &mut Node) -> Vec<Report> {
    let reports = node.drain_reports().into_iter();
    reports.filter(|report| matches!(report, Report::StateChanged { to: State::Master, .. })).collect()
}

fn vip(vrid: u8, priority: u8) -> GroupSpec {
    GroupSpec::new(vrid, priority, &format!("10.0.0.{}", 100 + vrid))
}

/// Who gets the new configuration first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    MasterFirst,
    BackupFirst,
}

const EITHER_ORDER: [Order; 2] = [Order::MasterFirst, Order::BackupFirst];

/// One node changes from `before` to `after`, the other one half a second later, and nobody moves.
fn nothing_moves(
    orders: &[Order],
    before: impl Fn(u8) -> Vec<DesiredGroup>,
    after: impl Fn(u8) -> Vec<DesiredGroup>,
    stays: &[&str],
) {
    for order in orders {
        let lan = Lan::new(2);
        let (mut one, mut two) = nodes_with(&lan, &before);
        for address in stays {
            lan.host(1).await_address(address);
        }
        let departures = Departures::watch(lan.host(1));
        let (_, _) = (became_master(&mut one), became_master(&mut two));

        let mut changes: [(&Node, u8); 2] = [(&one, 200), (&two, 100)];
        if *order == Order::BackupFirst {
            changes.reverse();
        }
        for (node, priority) in changes {
            node.apply(&after(priority));
            // Longer than a backup waits for a master that fell silent.
            std::thread::sleep(Duration::from_millis(600));
        }

        let routers = after(100).iter().map(|group| group.routers.len()).sum::<usize>();
        one.until("the master has all of it", |snapshot| {
            let held = snapshot.virtual_routers.iter().filter(|router| !router.held.is_empty());
            held.count() == routers
        });
        two.until("the backup follows in all of it", |snapshot| {
            let followed = snapshot.virtual_routers.iter().filter(|router| router.master_address.is_some());
            followed.count() == routers
        });
        assert_eq!(became_master(&mut two), [], "{order:?}: the other node never had to take over");
        let left = departures.end();
        for address in stays {
            assert!(!left.iter().any(|line| line.contains(address)), "{order:?}: {address} was taken off: {left:#?}");
            assert!(lan.host(1).has(address) && !lan.host(2).has(address), "{order:?}: {address}");
        }
    }
}

#[test]
fn members_in_another_order_leave_everything_where_it_is() {
    let order = |turned: bool| {
        move |priority| {
            let (a, b) = (vip(1, priority), vip(2, priority));
            vec![united("pair", &if turned { [&b, &a] } else { [&a, &b] })]
        }
    };
    nothing_moves(&EITHER_ORDER, order(false), order(true), &["10.0.0.101/32", "10.0.0.102/32"]);
}

#[test]
fn another_name_for_the_same_addresses_moves_nothing() {
    let named =
        |name: &'static str| move |priority| vec![vip(1, priority).with(|spec| spec.name = name.to_owned()).group()];
    nothing_moves(&EITHER_ORDER, named("old"), named("new"), &["10.0.0.101/32"]);
}

#[test]
fn a_second_family_comes_to_a_virtual_ip_and_the_first_stays() {
    let ipv4 = |priority| vec![vip(1, priority).group()];
    let both = |priority| {
        let ipv6 = GroupSpec::new(1, priority, "fd00::100").with(|spec| spec.name = "vip1-ipv6".to_owned());
        vec![united("vip1", &[&vip(1, priority), &ipv6])]
    };
    nothing_moves(&EITHER_ORDER, ipv4, both, &["10.0.0.101/32"]);
}

#[test]
fn virtual_ips_become_a_group_and_single_again() {
    let single = |priority| vec![vip(1, priority).group(), vip(2, priority).group()];
    let group = |priority| vec![united("group/pair", &[&vip(1, priority), &vip(2, priority)])];
    nothing_moves(&EITHER_ORDER, single, group, &["10.0.0.101/32", "10.0.0.102/32"]);
    nothing_moves(&EITHER_ORDER, group, single, &["10.0.0.101/32", "10.0.0.102/32"]);
}

#[test]
fn a_member_that_goes_is_handed_over_alone() {
    let lan = Lan::new(2);
    let pair = |priority| vec![united("pair", &[&vip(1, priority), &vip(2, priority)])];
    let (mut one, two) = nodes_with(&lan, pair);
    // The other node has the two apart: it may take either.
    two.apply(&[vip(1, 100).group(), vip(2, 100).group()]);
    two.until("it follows in both", |snapshot| {
        snapshot.virtual_routers.iter().all(|router| router.master_address.is_some())
    });
    let departures = Departures::watch(lan.host(1));

    one.apply(&[united("pair", &[&vip(1, 200)])]);

    two.until("it has the member that went", |snapshot| {
        let held =
            |name: &str| snapshot.virtual_routers.iter().any(|router| router.name == name && !router.held.is_empty());
        held("vip2") && !held("vip1")
    });
    eventually("it is off the first node", || !lan.host(1).has("10.0.0.102/32"));
    assert!(one.is_master("vip1"));
    assert!(one.drain_reports().iter().any(|report| matches!(
        report,
        Report::StateChanged { routers, to: State::Initialize, .. } if *routers == ["vip2"]
    )));
    assert!(!departures.end().iter().any(|line| line.contains("10.0.0.101/32")));
}

#[test]
fn the_transport_changes_node_by_node_without_a_second_master() {
    let peer = |priority: u8| -> IpAddr { [10, 0, 0, if priority == 200 { 2 } else { 1 }].into() };
    let with = |transport: fn(IpAddr) -> Transport| {
        move |priority| {
            let spec = vip(1, priority).with(|spec| {
                spec.known_peers = Some(vec![peer(priority)]);
                spec.transport = transport(peer(priority));
            });
            vec![spec.group()]
        }
    };
    let multicast = with(|_| Transport::Multicast);
    let unicast = with(|peer| Transport::Unicast(vec![peer]));
    nothing_moves(&EITHER_ORDER, multicast, unicast, &["10.0.0.101/32"]);
    nothing_moves(&EITHER_ORDER, unicast, multicast, &["10.0.0.101/32"]);
}

#[test]
fn over_ipv6_the_transport_changes_although_the_addresses_of_the_nodes_do() {
    let peer = |priority: u8| -> IpAddr { if priority == 200 { "fd00::2" } else { "fd00::1" }.parse().expect("one") };
    let spec = |priority| GroupSpec::new(1, priority, "fd00::100");
    let multicast = move |priority| vec![spec(priority).group()];
    let unicast = move |priority| {
        let unicast = spec(priority).with(|spec| {
            spec.known_peers = Some(vec![peer(priority)]);
            spec.transport = Transport::Unicast(vec![peer(priority)]);
        });
        vec![unicast.group()]
    };
    nothing_moves(&EITHER_ORDER, multicast, unicast, &["fd00::100/128"]);
    // Who still has the list of unicast peers does not know from which link-local addresses they speak.
    nothing_moves(&[Order::BackupFirst], unicast, multicast, &["fd00::100/128"]);
}
