//! Temporary folders, removed on drop, and by the sweep if their maker could not.

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::namespace;

/// An empty folder below the machine's temporary folder, named as namespaces are.
pub fn folder(role: &str) -> Result<TempDir> {
    let name = namespace::unique_name(role);
    tempfile::Builder::new().prefix(&name).tempdir().with_context(|| format!("cannot make a folder for {role}"))
}
