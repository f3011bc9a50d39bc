//! Carries out every change of the configuration: tells health checks and elections what to run, and people what is
//! wrong.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::app::Configuration;
use crate::checks::Supervisor;
use crate::election::ElectionHandle;
use crate::passwords::Passwords;
use crate::source::{Folder, Follower, Manifests, NodeIdentity, Update};
use crate::kubernetes::Following;
use crate::state_dir::StateDir;
use crate::translate::{Refusal, translate};

/// Whom to tell, and where the passwords come from.
pub struct Configurator {
    /// The election thread.
    pub election: ElectionHandle,
    /// The health checks.
    pub checks: Arc<Supervisor>,
    /// The state folder, where the last good manifests are saved.
    pub state: Arc<StateDir>,
    /// How the configuration is doing.
    pub publish: watch::Sender<Configuration>,
    /// The passwords.
    pub passwords: Passwords,
}

impl Configurator {
    /// Follows a folder of manifests, for ever.
    pub async fn follow(mut self, folder: Folder, identity: NodeIdentity) {
        let saved = Manifests::load(self.state.load_manifests());
        let mut follower = Follower::new(folder, self.passwords.clone(), identity, saved);
        loop {
            let update = follower.changed().await;
            self.state.save_manifests(&follower.manifests().save());
            self.carry_out(update);
        }
    }

    /// Follows the `NodeConfig` of this node, for as long as it is watched.
    pub async fn follow_node_config(mut self, mut following: Following) {
        following.follow(&mut self).await;
    }

    /// Returns the groups that cannot run.
    pub(crate) fn carry_out(&mut self, update: Update) -> Vec<Refusal> {
        let translation = translate(&update.spec, &mut self.passwords);
        let mut errors: Vec<String> = update.problems.iter().map(ToString::to_string).collect();
        errors.extend(translation.refusals.iter().map(ToString::to_string));
        errors.extend(translation.warnings);
        info!(
            event = "configuration",
            groups = translation.desired.groups.len(),
            health_checks = update.spec.health_checks.len(),
            problems = errors.len(),
            "the configuration has changed"
        );
        self.tell_news(&errors);
        let desired = Arc::new(translation.desired.clone());
        // Checks first: a group that waits for one must not find it missing.
        self.checks.apply(update.spec.health_checks);
        self.election.apply(translation.desired);
        self.publish.send_modify(|configuration| {
            configuration.loaded = true;
            configuration.desired = desired;
            configuration.errors = errors;
        });
        translation.refusals
    }

    /// Takes a problem of the configuration as a whole back, and tells another.
    pub(crate) fn replace_problem(&self, before: Option<&str>, now: Option<&str>) {
        if before == now {
            return;
        }
        let mut errors = self.publish.borrow().errors.clone();
        errors.retain(|error| Some(error.as_str()) != before);
        errors.extend(now.map(str::to_owned));
        self.tell_news(&errors);
        self.publish.send_modify(|configuration| configuration.errors = errors);
    }

    /// What was wrong before need not be said again.
    fn tell_news(&self, errors: &[String]) {
        let before = &self.publish.borrow().errors;
        for problem in errors.iter().filter(|problem| !before.contains(problem)) {
            warn!(event = "configuration-problem", "{problem}");
        }
        for solved in before.iter().filter(|problem| !errors.contains(problem)) {
            info!(event = "configuration-problem-solved", "solved: {solved}");
        }
    }
}
