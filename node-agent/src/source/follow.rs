//! Noticing changes of the folder: by the kernel's notice at once, and by looking again every few seconds, since some
//! file systems tell nothing and a folder may be replaced as a whole.

use std::path::PathBuf;
use std::time::Duration;

use holdfast_crds::NodeConfigSpec;
use inotify::{Inotify, WatchMask};
use tokio::time::{sleep, timeout};

use super::compile::{NodeIdentity, compile};
use super::folder::Folder;
use super::manifests::{Files, Manifests};
use super::problem::Problem;
use crate::passwords::Passwords;
use crate::readable::Readable;

/// Several files written together make one change.
const SETTLING: Duration = Duration::from_millis(100);

/// Between two looks without a notice.
const RESCAN: Duration = Duration::from_secs(5);

/// Between two looks for a folder that is not there.
const RETRY: Duration = Duration::from_millis(500);

/// A configuration that differs from the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What this node runs.
    pub spec: NodeConfigSpec,
    /// Everything that is wrong with the manifests.
    pub problems: Vec<Problem>,
}

/// Follows a folder of manifests, and the passwords that they refer to.
pub struct Follower {
    folder: Folder,
    passwords: Passwords,
    identity: NodeIdentity,
    manifests: Manifests,
    seen: Option<Seen>,
}

/// What was there at the last look. Reading is cheap, applying every rule to thousands of objects is not.
#[derive(PartialEq)]
struct Seen {
    files: Result<Files, String>,
    passwords: Vec<(PathBuf, Vec<u8>)>,
}

impl Follower {
    /// Follows `folder` for this node, beginning with the objects of an earlier run.
    pub fn new(folder: Folder, passwords: Passwords, identity: NodeIdentity, manifests: Manifests) -> Self {
        Self { folder, passwords, identity, manifests, seen: None }
    }

    /// The objects in force.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Looks now. Returns the configuration if anything has changed; the first look always counts as a change.
    pub fn look(&mut self) -> Option<Update> {
        let files = self.folder.read().map_err(|error| error.to_string());
        let seen = Seen { files, passwords: self.passwords.fingerprint() };
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        let mut problems = match &seen.files {
            Ok(files) => self.manifests.update(files),
            Err(error) => vec![Problem { message: error.clone(), ..Problem::default() }],
        };
        self.seen = Some(seen);
        let compiled = compile(self.manifests.objects(), &self.identity, &[]);
        problems.extend(compiled.problems);
        Some(Update { spec: compiled.spec, problems })
    }

    /// Waits for the next change.
    pub async fn changed(&mut self) -> Update {
        loop {
            // The watch begins before the look, so that nothing is missed between them. It is made anew each time, so that
            // a folder that was replaced, or comes late, is found.
            let notices = watch(&self.folder);
            if let Some(update) = self.look() {
                return update;
            }
            match notices {
                Some(notices) => wait_for_notice(&notices).await,
                None => sleep(RETRY).await,
            }
        }
    }
}

async fn wait_for_notice(notices: &Readable) {
    if timeout(RESCAN, notices.wait()).await.is_ok() {
        sleep(SETTLING).await;
    }
}

/// The notice stays until the next watch is made: one is enough.
fn watch(folder: &Folder) -> Option<Readable> {
    let inotify = Inotify::init().ok()?;
    let changes = WatchMask::CREATE
        | WatchMask::CLOSE_WRITE
        | WatchMask::MOVE
        | WatchMask::DELETE
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ATTRIB;
    inotify.watches().add(folder.path(), changes).ok()?;
    Readable::new(inotify.into()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    const WEB: &str = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: web}\n\
                       spec: {addresses: [192.0.2.1]}\n";

    fn follower(path: &std::path::Path) -> Follower {
        let identity = NodeIdentity { name: "a".to_owned(), labels: BTreeMap::new() };
        Follower::new(Folder::new(path), Passwords::default(), identity, Manifests::default())
    }

    async fn changed(follower: &mut Follower) -> Update {
        timeout(Duration::from_secs(10), follower.changed()).await.expect("a change")
    }

    #[tokio::test]
    async fn a_new_file_and_its_removal_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = follower(folder.path());
        assert_eq!(changed(&mut follower).await, Update::default(), "the first look always counts");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        assert_eq!(changed(&mut follower).await.spec.virtual_routers.len(), 1);
        fs::remove_file(folder.path().join("web.yaml")).expect("removed");
        assert!(changed(&mut follower).await.spec.virtual_routers.is_empty());
    }

    #[tokio::test]
    async fn a_folder_that_comes_late_and_one_that_is_swapped_by_a_link_are_noticed() {
        let base = tempfile::tempdir().expect("a folder");
        // As a mounted ConfigMap: files are links into a folder that a link names, and only that link changes.
        let mount = base.path().join("mount");
        let mut follower = follower(&mount);
        let update = changed(&mut follower).await;
        assert!(update.problems[0].to_string().contains("cannot read the manifests"), "{update:?}");
        for (version, text) in [("v1", ""), ("v2", WEB)] {
            fs::create_dir(base.path().join(version)).expect("a folder");
            fs::write(base.path().join(version).join("web.yaml"), text).expect("a file");
        }
        fs::create_dir(&mount).expect("a folder");
        std::os::unix::fs::symlink(base.path().join("v1"), mount.join("..data")).expect("a link");
        std::os::unix::fs::symlink("..data/web.yaml", mount.join("web.yaml")).expect("a link");
        assert_eq!(changed(&mut follower).await, Update::default());
        std::os::unix::fs::symlink(base.path().join("v2"), mount.join("..next")).expect("a link");
        fs::rename(mount.join("..next"), mount.join("..data")).expect("swapped");
        assert_eq!(changed(&mut follower).await.spec.virtual_routers.len(), 1);
    }

    #[test]
    fn what_an_earlier_run_saved_is_in_force_while_the_folder_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let mut before = follower(folder.path());
        before.look().expect("a change");
        let saved = before.manifests().save();
        let identity = before.identity.clone();
        let missing = Folder::new(folder.path().join("missing"));
        let mut after = Follower::new(missing, Passwords::default(), identity, Manifests::load(saved));
        let update = after.look().expect("a change");
        assert_eq!(update.spec.virtual_routers.len(), 1);
        assert_eq!(update.problems.len(), 1);
    }
}
