//! Servers that are killed, frozen and started again, and what is left of them at the end.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use holdfast_tests::cluster::{ApiServer, Component};
use holdfast_tests::lab::wait;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_secs(5);

fn namespace(name: &str) -> Namespace {
    Namespace { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..Namespace::default() }
}

#[tokio::test]
async fn what_was_stored_outlives_the_servers() -> Result<()> {
    let mut server = ApiServer::start()?;
    let api: Api<Namespace> = Api::all(server.client()?);
    api.create(&PostParams::default(), &namespace("kept")).await?;

    server.kill(Component::ApiServer)?;
    assert!(api.get("kept").await.is_err(), "a dead API server answers");
    server.kill(Component::Etcd)?;
    server.start_component(Component::Etcd)?;
    server.start_component(Component::ApiServer)?;
    server.wait_until_ready()?;

    api.get("kept").await?;
    Ok(())
}

#[tokio::test]
async fn a_frozen_api_server_accepts_connections_and_does_not_answer() -> Result<()> {
    let mut server = ApiServer::start()?;
    let api: Api<Namespace> = Api::all(server.client()?);
    server.pause(Component::ApiServer)?;
    assert!(timeout(Duration::from_secs(1), api.get("default")).await.is_err(), "a frozen API server answers");
    server.resume(Component::ApiServer)?;
    timeout(SHORT, api.get("default")).await??;
    Ok(())
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_folder() -> Result<()> {
    let server = ApiServer::start()?;
    let folder = server.kubeconfig().parent().unwrap().to_owned();
    assert_ne!(processes_of(&folder)?, 0);
    drop(server);
    assert_eq!(processes_of(&folder)?, 0);
    assert!(!folder.exists());
    Ok(())
}

/// This test kills itself: the one that is killed is a child, which runs this test again.
#[test]
fn a_killed_test_leaves_no_process_and_no_folder() -> Result<()> {
    const INNER: &str = "HOLDFAST_KILLED_TEST";
    if let Some(path) = std::env::var_os(INNER) {
        let mut server = ApiServer::start()?;
        server.pause(Component::Etcd)?;
        std::fs::write(path, server.kubeconfig().parent().unwrap().as_os_str().as_encoded_bytes())?;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
    }
    let told = tempfile::NamedTempFile::new()?;
    let mut child = std::process::Command::new(std::env::current_exe()?);
    child.args(["--exact", "faults::a_killed_test_leaves_no_process_and_no_folder"]).env(INNER, told.path());
    assert!(!child.output()?.status.success());
    let folder = std::fs::read_to_string(told.path())?;
    let folder = Path::new(&folder);
    assert!(folder.is_absolute());
    wait::until("its servers and its folder are gone", SHORT, || Ok(processes_of(folder)? == 0 && !folder.exists()))
}

/// How many processes have the folder in their arguments.
fn processes_of(folder: &Path) -> Result<usize> {
    let folder = folder.display().to_string();
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        // Processes end while they are looked at.
        let arguments = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(String::from_utf8_lossy(&arguments).contains(&folder));
    }
    Ok(count)
}
