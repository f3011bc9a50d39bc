//! What the lab needs from the machine. A missing piece is an error that names it and the way to get it; it is never a
//! reason to skip a test, because a test that skips looks like a test that passes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use nix::unistd::{Pid, geteuid, getpid};

use super::{namespace, program};

/// Programs by name, and the Debian package that holds each.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("mount", "mount"),
    ("chrt", "util-linux"),
    ("keepalived", "keepalived"),
    ("nginx", "nginx-light"),
];

/// Debian keeps administration programs here, and a shell of an ordinary user does not look here.
const ADMINISTRATION_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Checks everything once per process; every later call returns the first answer.
pub fn check() -> Result<()> {
    static ANSWER: OnceLock<Vec<String>> = OnceLock::new();
    let missing = ANSWER.get_or_init(missing);
    if missing.is_empty() {
        return Ok(());
    }
    Err(anyhow!("this machine cannot run the lab:\n  - {}", missing.join("\n  - ")))
}

fn missing() -> Vec<String> {
    if !geteuid().is_root() {
        return vec!["network namespaces need root: run this as root (sudo)".to_owned()];
    }
    let programs: Vec<String> = PROGRAMS.iter().filter_map(|(name, package)| missing_program(name, package)).collect();
    if !programs.is_empty() {
        return programs;
    }
    missing_kernel_features(getpid())
}

fn missing_program(name: &str, package: &str) -> Option<String> {
    find_program(name).is_none().then(|| format!("program `{name}` is missing: apt-get install {package}"))
}

/// Where `name` lies: in PATH or in one of the administration folders.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ADMINISTRATION_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder: PathBuf| folder.join(name)).find(|candidate| is_file(candidate))
}

fn is_file(candidate: &Path) -> bool {
    candidate.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Tries each kernel feature for real: in a container the module may be there and the permission not.
fn missing_kernel_features(pid: Pid) -> Vec<String> {
    let name = format!("hf-{pid}-0-requirements");
    if let Err(error) = namespace::add(&name) {
        return vec![format!("cannot make a network namespace (CAP_SYS_ADMIN, CONFIG_NET_NS): {error:#}")];
    }
    let attempts = [
        ("a bridge (CONFIG_BRIDGE)", try_link(&name, "type bridge")),
        ("a veth pair (CONFIG_VETH)", try_link(&name, "type veth peer name requirements1")),
        ("nftables rules on a bridge (CONFIG_NF_TABLES_BRIDGE)", try_bridge_rules(&name)),
    ];
    let missing = attempts
        .into_iter()
        .filter_map(|(what, attempt)| attempt.err().map(|error| format!("cannot make {what}: {error:#}")))
        .collect();
    // The answer stands whether or not the namespace could be removed; a later sweep would remove it.
    let _ = namespace::delete(&name);
    missing
}

fn try_link(namespace: &str, kind: &str) -> Result<()> {
    let batch = format!("link add requirements0 {kind}\nlink del requirements0\n");
    program::run_with_input("ip", &["-n", namespace, "-batch", "-"], &batch).map(drop)
}

fn try_bridge_rules(namespace: &str) -> Result<()> {
    let rules = "table bridge requirements {\n chain forward {\n type filter hook forward priority 0;\n }\n}\n";
    program::run_with_input("ip", &["netns", "exec", namespace, "nft", "-f", "-"], rules).map(drop)
}
