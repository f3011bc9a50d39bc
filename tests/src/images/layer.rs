//! The one layer of an image.

use std::io::Write as _;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use super::blob::{Blob, digest};

/// A layer, and what the configuration says of it.
pub(super) struct Layer {
    pub(super) compressed: Blob,
    /// The digest of the archive before its compression.
    pub(super) difference_id: String,
}

/// A layer with one program in its root folder.
pub(super) fn with_one_file(name: &str, program: &[u8]) -> Result<Layer> {
    let archive = archive(name, program).context("cannot make the layer")?;
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(&archive).context("cannot compress the layer")?;
    let compressed = encoder.finish().context("cannot compress the layer")?;
    Ok(Layer {
        compressed: Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", compressed),
        difference_id: digest(&archive),
    })
}

fn archive(name: &str, program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, name, program, 0o755)?;
    archive.into_inner()
}

/// Appends a file without anything that would differ between machines or days.
pub(super) fn append(
    archive: &mut tar::Builder<impl std::io::Write>,
    name: &str,
    content: &[u8],
    mode: u32,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, name, content)
}
