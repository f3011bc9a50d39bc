//! Snapshots to test with.

use std::collections::BTreeMap;

use crate::snapshot::{RouterSnapshot, RouterState};

/// A virtual router of the VirtualIP of the same name, as a backup on eth0.
pub(super) fn router(name: &str) -> RouterSnapshot {
    RouterSnapshot {
        name: name.to_owned(),
        virtual_ip: name.to_owned(),
        group: name.to_owned(),
        state: RouterState::Backup,
        priority: 100,
        virtual_router_id: 51,
        interface: Some("eth0".to_owned()),
        family: "IPv4".to_owned(),
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        held: Vec::new(),
        since: "2026-01-01T00:00:00.250Z".to_owned(),
        reason: "Started".to_owned(),
        message: String::new(),
        transitions: 0,
        master_address: None,
        fencing: Some(crate::desired::Fencing::default()),
        fence_unavailable: false,
        obstacle: None,
        occupied: Vec::new(),
        foreign_router: None,
        counters: BTreeMap::new(),
    }
}

/// The same as master since a second of 2026.
pub(super) fn master(name: &str, second: u8) -> RouterSnapshot {
    RouterSnapshot { state: RouterState::Master, since: format!("2026-01-01T00:00:{second:02}.000Z"), ..router(name) }
}
