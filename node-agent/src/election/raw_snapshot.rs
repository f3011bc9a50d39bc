//! The state of everything as the election thread hands it out: copied, not formatted.
//!
//! Thousands of counters with names would keep the thread from its timers for milliseconds. So it copies numbers, and
//! the thread that asked for them makes the [`Snapshot`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use holdfast_vrrp::wire::ReceiveCheck;
use holdfast_vrrp::{Counters, Family, Reason, State};

use super::words;
use crate::desired::{DesiredGroup, Fencing};
use crate::snapshot::{CounterName, InterfaceSnapshot, Obstacle, RouterSnapshot, RouterState, Snapshot};

/// Everything at one moment.
#[derive(Debug, Default)]
pub(super) struct RawSnapshot {
    pub(super) routers: Vec<RawRouter>,
    pub(super) interfaces: Vec<InterfaceSnapshot>,
    pub(super) counters: BTreeMap<String, u64>,
}

/// One virtual router.
#[derive(Debug)]
pub(super) struct RawRouter {
    pub(super) desired: Arc<DesiredGroup>,
    pub(super) member: usize,
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) message: Arc<str>,
    pub(super) since: SystemTime,
    pub(super) transitions: u64,
    pub(super) priority: u8,
    pub(super) vrid: u8,
    pub(super) interface: Option<String>,
    pub(super) held: Vec<IpAddr>,
    pub(super) master_address: Option<IpAddr>,
    pub(super) fencing: Option<Fencing>,
    pub(super) fence_unavailable: bool,
    pub(super) fence_dropped_packets: u64,
    pub(super) obstacle: Option<Obstacle>,
    pub(super) occupied: Vec<IpAddr>,
    pub(super) foreign_router: Option<IpAddr>,
    pub(super) counters: Counters,
}

impl RawSnapshot {
    pub(super) fn into_snapshot(self) -> Snapshot {
        Snapshot {
            virtual_routers: self.routers.into_iter().filter_map(RawRouter::into_snapshot).collect(),
            interfaces: self.interfaces,
            counters: self.counters,
        }
    }
}

impl RawRouter {
    fn into_snapshot(self) -> Option<RouterSnapshot> {
        let router = self.desired.routers.get(self.member)?;
        let counters = named_counters(&self.counters, self.fence_dropped_packets);
        Some(RouterSnapshot {
            name: router.name.clone(),
            virtual_ip: router.virtual_ip.clone(),
            group: self.desired.name.clone(),
            state: router_state(self.state),
            priority: self.priority,
            virtual_router_id: self.vrid,
            interface: self.interface,
            family: family_name(router.family).to_owned(),
            addresses: router.addresses.iter().map(|address| address.address).collect(),
            held: self.held,
            since: words::rfc3339(self.since),
            reason: words::reason(self.reason).to_owned(),
            message: self.message.to_string(),
            transitions: self.transitions,
            master_address: self.master_address,
            fencing: self.fencing,
            fence_unavailable: self.fence_unavailable,
            obstacle: self.obstacle,
            occupied: self.occupied,
            foreign_router: self.foreign_router,
            counters,
        })
    }
}

fn router_state(state: State) -> RouterState {
    match state {
        State::Initialize => RouterState::Init,
        State::Fault => RouterState::Fault,
        State::Backup => RouterState::Backup,
        State::Master => RouterState::Master,
    }
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// The counters of a virtual router that are not zero, under names that do not change.
fn named_counters(counters: &Counters, fence_dropped_packets: u64) -> BTreeMap<CounterName, u64> {
    let counted = all_counters(counters, fence_dropped_packets).filter(|(_, count)| *count > 0);
    counted.map(|(name, count)| (CounterName::Borrowed(name), count)).collect()
}

/// The name of every counter of a virtual router.
pub fn router_counters() -> Vec<&'static str> {
    all_counters(&Counters::default(), 0).map(|(name, _)| name).collect()
}

/// Failed receive checks are `rejected_` and the check's name.
fn all_counters(counters: &Counters, fence_dropped_packets: u64) -> impl Iterator<Item = (&'static str, u64)> + use<> {
    let Counters {
        receive,
        adverts_sent,
        adverts_received,
        releases_sent,
        releases_received,
        send_failures,
        became_master,
        released_master,
        announcements_sent,
        foreign_adverts,
        transport_mismatches,
        own_adverts,
        lower_adverts,
        unrelated_releases,
        interval_differs,
        address_list_differs,
        first_address_not_link_local,
        message_only_checksums,
        address_conflicts,
        addresses_restored,
        address_failures,
        outdated_reports,
        stalls,
    } = counters;
    let own = [
        ("adverts_sent", adverts_sent),
        ("adverts_received", adverts_received),
        ("releases_sent", releases_sent),
        ("releases_received", releases_received),
        ("send_failures", send_failures),
        ("became_master", became_master),
        ("released_master", released_master),
        ("announcements_sent", announcements_sent),
        ("foreign_adverts", foreign_adverts),
        ("transport_mismatches", transport_mismatches),
        ("own_adverts", own_adverts),
        ("lower_adverts", lower_adverts),
        ("unrelated_releases", unrelated_releases),
        ("interval_differs", interval_differs),
        ("address_list_differs", address_list_differs),
        ("first_address_not_link_local", first_address_not_link_local),
        ("message_only_checksums", message_only_checksums),
        ("address_conflicts", address_conflicts),
        ("addresses_restored", addresses_restored),
        ("address_failures", address_failures),
        ("outdated_reports", outdated_reports),
        ("stalls", stalls),
        ("fence_dropped_packets", &fence_dropped_packets),
    ];
    let own = own.map(|(name, count)| (name, *count));
    let rejected = ReceiveCheck::ALL.map(|check| (rejected(check), receive.get(check)));
    own.into_iter().chain(rejected)
}

fn rejected(check: ReceiveCheck) -> &'static str {
    match check {
        ReceiveCheck::Family => "rejected_family",
        ReceiveCheck::HopLimit => "rejected_hop_limit",
        ReceiveCheck::Version => "rejected_version",
        ReceiveCheck::Type => "rejected_type",
        ReceiveCheck::Truncated => "rejected_truncated",
        ReceiveCheck::TrailingBytes => "rejected_trailing_bytes",
        ReceiveCheck::Checksum => "rejected_checksum",
        ReceiveCheck::VirtualRouterId => "rejected_virtual_router_id",
        ReceiveCheck::AuthenticationType => "rejected_authentication_type",
        ReceiveCheck::AuthenticationData => "rejected_authentication_data",
        ReceiveCheck::IntervalMismatch => "rejected_interval_mismatch",
        ReceiveCheck::IntervalZero => "rejected_interval_zero",
        ReceiveCheck::AddressCount => "rejected_address_count",
    }
}
