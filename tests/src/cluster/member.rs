//! A node whose agent takes its orders from the API server.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::gate::Gate;
use super::{Access, ApiServer};
use crate::lab::agent::{HTTP, binary};
use crate::lab::{Host, Lan, Process, addresses, http, scratch, wait};

/// For what happens soon, on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(30);

/// The port of the agent's endpoints.
const PORT: u16 = 8470;

/// A node, its way to the API server, and its agent while that runs.
#[derive(Debug)]
pub struct Member {
    agent: Option<Process>,
    /// Its way to the API server.
    pub gate: Gate,
    /// The node itself.
    pub host: Host,
    folder: TempDir,
}

impl Member {
    /// A node with a way to the API server, and no agent yet.
    pub fn new(lan: &mut Lan, name: &str, server: &ApiServer) -> Result<Self> {
        let host = lan.node(name)?;
        let gate = Gate::open(&host, address_of(server.admin())?)?;
        Ok(Self { agent: None, gate, host, folder: scratch::folder("member")? })
    }

    /// Starts the agent with a kubeconfig; its Lease is in the namespace `default`.
    pub fn start(&mut self, access: &Access) -> Result<()> {
        self.start_in(access, "default")
    }

    /// The same for an installation in another namespace.
    pub fn start_in(&mut self, access: &Access, namespace: &str) -> Result<()> {
        let kubeconfig = self.folder.path().join("kubeconfig");
        access.write_kubeconfig(&kubeconfig)?;
        let mut command = self.command()?;
        command.arg("--kubeconfig").arg(kubeconfig).args(["--namespace", namespace]);
        self.spawn(command)
    }

    /// The agent without credentials.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--node-name", self.host.name(), "--http", HTTP]);
        command.env("NO_COLOR", "1");
        command.arg("--state-dir").arg(self.folder.path().join("state"));
        Ok(command)
    }

    /// Starts the agent.
    pub fn spawn(&mut self, command: Command) -> Result<()> {
        self.agent = Some(self.host.spawn("holdfast-agent", command)?);
        Ok(())
    }

    /// The running agent.
    pub fn agent(&self) -> Result<&Process> {
        self.agent.as_ref().context("no agent runs")
    }

    /// Kills the agent (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.agent.take().context("no agent runs")?.kill_group().map(drop)
    }

    /// Ends the agent in order.
    pub fn terminate(&mut self) -> Result<()> {
        let agent = self.agent.take().context("no agent runs")?;
        agent.signal(Signal::SIGTERM)?;
        let exit = agent.wait(LONG)?;
        ensure!(exit.code() == Some(0), "the agent ended with {:?}", exit.status);
        Ok(())
    }

    /// Waits until the node has an address, or has it no more.
    pub fn wait_for_address(&self, address: &str, present: bool) -> Result<()> {
        let (address, name) = (address.parse().context("an address")?, self.host.name());
        let what = format!("{name} {} {address}", if present { "has" } else { "does not have" });
        wait::until(&what, LONG, || Ok(addresses::has(&self.host, "eth0", address)? == present))
    }

    /// Whether the node has an address now.
    pub fn holds(&self, address: &str) -> Result<bool> {
        addresses::has(&self.host, "eth0", address.parse().context("an address")?)
    }

    /// Status and body of a GET from the agent.
    pub fn get(&self, path: &str) -> Result<http::Response> {
        http::get(&self.host, PORT, path)
    }

    /// Waits for an event in the log of the agent, since its start or since a moment.
    pub fn wait_for_event(&self, event: &str, since: Instant, limit: Duration) -> Result<()> {
        let wanted = format!("event=\"{event}\"");
        self.agent()?.log().wait_for(since, limit, |line| line.contains(&wanted)).map(drop)
    }

    /// How often an event is in the log.
    pub fn count_events(&self, event: &str) -> Result<usize> {
        let wanted = format!("event=\"{event}\"");
        Ok(self.agent()?.log().lines().iter().filter(|line| line.text.contains(&wanted)).count())
    }

    /// Writes a file on the node, in a folder that the node has for itself: below /run.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, content).context("cannot write a draft")?;
        let mut command = Command::new("install");
        command.args(["-D", "-m", "600"]).arg(draft).arg(path);
        let output = self.host.namespace().output(command)?;
        ensure!(output.status.success(), "cannot write {path}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Where the API server listens.
pub fn address_of(access: &Access) -> Result<std::net::SocketAddr> {
    let url = access.config()?.cluster_url;
    url.authority().context("an address")?.as_str().parse().context("an address")
}
