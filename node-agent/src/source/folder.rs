//! Reading a folder of manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use super::manifests::Files;
use crate::small_file;

/// In bytes. No manifest is larger; a file that is was put here by mistake.
const MAXIMUM_SIZE: u64 = 4 << 20;

/// A folder with `*.yaml`, `*.yml` and `*.json` files. Other files, hidden ones and folders in it do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// The folder as such cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the manifests in {path}: {source}")]
pub struct FolderError {
    path: String,
    source: io::Error,
}

impl Folder {
    /// The folder at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the files really are. It changes when the folder is swapped as a whole: by a link to it, or by the link
    /// `..data` in a mounted `ConfigMap`, through which all its files lead.
    pub(super) fn place(&self) -> Option<PathBuf> {
        fs::canonicalize(self.0.join("..data")).or_else(|_| fs::canonicalize(&self.0)).ok()
    }

    /// The text of every manifest.
    pub fn read(&self) -> Result<Files, FolderError> {
        let failed = |source| FolderError { path: self.0.display().to_string(), source };
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if is_manifest(name) && !path.is_dir() {
                files.insert(name.to_owned(), read_file(&path).map(Into::into).map_err(|error| error.to_string()));
            }
        }
        Ok(files)
    }
}

fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read_file(path: &Path) -> io::Result<String> {
    let bytes = small_file::read(path, MAXIMUM_SIZE)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_manifests_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.yaml", "b.yml", "c.json", ".hidden.yaml", "readme.md", "d.yaml~"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        fs::create_dir(folder.path().join("folder.yaml")).expect("a folder");
        let files = Folder::new(folder.path()).read().expect("readable");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a.yaml", "b.yml", "c.json"]);
    }

    #[test]
    fn one_unreadable_file_does_not_hide_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("good.yaml"), "").expect("a file");
        fs::write(folder.path().join("binary.yaml"), [0xff, 0xfe]).expect("a file");
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling.yaml")).expect("a link");
        let files = Folder::new(folder.path()).read().expect("readable");
        assert!(files["good.yaml"].is_ok());
        assert!(files["binary.yaml"].is_err());
        assert!(files["dangling.yaml"].is_err());
    }

    #[test]
    fn a_missing_folder_is_told_by_its_path() {
        let error = Folder::new("/nowhere/at/all").read().expect_err("missing");
        assert!(error.to_string().contains("/nowhere/at/all"));
    }
}
