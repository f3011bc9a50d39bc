//! What the tests share: a supervisor whose calls can be awaited, commands, and processes with names of their own.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use holdfast_crds::NodeHealthCheck;
use holdfast_node_agent::checks::{CheckOptions, Supervisor};
use holdfast_node_agent::snapshot::CheckSnapshot;
use holdfast_vrrp::TrackState;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before a test gives up. Machines that build in parallel are slow at times.
const PATIENCE: Duration = Duration::from_secs(20);

/// A supervisor, and what it tells.
pub(crate) struct Checks {
    pub(crate) supervisor: Supervisor,
    changes: UnboundedReceiver<Change>,
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) state: TrackState,
    pub(crate) at: Instant,
}

impl Checks {
    pub(crate) fn new() -> Self {
        Self::with_options(CheckOptions::default())
    }

    pub(crate) fn with_options(options: CheckOptions) -> Self {
        let (sender, changes) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(options, move |name, state| {
            let change = Change { name: name.to_owned(), state, at: Instant::now() };
            let _ = sender.send(change);
        });
        Self { supervisor, changes }
    }

    /// A supervisor with the single check `check`.
    pub(crate) fn of(spec: &str) -> Self {
        let checks = Self::new();
        checks.apply(&[("check", spec)]);
        checks
    }

    /// Applies checks, given by name and YAML.
    pub(crate) fn apply(&self, checks: &[(&str, &str)]) {
        let parse = |&(name, spec): &(&str, &str)| NodeHealthCheck {
            name: name.to_owned(),
            spec: serde_saphyr::from_str(spec).unwrap_or_else(|error| panic!("{spec}: {error}")),
        };
        self.supervisor.apply(checks.iter().map(parse).collect());
    }

    /// The next change that is told, whatever it is.
    pub(crate) async fn next(&mut self) -> Change {
        let Ok(change) = timeout(PATIENCE, self.changes.recv()).await else {
            panic!("nothing was told in {PATIENCE:?}; the checks: {:#?}", self.supervisor.snapshot());
        };
        change.expect("the supervisor is alive")
    }

    /// Waits for the next change and makes sure that it is this one.
    pub(crate) async fn becomes(&mut self, name: &str, state: TrackState) -> Change {
        let change = self.next().await;
        assert_eq!((change.name.as_str(), change.state), (name, state), "{:#?}", self.supervisor.snapshot());
        change
    }

    /// Waits until `check`, which begins unknown, has its first state.
    pub(crate) async fn settles(&mut self, state: TrackState) -> Change {
        self.becomes("check", TrackState::Unknown).await;
        self.becomes("check", state).await
    }

    /// Makes sure that nothing has been told up to now.
    pub(crate) fn assert_quiet(&mut self) {
        if let Ok(change) = self.changes.try_recv() {
            panic!("{change:?} was not expected; the checks: {:#?}", self.supervisor.snapshot());
        }
    }

    pub(crate) fn get(&self, name: &str) -> CheckSnapshot {
        let found = self.supervisor.snapshot().into_iter().find(|check| check.name == name);
        found.unwrap_or_else(|| panic!("there is no check {name}"))
    }

    pub(crate) fn message(&self) -> String {
        self.get("check").message
    }

    /// Waits until the message of `check` contains `text`.
    pub(crate) async fn says(&self, text: &str) {
        eventually(&format!("the check says {text:?}"), || self.message().contains(text)).await;
    }
}

/// Waits for what gives no notice.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// A folder that every user may enter; if `open`, that every user may write to.
pub(crate) fn folder(open: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mode = if open { 0o777 } else { 0o755 };
    fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
    folder
}

/// A command folder, and beside it one where commands may leave traces.
pub(crate) struct Commands {
    pub(crate) folder: TempDir,
    traces: TempDir,
}

impl Commands {
    /// Needs root: commands run as another user, and their folder belongs to root.
    pub(crate) fn new() -> Self {
        assert!(nix::unistd::Uid::effective().is_root(), "commands run as another user, so this test must run as root");
        Self { folder: folder(false), traces: folder(true) }
    }

    pub(crate) fn options(&self) -> CheckOptions {
        CheckOptions { command_dir: Some(self.folder.path().to_owned()), ..CheckOptions::default() }
    }

    pub(crate) fn checks(&self) -> Checks {
        Checks::with_options(self.options())
    }

    /// Writes a shell script. `TRACES` in it stands for the folder for traces.
    ///
    /// Another process writes it: a file cannot be executed while it is open for writing, and whatever this process
    /// forks at that moment, for another test, would hold it open for a while.
    pub(crate) fn script(&self, name: &str, lines: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let lines = lines.replace("TRACES", &self.traces.path().display().to_string());
        let mut writer = Command::new("/bin/sh")
            .args(["-c", r#"cat > "$0" && chmod 755 "$0""#])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{lines}\n").as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    pub(crate) fn trace(&self, name: &str) -> PathBuf {
        self.traces.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.trace(name)).unwrap_or_default()
    }

    /// The process whose number a command wrote into a trace.
    pub(crate) async fn process(&self, name: &str) -> u32 {
        eventually(&format!("a process number in {name}"), || self.read(name).ends_with('\n')).await;
        self.read(name).trim().parse().unwrap()
    }
}

/// Whether a process of this number runs; one that has ended and waits to be reaped does not.
pub(crate) fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Ended children of this process that nobody has reaped.
pub(crate) fn zombies() -> Vec<String> {
    let parent = format!(" {} ", std::process::id());
    let stat = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
    let is_zombie = |stat: &String| {
        stat.rsplit_once(") ")
            .and_then(|(_, rest)| rest.strip_prefix('Z'))
            .is_some_and(|rest| rest.starts_with(&parent))
    };
    fs::read_dir("/proc").unwrap().map(|entry| stat(entry.unwrap())).filter(is_zombie).collect()
}

/// A program that sleeps under a name that no other process has.
pub(crate) struct Sleeper {
    _folder: TempDir,
    pub(crate) name: String,
    path: PathBuf,
}

/// A running [`Sleeper`], killed and reaped at the end of the test.
pub(crate) struct Asleep(pub(crate) Child);

impl Sleeper {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = folder(false);
        let name = format!("hf{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        assert!(name.len() <= 15, "the kernel would cut {name}");
        let path = folder.path().join(&name);
        // A process is named after the link through which its program was started.
        symlink("/bin/sleep", &path).unwrap();
        Self { _folder: folder, name, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn start(&self) -> Asleep {
        let child = Command::new(&self.path).arg("1000").stdin(Stdio::null()).spawn().unwrap();
        // Until its exec the child has the name of this process.
        while fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap().trim_end() != self.name {
            std::thread::yield_now();
        }
        Asleep(child)
    }

    /// Starts as many as that. The first has the lowest number, wherever the kernel counts at the moment.
    pub(crate) fn start_several<const COUNT: usize>(&self) -> [Asleep; COUNT] {
        let mut several = std::array::from_fn(|_| self.start());
        several.sort_by_key(|asleep| asleep.0.id());
        several
    }
}

impl Asleep {
    /// Kills it without reaping it, and says when.
    pub(crate) fn kill(&mut self) -> Instant {
        let at = Instant::now();
        self.0.kill().unwrap();
        at
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
