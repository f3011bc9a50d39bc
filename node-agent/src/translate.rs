//! From the words of the API to the words of the protocol: a `NodeConfig` becomes what the election thread runs.
//!
//! The only file that knows both `holdfast-crds` and `holdfast-vrrp`. It decides nothing that the plan has not decided;
//! what it cannot carry out is refused by name, and everything else goes on.

use std::net::IpAddr;

use holdfast_crds as api;
use holdfast_vrrp as vrrp;
use thiserror::Error;

use crate::desired::{Desired, DesiredAddress, DesiredGroup, DesiredRouter, InterfaceChoice, TrackerSource};
use crate::passwords::{PasswordError, Passwords};

/// What a `NodeConfig` comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// What the election thread runs.
    pub desired: Desired,
    /// The groups that cannot run, and why.
    pub refusals: Vec<Refusal>,
}

/// A group that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("group {group:?}: {reason}")]
pub struct Refusal {
    /// The name of the group.
    pub group: String,
    /// Why.
    pub reason: String,
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
pub fn translate(spec: &api::NodeConfigSpec, passwords: &Passwords) -> Translation {
    let mut translation = Translation::default();
    for group in &spec.groups {
        let routers: Vec<&api::VirtualRouter> =
            spec.virtual_routers.iter().filter(|router| router.group == group.name).collect();
        match translate_group(group, &routers, passwords) {
            Ok(group) => translation.desired.groups.push(group),
            Err(error) => {
                let refusal = Refusal { group: group.name.clone(), reason: error.to_string() };
                translation.refusals.push(refusal);
            }
        }
    }
    translation
}

/// A group runs as a whole or not at all.
fn translate_group(
    group: &api::ElectionGroup,
    routers: &[&api::VirtualRouter],
    passwords: &Passwords,
) -> Result<DesiredGroup, RouterError> {
    let members = routers.iter().map(|router| member(router, passwords)).collect::<Result<Vec<_>, _>>()?;
    let (trackers, sources) = trackers(group)?;
    Ok(DesiredGroup {
        name: group.name.clone(),
        routers: routers.iter().map(|router| desired_router(router)).collect::<Result<_, _>>()?,
        config: vrrp::GroupConfig::new(members, preemption(&group.preemption), trackers)?,
        trackers: sources,
    })
}

fn member(router: &api::VirtualRouter, passwords: &Passwords) -> Result<vrrp::MemberConfig, RouterError> {
    let out_of_range = |source| RouterError::Number { router: router.name.clone(), source };
    let interval = router.advertisement_interval.as_duration();
    let (protocol, interval) = match router.protocol_version {
        api::ProtocolVersion::V2 => {
            let password = router.password_key.as_deref().map(|key| passwords.get(key)).transpose();
            let password = password.map_err(|source| RouterError::Password { router: router.name.clone(), source })?;
            (vrrp::Protocol::V2 { password }, vrrp::AdvertInterval::v2(interval))
        }
        api::ProtocolVersion::V3 => {
            (vrrp::Protocol::V3 { checksum: checksum(router.ipv4_checksum) }, vrrp::AdvertInterval::v3(interval))
        }
    };
    let peers = peer_addresses(router)?;
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

/// The priority that this node must keep up with to stay master.
fn rival(router: &api::VirtualRouter) -> Option<vrrp::Priority> {
    let highest = router.peers.iter().filter_map(|peer| peer.priority).max()?;
    vrrp::Priority::new(highest).ok()
}

fn peer_addresses(router: &api::VirtualRouter) -> Result<Vec<IpAddr>, RouterError> {
    let addresses = router.peers.iter().filter_map(|peer| peer.address.as_deref());
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
