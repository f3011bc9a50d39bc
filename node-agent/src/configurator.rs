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
use crate::state_dir::StateDir;
use crate::translate::translate;

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

    fn carry_out(&mut self, update: Update) {
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
