//! Content that is named by its digest.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A piece of an image.
pub(super) struct Blob {
    pub(super) media_type: &'static str,
    /// `sha256:` and 64 hexadecimal digits.
    pub(super) digest: String,
    pub(super) content: Vec<u8>,
}

impl Blob {
    pub(super) fn new(media_type: &'static str, content: Vec<u8>) -> Self {
        Self { media_type, digest: digest(&content), content }
    }

    /// How another piece refers to this one.
    pub(super) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.content.len() })
    }

    /// Its path in an image layout.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

pub(super) fn digest(content: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(content) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
