//! What others do to a master: to its interface, its addresses and its packets.

use std::time::Duration;

use holdfast_node_agent::desired::{Fencing, InterfaceChoice, TrackerSource};
use holdfast_node_agent::election::{Conflict, Disappearance, ElectionOptions, Realtime, Report, spawn};
use holdfast_node_agent::network::ownership::{OwnedAddress, OwnedAddresses};
use holdfast_node_agent::snapshot::RouterState;
use holdfast_vrrp::{State, TrackState, Tracker, Weight};

use crate::lan::Lan;
use crate::node::{GroupSpec, Node, StateFolder, eventually};

const VIP: &str = "10.0.0.100/32";

fn vip(priority: u8) -> GroupSpec {
    GroupSpec::new(51, priority, "10.0.0.100")
}

/// A single node that is master.
fn master(lan: &Lan) -> Node {
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Master);
    node
}

#[test]
fn an_address_that_somebody_deletes_is_put_back_at_once() {
    let lan = Lan::new(1);
    let mut node = master(&lan);
    lan.host(1).ip("address delete 10.0.0.100/32 dev eth0");
    let cause = node.await_report("the restoration", |report| match report {
        Report::AddressRestored { router, interface, cause, .. } => {
            assert_eq!((router.as_str(), interface.as_str()), ("vip51", "eth0"));
            Some(*cause)
        }
        _ => None,
    });
    assert_eq!(cause, Disappearance::Removed);
    lan.host(1).await_address(VIP);
    let router = node.router("vip51");
    assert_eq!((router.transitions, router.counters["addresses_restored"]), (1, 1));
}

#[test]
fn flushing_the_addresses_of_the_interface_is_a_fault_until_they_are_back() {
    let lan = Lan::new(1);
    let mut node = master(&lan);
    lan.host(1).ip("address flush dev eth0");
    node.await_state("vip51", State::Fault);
    assert_eq!(node.router("vip51").reason, "InterfaceDown");
    assert!(node.router("vip51").message.contains("no IPv4 address of its own"), "{}", node.router("vip51").message);
    eventually("no address is left", || !lan.host(1).has(VIP));
    lan.host(1).ip("address add 10.0.0.1/24 dev eth0");
    node.await_state("vip51", State::Master);
    lan.host(1).await_address(VIP);
}

#[test]
fn a_link_that_goes_down_is_a_fault_and_takes_the_addresses_along() {
    type Fault = fn(&Lan, bool);
    let faults: [(&str, Fault); 2] = [
        ("carrier", |lan, works| lan.carrier(1, works)),
        ("administratively", |lan, works| {
            lan.host(1).ip(&format!("link set eth0 {}", if works { "up" } else { "down" }));
        }),
    ];
    for (name, fault) in faults {
        let lan = Lan::new(1);
        let mut node = master(&lan);
        fault(&lan, false);
        node.await_state("vip51", State::Fault);
        eventually("the address goes", || !lan.host(1).has(VIP));
        assert_eq!(node.router("vip51").message, "interface eth0 is down", "{name}");
        fault(&lan, true);
        node.await_state("vip51", State::Master);
        lan.host(1).await_address(VIP);
    }
}

#[test]
fn an_interface_that_is_deleted_and_made_again_is_used_again() {
    let lan = Lan::new(2);
    let mut node = Node::start(lan.host(1));
    let mut peer = Node::start(lan.host(2));
    node.apply(&[vip(200).group()]);
    peer.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Master);
    lan.unplug(1);
    node.await_state("vip51", State::Fault);
    node.until("it says why", |snapshot| snapshot.virtual_routers[0].message == "there is no interface eth0");
    peer.await_state("vip51", State::Master);
    lan.plug(1);
    node.await_state("vip51", State::Master);
    // It hears and is heard again: the peer yields to it.
    peer.await_state("vip51", State::Backup);
    eventually("one holder is left", || lan.host(1).has(VIP) && !lan.host(2).has(VIP));
}

#[test]
fn an_interface_that_is_missing_at_the_start_is_waited_for() {
    let lan = Lan::new(1);
    lan.unplug(1);
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Fault);
    lan.plug(1);
    node.await_state("vip51", State::Master);
    lan.host(1).await_address(VIP);
}

#[test]
fn an_interface_that_is_renamed_is_not_the_one_any_more() {
    let lan = Lan::new(1);
    let mut node = master(&lan);
    lan.host(1).ip("link set eth0 name uplink");
    node.await_state("vip51", State::Fault);
    eventually("the address is off the renamed interface", || {
        !lan.host(1).addresses("uplink").contains(&VIP.to_owned())
    });
    lan.host(1).ip("link set uplink name eth0");
    node.await_state("vip51", State::Master);
    lan.host(1).await_address(VIP);
}

#[test]
fn another_source_address_is_used_when_the_first_goes() {
    let lan = Lan::new(1);
    lan.host(1).ip("address add 172.16.0.1/24 dev eth0");
    let mut node = master(&lan);
    assert_eq!(node.router("vip51").master_address, Some([10, 0, 0, 1].into()));
    lan.host(1).ip("address delete 10.0.0.1/24 dev eth0");
    node.until("the other address is the source", |snapshot| {
        snapshot.virtual_routers[0].master_address == Some([172, 16, 0, 1].into())
    });
    assert_eq!(node.router("vip51").state, RouterState::Master);
    assert!(node.drain_reports().is_empty(), "no election for that");
}

#[test]
fn an_address_that_is_not_ours_is_reported_and_never_touched() {
    let lan = Lan::new(1);
    lan.host(1).ip("address add 10.0.0.100/32 dev eth0");
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_report("the conflict", |report| match report {
        Report::AddressConflict { address, conflict: Conflict::AlreadyPresent, .. } => {
            assert_eq!(*address, std::net::IpAddr::from([10, 0, 0, 100]));
            Some(())
        }
        _ => None,
    });
    assert!(node.is_master("vip51"));
    assert_eq!(node.snapshot().counters["foreign_addresses"], 1);
    assert!(lan.host(1).ip("address show dev eth0").contains("inet 10.0.0.100/32 scope global eth0\n"), "as it was");
    node.handle.drain();
    node.await_finished();
    lan.host(1).await_address(VIP);
}

#[test]
fn when_a_foreign_address_goes_ours_takes_its_place() {
    let lan = Lan::new(1);
    lan.host(1).ip("address add 10.0.0.100/32 dev eth0");
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_report("the conflict", |report| matches!(report, Report::AddressConflict { .. }).then_some(()));
    lan.host(1).ip("address delete 10.0.0.100/32 dev eth0");
    eventually("ours is there, with a lifetime", || lan.host(1).ip("address show dev eth0").contains("dynamic"));
    assert_eq!(node.router("vip51").held, [std::net::IpAddr::from([10, 0, 0, 100])]);
}

#[test]
fn the_owner_of_an_address_needs_no_conflict_and_keeps_it() {
    let address = [10, 0, 0, 1].into();
    for interface in [InterfaceChoice::Named("eth0".to_owned()), InterfaceChoice::HoldingSubnetOf(address)] {
        let lan = Lan::new(1);
        let mut node = Node::start(lan.host(1));
        let owner = GroupSpec::new(51, 255, "10.0.0.1").with(|spec| {
            spec.addresses[0].1 = 24;
            spec.interface = interface;
        });
        node.apply(&[owner.group()]);
        node.await_state("vip51", State::Master);
        let conflict = |report: &Report| matches!(report, Report::AddressConflict { .. });
        assert!(!node.drain_reports().iter().any(conflict));
        node.until("it is told as held", |snapshot| snapshot.virtual_routers[0].held == [address]);
        assert_eq!(node.router("vip51").master_address, Some(address));
        node.handle.drain();
        node.await_finished();
        lan.host(1).await_address("10.0.0.1/24");
    }
}

#[test]
fn a_virtual_address_is_never_the_source_of_adverts_of_who_does_not_own_it() {
    let lan = Lan::new(1);
    lan.host(1).ip("address flush dev eth0");
    lan.host(1).ip("address add 10.0.0.100/24 dev eth0");
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Fault);
    assert_eq!(node.router("vip51").message, "interface eth0 has no IPv4 address of its own");
}

#[test]
fn a_restarted_agent_removes_what_it_left_and_nothing_else() {
    let lan = Lan::new(1);
    let (folder, others) = (StateFolder::default(), StateFolder::default());
    let mut node = Node::start_with(lan.host(1), folder.clone());
    let mut other = Node::start_with(lan.host(1), others);
    node.apply(&[vip(100).group()]);
    other.apply(&[GroupSpec::new(52, 100, "10.0.0.101").group()]);
    node.await_state("vip51", State::Master);
    other.await_state("vip52", State::Master);
    eventually("the address is recorded", || folder.recorded().len() == 1);
    lan.host(1).await_address(VIP);
    // The record and the address as after a crash: the second run finds both.
    let restarted = Node::start_with(lan.host(1), StateFolder::holding(&folder.recorded()));
    assert_eq!(restarted.snapshot().counters["leftovers_removed"], 1);
    lan.host(1).await_address("10.0.0.101/32");
    assert!(!other.drain_reports().iter().any(|report| matches!(report, Report::AddressRestored { .. })));
    // The first run is still alive, unlike after a crash, so it notices.
    node.await_report("its restoration", |report| matches!(report, Report::AddressRestored { .. }).then_some(()));
}

#[test]
fn an_address_added_by_hand_after_ours_had_gone_is_not_ours() {
    let lan = Lan::new(1);
    let owned = OwnedAddress { interface: "eth0".to_owned(), address: [10, 0, 0, 100].into(), prefix_length: 32 };
    lan.host(1).ip("address add 10.0.0.100/32 dev eth0");
    let node = Node::start_with(lan.host(1), StateFolder::holding(&[owned]));
    assert_eq!(node.snapshot().counters["leftovers_removed"], 0);
    lan.host(1).await_address(VIP);
}

#[test]
fn addresses_leave_the_interface_when_a_primary_one_takes_them_along_and_come_back() {
    let lan = Lan::new(1);
    lan.host(1).sysctl("net/ipv4/conf/eth0/promote_secondaries", "0");
    lan.host(1).sysctl("net/ipv4/conf/all/promote_secondaries", "0");
    lan.host(1).ip("address add 172.16.0.1/24 dev eth0");
    let mut node = Node::start(lan.host(1));
    let wide = |vrid, address| GroupSpec::new(vrid, 100, address).with(|spec| spec.addresses[0].1 = 24);
    // The first is the primary address of its subnet, the second its secondary one.
    node.apply(&[wide(51, "192.0.2.100").group()]);
    node.await_state("vip51", State::Master);
    node.apply(&[wide(51, "192.0.2.100").group(), wide(52, "192.0.2.101").group()]);
    node.await_state("vip52", State::Master);
    node.apply(&[wide(52, "192.0.2.101").group()]);
    node.await_report("the restoration", |report| matches!(report, Report::AddressRestored { .. }).then_some(()));
    eventually("only the group that stays has its address", || {
        lan.host(1).has("192.0.2.101/24") && !lan.host(1).has("192.0.2.100/24")
    });
}

#[test]
fn a_firewall_that_drops_everything_does_not_make_two_masters() {
    let lan = Lan::new(2);
    for number in [1, 2] {
        lan.host(number).exec("nft add table inet filter");
        lan.host(number).exec("nft add chain inet filter input { type filter hook input priority 0 ; policy drop ; }");
        lan.host(number).sysctl("net/ipv4/conf/all/rp_filter", "1");
    }
    for address in ["10.0.0.100", "fd00::100"] {
        let (mut one, two) = (Node::start(lan.host(1)), Node::start(lan.host(2)));
        one.apply(&[GroupSpec::new(51, 200, address).group()]);
        two.apply(&[GroupSpec::new(51, 100, address).group()]);
        one.await_state("vip51", State::Master);
        two.until("the backup hears the master", |snapshot| snapshot.virtual_routers[0].master_address.is_some());
        one.until("several master down intervals pass", |snapshot| {
            snapshot.virtual_routers[0].counters.get("adverts_sent") > Some(&15)
        });
        assert_eq!(two.router("vip51").state, RouterState::Backup, "{address}");
        assert_eq!(two.router("vip51").counters.get("became_master"), None, "{address}");
    }
}

#[test]
fn a_firewall_that_swallows_adverts_is_a_fault_not_a_black_hole() {
    let lan = Lan::new(1);
    let mut node = master(&lan);
    lan.host(1).exec("nft add table inet filter");
    lan.host(1).exec("nft add chain inet filter output { type filter hook output priority 0 ; policy drop ; }");
    node.await_state("vip51", State::Fault);
    assert_eq!(node.router("vip51").reason, "SendFailed");
    eventually("the address goes", || !lan.host(1).has(VIP));
    let eth0 = node.snapshot().interfaces.into_iter().find(|interface| interface.name == "eth0").expect("eth0");
    assert!(eth0.counters["adverts_failed_eperm"] >= 3, "{:?}", eth0.counters);
}

#[test]
fn a_stranger_that_claims_an_address_is_reported_with_its_mac_address() {
    for (address, claim) in [("10.0.0.100", "10.0.0.100/32"), ("fd00::100", "fd00::100/128")] {
        let lan = Lan::new(2);
        let mut node = Node::start(lan.host(1));
        node.apply(&[GroupSpec::new(51, 100, address).group()]);
        node.await_state("vip51", State::Master);
        // Announcements right after a takeover are not repeated, nor the conflict told; the stranger answers probes.
        lan.host(2).ip(&format!("address add {claim} dev eth0 {}", if address.contains(':') { "nodad" } else { "" }));
        let mac = lan.host(2).exec("cat /sys/class/net/eth0/address").trim().to_owned();
        let claimed_by = node.await_report("the conflict", |report| match report {
            Report::AddressConflict { conflict: Conflict::ClaimedBy(mac), .. } => Some(*mac),
            _ => None,
        });
        assert_eq!(claimed_by.map(|mac| mac.to_string()), Some(mac), "{address}");
        assert!(node.is_master("vip51"));
    }
}

#[test]
fn a_health_check_result_from_before_the_group_counts() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    let checked = vip(100).with(|spec| {
        let tracker = Tracker { weight: Weight::FAULT, reverse: false };
        spec.trackers = vec![(tracker, TrackerSource::HealthCheck("nginx".to_owned()))];
    });
    node.handle.health("nginx", TrackState::Down);
    node.apply(&[checked.group()]);
    node.await_state("vip51", State::Fault);
    assert_eq!(node.router("vip51").message, "failing: nginx");
    node.handle.health("nginx", TrackState::Up);
    node.await_state("vip51", State::Master);
    node.handle.health("nginx", TrackState::Down);
    node.await_state("vip51", State::Fault);
    eventually("the address goes", || !lan.host(1).has(VIP));
}

#[test]
fn a_tracked_interface_counts() {
    let lan = Lan::new(1);
    lan.host(1).ip("link add uplink type veth peer name upstream");
    lan.host(1).ip("link set upstream up");
    let mut node = Node::start(lan.host(1));
    let tracking = vip(100).with(|spec| {
        let tracker = Tracker { weight: Weight::new(-30).expect("in range"), reverse: false };
        spec.trackers = vec![(tracker, TrackerSource::Interface("uplink".to_owned()))];
    });
    node.apply(&[tracking.group()]);
    node.await_state("vip51", State::Master);
    assert_eq!(node.router("vip51").priority, 70);
    lan.host(1).ip("link set uplink up");
    node.until("the priority is back", |snapshot| snapshot.virtual_routers[0].priority == 100);
    lan.host(1).ip("link delete uplink");
    node.until("the priority falls", |snapshot| snapshot.virtual_routers[0].priority == 70);
}

#[test]
fn two_groups_with_one_key_do_not_share_it() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    node.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Master);
    let twin = GroupSpec::new(51, 100, "10.0.0.101").with(|spec| spec.name = "twin".to_owned());
    node.apply(&[vip(100).group(), twin.group()]);
    node.await_state("twin", State::Fault);
    let message = node.router("twin").message;
    assert!(message.contains("used on interface eth0 by vip51"), "{message}");
    node.apply(&[twin.group()]);
    node.await_state("twin", State::Master);
}

#[test]
fn a_virtual_ip_that_took_the_nodes_own_address_gives_it_back_when_it_goes() {
    let lan = Lan::new(1);
    let mut node = Node::start(lan.host(1));
    let thief = GroupSpec::new(52, 100, "10.0.0.1").with(|spec| spec.name = "thief".to_owned());
    node.apply(&[vip(100).group(), thief.group()]);
    node.await_state("vip51", State::Fault);
    node.apply(&[vip(100).group()]);
    node.await_state("vip51", State::Master);
}

/// A group that becomes master at once, and whose peers, if it had any, would wait for two minutes. Its addresses have their
/// short lifetime only.
fn patient_owner() -> GroupSpec {
    GroupSpec::new(51, 255, "10.0.0.100").with(|spec| {
        spec.interval = Duration::from_secs(40);
        spec.fencing = Fencing::None;
    })
}

#[test]
fn lost_reports_lead_to_a_new_look_at_everything() {
    let lan = Lan::new(1);
    let host = lan.host(1);
    host.ip("link add noise type veth peer name echo");
    let folder = StateFolder::default();
    let mut node = Node::start_with(host, folder.clone());
    node.apply(&[patient_owner().group()]);
    node.await_state("vip51", State::Master);
    let brake = folder.brake();
    // The thread stands still when it writes its record the next time.
    node.apply(&[patient_owner().with(|spec| spec.addresses.push(([10, 0, 0, 101].into(), 32))).group()]);
    brake.await_standstill();
    host.batch((0..20_000).map(|number| format!("link set noise mtu {}", 1_400 + number % 2)));
    host.ip("link delete noise");
    eventually("the kernel takes the address away", || !host.has(VIP));
    brake.release();
    node.await_report("the overrun", |report| (*report == Report::NetlinkOverrun).then_some(()));
    node.await_report("the restoration", |report| matches!(report, Report::AddressRestored { .. }).then_some(()));
    lan.host(1).await_address(VIP);
    lan.host(1).await_address("10.0.0.101/32");
    let snapshot = node.snapshot();
    assert_eq!((snapshot.counters["netlink_overruns"], snapshot.counters["resynchronizations"]), (1, 2));
    assert!(snapshot.interfaces.iter().all(|interface| interface.name != "noise"), "what went meanwhile is gone");
}

#[test]
fn a_lease_that_ran_out_in_a_stall_is_told_apart_from_a_deletion() {
    let lan = Lan::new(1);
    let folder = StateFolder::default();
    let mut node = Node::start_with(lan.host(1), folder.clone());
    let brake = folder.brake();
    node.apply(&[patient_owner().group()]);
    brake.await_standstill();
    eventually("the kernel takes the address away", || !lan.host(1).has(VIP));
    brake.release();
    let cause = node.await_report("the restoration", |report| match report {
        Report::AddressRestored { cause, .. } => Some(*cause),
        _ => None,
    });
    assert_eq!(cause, Disappearance::Expired);
    lan.host(1).await_address(VIP);
    assert_eq!(node.router("vip51").transitions, 1, "no peer can have taken over yet");
}

#[test]
fn a_master_that_stood_still_steps_down_before_it_speaks() {
    let lan = Lan::new(2);
    let folder = StateFolder::default();
    let mut one = Node::start_with(lan.host(1), folder.clone());
    let mut two = Node::start(lan.host(2));
    let brake = folder.brake();
    one.apply(&[vip(200).group()]);
    two.apply(&[vip(100).group()]);
    // The record is written after the takeover, so the thread stands still as a master.
    brake.await_standstill();
    two.await_state("vip51", State::Master);
    brake.release();
    let reason = one.await_report("the end of being master", |report| match report {
        Report::StateChanged { from: State::Master, reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, holdfast_vrrp::Reason::Stalled);
    eventually("one holder is left", || lan.host(1).has(VIP) != lan.host(2).has(VIP));
}

#[test]
fn an_abort_takes_everything_off_at_once() {
    let lan = Lan::new(1);
    let mut node = master(&lan);
    let begin = std::time::Instant::now();
    node.handle.abort();
    node.await_finished();
    assert!(begin.elapsed() < Duration::from_millis(200), "{:?}", begin.elapsed());
    assert!(!lan.host(1).has(VIP));
}

/// A state folder whose code has a mistake, which strikes when the second address is recorded.
struct Faulty;

impl OwnedAddresses for Faulty {
    fn load(&mut self) -> Vec<OwnedAddress> {
        Vec::new()
    }

    fn record(&mut self, owned: &[OwnedAddress]) {
        assert!(owned.len() < 2, "planted by the test");
    }
}

/// The process ends, so the test runs itself again in a process of its own and looks on.
#[test]
fn a_panic_takes_the_addresses_off_and_ends_the_process() {
    const NAME: &str = "adversity::a_panic_takes_the_addresses_off_and_ends_the_process";
    const CHILD: &str = "HOLDFAST_KERNEL_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let options = ElectionOptions {
            owned: Box::new(Faulty),
            realtime: Realtime::Off,
            fence: Some("holdfast-test".to_owned()),
            memory_lock: false,
        };
        let (handle, mut reports) = spawn(options).expect("the election thread starts");
        handle.apply([vip(255).group()].into_iter().collect());
        while !matches!(reports.blocking_recv(), Some(Report::StateChanged { to: State::Master, .. })) {}
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("the parent is there");
        let more = GroupSpec::new(52, 255, "10.0.0.101");
        handle.apply([vip(255).group(), more.group()].into_iter().collect());
        std::thread::park();
    }
    let lan = Lan::new(1);
    let program = std::env::current_exe().expect("it is running");
    let mut child = std::process::Command::new("ip")
        .args(["netns", "exec", lan.host(1).name()])
        .arg(program)
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it can run again");
    lan.host(1).await_address(VIP);
    std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), b"go on\n").expect("it reads");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(70));
    assert!(!lan.host(1).has(VIP), "not only when its lease ends");
    assert!(!lan.host(1).has("10.0.0.101/32"));
}
