//! What is kept of a row, so that a miss can be explained: the logs of all pods, the frames of the election, every change of a
//! status, and what client and neighbour saw.
//!
//! ```text
//! ROW/01-PART/seen.txt         probes lost and by whom, who answered, requests that failed and why
//! ROW/01-PART/election.pcap    VRRP, ARP and neighbour discovery, as the client's interface saw them
//! ROW/01-PART/statuses.jsonl   each change of a VirtualIP's status, with the time since the part began
//! ROW/logs/NODE/..             the logs of operator and agents, also of those that are gone
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::watch::Sights;
use crate::cluster::Cluster;
use crate::lab::pcap;

/// How often new logs are looked for. A kubelet that has noticed the end of a pod removes its log seconds later.
const PERIOD: Duration = Duration::from_millis(200);

/// Where kubelet keeps the logs of pods, below the node's folder for logs.
const POD_LOGS: &str = "pods";

/// Part of the name of the folders of Holdfast's pods.
const OURS: &str = "holdfast_holdfast-";

/// The record of one row.
pub(super) struct Record {
    folder: PathBuf,
    parts: usize,
    /// Ends when the handle is dropped.
    _logs: LogKeeper,
}

impl Record {
    /// Begins one, in an empty folder.
    pub(super) fn begin(records: &Path, row: &str, cluster: &Cluster) -> Result<Self> {
        let folder = records.join(row);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&folder),
        }
        .with_context(|| format!("cannot empty {}", folder.display()))?;
        let nodes = cluster.nodes().iter().map(|node| (node.name().to_owned(), node.logs().join(POD_LOGS))).collect();
        let logs = LogKeeper::start(nodes, folder.join("logs"));
        Ok(Self { folder, parts: 0, _logs: logs })
    }

    /// Adds what was seen of one part.
    pub(super) fn add(&mut self, part: &str, sights: &Sights) -> Result<()> {
        self.parts += 1;
        let folder = self.folder.join(format!("{:02}-{}", self.parts, file_name(part)));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write(&folder.join("seen.txt"), seen(part, sights).as_bytes())?;
        write(&folder.join("statuses.jsonl"), statuses(sights)?.as_bytes())?;
        write(&folder.join("election.pcap"), &pcap::file(&sights.frames))
    }
}

fn seen(part: &str, sights: &Sights) -> String {
    let mut text = format!("{part}: watched for {:?}\n", sights.took);
    for seen in &sights.addresses {
        let (name, address) = (seen.target.vip.name, seen.target.address);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} {address}: {}; {}", seen.probes, seen.holders);
        for change in seen.holders.changes() {
            let after = change.asked.saturating_duration_since(sights.began).as_millis();
            let _ = writeln!(text, "  {after:>6} ms: {:?}", change.holders);
        }
    }
    let _ = writeln!(text, "requests: {} sent, {} failed", sights.requests.sent(), sights.requests.failed().count());
    for request in sights.requests.failed() {
        let after = request.sent.saturating_duration_since(sights.began).as_millis();
        let _ = writeln!(text, "  {after:>6} ms: {:?}", request.answer);
    }
    text
}

fn statuses(sights: &Sights) -> Result<String> {
    let mut text = String::new();
    for (index, sighting) in sights.statuses.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| sights.statuses.get(before));
        if before.is_some_and(|before| Arc::ptr_eq(&before.statuses, &sighting.statuses)) {
            continue;
        }
        let after = sighting.at.saturating_duration_since(sights.began).as_millis();
        let line = json!({ "milliseconds": u64::try_from(after)?, "statuses": &*sighting.statuses });
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

/// Letters, digits and hyphens of a title.
fn file_name(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Keeps the logs of pods beyond the pods: each file has a second name here, and is copied in the end.
struct LogKeeper {
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LogKeeper {
    /// `nodes` are names with the folders of their logs.
    fn start(nodes: Vec<(String, PathBuf)>, target: PathBuf) -> Self {
        let running = Arc::new(AtomicBool::new(true));
        let keeping = Arc::clone(&running);
        let thread = thread::spawn(move || {
            let mut followed = Vec::new();
            while keeping.load(Ordering::Relaxed) {
                follow(&nodes, &target, &mut followed);
                thread::sleep(PERIOD);
            }
            for log in &mut followed {
                if let Err(error) = log.copy() {
                    println!("a log is not kept: {error:#}");
                }
            }
        });
        Self { running, thread: Some(thread) }
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            println!("the thread that keeps logs panicked");
        }
    }
}

/// An open log can be read after its name is gone.
struct Followed {
    source: PathBuf,
    open: fs::File,
    target: PathBuf,
}

impl Followed {
    fn copy(&mut self) -> Result<()> {
        let folder = self.target.parent().unwrap_or(&self.target);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let target = fs::File::create(&self.target);
        let mut target = target.with_context(|| format!("cannot write {}", self.target.display()))?;
        std::io::copy(&mut self.open, &mut target).map(drop).context("cannot copy a log")
    }
}

fn follow(nodes: &[(String, PathBuf)], target: &Path, followed: &mut Vec<Followed>) {
    for (node, folder) in nodes {
        for source in logs_below(folder) {
            if followed.iter().any(|log| log.source == source) {
                continue;
            }
            // It may be gone already.
            let (Ok(open), Ok(name)) = (fs::File::open(&source), source.strip_prefix(folder)) else { continue };
            followed.push(Followed { target: target.join(node).join(name), source, open });
        }
    }
}

/// `POD/CONTAINER/RESTARTS.log` of Holdfast's pods.
fn logs_below(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_ours = |pod: &PathBuf| pod.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OURS));
    let containers = list(folder).filter(is_ours).flat_map(|pod| list(&pod).collect::<Vec<_>>());
    containers.flat_map(|container| list(&container).collect::<Vec<_>>()).collect()
}
