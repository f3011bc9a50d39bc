//! Two nodes with one of the programs, a client, and a second host that looks on; as many LANs as the VIPs need.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::contender::Contender;
use super::election::{Election, OTHER, PREFERRED, Vip};
use super::node::{LONG, Node};
use crate::lab::{Capture, Host, Lan, Prober};

/// The only VIP.
pub(super) const VIP: IpAddr = IpAddr::V4(Vip::ONLY.address);

/// See the module.
#[derive(Debug)]
pub(super) struct Scene {
    /// Preferred by priority.
    pub(super) a: Node,
    /// The other one.
    pub(super) b: Node,
    /// Attached to every LAN.
    pub(super) client: Host,
    /// Attached to LAN 0.
    pub(super) observer: Host,
    /// LAN n is `eth<n>` of every host.
    pub(super) lans: Vec<Lan>,
}

impl Scene {
    /// Nobody runs yet.
    pub(super) fn new(contender: Contender, election: &Election) -> Result<Self> {
        let mut first = Lan::new()?;
        let (a, b) = (first.node("a")?, first.node("b")?);
        let (client, observer) = (first.client("client")?, first.client("observer")?);
        let mut lans = vec![first];
        for index in 1..election.lans() {
            let lan = Lan::with_index(index)?;
            for host in [&a, &b, &client] {
                lan.attach(host, &format!("eth{index}"))?;
            }
            lans.push(lan);
        }
        for index in 0..election.lans() {
            client.namespace().ip(&format!("route add 10.90.{index}.0/24 dev eth{index}"))?;
        }
        let (a, b) = (Node::new(a, contender, election, PREFERRED)?, Node::new(b, contender, election, OTHER)?);
        if election.vips == [Vip::ONLY] {
            // Agents that know their peers obey nobody else; keepalived needs nothing for it.
            let nodes = [node(&a.host), node(&b.host)].join("---\n");
            a.home().write_manifest("nodes.yaml", &nodes)?;
            b.home().write_manifest("nodes.yaml", &nodes)?;
        }
        Ok(Self { a, b, client, observer, lans })
    }

    /// `a` is master of everything, and `b` is backup.
    pub(super) fn elected(contender: Contender, election: &Election) -> Result<Self> {
        let mut scene = Self::new(contender, election)?;
        // One after the other: without preemption the first one stays master.
        scene.a.start_as_master()?;
        scene.b.start_as_backup()?;
        Ok(scene)
    }

    /// Probes the only VIP, which `a` answers.
    pub(super) fn probe(&self) -> Result<Prober> {
        Prober::start_at(&self.client, VIP, &self.a.host, LONG)
    }

    /// Records the election of LAN 0 as the client sees it.
    pub(super) fn capture(&self) -> Result<Capture> {
        Capture::start(self.client.namespace(), "eth0")
    }

    /// Waits until so long after an advert of `a`.
    pub(super) fn wait_for_phase(&self, capture: &Capture, phase: Duration) -> Result<()> {
        let (since, mac) = (Instant::now(), self.a.host.mac());
        let advert = capture.wait_for("an advert of a", LONG, |frame| {
            frame.at >= since && frame.advert().is_some() && frame.source() == Some(mac)
        })?;
        std::thread::sleep(phase.saturating_sub(advert.at.elapsed()));
        Ok(())
    }

    /// Silently takes `a` off LAN 0, and ends everything that runs there. Returns the moment before.
    pub(super) fn crash_a(&mut self) -> Result<Instant> {
        let event = Instant::now();
        if let Some(lan) = self.lans.first() {
            lan.unplug(&self.a.host)?;
        }
        self.a.host.kill_everything();
        Ok(event)
    }
}

fn node(host: &Host) -> String {
    let (name, ipv4, ipv6) = (host.name(), host.ipv4(), host.ipv6());
    format!(
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\nstatus:\n  addresses:\n  \
         - {{type: InternalIP, address: {ipv4}}}\n  - {{type: InternalIP, address: \"{ipv6}\"}}\n"
    )
}
