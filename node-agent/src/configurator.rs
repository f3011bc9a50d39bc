//! Carries out every change of the configuration: tells health checks and elections what to run, and people what is
//! wrong.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::app::Configuration;
use crate::checks::Supervisor;
use crate::election::ElectionHandle;
use crate::kubernetes::Following;
use crate::outlive::{Pauses, outlive_panics};
use crate::passwords::Passwords;
use crate::source::{Folder, Follower, Manifests, NodeIdentity, Update};
use crate::state_dir::StateDir;
use crate::system;
use crate::translate::{Refusal, translate};

/// Before the configuration is followed again, after a fault of the agent.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause: if the fault is in how the present configuration is read, only another one helps.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After it the election thread has taken a change over.
const TAKEN_OVER: Duration = Duration::from_secs(1);

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
    /// Follows a folder of manifests, for ever. After a fault of the agent it begins anew; what was in force stays so.
    pub async fn follow(self, folder: Folder, identity: NodeIdentity) {
        let publish = self.publish.clone();
        outlive_panics(
            &mut (self, folder, identity),
            Pauses::new(FIRST_PAUSE, LONGEST_PAUSE),
            |(this, folder, identity)| Box::pin(this.follow_folder(folder, identity)),
            |panic, pause| note_fault(&publish, panic, pause),
        )
        .await;
    }

    async fn follow_folder(&mut self, folder: &Folder, identity: &NodeIdentity) {
        let saved = Manifests::load(self.state.load_manifests());
        let mut follower = Follower::new(folder.clone(), self.passwords.clone(), identity.clone(), &saved);
        drop(saved);
        loop {
            let update = follower.changed().await;
            self.carry_out(update);
            // What cannot be carried out is not what the next run should begin with.
            self.state.save_manifests(follower.manifests());
            give_back_memory_soon();
        }
    }

    /// Follows the `NodeConfig` of this node, for as long as it is watched. After a fault of the agent it begins anew, with
    /// another look; what was in force stays so.
    pub async fn follow_node_config(self, following: Following) {
        let publish = self.publish.clone();
        outlive_panics(
            &mut (self, following),
            Pauses::new(FIRST_PAUSE, LONGEST_PAUSE),
            |(this, following)| Box::pin(following.follow(this)),
            |panic, pause| note_fault(&publish, panic, pause),
        )
        .await;
    }

    /// Returns the groups that cannot run.
    pub(crate) fn carry_out(&mut self, update: Update) -> Vec<Refusal> {
        let mut errors: Vec<String> = update.problems.iter().map(ToString::to_string).collect();
        let Some(spec) = update.spec else {
            self.add_problems(errors);
            return Vec::new();
        };
        let mut translation = translate(&spec, &mut self.passwords);
        translation.desired.share(&self.publish.borrow().desired);
        errors.extend(translation.refusals.iter().map(ToString::to_string));
        errors.extend(translation.warnings);
        info!(
            event = "configuration",
            groups = translation.desired.groups.len(),
            health_checks = spec.health_checks.len(),
            problems = errors.len(),
            "the configuration has changed"
        );
        self.tell_news(&errors);
        let desired = Arc::new(translation.desired.clone());
        // Checks first: a group that waits for one must not find it missing.
        self.checks.apply(spec.health_checks);
        self.election.apply(translation.desired);
        self.publish.send_modify(|configuration| {
            configuration.loaded = true;
            configuration.desired = desired;
            configuration.errors = errors;
            configuration.fault = None;
        });
        translation.refusals
    }

    /// Tells what is wrong beside what was wrong before.
    fn add_problems(&self, problems: Vec<String>) {
        let mut errors = self.publish.borrow().errors.clone();
        errors.extend(problems.into_iter().filter(|problem| !errors.contains(problem)).collect::<Vec<_>>());
        self.tell_news(&errors);
        self.publish.send_modify(|configuration| configuration.errors = errors);
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

/// A change takes much memory for a moment. Not at once: the election thread takes the change over just now, for which it
/// needs memory itself, and gives up what it had.
pub(crate) fn give_back_memory_soon() {
    tokio::spawn(async {
        sleep(TAKEN_OVER).await;
        system::give_back_memory();
    });
}

/// What cannot be followed any more stays as it was: the elections go on.
fn note_fault(publish: &watch::Sender<Configuration>, panic: &str, pause: Duration) {
    error!(
        event = "configuration-fault",
        pause_seconds = pause.as_secs(),
        "a fault of the agent keeps it from following the configuration ({panic}); what was in force stays in force, and \
         it is tried again in {pause:?}"
    );
    publish.send_modify(|configuration| {
        configuration.faults += 1;
        configuration.fault = Some(format!(
            "a fault of the agent keeps it from following the configuration ({panic}); what was in force stays in force"
        ));
    });
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;
    use crate::checks::CheckOptions;
    use crate::election;

    const WEB: &str = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: web}\n\
                       spec: {addresses: [192.0.2.1]}\n";

    #[tokio::test]
    async fn after_a_fault_the_configuration_stays_in_force_and_is_told_of_until_it_is_followed_again() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let (publish, mut published) = watch::channel(Configuration::default());
        let configurator = Configurator {
            election: election::handle_of_nobody().expect("a handle"),
            checks: Arc::new(Supervisor::new(CheckOptions::default(), |_, _| {})),
            state: Arc::new(StateDir::open(folder.path().join("state").as_path()).expect("a state folder")),
            publish: publish.clone(),
            passwords: Passwords::default(),
        };
        let identity = NodeIdentity { name: "a".to_owned(), labels: [].into() };
        let mut time = 0;

        let mut work = (configurator, Folder::new(folder.path()), identity);
        let following = outlive_panics(
            &mut work,
            Pauses::new(Duration::from_millis(1), Duration::from_millis(1)),
            |(this, folder, identity)| {
                time += 1;
                let faulty = time == 2;
                Box::pin(async move {
                    assert!(!faulty, "planted");
                    // The first time it is left in the middle, with something in force.
                    let limit = Duration::from_secs(if time == 1 { 2 } else { 600 });
                    let _ = timeout(limit, this.follow_folder(folder, identity)).await;
                    assert!(time != 1, "the first fault");
                })
            },
            |panic, pause| note_fault(&publish, panic, pause),
        );
        let observing = async {
            let groups = |configuration: &Configuration| configuration.desired.groups.len();
            published.wait_for(|configuration| configuration.loaded).await.expect("published");
            let faulty =
                published.wait_for(|configuration| configuration.faults == 1).await.expect("published").clone();
            assert_eq!(groups(&faulty), 1, "it stays in force");
            assert!(faulty.problems()[0].contains("the first fault"), "{:?}", faulty.problems());
            let followed = |configuration: &Configuration| configuration.faults == 2 && configuration.fault.is_none();
            let mended = published.wait_for(followed).await.expect("published").clone();
            assert_eq!((groups(&mended), mended.problems()), (1, Vec::new()));
        };
        tokio::select! {
            () = following => panic!("it goes on"),
            () = observing => {}
        }
    }
}
