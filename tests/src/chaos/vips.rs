//! The virtual IPs of the scene: each family alone and both together, and both kinds of fence.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use holdfast_crds::Fencing;
use serde_json::{Value, json};

/// Time between two adverts: the default of a `VirtualIP`.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// The nodes by their priorities, the best one first: whoever is not told otherwise elects the first.
pub(super) const NODES: [(&str, u8); 3] = [("node-1", 200), ("node-2", 150), ("node-3", 100)];

/// The node that holds everything as long as nothing is broken.
pub(super) const FIRST: &str = "node-1";

/// The one that is next.
pub(super) const SECOND: &str = "node-2";

/// The one that is left.
pub(super) const THIRD: &str = "node-3";

/// How many backups there are when nothing is broken.
pub(super) const BACKUPS: usize = NODES.len() - 1;

/// A virtual IP.
#[derive(Debug)]
pub(super) struct Vip {
    pub(super) name: &'static str,
    pub(super) addresses: &'static [IpAddr],
    pub(super) fencing: Fencing,
    /// Whether the web server on the node decides about it, and a client asks for its page.
    pub(super) serves: bool,
}

/// One address of one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) vip: &'static Vip,
    pub(super) address: IpAddr,
}

/// The one with the web server behind it.
pub(super) static WEB: Vip = Vip {
    name: "web",
    addresses: &[IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100))],
    fencing: Fencing::Overlap,
    serves: true,
};

static DUAL: Vip = Vip {
    name: "dual",
    addresses: &[IpAddr::V4(Ipv4Addr::new(10, 77, 0, 101)), IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x101))],
    fencing: Fencing::Overlap,
    serves: false,
};

static SIX: Vip = Vip {
    name: "six",
    addresses: &[IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x102))],
    fencing: Fencing::Overlap,
    serves: false,
};

static STRICT: Vip = Vip {
    name: "strict",
    addresses: &[IpAddr::V4(Ipv4Addr::new(10, 77, 0, 103))],
    fencing: Fencing::Strict,
    serves: false,
};

/// All of them.
pub(super) static VIPS: [&Vip; 4] = [&WEB, &DUAL, &SIX, &STRICT];

/// Every address of all of them.
pub(super) fn targets() -> impl Iterator<Item = Target> {
    VIPS.into_iter().flat_map(|vip| vip.addresses.iter().map(|&address| Target { vip, address }))
}

/// What is applied: the virtual IPs, and the health check of [`WEB`].
pub(super) fn manifests() -> Vec<Value> {
    let check = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "HealthCheck", "metadata": { "name": WEB.name },
        "spec": {
            "http": { "port": 80 }, "interval": milliseconds(CHECK_PERIOD), "timeout": milliseconds(CHECK_PERIOD),
            "fall": CHECK_FALL, "rise": CHECK_FALL,
        },
    });
    VIPS.into_iter().map(manifest).chain([check]).collect()
}

/// Interval and timeout of the health check.
const CHECK_PERIOD: Duration = Duration::from_millis(500);

/// After so many probes in a row the check changes its mind.
const CHECK_FALL: u32 = 2;

/// The longest time until a check has failed: a failure just after a probe, and all probes that it takes run into their timeout.
pub(super) const CHECK_NOTICES: Duration = CHECK_PERIOD.saturating_mul(CHECK_FALL + 1);

fn manifest(vip: &Vip) -> Value {
    let addresses: Vec<String> = vip.addresses.iter().map(ToString::to_string).collect();
    let priorities = NODES.map(|(node, priority)| json!({ "nodeName": node, "priority": priority }));
    let checks: Vec<Value> = if vip.serves { vec![json!({ "name": vip.name })] } else { Vec::new() };
    json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": vip.name },
        "spec": {
            "addresses": addresses, "nodePriorities": priorities, "healthChecks": checks, "fencing": vip.fencing,
            "advertisementInterval": milliseconds(INTERVAL),
        },
    })
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
