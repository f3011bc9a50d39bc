//! A node with its agent.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use holdfast_tests::lab::agent_status::VirtualRouterStatus;
use holdfast_tests::lab::process::Exit;
use holdfast_tests::lab::{Agent, AgentHome, AgentStatus, Host, addresses};

use super::timing::LONG;

/// A node, the folders of its agent, and the agent while it runs.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) agent: Option<Agent>,
    pub(crate) home: AgentHome,
    pub(crate) host: Host,
}

impl Member {
    /// A node whose agent does not run yet.
    pub(crate) fn new(host: Host, manifest: &str) -> Result<Self> {
        Ok(Self { agent: None, home: AgentHome::with_manifest(manifest)?, host })
    }

    /// Starts the agent. Returns the moment before.
    pub(crate) fn start(&mut self) -> Result<Instant> {
        let start = Instant::now();
        self.agent = Some(self.home.start(&self.host)?);
        Ok(start)
    }

    /// Starts the agent and waits until it is in this state of `web`.
    pub(crate) fn start_as(&mut self, state: &str) -> Result<()> {
        self.start()?;
        self.wait_for("web", state).map(drop)
    }

    /// The running agent.
    pub(crate) fn agent(&self) -> Result<&Agent> {
        self.agent.as_ref().with_context(|| format!("no agent runs on {}", self.host.name()))
    }

    /// Ends the agent with SIGTERM and waits for its end, which must be a good one. Returns the moment before.
    pub(crate) fn terminate(&mut self) -> Result<(Instant, Exit)> {
        let agent = self.agent.take().context("no agent runs")?;
        let event = Instant::now();
        let exit = agent.terminate(LONG)?;
        ensure!(exit.code() == Some(0), "the agent ended with {:?}", exit.status);
        Ok((event, exit))
    }

    /// Kills the agent with SIGKILL. Returns the moment before.
    pub(crate) fn kill(&mut self) -> Result<Instant> {
        let agent = self.agent.take().context("no agent runs")?;
        let event = Instant::now();
        agent.kill()?;
        Ok(event)
    }

    /// Waits until every virtual router of a `VirtualIP` is in this state.
    pub(crate) fn wait_for(&self, virtual_ip: &str, state: &str) -> Result<AgentStatus> {
        self.agent()?.wait_for_state(&self.host, virtual_ip, state, LONG)
    }

    /// Waits until the status satisfies `wanted`.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&AgentStatus) -> bool,
    ) -> Result<AgentStatus> {
        self.agent()?.wait_until(&self.host, what, timeout, wanted)
    }

    /// Waits until `web` has this effective priority.
    pub(crate) fn wait_for_priority(&self, priority: u8) -> Result<()> {
        let what = format!("priority {priority}");
        self.wait_until(&what, LONG, |status| status.every("web", |router| router.priority == priority)).map(drop)
    }

    /// The status now.
    pub(crate) fn status(&self) -> Result<AgentStatus> {
        self.agent()?.status(&self.host)
    }

    /// The only virtual router of a `VirtualIP` now.
    pub(crate) fn router(&self, virtual_ip: &str) -> Result<VirtualRouterStatus> {
        self.status()?.router(virtual_ip).cloned()
    }

    /// A counter of the only virtual router of `web` now.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        // Those at zero are left out.
        Ok(self.router("web")?.counters.get(name).copied().unwrap_or_default())
    }

    /// Whether `eth0` has the address now.
    pub(crate) fn holds(&self, address: impl Into<IpAddr>) -> Result<bool> {
        addresses::has(&self.host, "eth0", address.into())
    }
}
