//! Nothing is left of a cluster: alone in its program, because a machine runs one cluster at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use holdfast_tests::cluster::Cluster;
use holdfast_tests::lab::wait;
use nix::sys::signal::{Signal, raise};

/// Set for the process that is killed; names the file into which it writes the folder of its cluster.
const INNER: &str = "HOLDFAST_KILLED_TEST";

const SOON: Duration = Duration::from_secs(20);

/// What a cluster has, by the process that made it and its folder.
fn left(maker: u32, folder: &Path) -> Result<Vec<String>> {
    let prefix = format!("hf-{maker}-");
    let names =
        fs::read_dir("/run/netns").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut left: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    let find = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", &format!("{prefix}*")]).output()?;
    left.extend(String::from_utf8_lossy(&find.stdout).lines().map(str::to_owned));
    left.extend(fs::exists(folder)?.then(|| folder.display().to_string()));
    left.extend(processes_of(folder)?);
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    left.extend(
        mounts.lines().filter(|line| line.contains(&prefix)).filter(|line| !line.contains("nsfs")).map(str::to_owned),
    );
    Ok(left)
}

/// Every server and every node has the folder in its arguments, and so has whatever a node's container runtime starts.
fn processes_of(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // Processes end while they are looked at.
        let arguments = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains(&folder) || arguments.contains("containerd-shim") {
            found.push(arguments);
        }
    }
    Ok(found)
}

fn folder(cluster: &Cluster) -> PathBuf {
    cluster.api().kubeconfig().with_file_name("")
}

/// One test, because both halves run a cluster.
#[test]
fn nothing_is_left_of_a_cluster_that_was_ended_or_killed() -> Result<()> {
    if let Some(path) = std::env::var_os(INNER) {
        let cluster = Cluster::up()?;
        fs::write(path, folder(&cluster).as_os_str().as_encoded_bytes())?;
        raise(Signal::SIGKILL)?;
    }

    let cluster = Cluster::up()?;
    let ended = folder(&cluster);
    ensure!(left(std::process::id(), &ended)?.len() > 10, "a running cluster must be seen by these means");
    drop(cluster);
    assert_eq!(left(std::process::id(), &ended)?, Vec::<String>::new());

    let told = tempfile::NamedTempFile::new()?;
    let mut killed = Command::new(std::env::current_exe()?)
        .args(["--exact", "nothing_is_left_of_a_cluster_that_was_ended_or_killed"])
        .env(INNER, told.path())
        .spawn()?;
    let pid = killed.id();
    ensure!(!killed.wait()?.success());
    let folder = PathBuf::from(fs::read_to_string(told.path())?);
    ensure!(folder.is_absolute(), "the process that was to be killed failed before");
    wait::until("nothing is left", SOON, || Ok(left(pid, &folder)?.is_empty()))
        .with_context(|| format!("left: {:#?}", left(pid, &folder)))
}
