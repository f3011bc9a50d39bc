//! A running operator.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::access::Access;
use crate::lab::{memory, scratch, wait};

/// The namespace of the installation.
pub const NAMESPACE: &str = "holdfast";

/// The operator replaces the shell. The job in the background takes the whole process group with it when this process ends,
/// however it ends.
const GUARDED: &str = r#"exec 3<&0; { cat <&3 >/dev/null; kill -KILL 0; } & exec "$@" </dev/null 3<&-"#;

/// How long one answer over HTTP may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The process. It ends with the handle.
#[derive(Debug)]
pub struct Operator {
    name: String,
    child: Child,
    http: SocketAddr,
    folder: TempDir,
    shows_log: bool,
}

impl Operator {
    /// Starts one under a name, with the rights of `access`.
    pub fn start(access: &Access, name: &str) -> Result<Self> {
        Self::start_with(access, name, &[])
    }

    /// Starts one with further arguments.
    pub fn start_with(access: &Access, name: &str, arguments: &[&str]) -> Result<Self> {
        let folder = scratch::folder("operator")?;
        let kubeconfig = folder.path().join("kubeconfig");
        access.write_kubeconfig(&kubeconfig)?;
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARDED, "guard"]).arg(binary()?).arg("run").args(["--namespace", NAMESPACE]);
        command.args(["--identity", name, "--http", &http.to_string()]).arg("--kubeconfig").arg(kubeconfig);
        command.args(arguments).env("NO_COLOR", "1").env("RUST_LOG", "info,holdfast_operator=debug").process_group(0);
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("cannot start the operator")?;
        Ok(Self { name: name.to_owned(), child, http, folder, shows_log: true })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Waits until it has ended.
    pub fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        wait::value(&format!("{} ends", self.name), limit, || Ok(self.child.try_wait()?))
    }

    /// Does not print its log at its end.
    pub fn hide_log(&mut self) {
        self.shows_log = false;
    }

    /// The memory that it occupies now, in bytes.
    pub fn resident_memory(&self) -> Result<u64> {
        memory::resident(self.pid())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until a line of its log has this in it.
    pub fn wait_for_log(&self, wanted: &str, limit: Duration) -> Result<()> {
        let what = format!("{} logs {wanted:?}", self.name);
        wait::until(&what, limit, || Ok(self.log().contains(wanted)))
    }

    /// Waits until it leads.
    pub fn wait_until_it_leads(&self, limit: Duration) -> Result<()> {
        wait::until(&format!("{} leads", self.name), limit, || Ok(self.leads()))
    }

    /// Whether it says that it leads.
    pub fn leads(&self) -> bool {
        self.get("/debug/state").is_ok_and(|(_, state)| state.contains(r#""leads":true"#))
    }

    /// Waits until `/readyz` answers so: the status, and something in the body.
    pub fn wait_for_readiness(&self, status: u16, wanted: &str, limit: Duration) -> Result<()> {
        let what = format!("{} answers {status} {wanted:?}", self.name);
        let answers = || self.get("/readyz").is_ok_and(|(found, body)| found == status && body.contains(wanted));
        wait::until(&what, limit, || Ok(answers()))
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.http, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: operator\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no end of the head")?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok((status, body.to_owned()))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself; its guard has not.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
        if self.shows_log {
            println!("--- log of {} ---\n{}", self.name, self.log());
        }
    }
}

/// The `holdfast-operator` to test: `$HOLDFAST_OPERATOR`, else the one that cargo built beside this program.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOLDFAST_OPERATOR") {
        return Ok(path.into());
    }
    let this = std::env::current_exe().context("cannot tell where this program lies")?;
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join("holdfast-operator")).find(|it| it.is_file());
    found.context("there is no holdfast-operator beside this program: cargo build -p holdfast-operator")
}
