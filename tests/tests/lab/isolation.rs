//! Labs and nodes do not see each other.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use holdfast_tests::lab::{Host, Lan, Nginx, addresses};

const SHORT: Duration = Duration::from_secs(5);

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[test]
fn two_labs_side_by_side_share_neither_names_nor_frames() -> Result<()> {
    let (mut first, mut second) = (Lan::new()?, Lan::new()?);
    let (a, also_a) = (first.node("a")?, second.node("a")?);
    assert_ne!(a.namespace().name(), also_a.namespace().name());
    assert_eq!(a.ipv4(), also_a.ipv4());
    // The same address lives in both, and in each only the own one is found.
    a.namespace().ip("addr add 10.77.0.100/32 dev eth0")?;
    assert!(addresses::has(&a, "eth0", [10, 77, 0, 100].into())?);
    assert!(!addresses::has(&also_a, "eth0", [10, 77, 0, 100].into())?);
    Ok(())
}

#[test]
fn a_node_sees_its_own_processes_and_files_only() -> Result<()> {
    let mut lan = Lan::new()?;
    let (a, b) = (lan.node("a")?, lan.node("b")?);
    let _nginx = Nginx::start(&a, 80)?;
    let count = "grep -lx nginx /proc/[0-9]*/comm | wc -l; touch /run/mark; ls /run";
    let on_a = a.namespace().output(shell(count))?;
    let on_b = b.namespace().output(shell(count))?;
    assert_eq!(String::from_utf8_lossy(&on_a.stdout), "2\nmark\n", "a master and a worker");
    assert_eq!(String::from_utf8_lossy(&on_b.stdout), "0\nmark\n");
    Ok(())
}

#[test]
fn a_killed_node_has_no_process_left_but_keeps_its_network() -> Result<()> {
    let mut lan = Lan::new()?;
    let mut a = lan.node("a")?;
    let nginx = Nginx::start(&a, 80)?;
    a.kill_everything();
    let exit = nginx.process().wait(SHORT)?;
    assert_eq!(exit.signal(), Some(9));
    assert!(addresses::has(&a, "eth0", a.ipv4().into())?);
    Ok(())
}

#[test]
fn an_orphan_is_reaped_by_the_nodes_init() -> Result<()> {
    let a = Host::node("a", 1)?;
    let orphan = "(sh -c 'echo $$ > /run/orphan; exec sleep 0.1' &) ; sleep 0.05; cat /run/orphan";
    let pid = String::from_utf8(a.namespace().output(shell(orphan))?.stdout)?;
    let gone = format!("for i in $(seq 500); do test -d /proc/{} || exit 0; sleep 0.01; done; exit 1", pid.trim());
    assert!(a.namespace().output(shell(&gone))?.status.success(), "the orphan stayed as a zombie");
    Ok(())
}
