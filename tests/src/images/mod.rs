//! Container images without a container engine: one static binary becomes one OCI image in a tar archive.
//!
//! The same binary gives the same bytes on every machine: entries have fixed owners, modes and times, JSON has a fixed
//! order, and compression has no timestamp. So the digest tells what is inside, and anybody can check it.
//!
//! | file | holds |
//! | --- | --- |
//! | `blob.rs` | content named by its digest |
//! | `layer.rs` | the one layer: a tar archive with one file |
//! | `manifest.rs` | configuration, manifest and index of the OCI image specification |
//! | `archive.rs` | the image layout as one tar archive, as `ctr images import` and `skopeo` read it |

mod archive;
mod blob;
mod layer;
mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use manifest::Provenance;

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Image {
    /// The name of the program, which is its path in the image and the last part of the image's name.
    pub program: &'static str,
    /// What it is, for `org.opencontainers.image.description`.
    pub description: &'static str,
    /// Whom it runs as: user and group by number, since the image has no `/etc/passwd`.
    pub user: &'static str,
}

/// An image that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where the archive is.
    pub archive: PathBuf,
    /// The whole name, with the tag.
    pub name: String,
    /// The digest of the manifest, by which registries name the image.
    pub digest: String,
    /// The size of the program in bytes.
    pub program_size: u64,
    /// The size of the compressed layer in bytes: what a node downloads.
    pub download_size: u64,
}

/// The images of Holdfast.
pub const IMAGES: [Image; 2] = [
    Image {
        program: "holdfast-agent",
        description: "Holdfast node agent: holds virtual IP addresses by VRRP election",
        // It opens raw sockets and sets addresses: the pod keeps NET_ADMIN and NET_RAW, which only root gets without an
        // ambient set.
        user: "0:0",
    },
    Image {
        program: "holdfast-operator",
        description: "Holdfast operator: plans virtual IP addresses for the nodes of a cluster",
        user: "65532:65532",
    },
];

/// Packs the program of this name from the folder `binaries` into an archive in the folder `output`.
pub fn pack(image: &Image, binaries: &Path, output: &Path, provenance: &Provenance) -> Result<Written> {
    let path = binaries.join(image.program);
    let program = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let layer = layer::with_one_file(image.program, &program)?;
    let parts = manifest::describe(image, &layer, provenance)?;
    fs::create_dir_all(output).with_context(|| format!("cannot create {}", output.display()))?;
    let archive = output.join(format!("{}.oci.tar", image.program));
    archive::write(&archive, &parts.index, &[&parts.manifest, &parts.configuration, &layer.compressed])?;
    Ok(Written {
        archive,
        name: manifest::name(image, provenance),
        digest: parts.manifest.digest.clone(),
        program_size: program.len() as u64,
        download_size: layer.compressed.content.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(folder: &Path) -> Written {
        let binaries = folder.join("binaries");
        fs::create_dir_all(&binaries).unwrap();
        fs::write(binaries.join("holdfast-agent"), "the program").unwrap();
        let provenance = Provenance { version: "1.2.3".into(), revision: Some("abc".into()), created: 1_700_000_000 };
        pack(&IMAGES[0], &binaries, &folder.join("images"), &provenance).unwrap()
    }

    #[test]
    fn the_same_program_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (packed(one.path()), packed(two.path()));
        assert_eq!(first.digest, second.digest);
        assert_eq!(fs::read(first.archive).unwrap(), fs::read(second.archive).unwrap());
    }

    #[test]
    fn the_archive_holds_every_blob_under_its_digest_and_the_program_alone() {
        let folder = tempfile::tempdir().unwrap();
        let written = packed(folder.path());
        let mut layers = Vec::new();
        let mut names = Vec::new();
        for entry in tar::Archive::new(fs::File::open(written.archive).unwrap()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            if let Some(hash) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(blob::digest(&content), format!("sha256:{hash}"));
            }
            if content.starts_with(&[0x1f, 0x8b]) {
                layers.push(content);
            }
            names.push(name);
        }
        assert!(names.contains(&"oci-layout".to_owned()) && names.contains(&"index.json".to_owned()), "{names:?}");
        let layer = flate2::read::GzDecoder::new(layers.pop().unwrap().leak() as &[u8]);
        let mut layer = tar::Archive::new(layer);
        let files: Vec<_> = layer
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(files, [("holdfast-agent".to_owned(), 0o755)]);
    }
}
