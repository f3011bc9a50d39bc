//! A temporary folder that is removed when its handle is dropped, and also when this process is killed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::lab::{namespace, scratch};

/// `$1` is the folder, `$2` the lock of all who remove.
///
/// Waits for the end of its standard input: its other end is held by the maker of the folder and by nobody else. Servers
/// that are being killed at that moment may still write.
const REMOVE: &str = r#"cat >/dev/null; until flock "$2" rm -rf -- "$1"; do sleep 0.1; done 2>/dev/null"#;

/// The folder, and the shell that removes it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    remover: Child,
}

impl Folder {
    /// An empty folder below the machine's folder for temporary files.
    pub(super) fn new(role: &str) -> Result<Self> {
        let folder = scratch::folder(role)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", REMOVE, "remover"]).arg(folder.path()).arg(namespace::LOCK).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let remover = command.spawn().context("cannot start the remover of a temporary folder")?;
        Ok(Self { path: folder.keep(), remover })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // `wait` closes the input of the child.
        if let Err(error) = self.remover.wait() {
            println!("cannot remove {}: {error}", self.path.display());
        }
    }
}
