//! The place of a group in the election thread's list: a small number that other tables refer to.

use holdfast_vrrp::MemberIndex;

/// The place of a group. Free places are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

/// A virtual router: a group and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Seat {
    /// The group.
    pub(super) slot: Slot,
    /// The place in the group.
    pub(super) member: MemberIndex,
}

impl Slot {
    /// The place with this number; a node has far fewer than 2^32 groups.
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The number.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}
