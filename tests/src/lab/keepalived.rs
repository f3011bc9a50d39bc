//! Debian's keepalived as a peer: its configuration, and the daemon on a node.

use std::fmt::{self, Write as _};
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::host::Host;
use super::process::{Exit, Process};
use super::{program, scratch};

/// Protocol version of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768; IPv4 only, whole seconds.
    V2,
    /// RFC 9568.
    V3,
}

/// One `vrrp_instance`.
#[derive(Clone, Debug)]
pub struct KeepalivedInstance {
    /// Its name in the configuration and in the log.
    pub name: String,
    /// The interface that it elects on.
    pub interface: String,
    /// Protocol version.
    pub version: Version,
    /// Virtual router ID, 1..=255.
    pub virtual_router_id: u8,
    /// Base priority, 1..=255.
    pub priority: u8,
    /// Advertisement interval; centiseconds count in version 3, whole seconds in version 2.
    pub interval: Duration,
    /// The VIPs, with prefix lengths if wanted; of one family.
    pub addresses: Vec<String>,
    /// Password of the PASS authentication of version 2.
    pub password: Option<String>,
    /// Unicast peers; multicast if empty.
    pub unicast_peers: Vec<IpAddr>,
    /// Whether a router of lower priority keeps the VIP (`nopreempt`).
    pub nopreempt: bool,
    /// Further lines of the block, as they are.
    pub more: Vec<String>,
}

impl KeepalivedInstance {
    /// VRRPv3 on `eth0` by multicast with preemption.
    pub fn new(virtual_router_id: u8, priority: u8, interval: Duration, addresses: &[&str]) -> Self {
        Self {
            name: format!("VI_{virtual_router_id}"),
            interface: "eth0".to_owned(),
            version: Version::V3,
            virtual_router_id,
            priority,
            interval,
            addresses: addresses.iter().map(ToString::to_string).collect(),
            password: None,
            unicast_peers: Vec::new(),
            nopreempt: false,
            more: Vec::new(),
        }
    }

    fn render(&self) -> String {
        let mut lines = vec![
            // Preemption can be refused only by an instance that does not begin as MASTER.
            "state BACKUP".to_owned(),
            format!("interface {}", self.interface),
            format!("version {}", if self.version == Version::V2 { 2 } else { 3 }),
            format!("virtual_router_id {}", self.virtual_router_id),
            format!("priority {}", self.priority),
            format!("advert_int {}", self.interval.as_secs_f64()),
        ];
        if self.nopreempt {
            lines.push("nopreempt".to_owned());
        }
        if let Some(password) = &self.password {
            lines.push(format!("authentication {{\n  auth_type PASS\n  auth_pass {password}\n }}"));
        }
        if !self.unicast_peers.is_empty() {
            lines.push(format!("unicast_peer {{\n{} }}", block(&self.unicast_peers)));
        }
        lines.extend_from_slice(&self.more);
        lines.push(format!("virtual_ipaddress {{\n{} }}", block(&self.addresses)));
        format!("vrrp_instance {} {{\n {}\n}}\n", self.name, lines.join("\n "))
    }
}

/// The configuration file: instances that elect each on their own, or all together as one sync group.
pub fn render(instances: &[KeepalivedInstance], sync_group: bool) -> String {
    let mut text = String::from("global_defs {\n}\n");
    for instance in instances {
        text.push_str(&instance.render());
    }
    if sync_group {
        let names: Vec<&String> = instances.iter().map(|instance| &instance.name).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "vrrp_sync_group ALL {{\n group {{\n{} }}\n}}\n", block(&names));
    }
    text
}

/// One item a line, indented.
fn block<T: fmt::Display>(items: &[T]) -> String {
    items.iter().fold(String::new(), |text, item| text + &format!("  {item}\n"))
}

/// A running keepalived.
#[derive(Debug)]
pub struct Keepalived {
    process: Process,
    _folder: TempDir,
}

impl Keepalived {
    /// Starts it on `host` with instances that elect each on their own.
    pub fn start(host: &Host, instances: &[KeepalivedInstance]) -> Result<Self> {
        Self::with_configuration(host, &render(instances, false))
    }

    /// Starts it on `host` with instances that move together.
    pub fn start_sync_group(host: &Host, instances: &[KeepalivedInstance]) -> Result<Self> {
        Self::with_configuration(host, &render(instances, true))
    }

    /// Starts it on `host` with a configuration file of this content.
    pub fn with_configuration(host: &Host, configuration: &str) -> Result<Self> {
        let folder = scratch::folder("keepalived")?;
        let file = |name: &str| folder.path().join(name);
        fs::write(file("keepalived.conf"), configuration).context("cannot write keepalived.conf")?;
        let mut command = program::command("keepalived");
        command.args(["--dont-fork", "--vrrp", "--log-console", "--no-syslog"]);
        command.arg("--use-file").arg(file("keepalived.conf"));
        command.arg("--pid").arg(file("parent.pid")).arg("--vrrp_pid").arg(file("vrrp.pid"));
        let process = host.spawn("keepalived", command)?;
        Ok(Self { process, _folder: folder })
    }

    /// Waits until an instance has entered `state` (MASTER, BACKUP or FAULT) after `since`, as its log says.
    pub fn wait_for_state(&self, instance: &str, state: &str, since: Instant, timeout: Duration) -> Result<Instant> {
        let line = format!("({instance}) Entering {state} STATE");
        let found = self.process.log().wait_for(since, timeout, |text| text.contains(&line));
        Ok(found.with_context(|| format!("keepalived says: {line}"))?.at)
    }

    /// Ends it in order (SIGTERM): it sends priority 0 and removes its VIPs.
    pub fn terminate(&self) -> Result<Exit> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(Duration::from_secs(10))
    }

    /// Kills the daemon and its children (SIGKILL): the VIPs stay on the interface, nobody advertises them.
    pub fn kill(&self) -> Result<Exit> {
        // A running parent would start a killed child anew, and a dead one would end it in order.
        self.process.signal(Signal::SIGSTOP)?;
        self.signal_children(Signal::SIGKILL)?;
        self.process.kill_group()
    }

    /// Freezes the daemon and its children (SIGSTOP).
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)?;
        self.signal_children(Signal::SIGSTOP)
    }

    /// Undoes [`Keepalived::freeze`], the children first.
    pub fn thaw(&self) -> Result<()> {
        self.signal_children(Signal::SIGCONT)?;
        self.process.signal(Signal::SIGCONT)
    }

    /// The daemon and its children.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let parent = self.process.pid();
        Ok([vec![parent], children(parent)?].concat())
    }

    fn signal_children(&self, signal: Signal) -> Result<()> {
        for child in children(self.process.pid())? {
            match kill(child, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => bail!("cannot send {signal} to keepalived's child {child}: {error}"),
            }
        }
        Ok(())
    }

    /// The process of the parent.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn children(parent: Pid) -> Result<Vec<Pid>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    text.split_whitespace().map(|pid| pid.parse().map(Pid::from_raw).context("not a process id")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_example_renders_as_an_administrator_would_write_it() {
        let instance = KeepalivedInstance {
            version: Version::V2,
            password: Some("secret12".to_owned()),
            ..KeepalivedInstance::new(51, 100, Duration::from_secs(1), &["10.77.0.100/24", "10.77.0.101/24"])
        };
        let expected = "global_defs {\n}\n\
            vrrp_instance VI_51 {\n state BACKUP\n interface eth0\n version 2\n virtual_router_id 51\n priority 100\n \
            advert_int 1\n authentication {\n  auth_type PASS\n  auth_pass secret12\n }\n \
            virtual_ipaddress {\n  10.77.0.100/24\n  10.77.0.101/24\n }\n}\n";
        assert_eq!(render(&[instance], false), expected);
    }
}
