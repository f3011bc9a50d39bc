//! How a VIP's master is elected and announced: settings that a VirtualIP states and a NodeConfig repeats, resolved.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationString;
use crate::rules;

/// Whether a node with a higher priority takes the VIP from a living master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new(format!(
        "self.mode == 'Preempt' || {} || duration(self.delay) == duration('0s')",
        rules::malformed_duration("self.delay"),
    ))
    .message("a delay has no meaning with mode Never: remove delay, or write mode: Preempt")
    .field_path(".delay")
)]
pub struct Preemption {
    /// `Preempt` (default): the node with the highest priority takes the VIP. `Never`: whoever is master stays master
    /// until it fails.
    #[serde(default)]
    pub mode: PreemptionMode,
    /// How long a better node waits before it preempts, so that it can warm up: 0s (default) to 1h. Only with mode
    /// `Preempt`. Example: `2m`.
    #[serde(default)]
    #[x_kube(validation = rules::duration_within("0s", "1h"))]
    pub delay: DurationString,
}

/// See [`Preemption`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PreemptionMode {
    /// The node with the highest priority takes the VIP.
    #[default]
    Preempt,
    /// A living master keeps the VIP.
    Never,
}

/// How a new master announces its VIPs: gratuitous ARP for IPv4, unsolicited neighbour advertisements for IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Announcements {
    /// How often each address is announced after a takeover: 1 to 20, default 5. The first is sent at once, the last
    /// after `delay`, the others in between, ever further apart: with the defaults after 0, 78 ms, 625 ms, 2.1 s and
    /// 5 s.
    #[serde(default = "Announcements::default_count")]
    #[schemars(range(min = 1, max = 20))]
    pub count: u8,
    /// The time from the takeover to the last of these announcements, for switches that were still learning: 0s (all at
    /// once) to 5m, default 5s.
    #[serde(default = "Announcements::default_delay")]
    #[x_kube(validation = rules::duration_within("0s", "5m"))]
    pub delay: DurationString,
    /// How often a master repeats one announcement of each address, for caches that forget: 1s to 24h, default 1m;
    /// `0s` turns it off.
    #[serde(default = "Announcements::default_refresh")]
    #[x_kube(validation = rules::duration_within_or_zero("1s", "24h"))]
    pub refresh: DurationString,
}

impl Announcements {
    const fn default_count() -> u8 {
        5
    }

    const fn default_delay() -> DurationString {
        DurationString::from_secs(5)
    }

    const fn default_refresh() -> DurationString {
        DurationString::from_secs(60)
    }
}

impl Default for Announcements {
    fn default() -> Self {
        Self { count: Self::default_count(), delay: Self::default_delay(), refresh: Self::default_refresh() }
    }
}
