//! What was said of each object last, as long as the watch has not brought it back. Pure.
//!
//! Transitions are told once a status is written, by what stood there before. That is what was seen, unless something newer
//! was written that has not been seen yet: otherwise one transition would be told twice.

use std::collections::BTreeMap;

use crate::status::{Status, StatusWrite, Subject};

/// The statuses that were written and not yet seen, and what stood there before those that wait to be written.
#[derive(Debug, Default)]
pub struct Told {
    before: BTreeMap<Subject, Status>,
}

impl Told {
    /// These writes wait, and no others: what is remembered of others is forgotten once it was seen.
    pub fn wait_for(&mut self, writes: &[StatusWrite], is_seen: impl Fn(&Subject, &Status) -> bool) {
        self.before.retain(|subject, status| !is_seen(subject, status));
        for write in writes {
            self.before.entry(write.subject.clone()).or_insert_with(|| write.before.clone());
        }
    }

    /// A status was written: what stood there before, if that is known.
    pub fn written(&mut self, subject: &Subject, status: Status) -> Option<Status> {
        self.before.insert(subject.clone(), status)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_crds::VirtualIPStatus;
    use serde_json::Value;

    use super::*;
    use crate::write::{Change, Stamp, Target, Write, Written};

    fn subject() -> Subject {
        Subject { target: Target { kind: Written::VirtualIPStatus, name: "web".to_owned() }, uid: None }
    }

    fn status(transitions: i64) -> Status {
        Status::VirtualIP(Box::new(VirtualIPStatus { transitions: Some(transitions), ..Default::default() }))
    }

    /// A write over the status `seen`.
    fn write(seen: i64) -> StatusWrite {
        let stamp = Stamp { digest: 0, seen: None };
        let write = Write { target: subject().target, change: Change::Apply(Value::Null), stamp };
        StatusWrite { write, subject: subject(), before: status(seen) }
    }

    #[test]
    fn what_stood_there_before_is_what_was_seen() {
        let mut told = Told::default();
        told.wait_for(&[write(1)], |_, _| false);
        assert_eq!(told.written(&subject(), status(2)), Some(status(1)));
    }

    #[test]
    fn what_was_written_and_not_yet_seen_counts() {
        let mut told = Told::default();
        told.wait_for(&[write(1)], |_, _| false);
        told.written(&subject(), status(2));
        told.wait_for(&[write(1)], |_, _| false);
        assert_eq!(told.written(&subject(), status(3)), Some(status(2)));
    }

    #[test]
    fn what_was_seen_is_forgotten() {
        let mut told = Told::default();
        told.wait_for(&[write(1)], |_, _| false);
        told.written(&subject(), status(2));
        told.wait_for(&[], |_, seen| *seen == status(2));
        assert!(told.before.is_empty());
    }
}
