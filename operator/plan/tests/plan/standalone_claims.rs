//! Agents that do not ask each other: whose a virtual router ID and an address is, and who is preferred.

use std::collections::BTreeMap;

use holdfast_crds::condition::AcceptedReason as Reason;
use holdfast_crds::{LabelSelector, NodeInterface, VirtualIP};

use crate::objects::{Agent, World, node, preferred, reference, vip, vip_with};

fn folder(virtual_ips: &[VirtualIP]) -> World {
    World { virtual_ips: virtual_ips.to_vec(), ..World::default() }
}

fn id_from_name(name: &str) -> u8 {
    Agent::new("n").runs(&folder(&[vip(name, "192.0.2.1")]))[name]
}

/// A name from which the same ID follows as from `name`.
fn namesake(name: &str) -> String {
    let id = id_from_name(name);
    (0..10_000).map(|number| format!("other-{number}")).find(|other| id_from_name(other) == id).expect("a name")
}

fn explicit(name: &str, address: &str, id: u8) -> VirtualIP {
    vip_with(name, address, |spec| spec.virtual_router_id = Some(id))
}

fn on(interface: &str) -> impl Fn(&mut holdfast_crds::VirtualIPSpec) + use<> {
    let interface = interface.to_owned();
    move |spec| spec.interface = Some(interface.clone())
}

#[test]
fn the_id_follows_from_the_name_alone() {
    let web = vip("web", "192.0.2.1");
    let alone = Agent::new("n").runs(&folder(std::slice::from_ref(&web)));
    let crowd: Vec<VirtualIP> =
        (0..20).map(|number| explicit(&format!("vip-{number}"), &format!("198.51.100.{number}"), number + 1)).collect();
    let among_others = Agent::new("other").runs(&folder(&[crowd, vec![web]].concat()));
    assert_eq!(alone["web"], among_others["web"]);
}

#[test]
fn a_newcomer_with_the_id_of_one_in_force_is_refused_and_told_a_free_one() {
    let (web, other) = (vip("web", "192.0.2.1"), vip(&namesake("web"), "192.0.2.2"));
    let other_name = other.metadata.name.clone().expect("a name");
    let mut agent = Agent::new("n");
    let before = agent.runs(&folder(std::slice::from_ref(&web)));

    let plan = agent.follow(&folder(&[web.clone(), other.clone()]));
    assert_eq!(agent.runs(&folder(&[web.clone(), other.clone()])), before);
    let verdict = &plan.virtual_ips[&other_name].accepted;
    assert_eq!(verdict.reason, Reason::VirtualRouterIDInUse);
    assert!(verdict.message.contains("VirtualIP \"web\""), "{}", verdict.message);

    let (_, free) = verdict.message.split_once("write virtualRouterID: ").expect("a proposal");
    let free: u8 = free.parse().expect("a number at the end");
    let mended = vip_with(&other_name, "192.0.2.2", |spec| spec.virtual_router_id = Some(free));
    assert_eq!(agent.runs(&folder(&[web, mended])).len(), 2, "following the advice mends it");
}

#[test]
fn where_neither_is_in_force_both_are_refused_and_each_is_told_another_free_id() {
    let (web, other) = (vip("web", "192.0.2.1"), vip(&namesake("web"), "192.0.2.2"));
    let plan = Agent::new("n").follow(&folder(&[web, other]));
    let mut proposals: Vec<&str> = Vec::new();
    for verdict in plan.virtual_ips.values() {
        assert_eq!(verdict.accepted.reason, Reason::VirtualRouterIDInUse);
        proposals.extend(verdict.accepted.message.rsplit(' ').next());
    }
    assert_eq!(proposals.len(), 2);
    assert_ne!(proposals[0], proposals[1], "whoever follows both must not meet again");
    assert!(plan.node_configs["n"].virtual_routers.is_empty());
}

#[test]
fn an_explicit_id_is_no_exception_since_another_agent_may_have_the_other_in_force() {
    let web = vip("web", "192.0.2.1");
    let other = explicit("other", "192.0.2.2", id_from_name("web"));
    let both = folder(&[web.clone(), other.clone()]);
    let mut with_web = Agent::new("a");
    with_web.runs(&folder(&[web]));
    let mut with_other = Agent::new("b");
    with_other.runs(&folder(&[other]));
    assert_eq!(with_web.runs(&both).keys().collect::<Vec<_>>(), ["web"]);
    assert_eq!(with_other.runs(&both).keys().collect::<Vec<_>>(), ["other"]);
    assert!(Agent::new("c").runs(&both).is_empty(), "a fresh agent cannot know which of them");
}

#[test]
fn an_id_serves_two_families_and_two_interfaces() {
    let id = |spec: &mut holdfast_crds::VirtualIPSpec| spec.virtual_router_id = Some(51);
    let with = |name, address, interface| {
        vip_with(name, address, |spec| {
            id(spec);
            on(interface)(spec);
        })
    };
    let runs = Agent::new("n").runs(&folder(&[
        with("four", "192.0.2.1", "eth0"),
        with("six", "2001:db8::1", "eth0"),
        with("elsewhere", "198.51.100.1", "eth1"),
    ]));
    assert_eq!(runs.values().collect::<Vec<_>>(), [&51, &51, &51]);
}

#[test]
fn an_interface_of_any_node_counts_also_if_this_one_has_another() {
    let entry =
        |node: &str| NodeInterface { node_name: Some(node.into()), node_selector: None, interface: "eth1".into() };
    let one = vip_with("one", "192.0.2.1", |spec| {
        spec.virtual_router_id = Some(51);
        on("eth0")(spec);
        spec.node_interfaces = vec![entry("far")];
    });
    let other = vip_with("other", "192.0.2.2", |spec| {
        spec.virtual_router_id = Some(51);
        on("eth1")(spec);
    });
    assert!(Agent::new("here").runs(&folder(&[one, other])).is_empty());
}

#[test]
fn a_virtual_ip_that_is_refused_or_for_other_nodes_claims_its_id_and_addresses_all_the_same() {
    type Change = fn(&mut VirtualIP);
    let selector = LabelSelector { match_labels: [("edge".into(), "yes".into())].into(), ..LabelSelector::default() };
    let cases: [(&str, Change); 2] = [
        ("with an unknown check", |vip| vip.spec.health_checks.push(reference("missing"))),
        ("for other nodes", |vip| {
            vip.spec.node_selector = Some(LabelSelector {
                match_labels: [("edge".into(), "yes".into())].into(),
                ..LabelSelector::default()
            });
        }),
    ];
    assert!(!selector.matches(&BTreeMap::new()));
    for (case, change) in cases {
        for (address, id) in [("192.0.2.1", 52), ("192.0.2.2", 51)] {
            let mut first = explicit("first", "192.0.2.1", 51);
            change(&mut first);
            let runs = Agent::new("n").runs(&folder(&[first, explicit("second", address, id)]));
            assert!(runs.is_empty(), "{case}: {address} with {id}");
        }
    }
}

#[test]
fn an_address_stays_with_the_one_in_force_whatever_the_names() {
    let (a, b) = (explicit("a", "192.0.2.1", 1), explicit("b", "192.0.2.1", 2));
    let mut agent = Agent::new("n");
    agent.runs(&folder(std::slice::from_ref(&b)));
    let plan = agent.follow(&folder(&[a.clone(), b.clone()]));
    assert_eq!(plan.virtual_ips["a"].accepted.reason, Reason::AddressInUse);
    assert_eq!(plan.virtual_ips["b"].accepted.reason, Reason::Accepted);

    let fresh = Agent::new("n").follow(&folder(&[a, b]));
    assert!(fresh.virtual_ips.values().all(|verdict| verdict.accepted.reason == Reason::AddressInUse));
}

#[test]
fn two_virtual_ips_may_swap_their_addresses_and_ids_in_one_step() {
    let mut agent = Agent::new("n");
    agent.runs(&folder(&[explicit("a", "192.0.2.1", 1), explicit("b", "192.0.2.2", 2)]));
    let runs = agent.runs(&folder(&[explicit("a", "192.0.2.2", 2), explicit("b", "192.0.2.1", 1)]));
    assert_eq!(runs, [("a".to_owned(), 2), ("b".to_owned(), 1)].into());
}

#[test]
fn when_all_ids_are_taken_nobody_is_promised_one() {
    let crowd = (1..=255).map(|id| explicit(&format!("vip-{id}"), &format!("198.51.100.{}", id % 255), id));
    let mut crowd: Vec<VirtualIP> = crowd.collect();
    crowd[254].spec.addresses = vec!["203.0.113.1".into()];
    let mut agent = Agent::new("n");
    assert_eq!(agent.runs(&folder(&crowd)).len(), 255);
    crowd.push(vip("late", "192.0.2.1"));
    let plan = agent.follow(&folder(&crowd));
    assert_eq!(plan.virtual_ips["late"].accepted.reason, Reason::VirtualRouterIDsExhausted);
    assert_eq!(plan.node_configs["n"].virtual_routers.len(), 255);
}

/// The preferred node of every `VirtualIP`, as an agent on its own finds it.
fn masters(vips: u16, nodes: &[&str]) -> BTreeMap<String, String> {
    let virtual_ips = (0..vips)
        .map(|number| {
            let id = u8::try_from(number % 255 + 1).expect("in range");
            vip_with(&format!("vip-{number}"), &format!("10.0.{}.{}", number / 200, number % 200), |spec| {
                spec.virtual_router_id = Some(id);
                spec.interface = Some(format!("eth{}", number / 255));
            })
        })
        .collect();
    let world = World { virtual_ips, nodes: nodes.iter().map(|name| node(name)).collect(), ..World::default() };
    let plan = Agent::new(nodes[0]).follow(&world);
    plan.virtual_ips.keys().filter_map(|name| Some((name.clone(), preferred(&plan, name)?))).collect()
}

#[test]
fn masters_are_spread_evenly_on_average() {
    let masters = masters(300, &["a", "b", "c"]);
    assert_eq!(masters.len(), 300);
    for node in ["a", "b", "c"] {
        let count = masters.values().filter(|master| *master == node).count();
        assert!((70..=130).contains(&count), "{node}: {count} of 300");
    }
}

#[test]
fn a_node_that_comes_or_goes_moves_only_what_it_gets_or_had() {
    let (two, three) = (masters(100, &["a", "b"]), masters(100, &["a", "b", "c"]));
    let moved: Vec<_> = two.iter().filter(|(vip, master)| three[*vip] != **master).collect();
    assert!((20..=46).contains(&moved.len()), "about a third moves: {}", moved.len());
    assert!(moved.iter().all(|(vip, _)| three[*vip] == "c"), "to the new node, and nowhere else");
}

#[test]
fn another_virtual_ip_moves_no_master() {
    let (fewer, more) = (masters(40, &["a", "b", "c"]), masters(41, &["a", "b", "c"]));
    assert!(fewer.iter().all(|(vip, master)| more[vip] == *master));
}
