//! Groups for unit tests: one virtual router on `eth0`.

use std::time::Duration;

use holdfast_vrrp::{
    AdvertInterval, Announcements, Family, GroupConfig, MemberConfig, Preemption, Priority, Protocol, Transport,
    VirtualRouterId,
};

use crate::desired::{DesiredAddress, DesiredGroup, DesiredRouter, Fencing, InterfaceChoice};

/// A group of one virtual router with the address 10.0.0.100.
pub(crate) fn vip_group(name: &str, vrid: u8) -> DesiredGroup {
    group_with(name, vrid, |_| {})
}

/// The same with changes.
pub(crate) fn group_with(name: &str, vrid: u8, change: impl FnOnce(&mut MemberConfig)) -> DesiredGroup {
    let mut member = MemberConfig {
        virtual_router_id: VirtualRouterId::new(vrid).expect("not zero"),
        family: Family::Ipv4,
        protocol: Protocol::V3 { checksum: holdfast_vrrp::Ipv4Checksum::PseudoHeader },
        interval: AdvertInterval::v3(Duration::from_millis(100)).expect("in range"),
        priority: Priority::new(100).expect("not zero"),
        addresses: vec![[10, 0, 0, 100].into()],
        transport: Transport::Multicast,
        known_peers: None,
        rival: None,
        announcements: Announcements::default(),
    };
    change(&mut member);
    let addresses = member.addresses.iter().map(|address| DesiredAddress { address: *address, prefix_length: 32 });
    DesiredGroup {
        name: name.to_owned(),
        routers: vec![DesiredRouter {
            name: name.to_owned(),
            virtual_ip: name.to_owned(),
            family: member.family,
            interface: InterfaceChoice::Named("eth0".to_owned()),
            addresses: addresses.collect(),
            fencing: Fencing::default(),
        }],
        config: GroupConfig::new(vec![member], Preemption::Preempt { delay: Duration::ZERO }, vec![])
            .expect("a valid configuration"),
        trackers: vec![],
    }
}

/// The virtual routers of these groups as one.
pub(crate) fn united(name: &str, groups: &[&DesiredGroup]) -> DesiredGroup {
    let members = groups.iter().flat_map(|group| group.config.members().to_vec()).collect();
    DesiredGroup {
        name: name.to_owned(),
        routers: groups.iter().flat_map(|group| group.routers.clone()).collect(),
        config: GroupConfig::new(members, Preemption::Preempt { delay: Duration::ZERO }, vec![])
            .expect("a valid configuration"),
        trackers: vec![],
    }
}
