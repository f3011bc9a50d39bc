//! Tracking arithmetic: what health checks and interfaces do to a priority.

use crate::config::Tracker;
use crate::types::Priority;

/// The state of something that a group depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrackState {
    /// No result yet. Holds the start back if the weight is zero, and adds nothing otherwise.
    #[default]
    Unknown,
    /// Working.
    Up,
    /// Failed.
    Down,
}

impl Tracker {
    /// Whether this tracker makes the group unfit to be master.
    pub fn is_fault(self, state: TrackState) -> bool {
        self.weight.get() == 0 && state == if self.reverse { TrackState::Up } else { TrackState::Down }
    }

    /// Whether the start has to wait for this tracker.
    pub fn is_pending(self, state: TrackState) -> bool {
        self.weight.get() == 0 && state == TrackState::Unknown
    }

    /// What this tracker adds to the priority: `+w` while up for a positive weight, `-|w|` while down for a negative
    /// one, and the opposite sign with `reverse`.
    pub fn contribution(self, state: TrackState) -> i32 {
        let weight = i32::from(self.weight.get());
        let counts = match state {
            TrackState::Unknown => false,
            TrackState::Up => weight > 0,
            TrackState::Down => weight < 0,
        };
        match (counts, self.reverse) {
            (false, _) => 0,
            (true, false) => weight,
            (true, true) => -weight,
        }
    }
}

/// The effective priority: the sum is kept whole and clamped to 1..=254 only at the end, so that no contribution is
/// lost. The address owner's priority does not move.
pub fn effective_priority(base: Priority, contributions: i32) -> Priority {
    if base.is_owner() {
        return base;
    }
    let sum = i32::from(base.get()).saturating_add(contributions);
    let clamped = sum.clamp(i32::from(Priority::MIN.get()), i32::from(Priority::MAX_BACKUP.get()));
    u8::try_from(clamped).ok().and_then(|number| Priority::new(number).ok()).unwrap_or(Priority::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Weight;

    fn tracker(weight: i32, reverse: bool) -> Tracker {
        Tracker { weight: Weight::new(weight).expect("in range"), reverse }
    }

    #[test]
    fn a_weight_counts_as_keepalived_counts_it() {
        let cases = [
            // weight, reverse, while unknown, up, down
            (10, false, 0, 10, 0),
            (-10, false, 0, 0, -10),
            (10, true, 0, -10, 0),
            (-10, true, 0, 0, 10),
            (0, false, 0, 0, 0),
            (0, true, 0, 0, 0),
        ];
        for (weight, reverse, unknown, up, down) in cases {
            let tracker = tracker(weight, reverse);
            let seen = [TrackState::Unknown, TrackState::Up, TrackState::Down].map(|state| tracker.contribution(state));
            assert_eq!(seen, [unknown, up, down], "weight {weight}, reverse {reverse}");
        }
    }

    #[test]
    fn weight_zero_is_a_fault_when_down_and_with_reverse_when_up() {
        assert!(tracker(0, false).is_fault(TrackState::Down));
        assert!(!tracker(0, false).is_fault(TrackState::Up));
        assert!(tracker(0, true).is_fault(TrackState::Up));
        assert!(!tracker(0, true).is_fault(TrackState::Down));
        assert!(!tracker(-1, false).is_fault(TrackState::Down));
        assert!(tracker(0, false).is_pending(TrackState::Unknown));
        assert!(!tracker(5, false).is_pending(TrackState::Unknown));
    }

    #[test]
    fn the_sum_is_clamped_last_and_never_touches_an_owner() {
        let cases = [
            // base, contributions, effective
            (100, 0, 100),
            (100, -15, 85),
            (100, -253, 1),
            (200, 253, 254),
            (200, 253 - 250, 203),
            (255, -253, 255),
            (1, i32::MIN, 1),
        ];
        for (base, contributions, effective) in cases {
            let base = Priority::new(base).expect("not zero");
            assert_eq!(effective_priority(base, contributions).get(), effective);
        }
    }
}
