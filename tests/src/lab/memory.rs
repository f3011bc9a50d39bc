//! The memory that a process occupies: `VmRSS` of `/proc/PID/status`.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// Its resident memory now, in bytes.
pub fn resident(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    resident_kibibytes(&text).map(|kibibytes| kibibytes << 10).with_context(|| format!("{path} has no VmRSS"))
}

fn resident_kibibytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_account_is_read() {
        assert_eq!(resident_kibibytes("VmPeak:\t  99 kB\nVmRSS:\t    3312 kB\n"), Some(3_312));
        assert_eq!(resident_kibibytes("Name: x\n"), None);
    }

    #[test]
    fn a_process_has_memory() {
        assert!(resident(Pid::this()).unwrap() > 512 << 10);
    }
}
