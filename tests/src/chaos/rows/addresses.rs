//! The addresses, by the hand of an administrator, or of a stranger on the LAN.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_crds::condition::{ConditionReason, ConditionType, DegradedReason, find_condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::chaos::bounds::{failover, nothing_happens, nothing_lost, reported};
use crate::chaos::stage::{INTERFACE, PATIENCE, Remark, Stage};
use crate::chaos::vips::{self, FIRST, INTERVAL, SECOND, WEB};
use crate::cluster::Statuses;
use crate::lab::{Host, Keepalived, KeepalivedInstance};

/// How soon an address is put back.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How soon a stranger is told of.
const REPORTED: Duration = Duration::from_secs(5);

/// How soon a host that only answers, which nobody hears but who asks: a master asks once a minute.
const ASKED: Duration = Duration::from_secs(62);

/// The number of a host that belongs to nobody.
const STRANGER: u8 = 66;

pub(super) fn deleted(stage: &mut Stage) -> Result<()> {
    stage
        .part_with("deleted, until they are back", reported, |stage| {
            let host = stage.cluster.node(FIRST)?.host()?;
            for target in vips::targets() {
                let length = if target.address.is_ipv4() { 32 } else { 128 };
                host.namespace().ip(&format!("addr del {}/{length} dev {INTERFACE}", target.address))?;
            }
            let deleted = Instant::now();
            stage.wait_for_holder(FIRST, true)?;
            Ok(vec![Remark::within("they were back", deleted.elapsed(), AT_ONCE)])
        })
        .map(drop)
}

/// With the node's own addresses gone it cannot elect: it leaves at once, and comes back with them.
pub(super) fn flushed(stage: &mut Stage) -> Result<()> {
    stage.part("flushed, the node's own included", failover, |stage| {
        stage.cluster.node(FIRST)?.host()?.namespace().ip(&format!("addr flush dev {INTERFACE}"))?;
        stage.wait_for_takeover(SECOND, true)
    })?;
    stage.part("the node has its own again", nothing_lost, |stage| {
        stage.cluster.restore_addresses(FIRST)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn added(stage: &mut Stage) -> Result<()> {
    let address = WEB.addresses.first().context("an address")?;
    stage
        .part_with("added", reported, |stage| {
            let host = stage.cluster.node(SECOND)?.host()?;
            host.namespace().ip(&format!("addr add {address}/32 dev {INTERFACE}"))?;
            let told = wait_for_report(stage, DegradedReason::AddressConflict, &format!("{address}"), REPORTED)?;
            stage.cluster.node(SECOND)?.host()?.namespace().ip(&format!("addr del {address}/32 dev {INTERFACE}"))?;
            Ok(vec![told])
        })
        .map(drop)
}

/// Nobody told the agents of it, so its priority is nothing to them.
pub(super) fn foreign_router(stage: &mut Stage) -> Result<()> {
    let status = stage.kubectl("get virtualip web --output=jsonpath={.status.virtualRouterID}")?;
    let virtual_router_id = status.parse().with_context(|| format!("not a VRID: {status:?}"))?;
    let stranger = stranger(stage)?;
    stage
        .part_with("it advertises with priority 254, and another address", nothing_happens, |stage| {
            let instance = KeepalivedInstance::new(virtual_router_id, 254, INTERVAL, &["10.77.0.199/24"]);
            let keepalived = Keepalived::start(&stranger, &[instance])?;
            let told = wait_for_report(stage, DegradedReason::ForeignRouter, &stranger.ipv4().to_string(), REPORTED)?;
            keepalived.terminate()?;
            Ok(vec![told])
        })
        .map(drop)
}

/// Whoever believes it is lost to it; what can be done is to say so, and to announce the address again.
pub(super) fn impostor(stage: &mut Stage) -> Result<()> {
    let address = WEB.addresses.first().context("an address")?;
    let stranger = stranger(stage)?;
    stage
        .part_with("it answers", reported, |stage| {
            stranger.namespace().ip(&format!("addr add {address}/32 dev {INTERFACE}"))?;
            let told = wait_for_report(stage, DegradedReason::AddressConflict, &stranger.mac().to_string(), ASKED)?;
            stranger.namespace().ip(&format!("addr del {address}/32 dev {INTERFACE}"))?;
            Ok(vec![told])
        })
        .map(drop)
}

fn stranger(stage: &Stage) -> Result<Host> {
    let stranger = Host::node("stranger", STRANGER)?;
    stage.cluster.lan().attach(&stranger, INTERFACE)?;
    Ok(stranger)
}

/// Waits until the status of the web server's address says that something is wrong, for a reason and about somebody.
fn wait_for_report(stage: &Stage, reason: DegradedReason, about: &str, limit: Duration) -> Result<Remark> {
    let began = Instant::now();
    let says = |condition: &Condition| {
        condition.status == "True" && condition.reason == reason.as_str() && condition.message.contains(about)
    };
    let is_told = |statuses: &Statuses| {
        let conditions = statuses.get(WEB.name).map(|status| status.conditions.as_slice()).unwrap_or_default();
        find_condition(conditions, ConditionType::Degraded).is_some_and(says)
    };
    let what = format!("{} is told, about {about}", reason.as_str());
    let told = stage.sightings.wait_for_all(&what, began, PATIENCE, is_told)?;
    Ok(Remark::within(&format!("{} was told", reason.as_str()), told.duration_since(began), limit))
}
