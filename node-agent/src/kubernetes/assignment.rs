//! What this node runs, from what was seen of its NodeConfig (pure).
//!
//! What is in force stays in force until something better is known: while the API server is gone, while the object makes no
//! sense, while its kind does not exist. Only an object that is gone for long while the API server is there means to stop, or one
//! that went with its Node.

use std::time::{Duration, Instant};

use holdfast_crds::NodeConfigSpec;

use super::programmed::Problem;
use super::seen::{Identity, LiveNodeConfig, Seen};

/// How long what a NodeConfig said outlives it. The operator puts back at once what somebody has deleted by hand.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// What this node runs, and what is known about why.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    node: String,
    in_force: Option<NodeConfigSpec>,
    presence: Presence,
    unreadable: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Presence {
    /// The API server has not said yet, for this reason if there is one.
    Unknown(Option<String>),
    /// It is there; this is the last version that made sense.
    Present(Option<Identity>),
    /// It does not exist, as far as this has been known without a break.
    AbsentSince(Instant),
    /// It has been gone for longer than the grace.
    Gone,
}

impl Assignment {
    /// Begins with what an earlier run has saved.
    pub(super) fn new(node: &str, saved: Option<NodeConfigSpec>) -> Self {
        Self { node: node.to_owned(), in_force: saved, presence: Presence::Unknown(None), unreadable: None }
    }

    /// Takes in one look at the NodeConfig.
    pub(super) fn see(&mut self, seen: Seen, now: Instant) {
        match seen {
            Seen::Present(live) => {
                let LiveNodeConfig { identity, spec, .. } = *live;
                self.in_force = Some(spec);
                self.presence = Presence::Present(Some(identity));
                self.unreadable = None;
            }
            Seen::Unreadable { error } => {
                if !matches!(self.presence, Presence::Present(_)) {
                    self.presence = Presence::Present(None);
                }
                self.unreadable = Some(error);
            }
            Seen::Absent => self.miss(now),
            // It has not been deleted by mistake: its Node was, and nobody will put it back.
            Seen::Dismissed(_) if matches!(self.presence, Presence::AbsentSince(_)) && self.in_force.is_some() => {
                self.in_force = Some(NodeConfigSpec::default());
                self.presence = Presence::Gone;
            }
            // Nobody knows whether it was absent meanwhile.
            Seen::Failed(failure) | Seen::Dismissed(failure) => {
                if matches!(self.presence, Presence::AbsentSince(_) | Presence::Unknown(_)) {
                    self.presence = Presence::Unknown(Some(failure.to_string()));
                }
            }
        }
    }

    fn miss(&mut self, now: Instant) {
        self.unreadable = None;
        self.presence = match self.presence {
            Presence::Gone => Presence::Gone,
            Presence::AbsentSince(since) if now >= since + GRACE && self.in_force.is_some() => {
                self.in_force = Some(NodeConfigSpec::default());
                Presence::Gone
            }
            Presence::AbsentSince(since) => Presence::AbsentSince(since),
            Presence::Unknown(_) | Presence::Present(_) => Presence::AbsentSince(now),
        };
    }

    /// When to look again whether it is really gone.
    pub(super) fn confirm_absence_at(&self) -> Option<Instant> {
        match self.presence {
            Presence::AbsentSince(since) if self.in_force.is_some() => Some(since + GRACE),
            _ => None,
        }
    }

    /// What this node runs; none while nothing was ever known.
    pub(super) fn spec(&self) -> Option<&NodeConfigSpec> {
        self.in_force.as_ref()
    }

    /// The version of the NodeConfig in the cluster that is in force; none for one of an earlier run.
    pub(super) fn identity(&self) -> Option<&Identity> {
        match &self.presence {
            Presence::Present(identity) => identity.as_ref(),
            _ => None,
        }
    }

    /// What is wrong, for people; none when all is well. That the API server cannot be reached is no problem as long as
    /// something is in force.
    pub(super) fn problem(&self) -> Option<Problem> {
        if !matches!(self.presence, Presence::Present(_)) {
            return self.missing().map(Problem::Missing);
        }
        let error = self.unreadable.as_ref()?;
        let rest = if self.in_force.is_some() { "; the last good one stays in force" } else { "" };
        let node = &self.node;
        Some(Problem::Unreadable(format!("NodeConfig {node:?} makes no sense to this agent: {error}{rest}")))
    }

    fn missing(&self) -> Option<String> {
        let node = &self.node;
        match (&self.presence, &self.in_force) {
            (Presence::AbsentSince(_), Some(_)) => Some(format!(
                "NodeConfig {node:?} does not exist any more: if the operator does not put it back within {GRACE:?}, this \
                 node stops to take part"
            )),
            (Presence::AbsentSince(_), None) => Some(format!(
                "there is no NodeConfig {node:?} yet: the operator writes one for every Node; does it run, and is there a \
                 Node of this name?"
            )),
            (Presence::Gone, _) => Some(format!("NodeConfig {node:?} is gone: this node takes no part any more")),
            (Presence::Unknown(Some(failure)), None) => Some(format!("cannot read NodeConfig {node:?}: {failure}")),
            (Presence::Unknown(_) | Presence::Present(_), _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_crds::ElectionGroup;

    use super::super::failure::FailureKind;
    use super::*;

    /// A spec that can be told apart.
    fn spec(group: &str) -> NodeConfigSpec {
        let group: ElectionGroup =
            serde_json::from_value(serde_json::json!({ "name": group, "virtualIPs": [group] })).expect("a group");
        NodeConfigSpec { groups: vec![group], ..NodeConfigSpec::default() }
    }

    fn present(group: &str, generation: i64) -> Seen {
        let identity = Identity { uid: "7f3c".to_owned(), generation };
        Seen::Present(Box::new(LiveNodeConfig { identity, spec: spec(group), ..LiveNodeConfig::default() }))
    }

    fn unreadable() -> Seen {
        Seen::Unreadable { error: "spec.groups: expected a list".to_owned() }
    }

    fn failed() -> Seen {
        Seen::Failed(crate::kubernetes::failure::Failure {
            kind: FailureKind::Unreachable,
            message: "connection refused".to_owned(),
        })
    }

    fn dismissed() -> Seen {
        Seen::Dismissed(crate::kubernetes::failure::Failure {
            kind: FailureKind::NotFound,
            message: "nodes \"a\" not found".to_owned(),
        })
    }

    fn generation(assignment: &Assignment) -> Option<i64> {
        assignment.identity().map(|identity| identity.generation)
    }

    #[test]
    fn what_an_earlier_run_saved_is_in_force_at_once() {
        let assignment = Assignment::new("a", Some(spec("web")));
        assert_eq!(assignment.spec(), Some(&spec("web")));
        assert_eq!((assignment.identity(), assignment.problem()), (None, None));
    }

    #[test]
    fn a_new_version_is_in_force_at_once() {
        let mut assignment = Assignment::new("a", Some(spec("old")));
        assignment.see(present("web", 4), Instant::now());
        assert_eq!((assignment.spec(), generation(&assignment)), (Some(&spec("web")), Some(4)));
    }

    #[test]
    fn an_outage_changes_nothing_and_is_no_problem() {
        let mut assignment = Assignment::new("a", None);
        assignment.see(present("web", 4), Instant::now());
        assignment.see(failed(), Instant::now());
        assert_eq!((assignment.spec(), generation(&assignment)), (Some(&spec("web")), Some(4)));
        assert_eq!(assignment.problem(), None);
    }

    #[test]
    fn without_anything_in_force_an_outage_is_what_is_wrong() {
        let mut assignment = Assignment::new("a", None);
        assignment.see(failed(), Instant::now());
        let problem = Problem::Missing("cannot read NodeConfig \"a\": connection refused".to_owned());
        assert_eq!(assignment.problem(), Some(problem));
    }

    #[test]
    fn one_that_makes_no_sense_leaves_the_last_good_one_in_force() {
        let mut assignment = Assignment::new("a", None);
        assignment.see(present("web", 4), Instant::now());
        assignment.see(unreadable(), Instant::now());
        assert_eq!((assignment.spec(), generation(&assignment)), (Some(&spec("web")), Some(4)));
        let problem = assignment.problem();
        assert!(
            matches!(&problem, Some(Problem::Unreadable(text)) if text.contains("the last good one stays in force")),
            "{problem:?}"
        );
        assignment.see(present("web", 6), Instant::now());
        assert_eq!(assignment.problem(), None);
    }

    #[test]
    fn one_that_is_gone_is_outlived_for_the_grace_and_no_longer() {
        let start = Instant::now();
        let mut assignment = Assignment::new("a", Some(spec("web")));
        assignment.see(Seen::Absent, start);
        assert_eq!(assignment.confirm_absence_at(), Some(start + GRACE));
        assignment.see(Seen::Absent, start + GRACE / 2);
        assert_eq!(assignment.spec(), Some(&spec("web")));
        assignment.see(Seen::Absent, start + GRACE);
        assert_eq!(assignment.spec(), Some(&NodeConfigSpec::default()));
        assert_eq!(assignment.confirm_absence_at(), None, "it is gone");
        assert!(matches!(assignment.problem(), Some(Problem::Missing(text)) if text.contains("is gone")));
        assignment.see(present("web", 1), start + GRACE * 2);
        assert_eq!((assignment.spec(), assignment.problem()), (Some(&spec("web")), None));
    }

    #[test]
    fn the_grace_counts_only_while_the_api_server_says_that_it_is_gone() {
        let start = Instant::now();
        let mut assignment = Assignment::new("a", Some(spec("web")));
        assignment.see(Seen::Absent, start);
        // Such as "the server could not find the requested resource", while its kind does not exist.
        assignment.see(failed(), start + GRACE / 2);
        assert_eq!(assignment.confirm_absence_at(), None);
        assignment.see(Seen::Absent, start + GRACE * 10);
        assert_eq!(assignment.spec(), Some(&spec("web")), "nobody knows for how long it has been gone");
        assert_eq!(assignment.confirm_absence_at(), Some(start + GRACE * 11));
    }

    #[test]
    fn one_that_went_with_its_node_is_not_outlived() {
        let mut assignment = Assignment::new("a", None);
        assignment.see(present("web", 4), Instant::now());
        assignment.see(Seen::Absent, Instant::now());
        assignment.see(dismissed(), Instant::now());
        assert_eq!(assignment.spec(), Some(&NodeConfigSpec::default()));
        assert_eq!(assignment.confirm_absence_at(), None);
        assignment.see(dismissed(), Instant::now());
        assignment.see(present("web", 1), Instant::now());
        assert_eq!((assignment.spec(), assignment.problem()), (Some(&spec("web")), None), "the Node is back");
    }

    #[test]
    fn an_account_that_is_gone_alone_changes_nothing() {
        let mut assignment = Assignment::new("a", None);
        assignment.see(present("web", 4), Instant::now());
        assignment.see(dismissed(), Instant::now());
        assignment.see(dismissed(), Instant::now() + GRACE * 2);
        assert_eq!((assignment.spec(), generation(&assignment)), (Some(&spec("web")), Some(4)));
    }

    #[test]
    fn one_that_was_never_there_is_waited_for() {
        let start = Instant::now();
        let mut assignment = Assignment::new("a", None);
        assignment.see(Seen::Absent, start);
        assert!(matches!(assignment.problem(), Some(Problem::Missing(text)) if text.contains("does it run")));
        assert_eq!((assignment.spec(), assignment.confirm_absence_at()), (None, None));
        assignment.see(Seen::Absent, start + GRACE * 2);
        assert_eq!(assignment.spec(), None);
    }
}
