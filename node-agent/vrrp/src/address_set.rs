//! Which of a virtual router's addresses are on the interface, as far as the core has asked for.

/// A set of places in a list of at most 256 addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct AddressSet([u64; 4]);

impl AddressSet {
    /// Adds a place; returns whether it was missing.
    pub(crate) fn insert(&mut self, index: usize) -> bool {
        match self.0.get_mut(index / 64) {
            Some(word) => {
                let missing = *word & (1 << (index % 64)) == 0;
                *word |= 1 << (index % 64);
                missing
            }
            None => false,
        }
    }

    /// Takes a place out; returns whether it was there.
    pub(crate) fn remove(&mut self, index: usize) -> bool {
        let there = self.contains(index);
        if let Some(word) = self.0.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
        there
    }

    /// Whether a place is in the set.
    pub(crate) fn contains(self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// Whether no place is in the set.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_set_from_insert_to_remove() {
        let mut set = AddressSet::default();
        for index in [0, 63, 64, 255] {
            assert!(set.insert(index));
            assert!(!set.insert(index));
            assert!(set.contains(index));
        }
        for index in [0, 63, 64, 255] {
            assert!(set.remove(index));
            assert!(!set.remove(index));
        }
        assert!(set.is_empty());
        assert!(!set.insert(256));
    }
}
