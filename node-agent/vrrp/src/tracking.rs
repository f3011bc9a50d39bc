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
    /// A number, as the files of keepalived's `track_file` hold it: 0 is as it should be, and any other is multiplied
    /// with the weight.
    Value(i32),
}

/// From here on downwards the product of a value and a weight is a fault: it outweighs every priority.
const VALUE_FAULT: i32 = -254;

/// A product of a value and a weight adds no more than this.
const VALUE_MAX: i32 = 253;

impl TrackState {
    /// Whether it is as it should be, without regard to `reverse`; `None` while there is no result.
    pub fn passes(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Up => Some(true),
            Self::Down => Some(false),
            Self::Value(value) => Some(value == 0),
        }
    }
}

impl Tracker {
    /// Whether this tracker makes the group unfit to be master.
    ///
    /// With weight 0 that is what does not pass; with another one, a value whose product with the weight is -254 or less.
    pub fn is_fault(self, state: TrackState) -> bool {
        match (self.weight.get(), state) {
            (0, state) => state.passes() == Some(self.reverse),
            (_, TrackState::Value(value)) => self.product(value) <= VALUE_FAULT,
            (_, TrackState::Unknown | TrackState::Up | TrackState::Down) => false,
        }
    }

    /// Whether the start has to wait for this tracker.
    pub fn is_pending(self, state: TrackState) -> bool {
        self.weight.get() == 0 && state == TrackState::Unknown
    }

    /// What this tracker adds to the priority: `+w` while up for a positive weight, `-|w|` while down for a negative
    /// one, and the opposite sign with `reverse`. A value adds its product with the weight, at most 253.
    pub fn contribution(self, state: TrackState) -> i32 {
        let weight = self.weight.get();
        let times = match state {
            TrackState::Unknown => 0,
            TrackState::Up => i32::from(weight > 0),
            TrackState::Down => i32::from(weight < 0),
            TrackState::Value(value) => value,
        };
        self.product(times).min(VALUE_MAX)
    }

    fn product(self, times: i32) -> i32 {
        let weight = i32::from(self.weight.get());
        times.saturating_mul(if self.reverse { -weight } else { weight })
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
    fn a_value_is_multiplied_with_the_weight_as_in_the_track_file_of_keepalived() {
        let cases = [
            // weight, reverse, value, adds, is a fault
            (1, false, -20, -20, false),
            (1, false, 0, 0, false),
            (-20, false, 1, -20, false),
            (-20, false, -3, 60, false),
            (-20, true, 1, 20, false),
            (1, false, 400, 253, false),
            (1, false, -253, -253, false),
            (1, false, -254, -254, true),
            (-127, false, 2, -254, true),
            (127, true, 2, -254, true),
            (253, false, i32::MIN, i32::MIN, true),
            (0, false, 0, 0, false),
            (0, false, 7, 0, true),
            (0, false, -7, 0, true),
            (0, true, 0, 0, true),
            (0, true, 7, 0, false),
        ];
        for (weight, reverse, value, adds, fault) in cases {
            let (tracker, state) = (tracker(weight, reverse), TrackState::Value(value));
            let seen = (tracker.contribution(state), tracker.is_fault(state));
            assert_eq!(seen, (adds, fault), "{value} times {weight}, reverse {reverse}");
        }
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
