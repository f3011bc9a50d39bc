//! An agent with a folder: what is in force keeps its last good version until the folder is good again.

use holdfast_crds::condition::{AcceptedReason as Reason, GroupAcceptedReason as GroupReason};
use holdfast_crds::{LabelSelector, Transport};
use holdfast_plan::Plan;

use crate::objects::{Agent, World, check, group, labelled, node, node_at, reference, vip_with};

/// Three `VirtualIPs`, two of them in a group, and a check that each kind uses.
fn good() -> World {
    let inside = vip_with("inside", "192.0.2.1", |spec| {
        spec.virtual_router_id = Some(1);
        spec.health_checks = vec![reference("port")];
    });
    let outside = vip_with("outside", "198.51.100.1", |spec| spec.virtual_router_id = Some(2));
    let web = vip_with("web", "192.0.2.80", |spec| {
        spec.virtual_router_id = Some(3);
        spec.health_checks = vec![reference("page")];
    });
    let mut gateway = group("gateway", &["inside", "outside"]);
    gateway.spec.health_checks = vec![reference("uplink")];
    World {
        virtual_ips: vec![inside, outside, web],
        health_checks: vec![
            check("page", "tcp: {port: 80}"),
            check("port", "tcp: {port: 1}"),
            check("uplink", "tcp: {port: 2}"),
        ],
        groups: vec![gateway],
        ..World::default()
    }
}

fn agent_with(folder: &World) -> (Agent, Plan) {
    let mut agent = Agent::new("n");
    let plan = agent.follow(folder);
    (agent, plan)
}

fn refused(plan: &Plan) -> Vec<String> {
    let virtual_ips = plan.virtual_ips.iter().map(|(name, verdict)| (name, verdict.accepted.is_accepted()));
    let groups = plan.groups.iter().map(|(name, verdict)| (name, verdict.is_accepted()));
    virtual_ips.chain(groups).filter(|(_, accepted)| !accepted).map(|(name, _)| name.clone()).collect()
}

fn message_of(plan: &Plan, name: &str) -> String {
    let group = plan.groups.get(name).map(|verdict| &verdict.message);
    group.or(plan.virtual_ips.get(name).map(|verdict| &verdict.accepted.message)).expect("a verdict").clone()
}

#[test]
fn whatever_the_plan_would_refuse_in_a_change_changes_nothing_and_is_reported() {
    type Break = fn(&mut World);
    let causes: [(&str, Break, &[&str]); 15] = [
        (
            "a node that has the address of a VirtualIP",
            |world| world.nodes = vec![node_at("n", &["192.0.2.9"]), node_at("other", &["192.0.2.80"])],
            &["web"],
        ),
        (
            "a typo in the name of a check",
            |world| world.virtual_ips[2].spec.health_checks[0].name = "pgae".into(),
            &["web"],
        ),
        (
            "a check that is deleted while it is used",
            |world| world.health_checks.retain(|check| check.metadata.name.as_deref() != Some("page")),
            &["web"],
        ),
        (
            "a check of a member that is deleted",
            |world| world.health_checks.retain(|check| check.metadata.name.as_deref() != Some("port")),
            &["inside"],
        ),
        (
            "a check of the group that is deleted",
            |world| world.health_checks.retain(|check| check.metadata.name.as_deref() != Some("uplink")),
            &["gateway"],
        ),
        (
            "a check with a probe that does not run",
            |world| world.health_checks[0] = check("page", "icmp: {host: 192.0.2.9}"),
            &["web"],
        ),
        (
            "an address that an object before it takes",
            |world| world.virtual_ips.push(vip_with("a", "192.0.2.80", |spec| spec.virtual_router_id = Some(9))),
            &["a"],
        ),
        ("an address of another", |world| world.virtual_ips[2].spec.addresses = vec!["192.0.2.1".into()], &["web"]),
        ("an ID of another", |world| world.virtual_ips[2].spec.virtual_router_id = Some(1), &["web"]),
        (
            "an ID that a newcomer takes",
            |world| world.virtual_ips.push(vip_with("a", "192.0.2.9", |spec| spec.virtual_router_id = Some(3))),
            &["a"],
        ),
        ("a field that is not carried out", |world| world.virtual_ips[2].spec.virtual_mac = true, &["web"]),
        (
            "unicast without addresses of the nodes",
            |world| world.virtual_ips[2].spec.transport = Transport::Unicast,
            &["web"],
        ),
        ("a member that does not exist", |world| world.groups[0].spec.members[1] = "outsdie".into(), &["gateway"]),
        ("members that disagree", |world| world.virtual_ips[0].spec.priority = Some(7), &["inside", "gateway"]),
        ("a member with a typo", |world| world.virtual_ips[0].spec.health_checks[0].name = "prot".into(), &["inside"]),
    ];
    for (cause, break_it, wrong) in causes {
        let (mut agent, before) = agent_with(&good());
        assert_eq!(refused(&before), [] as [&str; 0]);
        let mut broken = good();
        break_it(&mut broken);

        let plan = agent.follow(&broken);
        assert_eq!(plan.node_configs, before.node_configs, "{cause}");
        assert_eq!(refused(&plan), wrong, "{cause}");
        assert_eq!(agent.follow(&broken).node_configs, before.node_configs, "{cause}: also at the next look");

        let mended = agent.follow(&good());
        assert_eq!((refused(&mended), mended.node_configs), (vec![], before.node_configs), "{cause}: mended");
    }
}

#[test]
fn the_message_says_what_is_wrong_and_that_the_last_good_version_counts() {
    let (mut agent, _) = agent_with(&good());
    let mut broken = good();
    broken.virtual_ips[2].spec.health_checks[0].name = "pgae".into();
    let plan = agent.follow(&broken);
    assert_eq!(plan.virtual_ips["web"].accepted.reason, Reason::UnknownHealthCheck);
    assert_eq!(
        message_of(&plan, "web"),
        "spec.healthChecks[0]: there is no HealthCheck \"pgae\": create it, or remove the reference; until this is mended, \
         the last good version stays in force"
    );
}

#[test]
fn what_was_never_accepted_is_refused() {
    let (mut agent, before) = agent_with(&good());
    let mut broken = good();
    broken.virtual_ips.push(vip_with("new", "192.0.2.9", |spec| spec.health_checks = vec![reference("nowhere")]));
    let plan = agent.follow(&broken);
    assert_eq!(plan.node_configs, before.node_configs);
    assert!(message_of(&plan, "new").ends_with("create it, or remove the reference"), "{}", message_of(&plan, "new"));
}

#[test]
fn a_newcomer_cannot_refer_to_a_check_that_only_the_memory_has() {
    let (mut agent, _) = agent_with(&good());
    let mut broken = good();
    broken.health_checks.retain(|check| check.metadata.name.as_deref() != Some("page"));
    broken.virtual_ips.push(vip_with("new", "192.0.2.9", |spec| {
        spec.virtual_router_id = Some(9);
        spec.health_checks = vec![reference("page")];
    }));
    assert_eq!(refused(&agent.follow(&broken)), ["new", "web"]);
    assert_eq!(agent.in_force.virtual_ips.len(), 3);
}

#[test]
fn a_virtual_ip_whose_document_is_gone_goes_also_from_its_group() {
    let (mut agent, _) = agent_with(&good());
    let mut fewer = good();
    fewer.virtual_ips.remove(1);
    let plan = agent.follow(&fewer);
    let spec = &plan.node_configs["n"];
    let routers: Vec<_> =
        spec.virtual_routers.iter().map(|router| (router.name.as_str(), router.group.as_str())).collect();
    assert_eq!(routers, [("inside", "group/gateway"), ("web", "web")], "the other member stays in the group");
    assert_eq!(plan.groups["gateway"].reason, GroupReason::UnknownVirtualIP);

    fewer.virtual_ips.clear();
    let plan = agent.follow(&fewer);
    assert!(plan.node_configs["n"].virtual_routers.is_empty());
    assert!(!message_of(&plan, "gateway").contains("stays in force"), "{}", message_of(&plan, "gateway"));
    assert!(agent.in_force.groups.is_empty() && agent.in_force.health_checks.is_empty());
}

#[test]
fn a_good_change_beside_a_bad_one_counts() {
    let (mut agent, _) = agent_with(&good());
    let mut broken = good();
    broken.virtual_ips[2].spec.health_checks[0].name = "pgae".into();
    broken.virtual_ips[0].spec.addresses = vec!["192.0.2.7".into()];
    let plan = agent.follow(&broken);
    let addresses: Vec<_> =
        plan.node_configs["n"].virtual_routers.iter().map(|router| router.addresses[0].as_str()).collect();
    assert_eq!(addresses, ["192.0.2.7", "198.51.100.1", "192.0.2.80"]);
}

#[test]
fn a_kept_version_takes_a_good_change_of_its_check() {
    let (mut agent, _) = agent_with(&good());
    let mut broken = good();
    broken.virtual_ips[2].spec.virtual_mac = true;
    broken.health_checks[0] = check("page", "tcp: {port: 8080}");
    let plan = agent.follow(&broken);
    let page = plan.node_configs["n"].health_checks.iter().find(|check| check.name == "page").expect("it runs");
    assert_eq!(page.spec, check("page", "tcp: {port: 8080}").spec);
}

#[test]
fn a_node_without_an_address_does_not_take_unicast_virtual_ips_from_the_others() {
    let unicast = vip_with("web", "192.0.2.80", |spec| spec.transport = Transport::Unicast);
    let nodes = vec![node_at("n", &["192.0.2.2"]), node_at("m", &["192.0.2.3"])];
    let folder = World { virtual_ips: vec![unicast], nodes, ..World::default() };
    for (cause, change) in [
        ("a new node", (|world: &mut World| world.nodes.push(node("late"))) as fn(&mut World)),
        ("a node that loses its address", |world| world.nodes[1] = node("m")),
        ("no nodes at all", |world| world.nodes.clear()),
    ] {
        let (mut agent, before) = agent_with(&folder);
        let mut broken = folder.clone();
        change(&mut broken);
        let plan = agent.follow(&broken);
        assert_eq!(plan.node_configs["n"], before.node_configs["n"], "{cause}");
        assert_eq!(refused(&plan), ["web"], "{cause}");
    }
}

#[test]
fn a_selector_that_selects_nobody_is_a_mistake_only_if_the_nodes_are_described() {
    let select = |world: &mut World| {
        let labels = [("edge".to_owned(), "yes".to_owned())].into();
        world.virtual_ips[2].spec.node_selector =
            Some(LabelSelector { match_labels: labels, ..LabelSelector::default() });
    };
    for (nodes, runs) in [(vec![], false), (vec![labelled(node("n"), "zone", "x")], true)] {
        let folder = World { nodes, ..good() };
        let (mut agent, _) = agent_with(&folder);
        let mut changed = folder.clone();
        select(&mut changed);
        let plan = agent.follow(&changed);
        assert_eq!(plan.node_configs["n"].virtual_routers.iter().any(|router| router.name == "web"), runs);
        assert_eq!(refused(&plan).contains(&"web".to_owned()), runs, "what is kept is reported");
    }
}

#[test]
fn labels_that_only_this_agent_knows_count_for_its_own_node() {
    let labels = LabelSelector { match_labels: [("edge".into(), "yes".into())].into(), ..LabelSelector::default() };
    let folder = World {
        virtual_ips: vec![vip_with("web", "192.0.2.80", |spec| spec.node_selector = Some(labels))],
        ..World::default()
    };
    let mut edge = Agent { labels: [("edge".to_owned(), "yes".to_owned())].into(), ..Agent::new("n") };
    assert_eq!(edge.runs(&folder).len(), 1);
    assert!(Agent::new("n").runs(&folder).is_empty());
}

#[test]
fn the_order_of_members_in_the_manifest_makes_no_difference() {
    let (mut agent, before) = agent_with(&good());
    let mut turned = good();
    turned.groups[0].spec.members.reverse();
    turned.virtual_ips.reverse();
    assert_eq!(agent.follow(&turned).node_configs, before.node_configs);
}

#[test]
fn a_member_stays_with_the_group_that_has_it() {
    let (mut agent, before) = agent_with(&good());
    let mut more = good();
    more.groups.push(group("a", &["inside", "web"]));
    let plan = agent.follow(&more);
    assert_eq!(plan.groups["a"].reason, GroupReason::VirtualIPInOtherGroup);
    assert_eq!(plan.node_configs, before.node_configs);
}
