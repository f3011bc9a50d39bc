//! From the words of the API to the words of the protocol: a `NodeConfig` becomes what the election thread runs.
//!
//! The only file that knows both `holdfast-crds` and `holdfast-vrrp`. It decides nothing that the plan has not decided;
//! what it cannot carry out is refused by name, and everything else goes on.

use std::net::IpAddr;
use std::sync::Arc;

use holdfast_crds as api;
use holdfast_vrrp as vrrp;
use thiserror::Error;

use crate::desired::{Desired, DesiredAddress, DesiredGroup, DesiredRouter, Fencing, InterfaceChoice, TrackerSource};
use crate::passwords::{PasswordError, Passwords};

/// What a `NodeConfig` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// What the election thread runs.
    pub desired: Desired,
    /// The groups that cannot run, and why.
    pub refusals: Vec<Refusal>,
    /// What is wrong with groups that run nevertheless.
    pub warnings: Vec<String>,
}

/// A group that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("group {group:?}: {reason}")]
pub struct Refusal {
    /// The name of the group.
    pub group: String,
    /// Why.
    pub reason: String,
    /// What kind of reason it is.
    pub kind: RefusalKind,
}

/// Why a group cannot run, as far as it makes a difference to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The node does not have the password.
    PasswordMissing,
    /// The configuration makes no sense.
    Configuration,
}

/// Why a virtual router cannot run.
#[derive(Debug, Error)]
enum RouterError {
    #[error("virtual router {router:?}: {source}")]
    Number { router: String, source: vrrp::OutOfRange },
    #[error("virtual router {router:?}: {source}")]
    Address { router: String, source: api::ParseAddressError },
    #[error("virtual router {router:?}: peer {peer:?} is not an IP address")]
    Peer { router: String, peer: String },
    #[error("virtual router {router:?}: {source}")]
    Password { router: String, source: PasswordError },
    #[error(transparent)]
    Config(#[from] vrrp::ConfigError),
}

/// Translates a whole `NodeConfig`.
pub fn translate(spec: &api::NodeConfigSpec, passwords: &mut Passwords) -> Translation {
    let mut translation = Translation::default();
    for group in &spec.groups {
        let routers: Vec<&api::VirtualRouter> =
            spec.virtual_routers.iter().filter(|router| router.group == group.name).collect();
        match translate_group(spec, group, &routers, passwords, &mut translation.warnings) {
            Ok(group) => translation.desired.groups.push(Arc::new(group)),
            Err(error) => {
                let kind = match &error {
                    RouterError::Password { .. } => RefusalKind::PasswordMissing,
                    _ => RefusalKind::Configuration,
                };
                let refusal = Refusal { group: group.name.clone(), reason: error.to_string(), kind };
                translation.refusals.push(refusal);
            }
        }
    }
    translation
}

/// A group runs as a whole or not at all.
fn translate_group(
    spec: &api::NodeConfigSpec,
    group: &api::ElectionGroup,
    routers: &[&api::VirtualRouter],
    passwords: &mut Passwords,
    warnings: &mut Vec<String>,
) -> Result<DesiredGroup, RouterError> {
    let members =
        routers.iter().map(|router| member(spec, router, passwords, warnings)).collect::<Result<Vec<_>, _>>()?;
    let (trackers, sources) = trackers(group)?;
    Ok(DesiredGroup {
        name: group.name.clone(),
        routers: routers.iter().map(|router| desired_router(router)).collect::<Result<_, _>>()?,
        config: vrrp::GroupConfig::new(members, preemption(&group.preemption), trackers)?,
        trackers: sources,
    })
}

fn member(
    spec: &api::NodeConfigSpec,
    router: &api::VirtualRouter,
    passwords: &mut Passwords,
    warnings: &mut Vec<String>,
) -> Result<vrrp::MemberConfig, RouterError> {
    let out_of_range = |source| RouterError::Number { router: router.name.clone(), source };
    let interval = router.advertisement_interval.as_duration();
    let (protocol, interval) = match router.protocol_version {
        api::ProtocolVersion::V2 => {
            let password = password(router, passwords, warnings)?;
            (vrrp::Protocol::V2 { password }, vrrp::AdvertInterval::v2(interval))
        }
        api::ProtocolVersion::V3 => {
            (vrrp::Protocol::V3 { checksum: checksum(router.ipv4_checksum) }, vrrp::AdvertInterval::v3(interval))
        }
    };
    let peers = peer_addresses(spec, router)?;
    Ok(vrrp::MemberConfig {
        virtual_router_id: vrrp::VirtualRouterId::new(router.virtual_router_id).map_err(out_of_range)?,
        family: family(router.family),
        protocol,
        interval: interval.map_err(out_of_range)?,
        priority: vrrp::Priority::new(router.priority).map_err(out_of_range)?,
        addresses: addresses(router)?.into_iter().map(|address| address.address).collect(),
        transport: match router.transport {
            api::Transport::Multicast => vrrp::Transport::Multicast,
            api::Transport::Unicast => vrrp::Transport::Unicast(peers.clone()),
        },
        known_peers: router.peers_known.then_some(peers),
        rival: rival(router),
        announcements: announcements(&router.announcements),
    })
}

/// Without its password a router must not run: it would be master beside those that have it.
fn password(
    router: &api::VirtualRouter,
    passwords: &mut Passwords,
    warnings: &mut Vec<String>,
) -> Result<Option<vrrp::Password>, RouterError> {
    let Some(key) = router.password_key.as_deref() else { return Ok(None) };
    let found = passwords.get(key).map_err(|source| RouterError::Password { router: router.name.clone(), source })?;
    if let Some(error) = found.outdated {
        warnings.push(format!("virtual router {:?}: {error}; the password that it had stays in force", router.name));
    }
    Ok(Some(found.password))
}

/// The priority that this node must keep up with to stay master.
fn rival(router: &api::VirtualRouter) -> Option<vrrp::Priority> {
    vrrp::Priority::new(router.rival_priority?).ok()
}

fn peer_addresses(spec: &api::NodeConfigSpec, router: &api::VirtualRouter) -> Result<Vec<IpAddr>, RouterError> {
    let addresses = spec.peers_of(router).iter().filter_map(|peer| peer.address.as_deref());
    addresses
        .map(|text| text.parse().map_err(|_| RouterError::Peer { router: router.name.clone(), peer: text.to_owned() }))
        .collect()
}

fn desired_router(router: &api::VirtualRouter) -> Result<DesiredRouter, RouterError> {
    let addresses = addresses(router)?;
    let interface = match (&router.interface, addresses.first()) {
        (Some(name), _) => InterfaceChoice::Named(name.clone()),
        (None, Some(first)) => InterfaceChoice::HoldingSubnetOf(first.address),
        (None, None) => return Err(vrrp::ConfigError::Addresses(0).into()),
    };
    Ok(DesiredRouter {
        name: router.name.clone(),
        virtual_ip: router.virtual_ip.clone(),
        family: family(router.family),
        interface,
        addresses,
        fencing: match router.fencing {
            api::Fencing::Overlap => Fencing::Overlap,
            api::Fencing::Strict => Fencing::Strict,
            api::Fencing::None => Fencing::None,
        },
    })
}

/// Without a prefix length, an address is a host address.
fn addresses(router: &api::VirtualRouter) -> Result<Vec<DesiredAddress>, RouterError> {
    let parsed =
        router.parsed_addresses().map_err(|source| RouterError::Address { router: router.name.clone(), source })?;
    let desired = |vip: api::VipAddress| {
        let host = if vip.address().is_ipv4() { 32 } else { 128 };
        DesiredAddress { address: vip.address(), prefix_length: vip.prefix_length().unwrap_or(host) }
    };
    Ok(parsed.into_iter().map(desired).collect())
}

fn trackers(group: &api::ElectionGroup) -> Result<(Vec<vrrp::Tracker>, Vec<TrackerSource>), vrrp::ConfigError> {
    let checks = group
        .health_checks
        .iter()
        .map(|check| (check.weight, check.reverse, TrackerSource::HealthCheck(check.name.clone())));
    let interfaces = group
        .track_interfaces
        .iter()
        .map(|interface| (interface.weight, interface.reverse, TrackerSource::Interface(interface.name.clone())));
    let pairs = checks
        .chain(interfaces)
        .map(|(weight, reverse, source)| Ok((vrrp::Tracker { weight: vrrp::Weight::new(weight)?, reverse }, source)));
    let pairs: Vec<_> = pairs.collect::<Result<_, vrrp::ConfigError>>()?;
    Ok(pairs.into_iter().unzip())
}

fn preemption(preemption: &api::Preemption) -> vrrp::Preemption {
    match preemption.mode {
        api::PreemptionMode::Preempt => vrrp::Preemption::Preempt { delay: preemption.delay.as_duration() },
        api::PreemptionMode::Never => vrrp::Preemption::Never,
    }
}

fn announcements(announcements: &api::Announcements) -> vrrp::Announcements {
    vrrp::Announcements {
        count: announcements.count,
        delay: announcements.delay.as_duration(),
        refresh: (!announcements.refresh.is_zero()).then(|| announcements.refresh.as_duration()),
    }
}

fn checksum(checksum: api::Ipv4Checksum) -> vrrp::Ipv4Checksum {
    match checksum {
        api::Ipv4Checksum::PseudoHeader => vrrp::Ipv4Checksum::PseudoHeader,
        api::Ipv4Checksum::MessageOnly => vrrp::Ipv4Checksum::MessageOnly,
    }
}

fn family(family: api::Family) -> vrrp::Family {
    match family {
        api::Family::IPv4 => vrrp::Family::Ipv4,
        api::Family::IPv6 => vrrp::Family::Ipv6,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn router(changes: Value) -> Value {
        let router = json!({
            "name": "web", "virtualIP": "web", "group": "web", "family": "IPv4", "interface": "eth0",
            "virtualRouterID": 51, "protocolVersion": 3, "advertisementInterval": "200ms", "priority": 100,
            "addresses": ["192.0.2.1/24", "192.0.2.2"],
        });
        changed(router, changes)
    }

    fn group(name: &str, changes: Value) -> Value {
        changed(json!({ "name": name, "virtualIPs": [name] }), changes)
    }

    fn changed(mut object: Value, changes: Value) -> Value {
        if let (Value::Object(fields), Value::Object(changes)) = (&mut object, changes) {
            fields.extend(changes);
        }
        object
    }

    fn spec(routers: &[Value], groups: &[Value]) -> api::NodeConfigSpec {
        serde_json::from_value(json!({ "virtualRouters": routers, "groups": groups })).expect("a spec")
    }

    fn peer_set(name: &str, peers: &Value) -> Vec<api::PeerSet> {
        serde_json::from_value(json!([{ "name": name, "peers": peers }])).expect("a peer set")
    }

    /// Translates one router in a group of its own.
    fn one(changes: Value) -> DesiredGroup {
        let spec = spec(&[router(changes)], &[group("web", json!({}))]);
        let mut translation = translate(&spec, &mut Passwords::default());
        assert_eq!(translation.refusals, []);
        Arc::unwrap_or_clone(translation.desired.groups.pop().expect("a group"))
    }

    #[test]
    fn numbers_and_addresses_arrive_as_they_were_planned() {
        let group = one(json!({}));
        let member = &group.config.members()[0];
        assert_eq!(member.virtual_router_id.get(), 51);
        assert_eq!(member.priority.get(), 100);
        assert_eq!(member.interval.get(), Duration::from_millis(200));
        assert_eq!(member.family, vrrp::Family::Ipv4);
        let addresses: Vec<_> =
            group.routers[0].addresses.iter().map(|vip| (vip.address.to_string(), vip.prefix_length)).collect();
        assert_eq!(addresses, [("192.0.2.1".to_owned(), 24), ("192.0.2.2".to_owned(), 32)]);
        assert_eq!(group.routers[0].interface, InterfaceChoice::Named("eth0".to_owned()));
    }

    #[test]
    fn without_a_name_the_interface_is_found_by_the_first_address() {
        let group = one(json!({ "interface": null }));
        assert_eq!(group.routers[0].interface, InterfaceChoice::HoldingSubnetOf("192.0.2.1".parse().expect("one")));
    }

    #[test]
    fn only_a_complete_list_of_peers_shuts_others_out() {
        let peers = json!([{ "name": "b", "address": "192.0.2.12" }, { "name": "c", "address": "192.0.2.13" }]);
        let (b, c): (IpAddr, IpAddr) = ("192.0.2.12".parse().expect("one"), "192.0.2.13".parse().expect("one"));
        for (known, expected) in [(true, Some(vec![b, c])), (false, None)] {
            let router = router(json!({ "peerSet": "all", "peersKnown": known, "transport": "Unicast" }));
            let mut spec = spec(&[router], &[group("web", json!({}))]);
            spec.peer_sets = peer_set("all", &peers);
            let group = translate(&spec, &mut Passwords::default()).desired.groups.pop().expect("a group");
            let member = &group.config.members()[0];
            assert_eq!(member.known_peers, expected);
            assert_eq!(member.transport, vrrp::Transport::Unicast(vec![b, c]));
        }
    }

    #[test]
    fn a_refresh_of_zero_turns_it_off() {
        let refresh = |text: &str| {
            let announcements = json!({ "count": 3, "delay": "2s", "refresh": text });
            one(json!({ "announcements": announcements })).config.members()[0].announcements
        };
        let expected = vrrp::Announcements { count: 3, delay: Duration::from_secs(2), refresh: None };
        assert_eq!(refresh("0s"), expected);
        assert_eq!(refresh("1m").refresh, Some(Duration::from_secs(60)));
    }

    #[test]
    fn trackers_stand_in_the_order_of_their_sources() {
        let watching = group(
            "web",
            json!({
                "healthChecks": [{ "name": "nginx", "weight": -15 }, { "name": "canary", "weight": 0, "reverse": true }],
                "trackInterfaces": [{ "name": "eth1", "weight": 20 }],
                "preemption": { "mode": "Never" },
            }),
        );
        let translation = translate(&spec(&[router(json!({}))], &[watching]), &mut Passwords::default());
        let group = &translation.desired.groups[0];
        let weights: Vec<_> =
            group.config.trackers.iter().map(|tracker| (tracker.weight.get(), tracker.reverse)).collect();
        assert_eq!(weights, [(-15, false), (0, true), (20, false)]);
        let sources = [
            TrackerSource::HealthCheck("nginx".to_owned()),
            TrackerSource::HealthCheck("canary".to_owned()),
            TrackerSource::Interface("eth1".to_owned()),
        ];
        assert_eq!(group.trackers, sources);
        assert_eq!(group.config.preemption, vrrp::Preemption::Never);
    }

    #[test]
    fn a_group_that_cannot_run_hinders_no_other() {
        let routers = [
            router(json!({ "name": "bad", "group": "bad", "protocolVersion": 2, "advertisementInterval": "200ms" })),
            router(json!({})),
        ];
        let groups = [group("bad", json!({})), group("web", json!({}))];
        let translation = translate(&spec(&routers, &groups), &mut Passwords::default());
        assert_eq!(translation.desired.groups.len(), 1);
        let refusal = translation.refusals[0].to_string();
        assert!(refusal.starts_with("group \"bad\": virtual router \"bad\": a VRRPv2 interval is"), "{refusal}");
    }

    #[test]
    fn what_cannot_run_is_refused_with_its_reason() {
        let cases = [
            (json!({ "virtualRouterID": 0 }), "virtual router \"web\": virtual router ID 0 is not within 1..=255"),
            (json!({ "priority": 0 }), "virtual router \"web\": priority 0 is not within 1..=255"),
            (
                json!({ "advertisementInterval": "15ms" }),
                "virtual router \"web\": a VRRPv3 interval is a multiple of 10ms within 10ms..=40.95s, not 15ms",
            ),
            (json!({ "addresses": ["192.0.2.300"] }), "virtual router \"web\": "),
            (json!({ "addresses": [], "interface": null }), "a virtual router has 1..="),
            (json!({ "addresses": ["2001:db8::1"] }), "address 2001:db8::1 is not of the virtual router's family"),
            (json!({ "peerSet": "bad" }), "virtual router \"web\": peer \"node-b\" is not an IP address"),
            (
                json!({
                    "family": "IPv6", "addresses": ["2001:db8::1"],
                    "protocolVersion": 2, "advertisementInterval": "1s",
                }),
                "VRRPv2 carries IPv4 addresses only",
            ),
            (
                json!({ "protocolVersion": 2, "advertisementInterval": "1s", "passwordKey": "gate" }),
                "virtual router \"web\": password key \"gate\": start the agent with --auth-dir",
            ),
        ];
        for (changes, reason) in cases {
            let mut spec = spec(&[router(changes.clone())], &[group("web", json!({}))]);
            spec.peer_sets = peer_set("bad", &json!([{ "name": "b", "address": "node-b" }]));
            let translation = translate(&spec, &mut Passwords::default());
            assert_eq!(translation.desired.groups, [], "{changes}");
            let refusals: Vec<String> = translation.refusals.iter().map(ToString::to_string).collect();
            assert!(
                refusals.len() == 1 && refusals[0].starts_with(&format!("group \"web\": {reason}")),
                "{refusals:?}"
            );
        }
    }

    #[test]
    fn members_of_a_group_run_together_or_not_at_all() {
        let routers = [
            router(json!({ "name": "inside", "group": "gate", "addresses": ["192.0.2.1"] })),
            router(json!({ "name": "outside", "group": "gate", "addresses": ["192.0.2.2"], "priority": 0 })),
        ];
        let translation = translate(&spec(&routers, &[group("gate", json!({}))]), &mut Passwords::default());
        assert_eq!(translation.desired.groups, []);
        assert!(translation.refusals[0].reason.contains("outside"), "{:?}", translation.refusals);
    }

    #[test]
    fn versions_and_checksums_become_protocols() {
        let cases = [
            (json!({ "protocolVersion": 2 }), vrrp::Protocol::V2 { password: None }),
            (json!({}), vrrp::Protocol::V3 { checksum: vrrp::Ipv4Checksum::PseudoHeader }),
            (
                json!({ "ipv4Checksum": "MessageOnly" }),
                vrrp::Protocol::V3 { checksum: vrrp::Ipv4Checksum::MessageOnly },
            ),
        ];
        for (changes, protocol) in cases {
            let group = one(changed(changes, json!({ "advertisementInterval": "1s" })));
            assert_eq!(group.config.members()[0].protocol, protocol);
        }
    }

    #[test]
    fn a_lower_master_is_preempted_after_the_delay() {
        let patient = group("web", json!({ "preemption": { "mode": "Preempt", "delay": "30s" } }));
        let translation = translate(&spec(&[router(json!({}))], &[patient]), &mut Passwords::default());
        let expected = vrrp::Preemption::Preempt { delay: Duration::from_secs(30) };
        assert_eq!(translation.desired.groups[0].config.preemption, expected);
    }

    #[test]
    fn the_rival_is_the_best_of_the_others_if_known() {
        let rival = |changes| one(changes).config.members()[0].rival.map(vrrp::Priority::get);
        assert_eq!(rival(json!({ "rivalPriority": 120 })), Some(120));
        assert_eq!(rival(json!({})), None);
    }

    #[test]
    fn a_password_is_needed_to_begin_and_not_to_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut passwords = Passwords::new(Some(folder.path().to_owned()));
        let locked = router(json!({ "protocolVersion": 2, "advertisementInterval": "1s", "passwordKey": "web" }));
        let spec = spec(&[locked], &[group("web", json!({}))]);

        let before = translate(&spec, &mut passwords);
        assert!(before.desired.groups.is_empty());
        assert!(before.refusals[0].reason.contains("password key \"web\""), "{:?}", before.refusals);

        fs::write(folder.path().join("web"), "secret").expect("written");
        let with = translate(&spec, &mut passwords);
        assert_eq!((with.desired.groups.len(), with.refusals.len(), with.warnings.len()), (1, 0, 0));

        fs::remove_file(folder.path().join("web")).expect("removed");
        let after = translate(&spec, &mut passwords);
        assert_eq!(after.desired, with.desired);
        assert!(after.warnings[0].contains("stays in force"), "{:?}", after.warnings);
    }
}
