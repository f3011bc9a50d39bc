//! What a killed run leaves behind is removed by the next one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use holdfast_tests::lab::{AgentHome, Lan, Namespace, sweep, wait};

#[test]
fn what_a_dead_maker_left_is_removed_and_what_a_live_one_has_is_kept() -> Result<()> {
    // A maker that is dead: its id was reserved until `wait` returned.
    let mut maker = Command::new("true").spawn()?;
    maker.wait()?;
    let dead = format!("hf-{}-1-left", maker.id());
    let folder = std::env::temp_dir().join(format!("hf-{}-2-left", maker.id()));
    std::fs::create_dir(&folder)?;
    let live = Namespace::network("live")?;
    assert!(Command::new("ip").args(["netns", "add", &dead]).status()?.success());
    let mut inhabitant =
        Command::new("ip").args(["netns", "exec", &dead, "sleep", "1000"]).stdin(Stdio::null()).spawn()?;
    wait::until("the program runs in the namespace", Duration::from_secs(5), || {
        let pids = Command::new("ip").args(["netns", "pids", &dead]).output()?;
        Ok(!pids.stdout.is_empty())
    })?;

    sweep::sweep()?;

    assert!(!Path::new("/run/netns").join(&dead).exists());
    assert!(!folder.exists());
    assert!(!inhabitant.wait()?.success(), "the program in it was killed");
    assert!(Path::new("/run/netns").join(live.name()).exists());
    Ok(())
}

#[test]
fn a_dropped_lab_leaves_neither_namespace_nor_folder() -> Result<()> {
    let (names, folder) = {
        let mut lan = Lan::new()?;
        let (a, client) = (lan.node("a")?, lan.client("client")?);
        let home = AgentHome::with_manifest("")?;
        // A file system that only the node sees must not keep the folder.
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "tmpfs"]).arg(home.state());
        assert!(a.namespace().output(mount)?.status.success());
        let names = [lan.namespace(), a.namespace(), client.namespace()].map(|namespace| namespace.name().to_owned());
        (names, home.state().ancestors().nth(1).map(Path::to_owned))
    };
    for name in names {
        assert!(!Path::new("/run/netns").join(&name).exists(), "{name}");
    }
    assert!(folder.is_some_and(|folder| !folder.exists()), "the folder of an agent stays");
    Ok(())
}
