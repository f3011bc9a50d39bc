//! Images of the tests' own pods: one static program each, as Holdfast's own images.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::images::{self, Image, Provenance};

/// The version of these images.
const VERSION: &str = "1";

/// Holds a pod's namespaces.
pub(super) const PAUSE: Image =
    Image { program: "pause", description: "Holds the namespaces of a pod", user: "65535:65535" };

/// Answers with the name of the node.
pub(super) const WEB: Image = Image { program: "web", description: "Tells on which node it runs", user: "0:0" };

/// Packs the program of an image from the folder `programs` into an archive in the folder `output`.
pub(super) fn pack(image: &Image, programs: &Path, output: &Path) -> Result<PathBuf> {
    let provenance = Provenance { version: VERSION.to_owned(), revision: None, created: 0 };
    Ok(images::pack(image, programs, output, &provenance)?.archive)
}

/// The name by which pods ask for it.
pub(super) fn name(image: &Image) -> String {
    format!("ghcr.io/holdfast/{}:{VERSION}", image.program)
}
