//! The folder of passwords: one file a key, as a mounted Secret lays them out. Nothing is printed of what it holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use holdfast_vrrp::{OutOfRange, Password};
use thiserror::Error;

use crate::small_file;

/// In bytes. No password is longer by far; a file that is was put here by mistake.
const MAXIMUM_SIZE: u64 = 4 << 10;

/// Where passwords come from.
///
/// A password that could be read once stays in force while it cannot be: a Secret that is being replaced takes no
/// address down.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    folder: Option<PathBuf>,
    known: BTreeMap<String, Password>,
}

/// A password, and what was wrong when it was to be read anew.
#[derive(Debug)]
pub struct Found {
    /// The password in force.
    pub password: Password,
    /// Why it is an earlier one.
    pub outdated: Option<PasswordError>,
}

/// Why there is no password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The agent was given no folder.
    #[error(
        "password key {0:?}: start the agent with --auth-dir, a folder with a file of this name; on Kubernetes, set \
         agent.authSecret of the chart to a Secret with this key"
    )]
    NoFolder(String),
    /// A key must not lead out of the folder.
    #[error("password key {0:?} is not a file name")]
    Key(String),
    /// The file cannot be read.
    #[error("password key {key:?}: cannot read {path}: {source}")]
    Read {
        /// The key.
        key: String,
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no password.
    #[error("password key {key:?}: {source}")]
    Content {
        /// The key.
        key: String,
        /// What is wrong.
        source: OutOfRange,
    },
}

impl Passwords {
    /// Passwords from this folder, or none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, known: BTreeMap::new() }
    }

    /// The folder, if there is one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The password of a key: as it is now, or else as it was when it could be read last.
    pub fn get(&mut self, key: &str) -> Result<Found, PasswordError> {
        match self.read(key) {
            Ok(password) => {
                self.known.insert(key.to_owned(), password);
                Ok(Found { password, outdated: None })
            }
            Err(error) => match self.known.get(key) {
                Some(password) => Ok(Found { password: *password, outdated: Some(error) }),
                None => Err(error),
            },
        }
    }

    /// One line end after the password does not belong to it.
    fn read(&self, key: &str) -> Result<Password, PasswordError> {
        let folder = self.folder.as_ref().ok_or_else(|| PasswordError::NoFolder(key.to_owned()))?;
        if Path::new(key).file_name() != Some(key.as_ref()) {
            return Err(PasswordError::Key(key.to_owned()));
        }
        let path = folder.join(key);
        let bytes = small_file::read(&path, MAXIMUM_SIZE).map_err(|source| PasswordError::Read {
            key: key.to_owned(),
            path: path.display().to_string(),
            source,
        })?;
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        Password::new(text).map_err(|source| PasswordError::Content { key: key.to_owned(), source })
    }

    /// Everything in the folder, to notice a change; empty while it cannot be read.
    pub fn fingerprint(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let read = |path: PathBuf| small_file::read(&path, MAXIMUM_SIZE).ok().map(|bytes| (path, bytes));
        let mut contents: Vec<_> = files.filter_map(read).collect();
        contents.sort();
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Passwords) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file");
        }
        let passwords = Passwords::new(Some(folder.path().to_owned()));
        (folder, passwords)
    }

    #[test]
    fn a_key_is_a_file_and_its_last_line_end_is_not_meant() {
        let (_folder, mut passwords) = folder(&[("plain", "secret12"), ("line", "secret\n")]);
        assert_eq!(passwords.get("plain").expect("a password").password.bytes(), b"secret12");
        assert_eq!(passwords.get("line").expect("a password").password.bytes(), b"secret\0\0");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let (_folder, mut passwords) = folder(&[("long", "more than eight"), ("empty", "")]);
        let cases =
            [("long", "1..=8 bytes"), ("empty", "1..=8 bytes"), ("missing", "cannot read"), ("../x", "file name")];
        for (key, word) in cases {
            let message = passwords.get(key).expect_err("no password").to_string();
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("more than"), "{message}");
        }
        assert!(matches!(Passwords::default().get("web"), Err(PasswordError::NoFolder(_))));
    }

    #[test]
    fn what_is_no_file_holds_nobody_up() {
        let (folder, mut passwords) = folder(&[("web", "secret")]);
        nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
        let message = passwords.get("pipe").expect_err("no password").to_string();
        assert!(message.ends_with("not a regular file"), "{message}");
        assert_eq!(passwords.fingerprint(), [(folder.path().join("web"), b"secret".to_vec())]);
    }

    #[test]
    fn a_password_that_vanishes_stays_in_force_until_there_is_another() {
        let (folder, mut passwords) = folder(&[("web", "first")]);
        let file = folder.path().join("web");
        passwords.get("web").expect("a password");

        fs::remove_file(&file).expect("removed");
        let found = passwords.get("web").expect("the earlier one");
        assert_eq!(found.password.bytes(), b"first\0\0\0");
        assert!(matches!(found.outdated, Some(PasswordError::Read { .. })), "{found:?}");

        fs::write(&file, "second").expect("written");
        let found = passwords.get("web").expect("a password");
        assert_eq!(found.password.bytes(), b"second\0\0");
        assert!(found.outdated.is_none(), "{found:?}");
    }
}
