//! Noticing changes of the folder: by the kernel's notice at once, and by looking again every few seconds, since some
//! file systems tell nothing and files may be links to elsewhere.
//!
//! A look may come while somebody writes. So a change counts only once it has stayed for a moment: half a file is not
//! taken for a file, nor one that is to be written anew for one whose objects are to go (see `grace.rs`). A folder that
//! is swapped as a whole is complete.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use holdfast_crds::NodeConfigSpec;
use inotify::{Inotify, WatchMask};
use tokio::time::{Instant, sleep, timeout};

use super::compile::{Compiled, NodeIdentity, compile};
use super::folder::Folder;
use super::grace::Missing;
use super::manifests::{Files, Manifests, PackedManifests};
use super::problem::Problem;
use crate::passwords::Passwords;
use crate::readable::Readable;

/// Several files written together make one change, and one that is being written settles first.
const SETTLING: Duration = Duration::from_millis(50);

/// How long files may go on changing before they count as they are.
const SETTLED_AT_LAST: Duration = Duration::from_secs(10);

/// Between two looks without a notice.
const RESCAN: Duration = Duration::from_secs(5);

/// Between two looks for a folder that is not there.
const RETRY: Duration = Duration::from_millis(500);

/// A configuration that differs from the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What this node runs; none if what is in force stays so.
    pub spec: Option<NodeConfigSpec>,
    /// Everything that is wrong with the manifests.
    pub problems: Vec<Problem>,
}

/// Follows a folder of manifests, and the passwords that they refer to.
pub struct Follower {
    folder: Folder,
    passwords: Passwords,
    identity: NodeIdentity,
    manifests: PackedManifests,
    seen: Option<Seen>,
    /// The files as they count now, also while the folder cannot be read.
    files: Files,
    /// Where they were.
    place: Option<PathBuf>,
    missing: Missing,
    /// Something is in force.
    runs: bool,
    compile: Compile,
}

/// What manifests come to on a node.
type Compile = fn(&Manifests, &NodeIdentity) -> Compiled;

/// What was there at a look. Reading is cheap, applying every rule to thousands of objects is not.
#[derive(PartialEq)]
struct Seen {
    files: Result<Files, String>,
    passwords: Vec<(PathBuf, Vec<u8>)>,
}

impl Follower {
    /// Follows `folder` for this node, beginning with the objects of an earlier run.
    pub fn new(folder: Folder, passwords: Passwords, identity: NodeIdentity, manifests: &Manifests) -> Self {
        let files = manifests.as_files();
        let missing = Missing::default();
        let compile: Compile = |manifests, identity| compile(manifests.objects(), identity, manifests.in_force());
        let manifests = manifests.pack();
        Self { folder, passwords, identity, manifests, seen: None, files, place: None, missing, runs: false, compile }
    }

    /// The objects in force.
    pub fn manifests(&self) -> &PackedManifests {
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
                Some(seen) if *seen == found => self.place = self.folder.place(),
                Some(_) => {
                    let settled = self.settle(found).await;
                    if self.seen.as_ref() != Some(&settled) {
                        return self.take_in(settled);
                    }
                }
            }
            let now = Instant::now();
            let limit = self.missing.next_end(now).map_or(RESCAN, |end| RESCAN.min(end - now));
            match notices {
                Some(notices) => wait_for_notice(&notices, limit).await,
                None => sleep(RETRY).await,
            }
        }
    }

    fn look(&mut self) -> Seen {
        let place = self.folder.place();
        let mut files = self.folder.read().map_err(|error| error.to_string());
        if let Ok(found) = &mut files {
            let is_swapped = self.place.is_some() && self.place != place;
            let there = found.clone();
            let is_gone = |file: &str| is_swapped || self.manifests.unpack().has_moved(file, &there);
            self.missing.hold(Instant::now(), &self.files, found, is_gone);
        }
        Seen { files, passwords: self.passwords.fingerprint() }
    }

    /// Looks again and again until two looks find the same.
    async fn settle(&mut self, mut found: Seen) -> Seen {
        let last = Instant::now() + SETTLED_AT_LAST;
        while Instant::now() < last {
            sleep(SETTLING).await;
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
        // A fault in the rules must not end the following: what runs goes on.
        let compiled = catch_unwind(AssertUnwindSafe(|| self.compile(&found)));
        if let Ok(files) = &found.files {
            self.files.clone_from(files);
            self.place = self.folder.place();
        }
        self.seen = Some(found);
        let (manifests, Compiled { spec, problems, .. }) = match compiled {
            Ok(compiled) => compiled,
            Err(_) if self.runs => return Update { spec: None, problems: vec![internal_error()] },
            // Nothing runs yet but for what an earlier run has left.
            Err(_) => {
                let manifests = self.manifests.unpack();
                let mut compiled = (self.compile)(&manifests, &self.identity);
                compiled.problems.push(internal_error());
                (manifests, compiled)
            }
        };
        self.manifests = manifests.pack();
        self.runs = true;
        Update { spec: Some(spec), problems }
    }

    fn compile(&self, found: &Seen) -> (Manifests, Compiled) {
        let mut manifests = self.manifests.unpack();
        let mut problems = match &found.files {
            Ok(files) => manifests.update(files),
            Err(error) => vec![Problem { message: error.clone(), ..Problem::default() }],
        };
        let mut compiled = (self.compile)(&manifests, &self.identity);
        manifests.set_in_force(std::mem::take(&mut compiled.in_force));
        problems.append(&mut compiled.problems);
        (manifests, Compiled { problems, ..compiled })
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

fn internal_error() -> Problem {
    let message =
        "an internal error, see the log: what was in force stays in force; please report it with the manifests";
    Problem { message: message.to_owned(), ..Problem::default() }
}

async fn wait_for_notice(notices: &Readable, limit: Duration) {
    if timeout(limit, notices.wait()).await.is_ok() {
        sleep(SETTLING).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use holdfast_crds::VirtualRouter;

    use super::super::grace::GRACE;
    use super::*;

    const WEB: &str = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: web}\n\
                       spec: {addresses: [192.0.2.1]}\n";

    fn follower(path: &std::path::Path) -> Follower {
        let identity = NodeIdentity { name: "a".to_owned(), labels: BTreeMap::new() };
        Follower::new(Folder::new(path), Passwords::default(), identity, &Manifests::default())
    }

    impl Update {
        fn routers(&self) -> &[VirtualRouter] {
            self.spec.as_ref().map(|spec| &spec.virtual_routers[..]).expect("a change of what runs")
        }
    }

    fn nothing() -> Update {
        Update { spec: Some(NodeConfigSpec::default()), problems: Vec::new() }
    }

    /// The same agent, started anew.
    fn again(before: &Follower) -> Follower {
        let saved = serde_json::from_slice(before.manifests().as_json()).expect("JSON");
        Follower::new(before.folder.clone(), Passwords::default(), before.identity.clone(), &Manifests::load(saved))
    }

    async fn changed(follower: &mut Follower) -> Update {
        timeout(Duration::from_secs(10), follower.changed()).await.expect("a change")
    }

    #[tokio::test]
    async fn a_new_file_and_its_removal_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = follower(folder.path());
        assert_eq!(changed(&mut follower).await, nothing(), "the first look always counts");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        assert_eq!(changed(&mut follower).await.routers().len(), 1);
        fs::remove_file(folder.path().join("web.yaml")).expect("removed");
        assert!(changed(&mut follower).await.routers().is_empty());
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
        assert_eq!(changed(&mut follower).await, nothing());
        std::os::unix::fs::symlink(base.path().join("v2"), mount.join("..next")).expect("a link");
        fs::rename(mount.join("..next"), mount.join("..data")).expect("swapped");
        assert_eq!(changed(&mut follower).await.routers().len(), 1);
    }

    #[tokio::test]
    async fn what_an_earlier_run_saved_is_in_force_while_the_folder_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let mut before = follower(folder.path());
        changed(&mut before).await;
        before.folder = Folder::new(folder.path().join("missing"));
        let mut after = again(&before);
        let update = changed(&mut after).await;
        assert_eq!(update.routers().len(), 1);
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
        assert_eq!(update.routers()[0].addresses, ["192.0.2.2"], "not one without it");
    }

    #[tokio::test]
    async fn a_file_that_stays_empty_takes_its_objects_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        changed(&mut follower).await;
        fs::write(&path, "").expect("emptied");
        assert!(changed(&mut follower).await.routers().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_removed_to_be_written_anew_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        changed(&mut follower).await;
        let writer = tokio::spawn(async move {
            fs::remove_file(&path).expect("removed");
            sleep(SETTLING * 10).await;
            fs::write(&path, WEB.replace("192.0.2.1", "192.0.2.2")).expect("written");
        });
        let update = changed(&mut follower).await;
        writer.await.expect("written");
        assert_eq!(update.routers()[0].addresses, ["192.0.2.2"], "not one without it");
    }

    #[tokio::test]
    async fn what_an_earlier_run_saved_is_in_force_for_a_moment_although_its_file_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let mut before = follower(folder.path());
        changed(&mut before).await;
        fs::remove_file(folder.path().join("web.yaml")).expect("removed");

        let started = Instant::now();
        let mut after = again(&before);
        assert_eq!(changed(&mut after).await.routers().len(), 1);
        assert!(changed(&mut after).await.routers().is_empty());
        assert!(started.elapsed() >= GRACE);
    }

    #[tokio::test]
    async fn a_file_that_is_renamed_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("web.yaml"), WEB).expect("a file");
        let mut follower = follower(folder.path());
        let before = changed(&mut follower).await;
        fs::rename(folder.path().join("web.yaml"), folder.path().join("new.yaml")).expect("renamed");
        assert_eq!(changed(&mut follower).await, before, "no object is in two files, and none is gone");
        assert_eq!(follower.manifests().unpack().objects().map(|(file, _)| file).collect::<Vec<_>>(), ["new.yaml"]);
    }

    #[tokio::test]
    async fn a_folder_that_is_swapped_as_a_whole_is_complete_at_once() {
        let base = tempfile::tempdir().expect("a folder");
        for (version, file) in [("..one", "web.yaml"), ("..two", "other.yaml")] {
            fs::create_dir(base.path().join(version)).expect("a folder");
            let text = WEB.replace("name: web", &format!("name: {}", &file[..3])).replace("192.0.2.1", "192.0.2.2");
            fs::write(base.path().join(version).join(file), text).expect("a file");
        }
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, base.path().join(name)).expect("a link");
        link("..one", "..data");
        link("..data/web.yaml", "web.yaml");
        let mut follower = follower(base.path());
        changed(&mut follower).await;

        let swapped = Instant::now();
        link("..two", "..next");
        link("..data/other.yaml", "other.yaml");
        fs::rename(base.path().join("..next"), base.path().join("..data")).expect("swapped");
        fs::remove_file(base.path().join("web.yaml")).expect("removed");
        let update = changed(&mut follower).await;
        assert_eq!(update.problems, []);
        assert_eq!(update.routers().iter().map(|router| &router.name[..]).collect::<Vec<_>>(), ["oth"]);
        assert!(swapped.elapsed() < GRACE);
    }

    #[tokio::test]
    async fn what_the_plan_refuses_after_a_change_stays_in_force_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        let good = changed(&mut follower).await;
        fs::write(&path, WEB.replace("spec: {", "spec: {healthChecks: [{name: typo}], ")).expect("a file");
        let bad = changed(&mut follower).await;
        assert_eq!(bad.spec, good.spec);
        assert!(bad.problems[0].to_string().starts_with("web.yaml: VirtualIP/web: spec.healthChecks[0]"), "{bad:?}");

        let mut after = again(&follower);
        assert_eq!(changed(&mut after).await, bad);
        fs::write(&path, WEB).expect("a file");
        assert_eq!(changed(&mut after).await, good);
    }

    #[tokio::test]
    async fn a_fault_in_the_rules_changes_nothing_and_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yaml");
        fs::write(&path, WEB).expect("a file");
        let mut follower = follower(folder.path());
        changed(&mut follower).await;
        let sound = follower.compile;
        follower.compile = |_, _| panic!("a fault, for this test");
        fs::write(&path, WEB.replace("192.0.2.1", "192.0.2.2")).expect("a file");
        let update = changed(&mut follower).await;
        assert_eq!(update, Update { spec: None, problems: vec![internal_error()] }, "what was in force stays so");

        follower.compile = sound;
        fs::write(&path, WEB.replace("192.0.2.1", "192.0.2.3")).expect("a file");
        let update = changed(&mut follower).await;
        assert_eq!((&update.routers()[0].addresses[0][..], &update.problems[..]), ("192.0.2.3", &[][..]));
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
        assert!(changed(&mut follower).await.routers().is_empty());

        let swapped = Instant::now();
        std::os::unix::fs::symlink("two", base.path().join("next")).expect("a link");
        fs::rename(base.path().join("next"), &link).expect("swapped");
        assert_eq!(changed(&mut follower).await.routers().len(), 1);
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
