//! Manifests in a folder as the source of what this node runs.
//!
//! ```text
//! folder ─► last good documents of each file ─► plan() ─► NodeConfig of this node, and what is wrong
//!                                      what is in force ─┘ └─► what is in force now
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `document.rs` | YAML text to valid objects, or everything that is wrong with them (pure) |
//! | `manifests.rs` | the last good objects of each file, and what is in force of them (pure) |
//! | `compile.rs` | objects to the `NodeConfig` of one node (pure) |
//! | `folder.rs` | reading a folder |
//! | `grace.rs` | files that are gone or empty for a moment (pure) |
//! | `follow.rs` | noticing changes |
//! | `problem.rs` | what is wrong, for people |

mod compile;
mod document;
mod folder;
mod follow;
mod grace;
mod manifests;
mod problem;

use std::collections::BTreeMap;

use holdfast_plan::InForce;

pub use compile::{Compiled, NodeIdentity, compile};
pub use folder::{Folder, FolderError};
pub use follow::{Follower, Update};
pub use manifests::{Manifests, PackedManifests, SavedManifests};
pub use problem::Problem;

/// What [`check`] found in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many objects are in order, by themselves.
    pub objects: usize,
    /// How many files were read.
    pub files: usize,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Such as `3 objects of 1 file`.
    pub fn counted(&self) -> String {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (objects, files) = (self.objects, self.files);
        format!("{objects} object{} of {files} file{}", plural(objects), plural(files))
    }
}

/// Finds everything that is wrong with a folder of manifests: what the API server would refuse, and what the plan of an
/// agent would that begins with this folder, and so has nothing in force.
pub fn check(folder: &Folder) -> Result<Checked, FolderError> {
    let files = folder.read()?;
    let mut manifests = Manifests::default();
    let mut problems = manifests.update(&files);
    // Which node asks makes no difference, as long as it is one of those described.
    let described = manifests.objects().find_map(|(_, object)| object.node_name().map(str::to_owned));
    let name = described.unwrap_or_else(|| "this-node".to_owned());
    let identity = NodeIdentity { name, labels: BTreeMap::new() };
    problems.extend(compile(manifests.objects(), &identity, &InForce::default()).problems);
    problems.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(Checked { objects: manifests.objects().count(), files: files.len(), problems })
}
