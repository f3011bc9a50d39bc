//! Makes the node run what its NodeConfig says, from the first moment: what an earlier run has saved at once, and what the
//! API server says as soon as it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_crds::NodeConfigSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep_until};

use super::assignment::Assignment;
use super::programmed::{Problem, Programmed};
use super::seen::Seen;
use crate::configurator::{Configurator, give_back_memory_soon};
use crate::source::Update;

/// Between two looks at the passwords.
const PASSWORDS: Duration = Duration::from_secs(5);

/// After a confirmation of absence was asked for, how long to wait for it before asking again.
const CONFIRMATION: Duration = Duration::from_secs(5);

/// What the NodeConfig is followed with.
pub struct Following {
    /// The name of the node.
    pub(super) node: String,
    /// What is seen of the NodeConfig.
    pub(super) seen: Receiver<Seen>,
    /// A wish to look anew.
    pub(super) look: Arc<Notify>,
    /// What is carried out.
    pub(super) programmed: watch::Sender<Programmed>,
    /// The conditions of the status as they were seen first.
    pub(super) conditions: watch::Sender<Vec<Condition>>,
    /// Whether it was followed before.
    pub(super) begun: bool,
}

/// What is in force, and what makes a difference to it.
#[derive(Default)]
struct InForce {
    spec: Option<NodeConfigSpec>,
    passwords: Vec<(PathBuf, Vec<u8>)>,
    problem: Option<Problem>,
}

impl Following {
    /// Follows the NodeConfig for as long as somebody watches it.
    ///
    /// May be called again, after a panic in the middle of it.
    pub async fn follow(&mut self, configurator: &mut Configurator) {
        if std::mem::replace(&mut self.begun, true) {
            // What was seen then is lost.
            self.look.notify_one();
        }
        let mut assignment = Assignment::new(&self.node, configurator.state.load_node_config());
        let (mut in_force, mut passwords) = (InForce::default(), interval(PASSWORDS));
        self.carry_out(&assignment, &mut in_force, configurator);
        let mut asked = None;
        loop {
            let confirm_at =
                assignment.confirm_absence_at().map(|at| asked.map_or(at, |asked| at.max(asked + CONFIRMATION)));
            tokio::select! {
                seen = self.seen.recv() => {
                    let Some(seen) = seen else { return };
                    self.note_conditions(&seen);
                    assignment.see(seen, Instant::now());
                }
                _ = passwords.tick() => {}
                () = sleep_until(confirm_at.unwrap_or_else(|| Instant::now() + PASSWORDS).into()), if confirm_at.is_some() => {
                    asked = Some(Instant::now());
                    self.look.notify_one();
                }
            }
            self.carry_out(&assignment, &mut in_force, configurator);
        }
    }

    /// They keep their transition times over a restart of the agent.
    fn note_conditions(&self, seen: &Seen) {
        if let Seen::Present(live) = seen {
            self.conditions.send_if_modified(|conditions| {
                let first = conditions.is_empty() && !live.conditions.is_empty();
                if first {
                    conditions.clone_from(&live.conditions);
                }
                first
            });
        }
    }

    /// Carries out what differs from what is in force.
    fn carry_out(&self, assignment: &Assignment, in_force: &mut InForce, configurator: &mut Configurator) {
        let problem = assignment.problem();
        let passwords = configurator.passwords.fingerprint();
        if let Some(spec) = assignment.spec()
            && (in_force.spec.as_ref() != Some(spec) || in_force.passwords != passwords)
        {
            let refusals = configurator.carry_out(Update { spec: Some(spec.clone()), problems: Vec::new() });
            configurator.state.save_node_config(spec);
            in_force.spec = Some(spec.clone());
            in_force.passwords = passwords;
            // Those were replaced by what was found now.
            in_force.problem = None;
            self.programmed.send_modify(|programmed| {
                programmed.spec = Arc::new(spec.clone());
                programmed.refusals = refusals;
            });
            give_back_memory_soon();
        }
        configurator
            .replace_problem(in_force.problem.as_ref().map(Problem::message), problem.as_ref().map(Problem::message));
        in_force.problem.clone_from(&problem);
        // Only now: whoever sees the new version may count on its being carried out.
        self.programmed.send_if_modified(|programmed| {
            let differs = programmed.identity.as_ref() != assignment.identity() || programmed.problem != problem;
            programmed.identity = assignment.identity().cloned();
            programmed.problem = problem;
            differs
        });
    }
}
