//! The real `holdfast-agent` on a node: its folders, its process, and what it says about itself.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::agent_status::AgentStatus;
use super::host::Host;
use super::http::{self, Response};
use super::process::{Exit, Process};
use super::{scratch, wait};

/// Where every agent serves its status, inside its node.
pub const HTTP: &str = "127.0.0.1:8470";
/// The port of it.
const HTTP_PORT: u16 = 8470;

/// The `holdfast-agent` to test: `$HOLDFAST_AGENT`, else the one that cargo built beside this program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOLDFAST_AGENT") {
        return existing(PathBuf::from(path));
    }
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let folders = this.ancestors().skip(1).take(2);
    let candidates: Vec<PathBuf> = folders.map(|folder| folder.join("holdfast-agent")).collect();
    let found = candidates.iter().find(|candidate| candidate.is_file()).cloned();
    found.with_context(|| {
        format!(
            "holdfast-agent is in none of {candidates:?}: cargo build -p holdfast-node-agent, or set HOLDFAST_AGENT"
        )
    })
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "HOLDFAST_AGENT names no file: {}", path.display());
    Ok(path)
}

/// The folders and options of an agent. They outlive its process, so that it can be started again.
#[derive(Debug)]
pub struct AgentHome {
    folder: TempDir,
    http: String,
    arguments: Vec<OsString>,
}

impl AgentHome {
    /// Empty folders.
    pub fn new() -> Result<Self> {
        let folder = scratch::folder("agent")?;
        let home = Self { folder, http: HTTP.to_owned(), arguments: Vec::new() };
        for path in [home.manifests(), home.state(), home.passwords(), home.commands()] {
            fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(home)
    }

    /// Folders with one manifest file, `manifest.yaml`.
    pub fn with_manifest(yaml: &str) -> Result<Self> {
        let home = Self::new()?;
        home.write_manifest("manifest.yaml", yaml)?;
        Ok(home)
    }

    /// The folder of manifests.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// The folder of durable state.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The folder of passwords, one file a key.
    pub fn passwords(&self) -> PathBuf {
        self.folder.path().join("passwords")
    }

    /// The folder of programs that command checks may run.
    pub fn commands(&self) -> PathBuf {
        self.folder.path().join("commands")
    }

    /// Lets the next agent serve its status elsewhere: a node has one agent at [`HTTP`], which [`Agent::status`] asks.
    pub fn serve_at(&mut self, address: &str) {
        address.clone_into(&mut self.http);
    }

    /// Adds an argument of `holdfast-agent run`, for the next start.
    pub fn add_argument(&mut self, argument: impl Into<OsString>) {
        self.arguments.push(argument.into());
    }

    /// Lets command checks run programs of [`AgentHome::commands`], which is off by default.
    pub fn allow_commands(&mut self) {
        let folder = self.commands();
        self.add_argument("--command-dir");
        self.add_argument(folder);
    }

    /// Writes or replaces a manifest in one step, as a careful administrator does.
    pub fn write_manifest(&self, name: &str, yaml: &str) -> Result<()> {
        let (draft, path) = (self.folder.path().join(name), self.manifests().join(name));
        fs::write(&draft, yaml).with_context(|| format!("cannot write {}", draft.display()))?;
        fs::rename(&draft, &path).with_context(|| format!("cannot put {} in place", path.display()))
    }

    /// Removes a manifest.
    pub fn remove_manifest(&self, name: &str) -> Result<()> {
        let path = self.manifests().join(name);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Writes the password of a key.
    pub fn write_password(&self, key: &str, password: &str) -> Result<()> {
        fs::write(self.passwords().join(key), password).with_context(|| format!("cannot write the password {key}"))
    }

    /// Writes an executable script into the folder of commands.
    pub fn write_command(&self, name: &str, script: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.commands().join(name);
        fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("cannot make a command executable")
    }

    /// Starts the agent on `host`.
    pub fn start(&self, host: &Host) -> Result<Agent> {
        let binary = binary()?;
        let mut command = Command::new(&binary);
        command.arg("run").arg("--node-name").arg(host.name());
        command.arg("--manifests").arg(self.manifests()).arg("--state-dir").arg(self.state());
        command.arg("--auth-dir").arg(self.passwords()).args(["--http", &self.http, "--log-format", "text"]);
        command.args(&self.arguments).env("NO_COLOR", "1");
        let process = host.spawn("holdfast-agent", command)?;
        Ok(Agent { process, binary })
    }
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    binary: PathBuf,
}

impl Agent {
    /// Starts an agent with one manifest and folders that last as long as the returned home.
    pub fn start(host: &Host, manifest: &str) -> Result<(AgentHome, Self)> {
        let home = AgentHome::with_manifest(manifest)?;
        let agent = home.start(host)?;
        Ok((home, agent))
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What `holdfast-agent status` says on its node.
    pub fn status(&self, host: &Host) -> Result<AgentStatus> {
        let text = run_status(&self.binary, host)?;
        serde_json::from_str(&text).with_context(|| format!("cannot read the status: {text}"))
    }

    /// The answer to a GET of `path` from the agent's own HTTP server.
    pub fn get(&self, host: &Host, path: &str) -> Result<Response> {
        http::get(host, HTTP_PORT, path)
    }

    /// Waits until the agent says something about itself that satisfies `wanted`.
    pub fn wait_until(
        &self,
        host: &Host,
        what: &str,
        timeout: Duration,
        wanted: impl Fn(&AgentStatus) -> bool,
    ) -> Result<AgentStatus> {
        let mut last = None;
        let outcome = wait::value(what, timeout, || {
            // An agent that has only just started does not serve its status yet.
            last = self.status(host).ok();
            Ok(last.clone().filter(&wanted))
        });
        outcome.with_context(|| format!("the agent on {} last said: {last:#?}", host.name()))
    }

    /// Waits until every virtual router of `virtual_ip` on this node is in `state`.
    pub fn wait_for_state(&self, host: &Host, virtual_ip: &str, state: &str, timeout: Duration) -> Result<AgentStatus> {
        let what = format!("{virtual_ip} is {state} on {}", host.name());
        self.wait_until(host, &what, timeout, |status| status.is_in_state(virtual_ip, state))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends it in order (SIGTERM), and waits for its end.
    pub fn terminate(&self, timeout: Duration) -> Result<Exit> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(timeout)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) -> Result<Exit> {
        self.process.kill_group()
    }

    /// The last lines of its log, `count` at most.
    pub fn log_tail(&self, count: usize) -> Vec<String> {
        let lines = self.process.log().lines();
        let skipped = lines.len().saturating_sub(count);
        lines.into_iter().skip(skipped).map(|line| line.text).collect()
    }

    /// Waits for a line in its log after `since`.
    pub fn wait_for_log(&self, since: Instant, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        Ok(self.process.log().wait_for(since, timeout, wanted)?.text)
    }
}

fn run_status(binary: &Path, host: &Host) -> Result<String> {
    let mut command = Command::new(binary);
    command.args(["status", "--http", HTTP, "-o", "json"]);
    let output = host.namespace().output(command)?;
    if !output.status.success() {
        bail!("holdfast-agent status failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
