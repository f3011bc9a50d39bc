//! Removes what a killed run left behind. The name of a namespace or folder holds the process id of its maker; a dead maker means that
//! nobody will remove it, and that whatever still runs inside belongs to nobody.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{namespace, program};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";

/// Removes every namespace of the lab whose maker is dead, with the processes in it, and every temporary folder. Returns
/// the names.
pub fn sweep() -> Result<Vec<String>> {
    let _one_at_a_time = namespace::lock()?;
    let namespaces = orphans(Path::new(NAMES))?;
    for name in &namespaces {
        kill_inhabitants(name)?;
        program::run("ip", &["netns", "del", name])?;
    }
    let temporary = std::env::temp_dir();
    let folders = orphans(&temporary)?;
    for name in &folders {
        let path = temporary.join(name);
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok([namespaces, folders].concat())
}

/// The names in a folder that were made by a process that is dead.
fn orphans(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot list {}", folder.display()))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| is_orphan(name)).collect())
}

fn is_orphan(name: &str) -> bool {
    maker(name).is_some_and(|pid| kill(pid, None) == Err(Errno::ESRCH))
}

/// The process that made the namespace or folder `name`; `None` if the name is not one of the lab's.
pub fn maker(name: &str) -> Option<Pid> {
    let (pid, counter_and_role) = name.strip_prefix(namespace::PREFIX)?.split_once('-')?;
    let (counter, _role) = counter_and_role.split_once('-')?;
    counter.parse::<u32>().ok()?;
    pid.parse().ok().map(Pid::from_raw)
}

fn kill_inhabitants(name: &str) -> Result<()> {
    for line in program::run("ip", &["netns", "pids", name])?.lines() {
        let pid = line.trim().parse().map(Pid::from_raw).with_context(|| format!("not a process id: {line}"))?;
        match kill(pid, Signal::SIGKILL) {
            // Gone by itself, or taken along by the init of its PID namespace.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot kill {pid} in {name}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_lab_have_a_maker() {
        let table = [
            ("hf-4711-3-node-a", Some(4711)),
            ("hf-4711-3-lan", Some(4711)),
            ("hf-4711", None),
            ("hf-4711-x-lan", None),
            ("hf-me-3-lan", None),
            ("cni-4711-3-lan", None),
        ];
        for (name, expected) in table {
            assert_eq!(maker(name).map(Pid::as_raw), expected, "{name}");
        }
    }
}
