//! Which statuses must be written. Pure.
//!
//! What is written holds the fields of the operator only: `master` and `masterSince` of a VirtualIP belong to the agents.

use std::collections::BTreeMap;

use holdfast_crds::{
    API_VERSION, HealthCheck, HealthCheckStatus, VirtualIP, VirtualIPGroup, VirtualIPGroupStatus, VirtualIPStatus,
};
use kube::ResourceExt;
use serde::Serialize;
use serde_json::{Value, json};

use crate::world::{Cached, Store};
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The kinds that this file decides about.
pub const KINDS: &[Written] = &[Written::VirtualIPStatus, Written::HealthCheckStatus, Written::VirtualIPGroupStatus];

/// A status of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Of a VirtualIP.
    VirtualIP(Box<VirtualIPStatus>),
    /// Of a HealthCheck.
    HealthCheck(Box<HealthCheckStatus>),
    /// Of a VirtualIPGroup.
    VirtualIPGroup(Box<VirtualIPGroupStatus>),
}

/// A kind with a status that the operator writes.
pub trait Reported: Cached {
    /// The status.
    type Status: Clone + Default + Serialize;
    /// The kind as it is written.
    const WRITTEN: Written;

    /// The status as it was seen.
    fn status(&self) -> Option<&Self::Status>;

    /// The status without what others write.
    fn own(status: &Self::Status) -> Self::Status;

    /// The status as one of any kind.
    fn wrap(status: Self::Status) -> Status;
}

impl Reported for VirtualIP {
    type Status = VirtualIPStatus;
    const WRITTEN: Written = Written::VirtualIPStatus;

    fn status(&self) -> Option<&VirtualIPStatus> {
        self.status.as_ref()
    }

    fn own(status: &VirtualIPStatus) -> VirtualIPStatus {
        VirtualIPStatus { master: None, master_since: None, ..status.clone() }
    }

    fn wrap(status: VirtualIPStatus) -> Status {
        Status::VirtualIP(Box::new(status))
    }
}

impl Reported for HealthCheck {
    type Status = HealthCheckStatus;
    const WRITTEN: Written = Written::HealthCheckStatus;

    fn status(&self) -> Option<&HealthCheckStatus> {
        self.status.as_ref()
    }

    fn own(status: &HealthCheckStatus) -> HealthCheckStatus {
        status.clone()
    }

    fn wrap(status: HealthCheckStatus) -> Status {
        Status::HealthCheck(Box::new(status))
    }
}

impl Reported for VirtualIPGroup {
    type Status = VirtualIPGroupStatus;
    const WRITTEN: Written = Written::VirtualIPGroupStatus;

    fn status(&self) -> Option<&VirtualIPGroupStatus> {
        self.status.as_ref()
    }

    fn own(status: &VirtualIPGroupStatus) -> VirtualIPGroupStatus {
        status.clone()
    }

    fn wrap(status: VirtualIPGroupStatus) -> Status {
        Status::VirtualIPGroup(Box::new(status))
    }
}

/// Which object a status is about: another one of the same name is another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The kind and the name.
    pub target: Target,
    /// Which of that name.
    pub uid: Option<String>,
}

/// A status that is to be written, and what stood there before.
#[derive(Clone, Debug)]
pub struct StatusWrite {
    /// The write.
    pub write: Write,
    /// What it is about.
    pub subject: Subject,
    /// The status that was seen.
    pub before: Status,
}

/// The writes for one kind: the statuses that differ from what was seen, in more than times.
pub fn writes<K: Reported>(
    seen: &Store<K>,
    wanted: &BTreeMap<String, K::Status>,
    is_same: impl Fn(&K::Status, &K::Status) -> bool,
) -> Vec<StatusWrite> {
    let write = |(name, wanted): (&String, &K::Status)| {
        let before = seen.get(name).and_then(K::status);
        let (uid, version) = identity(seen, name)?;
        if before.is_some_and(|before| is_same(before, wanted)) {
            return None;
        }
        Some(status_write::<K>(name.clone(), uid, version, before.cloned().unwrap_or_default(), wanted.clone()))
    };
    wanted.iter().filter_map(write).collect()
}

/// Which object it is, and in which version it was seen; none if there is no such object.
fn identity<K: Reported>(seen: &Store<K>, name: &str) -> Option<(Option<String>, Option<String>)> {
    if let Some(unreadable) = seen.unreadable().get(name) {
        return Some((unreadable.uid.clone(), unreadable.resource_version.clone()));
    }
    seen.get(name).map(|object| (object.uid(), object.resource_version()))
}

fn status_write<K: Reported>(
    name: String,
    uid: Option<String>,
    version: Option<String>,
    before: K::Status,
    wanted: K::Status,
) -> StatusWrite {
    let object = json!({
        "apiVersion": API_VERSION,
        "kind": K::kind(&()),
        // Another object of the same name is not to get the status of its predecessor.
        "metadata": { "name": name, "uid": uid },
        "status": K::own(&wanted),
    });
    let target = Target { kind: K::WRITTEN, name };
    let subject = Subject { target: target.clone(), uid };
    let stamp = Stamp { digest: digest(&without_times(&object)), seen: version };
    let status = K::wrap(wanted);
    let change = Change::Status { object, status: Box::new(status), subject: Box::new(subject.clone()) };
    StatusWrite { write: Write { target, change, stamp }, subject, before: K::wrap(before) }
}

/// The times of conditions are those of the moment of writing: they make no difference.
fn without_times(object: &Value) -> Value {
    let mut object = object.clone();
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
        condition.remove("lastTransitionTime");
    }
    object
}

#[cfg(test)]
mod tests {
    use holdfast_crds::condition::{ReadyReason, condition};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use kube::runtime::watcher::Event;

    use super::*;

    fn store(status: &Value) -> Store<VirtualIP> {
        let mut store = Store::default();
        let object = json!({
            "metadata": { "name": "web", "uid": "u", "resourceVersion": "7" },
            "spec": { "addresses": ["192.0.2.1"] }, "status": status,
        });
        store.apply(Event::Apply(serde_json::from_value(object).unwrap()));
        store
    }

    fn wanted(transitions: i64, second: i64) -> VirtualIPStatus {
        let now = Time(Timestamp::from_second(second).unwrap());
        VirtualIPStatus {
            master: Some("node-1".to_owned()),
            transitions: Some(transitions),
            conditions: vec![condition(ReadyReason::NoMaster, "nobody", None, now)],
            ..VirtualIPStatus::default()
        }
    }

    fn only(seen: &Store<VirtualIP>, wanted: VirtualIPStatus) -> StatusWrite {
        let mut writes = writes(seen, &[("web".to_owned(), wanted)].into(), |_, _| false);
        assert_eq!(writes.len(), 1);
        writes.remove(0)
    }

    #[test]
    fn what_the_agents_write_is_left_out() {
        let write = only(&store(&json!({ "master": "node-2" })), wanted(1, 0));
        let Change::Status { object, .. } = &write.write.change else { panic!() };
        assert_eq!(object["metadata"], json!({ "name": "web", "uid": "u" }));
        assert_eq!(object["status"]["transitions"], 1);
        assert_eq!((object["status"].get("master"), object["status"].get("masterSince")), (None, None));
    }

    #[test]
    fn what_is_the_same_or_about_nothing_is_not_written() {
        let seen = store(&json!({}));
        assert!(writes(&seen, &[("web".to_owned(), wanted(1, 0))].into(), |_, _| true).is_empty());
        assert!(writes(&seen, &[("gone".to_owned(), wanted(1, 0))].into(), |_, _| false).is_empty());
    }

    #[test]
    fn the_moment_of_writing_makes_no_other_write_of_it() {
        let seen = store(&json!({}));
        let stamp = |transitions, second| only(&seen, wanted(transitions, second)).write.stamp;
        assert_eq!(stamp(1, 0), stamp(1, 99));
        assert_ne!(stamp(1, 0), stamp(2, 0));
    }

    #[test]
    fn an_object_that_was_never_read_has_a_status_too() {
        let mut seen = Store::<VirtualIP>::default();
        let object = json!({ "metadata": { "name": "web", "uid": "u" }, "spec": 5 });
        seen.apply(Event::Apply(serde_json::from_value(object).unwrap()));
        let write = only(&seen, wanted(1, 0));
        assert_eq!(write.subject.uid.as_deref(), Some("u"));
        assert_eq!(write.before, Status::VirtualIP(Box::default()));
    }
}
