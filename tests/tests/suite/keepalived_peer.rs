//! keepalived and Holdfast elect each other, in every mode that both have. Neither notices that the other is another
//! program; only the losses differ.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::keepalived::{self, Version};
use holdfast_tests::lab::{Host, Keepalived, KeepalivedInstance, Lan, Prober};

use crate::support::manifest::virtual_ip;
use crate::support::member::Member;
use crate::support::timing::{INTERVAL, LONG, noise_since};

const PASSWORD: &str = "secret12";

/// A mode that both programs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Version2Password,
    Multicast,
    Unicast,
    Ipv6,
    SyncGroup,
}

impl Mode {
    fn interval(self) -> Duration {
        if self == Self::Version2Password { Duration::from_secs(1) } else { INTERVAL }
    }

    /// The addresses that are probed.
    fn targets(self) -> Vec<IpAddr> {
        let (ipv4, ipv6) = (IpAddr::from([10, 77, 0, 100]), IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, 0x100]));
        match self {
            Self::Version2Password | Self::Multicast | Self::Unicast => vec![ipv4],
            Self::Ipv6 => vec![ipv6],
            Self::SyncGroup => vec![ipv4, ipv6],
        }
    }

    /// Holdfast's side, on node `a`; the peer is node `b`.
    fn manifest(self, priority: u8) -> String {
        let addresses = match self {
            Self::Version2Password | Self::Multicast | Self::Unicast => "10.77.0.100",
            Self::Ipv6 => "\"fe80::77:100\", \"fd77::100\"",
            Self::SyncGroup => "10.77.0.100, \"fe80::77:100\", \"fd77::100\"",
        };
        let more = match self {
            Self::Version2Password => "protocolVersion: 2\nauthentication: {passwordKey: web}\n",
            Self::Unicast => "transport: Unicast\n",
            Self::Multicast | Self::Ipv6 | Self::SyncGroup => "",
        };
        let interval = self.interval().as_millis();
        virtual_ip(
            "web",
            &format!(
                "addresses: [{addresses}]\ninterface: eth0\nvirtualRouterID: 51\npriority: {priority}\n\
                 advertisementInterval: {interval}ms\nexternalPeers: [{{address: 10.77.0.2}}, {{address: \"fe80::ff:fe00:b\"}}]\n{more}"
            ),
        )
    }

    /// keepalived's side, on node `b`.
    fn configuration(self, priority: u8) -> String {
        let ipv4 = KeepalivedInstance::new(51, priority, self.interval(), &["10.77.0.100"]);
        let ipv6 = KeepalivedInstance {
            name: "VI_IPV6".to_owned(),
            ..KeepalivedInstance::new(51, priority, self.interval(), &["fe80::77:100", "fd77::100"])
        };
        match self {
            Self::Version2Password => {
                let password = Some(PASSWORD.to_owned());
                keepalived::render(&[KeepalivedInstance { version: Version::V2, password, ..ipv4 }], false)
            }
            Self::Multicast => keepalived::render(&[ipv4], false),
            Self::Unicast => {
                let unicast_peers = vec![IpAddr::from([10, 77, 0, 1])];
                keepalived::render(&[KeepalivedInstance { unicast_peers, ..ipv4 }], false)
            }
            Self::Ipv6 => keepalived::render(&[ipv6], false),
            Self::SyncGroup => keepalived::render(&[ipv4, ipv6], true),
        }
    }

    /// The longest skew of either program at the lower priority.
    fn skew(self) -> Duration {
        let scale = if self == Self::Version2Password { Duration::from_secs(1) } else { self.interval() };
        scale * 156 / 256
    }
}

struct Scene {
    a: Member,
    b: Host,
    client: Host,
    _lan: Lan,
    mode: Mode,
}

impl Scene {
    fn new(mode: Mode, priority: u8) -> Result<Self> {
        let mut lan = Lan::new()?;
        let (a, b, client) = (lan.node("a")?, lan.node("b")?, lan.client("client")?);
        let a = Member::new(a, &mode.manifest(priority))?;
        a.home.write_password("web", PASSWORD)?;
        Ok(Self { a, b, client, _lan: lan, mode })
    }

    /// Starts keepalived and waits until it answers for every target: it is alone.
    fn start_keepalived(&self, priority: u8) -> Result<Keepalived> {
        let keepalived = Keepalived::with_configuration(&self.b, &self.mode.configuration(priority))?;
        drop(self.probe(&self.b)?);
        Ok(keepalived)
    }

    fn probe(&self, node: &Host) -> Result<Vec<Prober>> {
        let targets = self.mode.targets();
        targets.into_iter().map(|target| Prober::start_at(&self.client, target, node, LONG)).collect()
    }

    /// Waits until `node` answers all probers, and some time more: a loss may come late.
    fn await_switch(&self, probers: &[Prober], event: Instant, node: &Host) -> Result<()> {
        probers.iter().try_for_each(|prober| prober.wait_for_answer_of(node, event, LONG))?;
        std::thread::sleep(self.mode.interval().max(Duration::from_millis(300)));
        Ok(())
    }
}

fn assert_lost_at_most((most, most_ipv6): (usize, usize), probers: Vec<Prober>, what: &str) -> Result<()> {
    for prober in probers {
        let target = prober.target();
        let most = if target.is_ipv6() { most_ipv6 } else { most };
        let report = prober.stop()?;
        assert!(report.lost() <= most, "{what}, {target}: {report}");
    }
    Ok(())
}

/// What keepalived loses when it yields: it removes its addresses as soon as it hears a better router, a moment before
/// that one announces them. One or two milliseconds on an idle machine; the skew would be 60.
const LOST_WHEN_KEEPALIVED_YIELDS: usize = 20;

/// What keepalived loses when it takes over an IPv6 address: it announces the address when the kernel has acknowledged
/// it, but the kernel accepts packets for it only up to some milliseconds later.
const LOST_WHEN_KEEPALIVED_TAKES_IPV6: usize = 20;

/// Holdfast has the higher priority: it preempts keepalived, and drains towards it without a loss.
fn holdfast_as_master(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 200)?;
    let _keepalived = scene.start_keepalived(100)?;

    let probers = scene.probe(&scene.b)?;
    let start = scene.a.start()?;
    scene.await_switch(&probers, start, &scene.a.host)?;
    let most = LOST_WHEN_KEEPALIVED_YIELDS;
    assert_lost_at_most((most, most), probers, "preempting keepalived")?;
    scene.a.wait_for("web", "MASTER")?;

    let probers = scene.probe(&scene.a.host)?;
    let (stop, _) = scene.a.terminate()?;
    scene.await_switch(&probers, stop, &scene.b)?;
    assert_lost_at_most((0, LOST_WHEN_KEEPALIVED_TAKES_IPV6), probers, "draining towards keepalived")?;
    for target in mode.targets() {
        assert!(!scene.a.holds(target)?, "{target} stayed");
    }
    Ok(())
}

/// Holdfast has the lower priority: it follows keepalived, replaces it when it leaves, and yields when it comes back.
fn holdfast_as_backup(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 100)?;
    let keepalived = scene.start_keepalived(200)?;
    scene.a.start()?;
    scene.a.wait_for("web", "BACKUP")?;
    scene.a.wait_until("the master is heard", LONG, |status| {
        status.every("web", |router| router.master_address.is_some())
    })?;

    let probers = scene.probe(&scene.b)?;
    let stop = Instant::now();
    keepalived.terminate()?;
    scene.await_switch(&probers, stop, &scene.a.host)?;
    for prober in probers {
        let report = prober.stop()?;
        let gap = report.longest_gap();
        // keepalived removes the address at once, so the skew is the gap.
        assert!(gap <= mode.skew() + noise_since(stop), "{gap:?} after priority 0; {report}");
    }

    let probers = scene.probe(&scene.a.host)?;
    let start = Instant::now();
    let _keepalived = Keepalived::with_configuration(&scene.b, &mode.configuration(200))?;
    scene.await_switch(&probers, start, &scene.b)?;
    assert_lost_at_most((0, LOST_WHEN_KEEPALIVED_TAKES_IPV6), probers, "yielding to keepalived")?;
    scene.a.wait_for("web", "BACKUP")?;
    for target in mode.targets() {
        assert!(!scene.a.holds(target)?, "{target} stayed");
    }
    Ok(())
}

#[test]
fn version_2_with_a_password_holdfast_as_master() -> Result<()> {
    holdfast_as_master(Mode::Version2Password)
}

#[test]
fn version_2_with_a_password_holdfast_as_backup() -> Result<()> {
    holdfast_as_backup(Mode::Version2Password)
}

#[test]
fn multicast_holdfast_as_master() -> Result<()> {
    holdfast_as_master(Mode::Multicast)
}

#[test]
fn multicast_holdfast_as_backup() -> Result<()> {
    holdfast_as_backup(Mode::Multicast)
}

#[test]
fn unicast_holdfast_as_master() -> Result<()> {
    holdfast_as_master(Mode::Unicast)
}

#[test]
fn unicast_holdfast_as_backup() -> Result<()> {
    holdfast_as_backup(Mode::Unicast)
}

#[test]
fn ipv6_holdfast_as_master() -> Result<()> {
    holdfast_as_master(Mode::Ipv6)
}

#[test]
fn ipv6_holdfast_as_backup() -> Result<()> {
    holdfast_as_backup(Mode::Ipv6)
}

#[test]
fn sync_group_holdfast_as_master() -> Result<()> {
    holdfast_as_master(Mode::SyncGroup)
}

#[test]
fn sync_group_holdfast_as_backup() -> Result<()> {
    holdfast_as_backup(Mode::SyncGroup)
}
