//! What is measured of the core: the same operations by the clock (`timings`), in instructions (`instructions`) and in
//! allocations (`tests/steady_state`).
//!
//! Each operation leaves the state that it found, but for the time and the counters: every run of it costs the same.

#![allow(clippy::unwrap_used, reason = "what cannot be prepared cannot be measured")]

mod decode;
mod encode;
mod handle;
mod router;
mod step;

/// Something to measure.
pub(crate) struct Case {
    /// Stays the same: figures are compared by it.
    pub(crate) name: &'static str,
    /// How many adverts one run sends or receives.
    pub(crate) adverts: u32,
    /// Makes everything that the operation needs, and runs it once.
    pub(crate) prepare: fn() -> Operation,
}

/// To be run any number of times. What it returns keeps the optimizer from leaving anything out.
pub(crate) type Operation = Box<dyn FnMut() -> usize>;

/// Everything that is measured.
pub(crate) const CASES: &[Case] = &[
    one("decode/v3-ipv4", || decode::operation(&router::V3_IPV4)),
    one("decode/v3-ipv4-20-addresses", || decode::operation(&router::V3_IPV4_20)),
    one("decode/v3-ipv6", || decode::operation(&router::V3_IPV6)),
    one("decode/v2-password", || decode::operation(&router::V2_PASSWORD)),
    one("encode/v3-ipv4", || encode::operation(&router::V3_IPV4)),
    one("encode/v3-ipv4-20-addresses", || encode::operation(&router::V3_IPV4_20)),
    one("encode/v3-ipv6", || encode::operation(&router::V3_IPV6)),
    one("encode/v2-password", || encode::operation(&router::V2_PASSWORD)),
    one("handle/advert-received-by-backup", || handle::backup_hears(&router::V3_IPV4)),
    one("handle/advert-of-20-addresses-received-by-backup", || handle::backup_hears(&router::V3_IPV4_20)),
    one("handle/timer-of-master", handle::master_wakes),
    Case { name: "step/10000-masters-send", adverts: step::INSTANCES, prepare: step::masters_send },
    Case { name: "step/10000-backups-receive", adverts: step::INSTANCES, prepare: step::backups_receive },
];

const fn one(name: &'static str, prepare: fn() -> Operation) -> Case {
    Case { name, adverts: 1, prepare }
}
