//! The scene of most suites: nodes `a` and `b` with agents, a client, and a second host that looks on.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use holdfast_tests::lab::{Host, Lan, Prober};

use super::manifest;
use super::member::Member;
use super::timing::LONG;

/// The address of `web`.
pub(crate) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100));

#[derive(Debug)]
pub(crate) struct Duo {
    /// Preferred by priority.
    pub(crate) a: Member,
    pub(crate) b: Member,
    pub(crate) client: Host,
    pub(crate) observer: Host,
    pub(crate) lan: Lan,
}

impl Duo {
    /// Nobody runs yet. Both nodes have the same manifests: `objects`, and the `Node`s.
    pub(crate) fn new(objects: &[String]) -> Result<Self> {
        let mut lan = Lan::new()?;
        let (a, b) = (lan.node("a")?, lan.node("b")?);
        let (client, observer) = (lan.client("client")?, lan.client("observer")?);
        let manifests = manifest::file(objects);
        let nodes = manifest::file(&[manifest::node(&a), manifest::node(&b)]);
        let member = |host: Host| -> Result<Member> {
            let member = Member::new(host, &manifests)?;
            member.home.write_manifest("nodes.yaml", &nodes)?;
            Ok(member)
        };
        Ok(Self { a: member(a)?, b: member(b)?, client, observer, lan })
    }

    /// Both run; `a` is master of `web` and `b` is backup.
    pub(crate) fn elected(objects: &[String]) -> Result<Self> {
        let mut duo = Self::new(objects)?;
        // One after the other: without preemption the first one would stay master.
        duo.a.start_as("MASTER")?;
        duo.b.start_as("BACKUP")?;
        Ok(duo)
    }

    /// Probes `web`, which `a` answers.
    pub(crate) fn probe(&self) -> Result<Prober> {
        Prober::start_at(&self.client, VIP, &self.a.host, LONG)
    }

    /// Writes the same manifest file on both nodes.
    pub(crate) fn write_manifest(&self, name: &str, yaml: &str) -> Result<()> {
        self.a.home.write_manifest(name, yaml)?;
        self.b.home.write_manifest(name, yaml)
    }

    /// Removes a manifest file on both nodes.
    pub(crate) fn remove_manifest(&self, name: &str) -> Result<()> {
        self.a.home.remove_manifest(name)?;
        self.b.home.remove_manifest(name)
    }
}
