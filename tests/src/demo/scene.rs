//! The cluster, Holdfast in it, who holds the address, and what is printed.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::bounds::PATIENCE;
use crate::cluster::{Cluster, Node, Release, Sightings};
use crate::lab::{Prober, addresses, http, wait};

/// The repository, from which everything is run as a user would.
pub(super) const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The name of the `VirtualIP`.
pub(super) const NAME: &str = "web";

/// Its address.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100));

/// The interface of every node.
const INTERFACE: &str = "eth0";

/// How long a move is watched after its end.
const AFTERMATH: Duration = Duration::from_millis(700);

/// How much of an agent's log is shown when a promise was not kept.
const LOG_LINES: &str = "--tail=40";

/// Everything that there is on the stage.
pub(super) struct Scene {
    // Ends first.
    /// The status of the `VirtualIP`, from its first day on.
    pub(super) sightings: Sightings,
    /// Holdfast, while it is installed.
    pub(super) release: Option<Release>,
    /// Three nodes, a control plane and a client.
    pub(super) cluster: Cluster,
}

impl Scene {
    /// Starts the cluster.
    pub(super) fn up() -> Result<Self> {
        println!("Starting a control plane and three nodes on one LAN, with a client beside them ..");
        let began = Instant::now();
        let cluster = Cluster::up()?;
        println!("Ready after {:.1} s.", began.elapsed().as_secs_f32());
        let scene = Self { sightings: Sightings::start(cluster.api().admin()), release: None, cluster };
        scene.kubectl("get nodes -o wide")?;
        Ok(scene)
    }

    /// Runs kubectl, printed as typed, and prints what it says. It must succeed.
    pub(super) fn kubectl(&self, arguments: &str) -> Result<()> {
        let output = self.try_kubectl(arguments)?;
        ensure!(output.status.success(), "kubectl {arguments} failed ({})", output.status);
        Ok(())
    }

    /// As [`Scene::kubectl`], but it may fail.
    pub(super) fn try_kubectl(&self, arguments: &str) -> Result<Output> {
        println!("\n$ kubectl {arguments}");
        let mut command = self.cluster.kubectl()?;
        command.args(arguments.split_whitespace()).current_dir(REPOSITORY);
        let output = command.output().context("cannot run kubectl")?;
        print_output(&output);
        Ok(output)
    }

    /// Applies a manifest that is not in a file.
    pub(super) fn apply(&self, manifest: &str) -> Result<()> {
        let mut command = self.cluster.kubectl()?;
        command.args(["apply", "--filename=-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut kubectl = command.spawn().context("cannot run kubectl")?;
        let mut input = kubectl.stdin.take().context("kubectl listens")?;
        input.write_all(manifest.as_bytes()).context("cannot write to kubectl")?;
        drop(input);
        let output = kubectl.wait_with_output().context("cannot wait for kubectl")?;
        print_output(&output);
        ensure!(output.status.success(), "kubectl apply failed ({})", output.status);
        Ok(())
    }

    /// The nodes that have power.
    pub(super) fn running(&self) -> impl Iterator<Item = &Node> {
        self.cluster.nodes().iter().filter(|node| node.is_running())
    }

    /// The nodes whose kernel has the address now: the truth, whatever anybody says.
    pub(super) fn holders(&self) -> Result<Vec<String>> {
        let mut holders = Vec::new();
        for node in self.running() {
            if addresses::has(node.host()?, INTERFACE, ADDRESS)? {
                holders.push(node.name().to_owned());
            }
        }
        Ok(holders)
    }

    /// The only node that has the address, once there is exactly one and it is none of `others`.
    pub(super) fn master_other_than(&self, others: &[&str]) -> Result<String> {
        wait::value(&format!("one node holds {ADDRESS}, and it is none of {others:?}"), PATIENCE, || {
            let [holder] = self.holders()?.try_into().unwrap_or_default();
            Ok(Some(holder).filter(|holder: &String| !holder.is_empty() && !others.contains(&holder.as_str())))
        })
    }

    /// Probes the address from the client, once a millisecond; returns when this node answers.
    pub(super) fn probe(&self, master: &str) -> Result<Prober> {
        Prober::start_at(self.cluster.client_host(), ADDRESS, self.cluster.node(master)?.host()?, PATIENCE)
    }

    /// Waits until this node answers probes, and some time more.
    pub(super) fn settle(&self, prober: &Prober, master: &str, since: Instant) -> Result<()> {
        prober.wait_for_answer_of(self.cluster.node(master)?.host()?, since, PATIENCE)?;
        std::thread::sleep(AFTERMATH);
        Ok(())
    }

    /// The page that the client gets through the address, printed as it would be typed.
    pub(super) fn page(&self) -> Result<String> {
        let page = http::get_from(self.cluster.client_host(), SocketAddr::new(ADDRESS, 80), "/")?;
        ensure!(page.status == 200, "the page has the status {}", page.status);
        let body = page.body.trim().to_owned();
        println!("\nclient$ curl http://{ADDRESS}/\n{body}");
        Ok(body)
    }

    /// What operator and agents have logged, for a promise that was not kept.
    pub(super) fn print_logs(&self) {
        for component in ["operator", "agent"] {
            let arguments = format!(
                "logs --namespace {} --selector=app.kubernetes.io/component={component} {LOG_LINES} --prefix",
                Release::NAMESPACE
            );
            if let Err(error) = self.try_kubectl(&arguments) {
                println!("{error:#}");
            }
        }
    }
}

/// Prints a command as it would be typed, with what it says; it must succeed.
pub(super) fn print_output(output: &Output) {
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
