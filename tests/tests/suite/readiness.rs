//! Who asks the agent learns what it lacks, and nobody is told to restart an agent that does its work.

use std::fs;

use anyhow::{Context, Result};
use holdfast_tests::lab::Host;
use holdfast_tests::lab::wait;
use nix::sys::signal::Signal;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{virtual_ip, web};
use crate::support::member::Member;
use crate::support::timing::LONG;

/// Waits until `/readyz` answers so, with this text.
fn wait_for_readyz(member: &Member, status: u16, text: &str) -> Result<()> {
    wait::until(&format!("/readyz answers {status} and {text:?}"), LONG, || {
        // An agent that has only just started does not listen yet.
        let answer = member.agent()?.get(&member.host, "/readyz");
        Ok(answer.is_ok_and(|answer| answer.status == status && answer.body.contains(text)))
    })
}

fn is_live(member: &Member) -> Result<bool> {
    Ok(member.agent()?.get(&member.host, "/livez")?.status == 200)
}

/// The value of a metric that has no labels.
fn metric(member: &Member, name: &str) -> Result<u64> {
    let text = member.agent()?.get(&member.host, "/metrics")?.body;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.with_context(|| format!("{name} is not in {text}"))?.parse().context("no number")
}

#[test]
fn an_agent_without_its_folder_of_manifests_is_live_not_ready_and_waits_for_it() -> Result<()> {
    let mut member = Member::new(Host::node("a", 1)?, "")?;
    let folder = member.home.manifests();
    fs::remove_dir_all(&folder)?;
    member.start()?;
    wait_for_readyz(&member, 503, &format!("cannot read the manifests in {}", folder.display()))?;
    assert!(is_live(&member)?);
    assert_eq!(metric(&member, "holdfast_configuration_errors")?, 1);

    fs::create_dir(&folder)?;
    wait_for_readyz(&member, 200, "ok")?;
    assert_eq!(metric(&member, "holdfast_configuration_errors")?, 0);
    Ok(())
}

#[test]
fn every_mistake_counts_until_it_is_mended() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    assert_eq!(metric(&duo.a, "holdfast_configuration_errors")?, 0);
    let before = duo.a.router("web")?.transitions;

    let two_mistakes = virtual_ip("bad", "addresses: [10.77.0.101]\nvirtualRouterID: 256\npriority: 0\n");
    duo.a.home.write_manifest("bad.yaml", &two_mistakes)?;
    wait_for_readyz(&duo.a, 503, "bad.yaml: VirtualIP/bad: spec.virtualRouterID: ")?;
    assert_eq!(metric(&duo.a, "holdfast_configuration_errors")?, 2);
    assert!(is_live(&duo.a)? && duo.a.holds(VIP)?);

    duo.a.home.remove_manifest("bad.yaml")?;
    wait_for_readyz(&duo.a, 200, "ok")?;
    assert_eq!(metric(&duo.a, "holdfast_configuration_errors")?, 0);
    assert_eq!(duo.a.router("web")?.transitions, before);
    Ok(())
}

#[test]
fn an_agent_that_leaves_is_live_and_not_ready() -> Result<()> {
    // Without a successor it waits for four intervals.
    let slow = "addresses: [10.77.0.100]\nvirtualRouterID: 51\nadvertisementInterval: 1s\npriority: 255\n";
    let mut duo = Duo::new(&[virtual_ip("web", slow)])?;
    duo.a.start_as("MASTER")?;
    duo.a.agent()?.signal(Signal::SIGTERM)?;
    wait_for_readyz(&duo.a, 503, "the agent is leaving")?;
    assert!(is_live(&duo.a)?);
    assert_eq!(duo.a.agent()?.process().wait(LONG)?.code(), Some(0));
    Ok(())
}
