//! Runs the program and keeps what it says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What the program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program, without the variables that it listens to.
pub(crate) fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-agent"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Said {
    end_of(agent().args(arguments))
}

/// Runs a command to its end.
pub(crate) fn end_of(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// A `VirtualIP` with this name and these fields of its spec.
pub(crate) fn virtual_ip(name: &str, spec: &str) -> String {
    format!("apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
}
