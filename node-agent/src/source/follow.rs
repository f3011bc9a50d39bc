//! Noticing changes of the folder: by the kernel's notice at once, and by looking again every few seconds, since some
//! file systems tell nothing and files may be links to elsewhere.
//!
//! A look may come while somebody writes. So a change counts only once it has stayed for a moment: half a file is not
//! taken for a file, nor one that was emptied to be filled again for one whose objects are to go.

use std::path::PathBuf;
use std::time::Duration;

use holdfast_crds::NodeConfigSpec;
use inotify::{Inotify, WatchMask};
use tokio::time::{Instant, sleep, timeout};

use super::compile::{NodeIdentity, compile};
use super::folder::Folder;
use super::manifests::{Files, Manifests};
use super::problem::Problem;
use crate::passwords::Passwords;
use crate::readable::Readable;

/// Several files written together make one change, and one that is being written settles first.
const SETTLING: Duration = Duration::from_millis(50);

/// A file that is emptied is most often about to be filled: by a shell, with the output of a slow command.
const SETTLING_OF_EMPTIED: Duration = Duration::from_secs(2);

/// How long files may go on changing before they count as they are.
const SETTLED_AT_LAST: Duration = Duration::from_secs(10);

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

/// What was there at a look. Reading is cheap, applying every rule to thousands of objects is not.
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

    /// Waits for the next change. The first look, which comes at once, always counts as one.
    pub async fn changed(&mut self) -> Update {
        loop {
            // The watch begins before the look, so that nothing is missed between them. It is made anew each time, so that
            // a folder that was replaced, or comes late, is found.
            let notices = self.watch();
            let found = self.look();
            match &self.seen {
                None => return self.take_in(found),
                Some(seen) if *seen == found => {}
                Some(_) => {
                    let settled = self.settle(found).await;
                    if self.seen.as_ref() != Some(&settled) {
                        return self.take_in(settled);
                    }
                }
            }
            match notices {
                Some(notices) => wait_for_notice(&notices).await,
                None => sleep(RETRY).await,
            }
        }
    }

    fn look(&self) -> Seen {
        let files = self.folder.read().map_err(|error| error.to_string());
        Seen { files, passwords: self.passwords.fingerprint() }
    }

    /// Looks again and again until two looks find the same.
    async fn settle(&self, mut found: Seen) -> Seen {
        let last = Instant::now() + SETTLED_AT_LAST;
        while Instant::now() < last {
            let emptied = self.seen.as_ref().is_some_and(|seen| found.has_emptied(seen));
            sleep(if emptied { SETTLING_OF_EMPTIED } else { SETTLING }).await;
            let again = self.look();
            if again == found {
                break;
            }
            found = again;
        }
        found
    }

    /// Makes what was found the configuration.
    fn take_in(&mut self, found: Seen) -> Update {
        let mut problems = match &found.files {
            Ok(files) => self.manifests.update(files),
            Err(error) => vec![Problem { message: error.clone(), ..Problem::default() }],
        };
        self.seen = Some(found);
        let compiled = compile(self.manifests.objects(), &self.identity, self.manifests.in_force());
        self.manifests.set_in_force(compiled.in_force);
        problems.extend(compiled.problems);
        Update { spec: compiled.spec, problems }
    }

    /// Watches the folders, and the link if one leads to the manifests. The first notice stays until the next watch is
    /// made: one is enough. Without the manifests there is nothing to wait for.
    fn watch(&self) -> Option<Readable> {
        let changes = WatchMask::CREATE
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVE
            | WatchMask::DELETE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ATTRIB;
        let inotify = Inotify::init().ok()?;
        inotify.watches().add(self.folder.path(), changes).ok()?;
        // These are looked at every few seconds in any case.
        let _ = inotify.watches().add(self.folder.path(), changes | WatchMask::DONT_FOLLOW);
        if let Some(passwords) = self.passwords.folder() {
            let _ = inotify.watches().add(passwords, changes);
        }
        Readable::new(inotify.into()).ok()
    }
}

impl Seen {
    /// Whether a file that had something has nothing any more.
    fn has_emptied(&self, before: &Self) -> bool {
        let (Ok(now), Ok(before)) = (&self.files, &before.files) else { return false };
        let is_blank = |text: &Result<String, String>| text.as_ref().is_ok_and(|text| text.trim().is_empty());
        now.iter().any(|(name, text)| is_blank(text) && before.get(name).is_some_and(|before| !is_blank(before)))
    }
}

async fn wait_for_notice(notices: &Readable) {
    if timeout(RESCAN, notices.wait()).await.is_ok() {
        sleep(SETTLING).await;
    }
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

    #[tokio::test]
    async fn what_an_earlier_run_saved_is_in_force_while_the_folder_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let mut before = follower(folder.path());
        changed(&mut before).await;
        let saved = before.manifests().save();
        let identity = before.identity.clone();
        let missing = Folder::new(folder.path().join("missing"));
        let mut after = Follower::new(missing, Passwords::default(), identity, Manifests::load(saved));
        let update = changed(&mut after).await;
        assert_eq!(update.spec.virtual_routers.len(), 1);
        assert_eq!(update.problems.len(), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_counts_once_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        changed(&mut follower).await;
        // As a shell does that writes the output of a slow command.
        let writer = tokio::spawn(async move {
            fs::write(&path, "").expect("emptied");
            sleep(SETTLING * 10).await;
            fs::write(&path, WEB.replace("192.0.2.1", "192.0.2.2")).expect("filled");
        });
        let update = changed(&mut follower).await;
        writer.await.expect("written");
        assert_eq!(update.spec.virtual_routers[0].addresses, ["192.0.2.2"], "not one without it");
    }

    #[tokio::test]
    async fn a_file_that_stays_empty_takes_its_objects_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        changed(&mut follower).await;
        fs::write(&path, "").expect("emptied");
        assert!(changed(&mut follower).await.spec.virtual_routers.is_empty());
    }

    #[tokio::test]
    async fn a_folder_that_is_a_link_is_followed_to_where_it_leads_then() {
        let base = tempfile::tempdir().expect("a folder");
        let link = base.path().join("current");
        for version in ["one", "two"] {
            fs::create_dir(base.path().join(version)).expect("a folder");
        }
        fs::write(base.path().join("two/web.yaml"), WEB).expect("a file");
        std::os::unix::fs::symlink("one", &link).expect("a link");
        let mut follower = follower(&link);
        assert!(changed(&mut follower).await.spec.virtual_routers.is_empty());

        let swapped = Instant::now();
        std::os::unix::fs::symlink("two", base.path().join("next")).expect("a link");
        fs::rename(base.path().join("next"), &link).expect("swapped");
        assert_eq!(changed(&mut follower).await.spec.virtual_routers.len(), 1);
        assert!(swapped.elapsed() < RESCAN, "by notice, not by chance");
    }

    #[tokio::test]
    async fn a_password_that_comes_later_is_a_change() {
        let (folder, passwords) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let mut follower = follower(folder.path());
        follower.passwords = Passwords::new(Some(passwords.path().to_owned()));
        changed(&mut follower).await;

        let written = Instant::now();
        fs::write(passwords.path().join("web"), "secret").expect("a password");
        changed(&mut follower).await;
        assert!(written.elapsed() < RESCAN, "by notice, not by chance");
    }
}
