//! The folder of passwords: one file a key, as a mounted Secret lays them out. Nothing is printed of what it holds.

use std::path::{Path, PathBuf};
use std::{fs, io};

use holdfast_vrrp::{OutOfRange, Password};
use thiserror::Error;

/// Where passwords come from.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    folder: Option<PathBuf>,
}

/// Why there is no password.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The agent was given no folder.
    #[error("password key {0:?}: start the agent with --auth-dir, a folder with a file of this name")]
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
        Self { folder }
    }

    /// The password of a key. One line end after it does not belong to it.
    pub fn get(&self, key: &str) -> Result<Password, PasswordError> {
        let folder = self.folder.as_ref().ok_or_else(|| PasswordError::NoFolder(key.to_owned()))?;
        if Path::new(key).file_name() != Some(key.as_ref()) {
            return Err(PasswordError::Key(key.to_owned()));
        }
        let path = folder.join(key);
        let bytes = fs::read(&path).map_err(|source| PasswordError::Read {
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
        let mut contents: Vec<_> = files.filter_map(|path| fs::read(&path).ok().map(|bytes| (path, bytes))).collect();
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
        let (_folder, passwords) = folder(&[("plain", "secret12"), ("line", "secret\n")]);
        assert_eq!(passwords.get("plain").expect("a password").bytes(), b"secret12");
        assert_eq!(passwords.get("line").expect("a password").bytes(), b"secret\0\0");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let (_folder, passwords) = folder(&[("long", "more than eight"), ("empty", "")]);
        for (key, word) in
            [("long", "1..=8 bytes"), ("empty", "1..=8 bytes"), ("missing", "cannot read"), ("../x", "file name")]
        {
            let message = passwords.get(key).expect_err("no password").to_string();
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("more than"), "{message}");
        }
        assert!(matches!(Passwords::default().get("web"), Err(PasswordError::NoFolder(_))));
    }
}
