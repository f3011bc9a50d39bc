//! Everything that looks on while something happens: a client that asks each address by ICMP each millisecond and the web server
//! each 5 ms, a neighbour that asks who has each address each 20 ms, a capture, and the statuses as `kubectl` shows them.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::figures::{self, Figures};
use super::vips::{self, Target, WEB};
use crate::cluster::{Cluster, Sighting, Sightings};
use crate::lab::holder_report::HolderReport;
use crate::lab::http_probe::{HttpProber, HttpReport};
use crate::lab::{Capture, Frame, Holders, Host, Mac, ProbeReport, Prober, stall};

/// How long a first answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running watch.
pub(super) struct Watch {
    began: Instant,
    capture: Capture,
    addresses: Vec<Watched>,
    web: HttpProber,
}

struct Watched {
    target: Target,
    prober: Prober,
    holders: Holders,
}

/// What was seen of one address.
pub(super) struct Seen {
    pub(super) target: Target,
    pub(super) probes: ProbeReport,
    pub(super) holders: HolderReport,
    pub(super) figures: Figures,
}

/// What was seen from the beginning to the end of something.
pub(super) struct Sights {
    pub(super) began: Instant,
    pub(super) took: Duration,
    pub(super) addresses: Vec<Seen>,
    pub(super) requests: HttpReport,
    pub(super) frames: Vec<Frame>,
    pub(super) statuses: Vec<Sighting>,
    /// What the machine itself may have added to every time.
    pub(super) noise: Duration,
}

impl Watch {
    /// Begins. Somebody answers for every address when this returns.
    pub(super) fn start(cluster: &Cluster, neighbour: &Host) -> Result<Self> {
        let client = cluster.client_host();
        let capture = Capture::of_election(client.namespace(), "eth0")?;
        let addresses =
            vips::targets().map(|target| Watched::start(target, cluster, neighbour)).collect::<Result<_>>()?;
        let web = WEB.addresses.first().context("the web server has an address")?;
        let web = HttpProber::start(client, SocketAddr::new(*web, 80))?;
        Ok(Self { began: Instant::now(), capture, addresses, web })
    }

    /// Ends, and computes.
    pub(super) fn stop(self, cluster: &Cluster, sightings: &Sightings) -> Result<Sights> {
        let took = self.began.elapsed();
        let noise = stall::since(self.began);
        let frames = self.capture.frames()?;
        let statuses = sightings.since(self.began);
        let station = |name: &str| cluster.node(name).ok().map(|node| Mac::of_host(0, node.number()));
        let addresses = stop_all(self.addresses, |watched| watched.stop(&statuses, &frames, station))?;
        let requests = self.web.stop()?;
        Ok(Sights { began: self.began, took, addresses, requests, frames, statuses, noise })
    }
}

/// All at once: each has to wait for its last answers, and meanwhile others would see what comes next.
fn stop_all(addresses: Vec<Watched>, stop: impl Fn(Watched) -> Result<Seen> + Sync) -> Result<Vec<Seen>> {
    thread::scope(|scope| {
        let stopping: Vec<_> = addresses.into_iter().map(|watched| scope.spawn(|| stop(watched))).collect();
        let stopped =
            stopping.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a watching thread panicked"))?);
        stopped.collect()
    })
}

impl Watched {
    fn start(target: Target, cluster: &Cluster, neighbour: &Host) -> Result<Self> {
        let prober = Prober::start_answered(cluster.client_host(), target.address, PATIENCE)?;
        let holders = Holders::watch(neighbour, target.address)?;
        Ok(Self { target, prober, holders })
    }

    fn stop(self, statuses: &[Sighting], frames: &[Frame], station: impl Fn(&str) -> Option<Mac>) -> Result<Seen> {
        let (probes, holders) = (self.prober.stop()?, self.holders.stop()?);
        let wrong = figures::wrong_master(self.target.vip.name, statuses, &holders, station);
        let announcements = figures::busiest_second(self.target.address, frames);
        let figures = Figures::new(&probes, &holders, wrong, announcements);
        Ok(Seen { target: self.target, probes, holders, figures })
    }
}
