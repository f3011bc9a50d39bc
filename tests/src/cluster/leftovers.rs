//! What a cluster leaves in the kernel beside its processes: cgroups, and if it was killed the names of its namespaces.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::lab::namespace;

/// `$1` is the name of the cgroups, `$2` how the names of namespaces begin, and `$3` the lock of all who remove.
///
/// Waits for the end of its standard input, whose other end the maker alone holds. One who ends in order says so, and has
/// removed its namespaces itself. A cgroup can be removed when its last process is dead, which may take a moment.
const REMOVE: &str = r#"
word=$(cat)
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    find /sys/fs/cgroup -depth -type d -path "*/$1*" -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
done
if [ "$word" = ended ]; then exit; fi
exec 9>"$3"
flock 9
for name in /run/netns/"$2"*; do
    if [ -e "$name" ]; then ip netns del "${name##*/}"; fi
done
"#;

/// Removes the leftovers when it is dropped, and also when this process is killed.
#[derive(Debug)]
pub(super) struct Leftovers {
    cgroup: String,
    remover: Child,
}

impl Leftovers {
    /// Watches over one more cluster of this process.
    pub(super) fn watch() -> Result<Self> {
        let cgroup = namespace::unique_name("cluster");
        let names = format!("{}{}-", namespace::PREFIX, std::process::id());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", REMOVE, "remover", &cgroup, &names, namespace::LOCK]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let remover = command.spawn().context("cannot start the remover of leftovers")?;
        Ok(Self { cgroup, remover })
    }

    /// The name of the cgroup below which everything is.
    pub(super) fn cgroup(&self) -> &str {
        &self.cgroup
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let told = self.remover.stdin.take().map_or(Ok(()), |mut input| input.write_all(b"ended"));
        if let Err(error) = told.and_then(|()| self.remover.wait()) {
            println!("cannot remove the cgroups {}: {error}", self.cgroup);
        }
    }
}
