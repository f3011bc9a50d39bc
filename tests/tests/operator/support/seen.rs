//! What users see: conditions and Events.

use anyhow::{Result, ensure};
use holdfast_crds::VirtualIP;
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_tests::cluster::wait;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use super::{LONG, SHORT, Stage};

/// The reason and the message of a condition.
pub(crate) fn condition(vip: &VirtualIP, kind: ConditionType) -> Option<(&str, &str)> {
    let condition = find_condition(&vip.status.as_ref()?.conditions, kind)?;
    Some((&condition.reason, &condition.message))
}

/// Waits until a condition of a VirtualIP has this reason; returns its message.
pub(crate) async fn wait_for_condition(stage: &Stage, vip: &str, kind: ConditionType, reason: &str) -> Result<String> {
    let what = format!("{kind} of {vip} is {reason}");
    let has = |vip: &VirtualIP| condition(vip, kind).is_some_and(|(found, _)| found == reason);
    let vip = wait::until(&stage.virtual_ips(), vip, &what, LONG, has).await?;
    Ok(condition(&vip, kind).map(|(_, message)| message.to_owned()).unwrap_or_default())
}

/// Waits until an Event tells of an object with this reason; returns its note.
pub(crate) async fn wait_for_event(stage: &Stage, name: &str, reason: &str) -> Result<String> {
    let events: Api<Event> = Api::namespaced(stage.client.clone(), "default");
    let parameters = ListParams::default().fields(&format!("reason={reason},regarding.name={name}"));
    wait::repeatedly(&format!("an Event {reason} of {name}"), SHORT, async || {
        let mut notes = events.list(&parameters).await?.items.into_iter().filter_map(|event| event.note);
        let first = notes.next();
        ensure!(first.is_some(), "there is none");
        Ok(first.unwrap_or_default())
    })
    .await
}
