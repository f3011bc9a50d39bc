//! Who is measured.

use std::fmt;

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// Debian's keepalived.
    Keepalived,
    /// `holdfast-agent`, with manifests in a folder.
    Holdfast,
}

impl Contender {
    /// Both, the one first that was last in the run before: what the machine does in the meantime hits both alike.
    pub(super) fn in_turn(run: usize) -> [Self; 2] {
        let both = [Self::Keepalived, Self::Holdfast];
        if run.is_multiple_of(2) {
            both
        } else {
            let [first, second] = both;
            [second, first]
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Keepalived => "keepalived",
            Self::Holdfast => "Holdfast",
        })
    }
}
