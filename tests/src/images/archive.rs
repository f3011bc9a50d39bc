//! An image layout in one tar archive.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};

use super::blob::Blob;
use super::layer::append;

/// Writes the archive, whole or not at all.
pub(super) fn write(path: &Path, index: &[u8], blobs: &[&Blob]) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let written = write_parts(&unfinished, index, blobs).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn write_parts(path: &Path, index: &[u8], blobs: &[&Blob]) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(BufWriter::new(File::create(path)?));
    append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    append(&mut archive, "index.json", index, 0o644)?;
    for blob in blobs {
        append(&mut archive, &blob.path(), &blob.content, 0o644)?;
    }
    archive.into_inner()?.into_inner()?.sync_all()
}
