//! The state of everything as the election thread hands it out: copied, not formatted.
//!
//! Thousands of counters with names would keep the thread from its timers for milliseconds. So it copies numbers, and
//! the thread that asked for them makes the [`Snapshot`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use holdfast_vrrp::{Counters, Family, Reason, State};

use super::words;
use crate::desired::{DesiredGroup, Fencing};
use crate::snapshot::{InterfaceSnapshot, Obstacle, RouterSnapshot, RouterState, Snapshot};

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
    pub(super) fencing: Fencing,
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
        let mut counters = named_counters(&self.counters);
        counters.insert("fence_dropped_packets".to_owned(), self.fence_dropped_packets);
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

/// Every counter of a virtual router under a name that does not change. Failed receive checks are `rejected_` and the
/// check's name.
fn named_counters(counters: &Counters) -> BTreeMap<String, u64> {
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
    ];
    let own = own.into_iter().map(|(name, count)| (name.to_owned(), *count));
    own.chain(receive.iter().map(|(name, count)| (format!("rejected_{name}"), count))).collect()
}
