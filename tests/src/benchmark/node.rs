//! A node with one of the programs on it.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::contender::Contender;
use super::election::{Election, SERVICE};
use crate::lab::{Agent, AgentHome, Host, Keepalived, Process, addresses, scratch, wait};

/// For anything that is certain to come.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// How many lines of a log a message shows.
const SHOWN: usize = 10;

/// How often the states of thousands of VIPs are looked at: looking takes time itself.
const LOOK: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    program: Option<Program>,
    service: Option<Process>,
    contender: Contender,
    /// What keepalived is told.
    configuration: String,
    /// What the agent is told; it outlives the agent.
    home: AgentHome,
    folder: TempDir,
    addresses: Vec<(String, usize)>,
    vips: usize,
    /// The host.
    pub(super) host: Host,
}

#[derive(Debug)]
enum Program {
    Keepalived(Keepalived),
    Holdfast(Agent),
}

impl Node {
    /// Nothing runs yet.
    pub(super) fn new(host: Host, contender: Contender, election: &Election, priority: u8) -> Result<Self> {
        let folder = scratch::folder("service")?;
        // The name of a program is that of its file.
        std::os::unix::fs::symlink("/bin/sleep", folder.path().join(SERVICE)).context("cannot make a service")?;
        let pid_file = folder.path().join("pid");
        let alive = format!("/bin/sh -c 'kill -0 $(cat {})'", pid_file.display());
        let lans = (0..election.lans()).map(|lan| {
            let here = election.vips.iter().filter(|vip| vip.lan == lan);
            (format!("eth{lan}"), here.count())
        });
        let home = AgentHome::new()?;
        for lan in 0..election.lans() {
            home.write_manifest(&manifest_file(lan), &election.manifest(lan))?;
        }
        Ok(Self {
            program: None,
            service: None,
            contender,
            configuration: election.keepalived_conf(priority, &alive),
            home,
            folder,
            addresses: lans.collect(),
            vips: election.vips.len(),
            host,
        })
    }

    /// The agent's folders.
    pub(super) fn home(&self) -> &AgentHome {
        &self.home
    }

    /// Starts the program.
    pub(super) fn start(&mut self) -> Result<Instant> {
        let start = Instant::now();
        let program = match self.contender {
            Contender::Keepalived => {
                Program::Keepalived(Keepalived::with_configuration(&self.host, &self.configuration)?)
            }
            Contender::Holdfast => Program::Holdfast(self.home.start(&self.host)?),
        };
        program.process().hide_log();
        self.program = Some(program);
        Ok(start)
    }

    /// Starts the program, and waits until the node has every VIP.
    pub(super) fn start_as_master(&mut self) -> Result<()> {
        self.start()?;
        let outcome =
            wait::until(&format!("{} has every VIP", self.host.name()), LONG * 2, || Ok(self.has_all()? || pause()));
        outcome.with_context(|| self.last_words())
    }

    /// Starts the program, and waits until it says that it is a backup of every VIP.
    pub(super) fn start_as_backup(&mut self) -> Result<()> {
        let start = self.start()?;
        let what = format!("{} is a backup", self.host.name());
        let outcome = wait::until(&what, LONG * 2, || Ok(self.count_backups(start)? == self.vips || pause()));
        outcome.with_context(|| self.last_words())
    }

    /// The end of the program's log, for the message of a failure.
    fn last_words(&self) -> String {
        let lines = self.program.as_ref().map(|program| program.process().log().lines()).unwrap_or_default();
        let last = lines.iter().rev().take(SHOWN).rev();
        last.fold(format!("{} of {} lines were logged last:", SHOWN.min(lines.len()), lines.len()), |text, line| {
            text + "\n  " + &line.text
        })
    }

    /// True if the node has as many addresses more than its own as there are VIPs.
    fn has_all(&self) -> Result<bool> {
        for (interface, vips) in &self.addresses {
            let shown = addresses::list(&self.host, interface)?;
            let vips_there = shown.iter().filter(|address| is_vip(**address));
            if vips_there.count() != *vips {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn count_backups(&self, start: Instant) -> Result<usize> {
        match self.program()? {
            Program::Keepalived(keepalived) => {
                let lines = keepalived.process().log().lines();
                let is_backup = |text: &str| text.contains("Entering BACKUP STATE");
                Ok(lines.iter().filter(|line| line.at >= start && is_backup(&line.text)).count())
            }
            // An agent that has only just started does not serve its status yet.
            Program::Holdfast(agent) => Ok(agent
                .status(&self.host)
                .map_or(0, |status| status.virtual_routers.iter().filter(|router| router.state == "BACKUP").count())),
        }
    }

    /// What silences the addresses of an agent, as it says itself.
    pub(super) fn fencing(&self) -> Result<Option<String>> {
        match self.program()? {
            Program::Keepalived(_) => Ok(None),
            Program::Holdfast(agent) => {
                let status = agent.status(&self.host)?;
                Ok(status.virtual_routers.into_iter().find_map(|router| router.fencing))
            }
        }
    }

    /// How often the program has said since a moment that it is master or backup of something now.
    pub(super) fn transitions(&self, since: Instant) -> Result<usize> {
        let is_transition = |text: &str| match self.contender {
            Contender::Keepalived => text.contains("Entering MASTER STATE") || text.contains("Entering BACKUP STATE"),
            Contender::Holdfast => {
                text.contains("event=\"transition\"")
                    && (text.contains("to=\"MASTER\"") || text.contains("to=\"BACKUP\""))
            }
        };
        let lines = self.program()?.process().log().lines();
        Ok(lines.iter().filter(|line| line.at >= since && is_transition(&line.text)).count())
    }

    /// Ends the program with SIGTERM, and waits for its end. Returns the moment before.
    pub(super) fn terminate(&mut self) -> Result<Instant> {
        let program = self.program.take().context("nothing runs")?;
        let event = Instant::now();
        program.process().signal(Signal::SIGTERM)?;
        let exit = program.process().wait(LONG)?;
        ensure!(exit.code() == Some(0), "{} ended with {:?}", self.contender, exit.status);
        Ok(event)
    }

    /// Kills every process of the program. Returns the moment before.
    pub(super) fn kill(&mut self) -> Result<Instant> {
        let program = self.program.take().context("nothing runs")?;
        let event = Instant::now();
        match program {
            Program::Keepalived(keepalived) => keepalived.kill()?,
            Program::Holdfast(agent) => agent.kill()?,
        };
        Ok(event)
    }

    /// Freezes every process of the program. Returns the moment before.
    pub(super) fn freeze(&self) -> Result<Instant> {
        let event = Instant::now();
        match self.program()? {
            Program::Keepalived(keepalived) => keepalived.freeze()?,
            Program::Holdfast(agent) => agent.signal(Signal::SIGSTOP)?,
        }
        Ok(event)
    }

    /// Undoes [`Node::freeze`]. Returns the moment before.
    pub(super) fn thaw(&self) -> Result<Instant> {
        let event = Instant::now();
        match self.program()? {
            Program::Keepalived(keepalived) => keepalived.thaw()?,
            Program::Holdfast(agent) => agent.signal(Signal::SIGCONT)?,
        }
        Ok(event)
    }

    /// The processes of the program.
    pub(super) fn processes(&self) -> Result<Vec<Pid>> {
        match self.program()? {
            Program::Keepalived(keepalived) => keepalived.processes(),
            Program::Holdfast(agent) => Ok(vec![agent.process().pid()]),
        }
    }

    /// Starts the service that a check watches.
    pub(super) fn start_service(&mut self) -> Result<()> {
        let mut command = Command::new("/bin/sh");
        // The process that is to be watched must know its number in its own namespace.
        command.args(["-c", "echo $$ > \"$1/pid\"; exec \"$1/$2\" 1000000", "sh"]).arg(self.folder.path()).arg(SERVICE);
        let service = self.host.spawn(SERVICE, command)?;
        let pid_file = self.folder.path().join("pid");
        wait::until("the service runs", LONG, || Ok(pid_file.metadata().is_ok_and(|metadata| metadata.len() > 0)))?;
        self.service = Some(service);
        Ok(())
    }

    /// Kills the service. Returns the moment before.
    pub(super) fn kill_service(&mut self) -> Result<Instant> {
        let service = self.service.take().context("no service runs")?;
        let event = Instant::now();
        service.signal(Signal::SIGKILL)?;
        service.wait(LONG)?;
        Ok(event)
    }

    fn program(&self) -> Result<&Program> {
        self.program.as_ref().with_context(|| format!("nothing runs on {}", self.host.name()))
    }
}

impl Program {
    fn process(&self) -> &Process {
        match self {
            Self::Keepalived(keepalived) => keepalived.process(),
            Self::Holdfast(agent) => agent.process(),
        }
    }
}

/// The file of a LAN's VIPs.
pub(super) fn manifest_file(lan: u8) -> String {
    format!("lan-{lan}.yaml")
}

fn is_vip(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [10, 77, 0, 100] | [10, 90, _, _]),
        IpAddr::V6(_) => false,
    }
}

/// Waits a little; a false condition that does not keep the machine busy.
fn pause() -> bool {
    std::thread::sleep(LOOK);
    false
}
