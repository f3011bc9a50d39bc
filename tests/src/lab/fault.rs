//! One-way and partial partitions, as rules of the bridge.

use std::fmt::Write as _;

use super::host::Host;
use super::lan::Lan;

/// What a partition drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Every frame.
    Everything,
    /// VRRP adverts only, so the nodes lose sight of each other while clients reach both.
    Adverts,
}

/// Frames that the bridge drops: from a host, to a host, or from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    from: Option<String>,
    to: Option<String>,
    traffic: Traffic,
}

impl Partition {
    /// Nobody hears `host`; it hears everybody.
    pub fn mute(host: &Host, traffic: Traffic) -> Self {
        Self { from: Some(Lan::port(host)), to: None, traffic }
    }

    /// `host` hears nobody; everybody hears it.
    pub fn deafen(host: &Host, traffic: Traffic) -> Self {
        Self { from: None, to: Some(Lan::port(host)), traffic }
    }

    /// `to` does not hear `from`.
    pub fn between(from: &Host, to: &Host, traffic: Traffic) -> Self {
        Self { from: Some(Lan::port(from)), to: Some(Lan::port(to)), traffic }
    }

    fn rules(&self) -> Vec<String> {
        let from = self.from.as_ref().map(|port| format!("iifname \"{port}\" ")).unwrap_or_default();
        let to = self.to.as_ref().map(|port| format!("oifname \"{port}\" ")).unwrap_or_default();
        let matches: &[&str] = match self.traffic {
            Traffic::Everything => &[""],
            Traffic::Adverts => &["ip protocol 112 ", "ip6 nexthdr 112 "],
        };
        matches.iter().map(|traffic| format!("{from}{to}{traffic}drop")).collect()
    }
}

/// The whole rule set for these partitions; it replaces the one before in one step.
pub(super) fn rule_set(partitions: &[Partition]) -> String {
    let mut text = String::from("table bridge lab\ndelete table bridge lab\n");
    text.push_str("table bridge lab {\n chain forward {\n  type filter hook forward priority 0; policy accept;\n");
    for rule in partitions.iter().flat_map(Partition::rules) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {rule}");
    }
    text.push_str(" }\n}\n");
    text
}
