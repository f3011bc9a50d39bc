//! A cluster that stays until it is ended, for a person to play with: a process in the background keeps it.

use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use tokio::signal::unix::{SignalKind, signal};

use super::lock::{self, Holder};
use super::{Cluster, Programs, blocking};
use crate::lab::{sweep, wait};

/// The kubeconfig file while a cluster runs, and is ready: a link into the cluster's folder.
pub const KUBECONFIG: &str = "/run/holdfast-cluster.kubeconfig";

/// What the keeper says.
const LOG: &str = "/run/holdfast-cluster.log";

/// By this word the keeper knows that its starter has seen it ready and has gone.
const STAY: &str = "stay";

/// How long a start may take.
const READY: Duration = Duration::from_secs(180);

/// How long the keeper may take to end what it keeps.
const END: Duration = Duration::from_secs(30);

/// Starts a keeper and waits until its cluster is ready, with these images (OCI archives) on all nodes. An interrupt before
/// that ends both.
pub fn up(images: &[PathBuf]) -> Result<()> {
    let began = Instant::now();
    if let Some(Holder { pid, name }) = lock::holder()? {
        bail!("process {pid} ({name}) runs a cluster already");
    }
    let images = &archives(images)?;
    println!("Starting a control plane and three nodes ..");
    remove_if_there(KUBECONFIG)?;
    let mut keeper = start_keeper(images)?;
    wait::until("the cluster is ready", READY, || {
        if let Some(status) = keeper.try_wait().context("cannot look after the keeper")? {
            bail!("the keeper has ended ({status}); it said:\n{}", fs::read_to_string(LOG).unwrap_or_default());
        }
        Ok(Path::new(KUBECONFIG).exists())
    })?;
    let mut input = keeper.stdin.take().context("the keeper listens")?;
    writeln!(input, "{STAY}").context("cannot tell the keeper to stay")?;
    println!("Ready after {:.1} s.\n", began.elapsed().as_secs_f32());
    println!("  make cluster-kubectl ARGS='get nodes -o wide'");
    println!("  export KUBECONFIG={KUBECONFIG}    for any other tool");
    println!("  make cluster-down");
    Ok(())
}

/// By absolute path: they are read by a program that runs elsewhere. One that is not there is told before anything starts.
fn archives(images: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let absolute = |path: &PathBuf| path.canonicalize().with_context(|| format!("no image at {}", path.display()));
    images.iter().map(absolute).collect()
}

fn start_keeper(images: &[PathBuf]) -> Result<Child> {
    let log = File::create(LOG).with_context(|| format!("cannot write {LOG}"))?;
    let copy = log.try_clone().context("cannot share the log")?;
    let mut command = Command::new(std::env::current_exe().context("cannot tell where this program lies")?);
    // A process group of its own: Ctrl-C in the shell that started it is not for the keeper.
    command.arg("keep").args(images).stdin(Stdio::piped()).stdout(log).stderr(copy).process_group(0);
    command.spawn().context("cannot start the keeper")
}

/// Keeps a cluster until a signal: what the process in the background does.
pub fn keep(images: &[PathBuf]) -> Result<()> {
    let cluster = Cluster::up()?;
    images.iter().try_for_each(|archive| cluster.import_image(archive))?;
    symlink(cluster.api().kubeconfig(), KUBECONFIG).with_context(|| format!("cannot make {KUBECONFIG}"))?;
    let mut word = String::new();
    // An error says the same as the end: nobody is there who wants the cluster.
    let _ = std::io::stdin().lock().read_line(&mut word);
    if word.trim_end() == STAY {
        blocking::run(await_signal)?;
    }
    remove_if_there(KUBECONFIG)
}

async fn await_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Ends the keeper and its cluster, and removes what one that was killed has left.
pub fn down() -> Result<()> {
    match lock::holder()? {
        None => println!("No cluster runs."),
        Some(holder) => end(&holder)?,
    }
    remove_if_there(KUBECONFIG)?;
    remove_if_there(LOG)?;
    // What was killed is removed by its guards at this moment too, and a sweep may find a thing gone that it saw before.
    wait::value("nothing is left", END, || Ok(sweep::sweep().ok())).map(drop)
}

fn end(holder: &Holder) -> Result<()> {
    let Holder { pid, name } = holder;
    ensure!(is_keeper(name), "process {pid} ({name}) runs a cluster for itself, and ends it with itself");
    let is_free = || Ok(lock::holder()?.as_ref() != Some(holder));
    kill(*pid, Signal::SIGTERM).with_context(|| format!("cannot end process {pid}"))?;
    if wait::until("the cluster is down", END, is_free).is_err() {
        kill(*pid, Signal::SIGKILL).with_context(|| format!("cannot kill process {pid}"))?;
        wait::until("the cluster is down", END, is_free)?;
    }
    println!("The cluster is down.");
    Ok(())
}

fn is_keeper(name: &str) -> bool {
    let this = std::env::current_exe().ok();
    let own = this.as_deref().and_then(Path::file_name);
    Path::new(name).file_name() == own
}

/// Replaces this process by kubectl.
pub fn kubectl(arguments: &[String]) -> Result<()> {
    ensure!(Path::new(KUBECONFIG).exists(), "no cluster runs; start one with `make cluster`");
    let error = Programs::find()?.kubectl(Path::new(KUBECONFIG))?.args(arguments).exec();
    Err(anyhow!(error).context("cannot run kubectl"))
}

/// Says who runs a cluster, and shows its nodes if it is the one for playing.
pub fn status() -> Result<()> {
    let Some(Holder { pid, name }) = lock::holder()? else {
        println!("No cluster runs.");
        return Ok(());
    };
    println!("Process {pid} ({name}) runs a cluster.");
    if !is_keeper(&name) {
        return Ok(());
    }
    if !Path::new(KUBECONFIG).exists() {
        println!("It is not ready.");
        return Ok(());
    }
    kubectl(&["get", "nodes", "-o", "wide"].map(str::to_owned))
}

fn remove_if_there(path: &str) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {path}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_from_where_the_command_was_given_and_a_missing_one_is_named() {
        let found = archives(&[PathBuf::from("Cargo.toml")]).unwrap();
        assert!(found.iter().all(|path| path.is_absolute() && path.ends_with("Cargo.toml")), "{found:?}");
        let missing = archives(&[PathBuf::from("none.oci.tar")]).unwrap_err();
        assert_eq!(missing.to_string(), "no image at none.oci.tar");
    }
}
