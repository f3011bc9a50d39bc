//! What both programs are asked to do, and how it is written for each of them. Pure.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::lab::KeepalivedInstance;
use crate::lab::keepalived;

/// Priority of node `a`, which is preferred.
pub(super) const PREFERRED: u8 = 200;
/// Priority of node `b`.
pub(super) const OTHER: u8 = 100;

/// How many VIPs a LAN has: each needs a virtual router ID of its own, and there are 255.
pub(super) const ON_A_LAN: u8 = 250;

/// The program that a health check watches.
pub(super) const SERVICE: &str = "bench-service";

/// One VIP, which is elected on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vip {
    /// It is on `eth<lan>`.
    pub(super) lan: u8,
    /// Unique on its LAN.
    pub(super) virtual_router_id: u8,
    /// A host address.
    pub(super) address: Ipv4Addr,
}

impl Vip {
    /// The only one: 10.77.0.100 with VRID 51 on LAN 0.
    pub(super) const ONLY: Self = Self { lan: 0, virtual_router_id: 51, address: Ipv4Addr::new(10, 77, 0, 100) };

    /// The first `count` of many, [`ON_A_LAN`] on each LAN, beside the nodes' networks: those have no room for so many.
    pub(super) fn many(count: usize) -> Vec<Self> {
        let on_lan =
            |lan| (1..=ON_A_LAN).map(move |id| Self { lan, virtual_router_id: id, address: [10, 90, lan, id].into() });
        (0..=u8::MAX).flat_map(on_lan).take(count).collect()
    }
}

/// What silences an agent's addresses when it is dead or stuck; keepalived has no such thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fencing {
    /// Holdfast's default.
    #[default]
    Overlap,
    /// Never two holders.
    Strict,
}

/// What the end of the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The node gives its address up.
    Fault,
    /// The node's priority falls below the other's.
    Weight,
}

impl Check {
    fn weight(self) -> i16 {
        match self {
            Self::Fault => 0,
            Self::Weight => -150,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Election {
    /// Time between two adverts.
    pub(super) interval: Duration,
    /// The VIPs.
    pub(super) vips: Vec<Vip>,
    /// Whether a better node takes a VIP from a living master.
    pub(super) preempts: bool,
    /// Holdfast only.
    pub(super) fencing: Fencing,
    /// Whether [`SERVICE`] is watched.
    pub(super) check: Option<Check>,
    /// Whether keepalived asks for real-time scheduling (`vrrp_rt_priority`), which Holdfast does by itself.
    pub(super) realtime_keepalived: bool,
}

impl Election {
    /// Of these VIPs, with everything else as it is by default.
    pub(super) fn of(interval: Duration, vips: Vec<Vip>) -> Self {
        let fencing = Fencing::default();
        Self { interval, vips, preempts: true, fencing, check: None, realtime_keepalived: false }
    }

    /// Of the only one.
    pub(super) fn single(interval: Duration) -> Self {
        Self::of(interval, vec![Vip::ONLY])
    }

    /// How long the backup waits after priority 0.
    pub(super) fn skew(&self) -> Duration {
        self.interval * (256 - u32::from(OTHER)) / 256
    }

    /// How long the backup waits after the last advert: the bound of a node crash.
    pub(super) fn master_down(&self) -> Duration {
        self.interval * 3 + self.skew()
    }

    /// How many LANs its VIPs are on.
    pub(super) fn lans(&self) -> u8 {
        self.vips.iter().map(|vip| vip.lan + 1).max().unwrap_or(1)
    }

    /// The manifest of both nodes for the VIPs of a LAN: a file for each, since one file holds no more than 1,024 objects.
    pub(super) fn manifest(&self, lan: u8) -> String {
        let here = self.vips.iter().filter(|vip| vip.lan == lan);
        let mut documents: Vec<String> = here.map(|vip| self.virtual_ip(*vip)).collect();
        if let Some(check) = self.check.filter(|_| lan == 0) {
            documents.push(object(
                "HealthCheck",
                "service",
                &[
                    format!("process: {{name: {SERVICE}}}"),
                    "interval: 1s".to_owned(),
                    format!("weight: {}", check.weight()),
                ],
            ));
        }
        documents.join("---\n")
    }

    fn virtual_ip(&self, vip: Vip) -> String {
        let mut lines = vec![
            format!("addresses: [{}]", vip.address),
            format!("interface: eth{}", vip.lan),
            format!("virtualRouterID: {}", vip.virtual_router_id),
            format!("advertisementInterval: {}ms", self.interval.as_millis()),
            format!("priority: {OTHER}"),
            format!("nodePriorities: [{{nodeName: a, priority: {PREFERRED}}}]"),
        ];
        if !self.preempts {
            lines.push("preemption: {mode: Never}".to_owned());
        }
        if self.fencing == Fencing::Strict {
            lines.push("fencing: Strict".to_owned());
        }
        if self.check.is_some() {
            lines.push("healthChecks: [{name: service}]".to_owned());
        }
        object("VirtualIP", &name(vip), &lines)
    }

    /// keepalived.conf of the node with this priority. `alive` is the command of the check.
    pub(super) fn keepalived_conf(&self, priority: u8, alive: &str) -> String {
        let mut text = String::from("global_defs {\n script_user root\n");
        if self.realtime_keepalived {
            // With the limit that it sets itself, 10 ms, the kernel kills it as soon as it becomes master of 2000 VIPs.
            text.push_str(" vrrp_rt_priority 50\n vrrp_rlimit_rttime 1000000\n");
        }
        text.push_str("}\n");
        if let Some(check) = self.check {
            let weight = check.weight();
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "vrrp_script service {{\n script \"{alive}\"\n interval 1\n fall 1\n rise 1\n weight {weight}\n}}\n"
            );
        }
        let instances: Vec<KeepalivedInstance> = self.vips.iter().map(|vip| self.instance(*vip, priority)).collect();
        text + &keepalived::render(&instances, false)
    }

    fn instance(&self, vip: Vip, priority: u8) -> KeepalivedInstance {
        let more = if self.check.is_some() { vec!["track_script {\n  service\n }".to_owned()] } else { Vec::new() };
        KeepalivedInstance {
            name: name(vip),
            interface: format!("eth{}", vip.lan),
            nopreempt: !self.preempts,
            more,
            ..KeepalivedInstance::new(vip.virtual_router_id, priority, self.interval, &[&vip.address.to_string()])
        }
    }
}

/// The name of a VIP in both configurations.
fn name(vip: Vip) -> String {
    format!("vip-{}-{}", vip.lan, vip.virtual_router_id)
}

fn object(kind: &str, name: &str, lines: &[String]) -> String {
    let spec = lines.iter().fold(String::new(), |text, line| text + "  " + line + "\n");
    format!("apiVersion: holdfast.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{spec}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_asked_for_the_same() {
        let election = Election {
            preempts: false,
            fencing: Fencing::Strict,
            check: Some(Check::Weight),
            realtime_keepalived: true,
            ..Election::single(Duration::from_millis(20))
        };
        let manifest = "\
apiVersion: holdfast.dev/v1alpha1
kind: VirtualIP
metadata:
  name: vip-0-51
spec:
  addresses: [10.77.0.100]
  interface: eth0
  virtualRouterID: 51
  advertisementInterval: 20ms
  priority: 100
  nodePriorities: [{nodeName: a, priority: 200}]
  preemption: {mode: Never}
  fencing: Strict
  healthChecks: [{name: service}]
---
apiVersion: holdfast.dev/v1alpha1
kind: HealthCheck
metadata:
  name: service
spec:
  process: {name: bench-service}
  interval: 1s
  weight: -150
";
        assert_eq!(election.manifest(0), manifest);
        let conf = election.keepalived_conf(PREFERRED, "/bin/true");
        for line in [
            "vrrp_rt_priority 50",
            "script \"/bin/true\"",
            "weight -150",
            "virtual_router_id 51",
            "priority 200",
            "advert_int 0.02",
            "nopreempt",
            "track_script {\n  service\n }",
            "10.77.0.100",
        ] {
            assert!(conf.contains(line), "{line} is not in {conf}");
        }
    }

    #[test]
    fn times_follow_from_the_interval() {
        let election = Election::single(Duration::from_millis(100));
        assert_eq!(election.skew(), Duration::from_micros(60_937) + Duration::from_nanos(500));
        assert_eq!(election.master_down(), Duration::from_micros(360_937) + Duration::from_nanos(500));
    }

    #[test]
    fn many_are_spread_over_as_many_lans_as_they_need() {
        let vips = Vip::many(501);
        assert_eq!(vips.len(), 501);
        assert_eq!(vips[250], Vip { lan: 1, virtual_router_id: 1, address: Ipv4Addr::new(10, 90, 1, 1) });
        assert_eq!(Election::of(Duration::from_secs(1), vips).lans(), 3);
    }
}
