//! A node whose agent takes its orders from the API server.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use holdfast_tests::cluster::{Access, ApiServer};
use holdfast_tests::lab::agent::{HTTP, binary};
use holdfast_tests::lab::{Host, Lan, Process, addresses, http, scratch, wait};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::LONG;
use super::gate::Gate;

/// The port of the agent's endpoints.
const PORT: u16 = 8470;

/// A node, its way to the API server, and its agent while that runs.
#[derive(Debug)]
pub(crate) struct Member {
    agent: Option<Process>,
    pub(crate) gate: Gate,
    pub(crate) host: Host,
    folder: TempDir,
}

impl Member {
    /// A node with a way to the API server, and no agent yet.
    pub(crate) fn new(lan: &mut Lan, name: &str, server: &ApiServer) -> Result<Self> {
        let host = lan.node(name)?;
        let gate = Gate::open(&host, address_of(server.admin())?)?;
        Ok(Self { agent: None, gate, host, folder: scratch::folder("member")? })
    }

    /// Starts the agent with a kubeconfig.
    pub(crate) fn start(&mut self, access: &Access) -> Result<()> {
        let kubeconfig = self.folder.path().join("kubeconfig");
        access.write_kubeconfig(&kubeconfig)?;
        let mut command = self.command()?;
        command.arg("--kubeconfig").arg(kubeconfig).args(["--namespace", "default"]);
        self.spawn(command)
    }

    /// The agent without credentials.
    pub(crate) fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--node-name", self.host.name(), "--http", HTTP]);
        command.env("NO_COLOR", "1");
        command.arg("--state-dir").arg(self.folder.path().join("state"));
        Ok(command)
    }

    /// Starts the agent.
    pub(crate) fn spawn(&mut self, command: Command) -> Result<()> {
        self.agent = Some(self.host.spawn("holdfast-agent", command)?);
        Ok(())
    }

    /// The running agent.
    pub(crate) fn agent(&self) -> Result<&Process> {
        self.agent.as_ref().context("no agent runs")
    }

    /// Kills the agent (SIGKILL).
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.agent.take().context("no agent runs")?.kill_group().map(drop)
    }

    /// Ends the agent in order.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        let agent = self.agent.take().context("no agent runs")?;
        agent.signal(Signal::SIGTERM)?;
        let exit = agent.wait(LONG)?;
        ensure!(exit.code() == Some(0), "the agent ended with {:?}", exit.status);
        Ok(())
    }

    /// Waits until the node has an address, or has it no more.
    pub(crate) fn wait_for_address(&self, address: &str, present: bool) -> Result<()> {
        let (address, name) = (address.parse().context("an address")?, self.host.name());
        let what = format!("{name} {} {address}", if present { "has" } else { "does not have" });
        wait::until(&what, LONG, || Ok(addresses::has(&self.host, "eth0", address)? == present))
    }

    /// Whether the node has an address now.
    pub(crate) fn holds(&self, address: &str) -> Result<bool> {
        addresses::has(&self.host, "eth0", address.parse().context("an address")?)
    }

    /// Status and body of a GET from the agent.
    pub(crate) fn get(&self, path: &str) -> Result<http::Response> {
        http::get(&self.host, PORT, path)
    }

    /// Waits for an event in the log of the agent, since its start or since a moment.
    pub(crate) fn wait_for_event(&self, event: &str, since: Instant, limit: Duration) -> Result<()> {
        let wanted = format!("event=\"{event}\"");
        self.agent()?.log().wait_for(since, limit, |line| line.contains(&wanted)).map(drop)
    }

    /// How often an event is in the log.
    pub(crate) fn count_events(&self, event: &str) -> Result<usize> {
        let wanted = format!("event=\"{event}\"");
        Ok(self.agent()?.log().lines().iter().filter(|line| line.text.contains(&wanted)).count())
    }

    /// Writes a file on the node, in a folder that the node has for itself: below /run.
    pub(crate) fn write(&self, path: &str, content: &str) -> Result<()> {
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
pub(crate) fn address_of(access: &Access) -> Result<std::net::SocketAddr> {
    let url = access.config()?.cluster_url;
    url.authority().context("an address")?.as_str().parse().context("an address")
}
