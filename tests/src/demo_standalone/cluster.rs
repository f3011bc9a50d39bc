//! Three nodes with nginx and an agent each, on one LAN with a client and a host that asks who answers.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::manifests::Manifests;
use crate::lab::agent::{self, AgentHome, HTTP};
use crate::lab::{Agent, Host, Lan, Nginx};

/// Long enough for a slow machine; every wait ends with its event.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A node, as far as it runs.
pub(super) struct Node {
    agent: Option<Agent>,
    nginx: Option<Nginx>,
    home: AgentHome,
    /// The machine.
    pub(super) host: Host,
}

/// The demo's machines.
pub(super) struct Cluster {
    /// In the order of their priorities.
    pub(super) nodes: [Node; 3],
    /// Probes the address.
    pub(super) client: Host,
    /// Asks who answers for it.
    pub(super) observer: Host,
    /// What connects them.
    pub(super) lan: Lan,
}

impl Cluster {
    /// Sets everything up. Nothing runs on the nodes yet.
    pub(super) fn new(manifests: &Manifests) -> Result<Self> {
        let mut lan = Lan::new()?;
        let mut node = |name: &str| Node::new(lan.node(name)?, manifests);
        let nodes = [node("node-1")?, node("node-2")?, node("node-3")?];
        Ok(Self { nodes, client: lan.client("client")?, observer: lan.client("observer")?, lan })
    }
}

impl Node {
    fn new(host: Host, manifests: &Manifests) -> Result<Self> {
        let home = AgentHome::with_manifest(&manifests.web)?;
        home.write_manifest("nodes.yaml", manifests.nodes)?;
        home.write_password(Manifests::PASSWORD.0, Manifests::PASSWORD.1)?;
        Ok(Self { agent: None, nginx: None, home, host })
    }

    /// Starts nginx, if it does not run.
    pub(super) fn start_nginx(&mut self) -> Result<()> {
        if self.nginx.is_none() {
            let nginx = Nginx::start(&self.host, 80)?;
            nginx.process().hide_log();
            self.nginx = Some(nginx);
        }
        Ok(())
    }

    /// Kills nginx; returns when that was.
    pub(super) fn kill_nginx(&mut self) -> Result<Instant> {
        let killed = Instant::now();
        self.nginx.take().context("nginx does not run")?.kill()?;
        Ok(killed)
    }

    /// Starts the agent; returns when that was.
    pub(super) fn start_agent(&mut self) -> Result<Instant> {
        let started = Instant::now();
        let agent = self.home.start(&self.host)?;
        agent.process().hide_log();
        self.agent = Some(agent);
        Ok(started)
    }

    /// Ends the agent with SIGTERM and waits until it has gone; returns when it was told.
    pub(super) fn stop_agent(&mut self) -> Result<Instant> {
        let told = Instant::now();
        let exit = self.take_agent()?.terminate(PATIENCE)?;
        anyhow::ensure!(exit.code() == Some(0), "the agent on {} ended with {:?}", self.host.name(), exit.status);
        Ok(told)
    }

    /// Kills the agent with SIGKILL; returns when that was.
    pub(super) fn kill_agent(&mut self) -> Result<Instant> {
        let killed = Instant::now();
        self.take_agent()?.kill()?;
        Ok(killed)
    }

    /// Waits until the agent says that it is in this state.
    pub(super) fn wait_for_state(&self, state: &str) -> Result<()> {
        let agent = self.agent.as_ref().context("the agent does not run")?;
        agent.wait_for_state(&self.host, Manifests::NAME, state, PATIENCE).map(drop)
    }

    /// Prints what `holdfast-agent status` says here.
    pub(super) fn print_status(&self) -> Result<()> {
        let mut command = Command::new(agent::binary()?);
        command.args(["status", "--http", HTTP]);
        let output = self.host.namespace().output(command)?;
        println!("\n{}$ holdfast-agent status", self.host.name());
        print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Prints the end of the agent's log, for a step that went wrong.
    pub(super) fn print_log(&self) {
        let Some(agent) = &self.agent else { return };
        println!("\nthe log of the agent on {}:", self.host.name());
        for line in agent.log_tail(40) {
            println!("    {line}");
        }
    }

    fn take_agent(&mut self) -> Result<Agent> {
        self.agent.take().with_context(|| format!("no agent runs on {}", self.host.name()))
    }
}
