//! A node: a host of the lab that runs containerd, kubelet and kube-proxy.

pub(in crate::cluster) mod configuration;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use self::configuration::{Common, pod_network};
use crate::lab::{Host, Lan, Process, wait, wall_clock};

/// Runs on the node; see there.
const BOOT: &str = include_str!("boot.sh");

/// `$1` is the name of a program and `$2` that of a signal: as many are sent as it has processes, and their number is printed.
/// The kernel keeps 15 characters of a program's name.
const SIGNAL: &str = r#"
count=0
for process in /proc/[0-9]*; do
    if [ "$(cat "$process/comm" 2>/dev/null)" = "$(printf %.15s "$1")" ]; then
        kill -s "$2" "${process#/proc/}" && count=$((count + 1))
    fi
done
echo "$count"
"#;

/// How long an image may take to be imported on a busy machine.
const CONTAINERD: Duration = Duration::from_secs(30);

/// A node and its disk. The disk outlives its power.
#[derive(Debug)]
pub struct Node {
    name: String,
    number: u8,
    folder: PathBuf,
    cgroup: String,
    programs: PathBuf,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    // Ends first.
    boot: Process,
    host: Host,
}

impl Node {
    /// A node with an empty disk below `folder`, and without power.
    pub(super) fn new(name: &str, number: u8, folder: &Path, cgroup: &str, programs: &Path) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let boot = folder.join("boot.sh");
        fs::write(&boot, BOOT).with_context(|| format!("cannot write {}", boot.display()))?;
        let (name, cgroup, programs) = (name.to_owned(), cgroup.to_owned(), programs.to_owned());
        Ok(Self { name, number, folder, cgroup, programs, running: None })
    }

    /// Gives it power: namespaces, a link to the LAN, and the programs. Does not wait for them.
    pub(super) fn boot(&mut self, lan: &Lan, others: &[u8], common: &Common<'_>) -> Result<()> {
        ensure!(self.running.is_none(), "{} is running", self.name);
        let host = Host::node(&self.name, self.number)?;
        host.set_sysctl("net/ipv4/ip_forward", "1")?;
        lan.attach(&host, "eth0")?;
        host.namespace().ip_batch(&routes(self.number, others))?;
        configuration::write(&self.folder.join("etc"), &host, common)?;
        let mut command = Command::new("/bin/sh");
        command.arg(self.folder.join("boot.sh")).arg(&self.folder).args([&self.name, &self.cgroup]).arg(&self.programs);
        let boot = host.spawn("boot", command)?;
        self.running = Some(Running { boot, host });
        Ok(())
    }

    /// Its own addresses on the LAN, and its routes, as after a boot.
    pub(super) fn restore_addresses(&self, others: &[u8]) -> Result<()> {
        let host = self.host()?;
        let (ipv4, ipv6, link_local) = (host.ipv4(), host.ipv6(), host.link_local());
        let addresses = format!(
            "addr replace {ipv4}/24 brd + dev eth0\naddr replace {link_local}/64 dev eth0 nodad\n\
             addr replace {ipv6}/64 dev eth0 nodad\n"
        );
        host.namespace().ip_batch(&(addresses + &routes(self.number, others).replace("route add", "route replace")))
    }

    /// Takes its power: every program dies, memory and addresses are lost, the link is gone. Nothing is said to anybody.
    pub(super) fn power_off(&mut self, lan: &Lan) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.boot.hide_log();
        // The link first: while programs are being killed, which takes half a second, the kernel would answer for the node's
        // addresses. And the kernel frees the links of a namespace some time after the namespace: the next boot wants this
        // one's name.
        lan.namespace().ip(&format!("link del {}", Lan::port(&running.host)))?;
        running.host.kill_everything();
        Ok(())
    }

    /// Its name, which is also the name of the Node object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its host, also without power.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// True while it has power.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The host: its addresses, links and namespaces. Fails if the node has no power.
    pub fn host(&self) -> Result<&Host> {
        self.running.as_ref().map(|running| &running.host).with_context(|| format!("{} has no power", self.name))
    }

    /// What is `/var/lib` on the node.
    pub fn var_lib(&self) -> PathBuf {
        self.folder.join("lib")
    }

    /// The folder whose manifests the node's kubelet runs without asking anybody; there once the node has booted.
    pub fn static_pods(&self) -> PathBuf {
        self.var_lib().join("kubelet/manifests")
    }

    /// What is `/var/log` on the node.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The log of one of its programs, from its first boot on.
    pub fn log(&self, program: &str) -> PathBuf {
        self.logs().join(format!("{program}.log"))
    }

    /// Runs a short program of this machine on the node, and collects what it wrote.
    pub fn output(&self, command: Command) -> Result<Output> {
        self.host()?.namespace().output(command)
    }

    /// Sends a signal to every process of the node that runs `program`, and returns their number.
    pub fn signal(&self, program: &str, signal: Signal) -> Result<usize> {
        let name = signal.as_str().trim_start_matches("SIG");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SIGNAL, "signal", program, name]);
        let output = self.output(command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().with_context(|| format!("cannot send {signal} to {program} on {}: {output:?}", self.name))
    }

    /// Kills every process of the node that runs `program` (SIGKILL), and returns their number. What belongs to the node's
    /// system (containerd, kubelet, kube-proxy) starts again after a second, a container by its restart policy.
    pub fn kill(&self, program: &str) -> Result<usize> {
        self.signal(program, Signal::SIGKILL)
    }

    /// Sets the wall clock that everything which runs on the node sees, as a distance from the true time in seconds, and returns
    /// the number of processes. What starts later sees the true time.
    pub fn set_wall_clock(&self, seconds: i64) -> Result<usize> {
        let mut moved = 0;
        for process in self.processes()? {
            match wall_clock::set(process, seconds) {
                // Processes end while one looks at them.
                Err(_) if kill(process, None).is_err() => {}
                result => result.map(|()| moved += 1)?,
            }
        }
        Ok(moved)
    }

    /// Everything that runs on the node, its pods included, as this machine knows it.
    fn processes(&self) -> Result<Vec<Pid>> {
        let below = format!("/{}/{}/", self.cgroup, self.name);
        let is_ours = |process: Pid| {
            let cgroups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
            cgroups.lines().any(|line| format!("{line}/").contains(&below))
        };
        let entries = fs::read_dir("/proc").context("cannot list processes")?.flatten();
        let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
        Ok(all.filter(|&process| is_ours(process)).collect())
    }

    /// Loads an image from an OCI archive. Waits for containerd if the node boots.
    pub fn import_image(&self, archive: &Path) -> Result<()> {
        let ctr = |arguments: &[&str]| {
            let mut command = Command::new(self.programs.join("ctr"));
            command.args(arguments);
            command
        };
        wait::until(&format!("containerd answers on {}", self.name), CONTAINERD, || {
            Ok(self.output(ctr(&["version"]))?.status.success())
        })?;
        let mut import = ctr(&["--namespace", "k8s.io", "images", "import", "--no-unpack"]);
        import.arg(archive);
        let output = self.output(import)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cannot import {} on {}: {said}", archive.display(), self.name);
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.host.kill_everything();
        }
    }
}

/// By the control plane to the rest of the world, which is nowhere, but a packet must have a way to go; and to the pods of
/// other nodes.
fn routes(own: u8, others: &[u8]) -> String {
    let mut batch = String::from("route add default via 10.77.0.1\nroute add default via fd77::1\n");
    for &other in others.iter().filter(|&&other| other != own) {
        batch.push_str(&pod_route(other));
    }
    batch
}

/// A command for `ip -batch`: the way to the pods of a node.
pub(super) fn pod_route(number: u8) -> String {
    format!("route add {}/24 via 10.77.0.{number}\n", pod_network(number))
}
