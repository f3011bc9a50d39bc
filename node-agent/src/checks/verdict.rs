//! Rise and fall: from single outcomes to the state of a check. Pure.
//!
//! | state | becomes `Up` | becomes `Down` |
//! | --- | --- | --- |
//! | `Up` | | after `fall` failures in a row |
//! | `Down` | after `rise` successes in a row | |
//! | `Unknown` | after `rise` successes in a row | after `fall` failures in a row, or undecided after max(`rise`, `fall`) outcomes |
//!
//! A number decides at once, from every state: the state is `Value` of it. So does a failure to look, as from `Up`.
//! A failure for certain makes `fall` of its own: it decides at once, from every state.
//!
//! `rise` holds for the first result too. keepalived takes a single success there, so that a service which comes and
//! goes attracts the address each time the daemon starts. In return nobody waits long: outcomes that alternate settle on
//! `Down` after max(`rise`, `fall`) of them, and while nothing is decided the runner repeats the probe quickly.

use holdfast_vrrp::TrackState;

use super::finding::Outcome;

/// The state of a check and what counts towards its next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    state: TrackState,
    rise: u8,
    fall: u8,
    successes_in_a_row: u8,
    failures_in_a_row: u8,
    /// Outcomes seen while `Unknown`.
    undecided: u8,
}

impl Verdict {
    /// Starts to count from `state`. A `rise` or `fall` of zero, which the API does not let through, counts as one.
    pub(super) fn new(state: TrackState, rise: u8, fall: u8) -> Self {
        Self { state, rise: rise.max(1), fall: fall.max(1), successes_in_a_row: 0, failures_in_a_row: 0, undecided: 0 }
    }

    /// The state of the check.
    pub(super) fn state(self) -> TrackState {
        self.state
    }

    /// The verdict once `outcome` has been counted.
    pub(super) fn after(self, outcome: Outcome) -> Self {
        let counted = self.count(outcome);
        match outcome {
            Outcome::Measured(number) => Self { state: TrackState::Value(number), ..counted },
            _ => Self { state: counted.decide(), ..counted },
        }
    }

    /// Whether `outcome` is the one that makes the check fail.
    pub(super) fn would_fall(self, outcome: Outcome) -> bool {
        self.state.passes() != Some(false) && self.after(outcome).state.passes() == Some(false)
    }

    fn count(self, outcome: Outcome) -> Self {
        let (successes_in_a_row, failures_in_a_row) = match outcome {
            Outcome::Passed => (self.successes_in_a_row.saturating_add(1), 0),
            Outcome::Failed => (0, self.failures_in_a_row.saturating_add(1)),
            Outcome::FailedForCertain => (0, self.fall),
            Outcome::Measured(_) => (0, 0),
        };
        let undecided = if self.state == TrackState::Unknown { self.undecided.saturating_add(1) } else { 0 };
        Self { successes_in_a_row, failures_in_a_row, undecided, ..self }
    }

    fn decide(self) -> TrackState {
        let risen = self.successes_in_a_row >= self.rise;
        let fallen = self.failures_in_a_row >= self.fall;
        match self.state {
            TrackState::Up | TrackState::Value(_) if fallen => TrackState::Down,
            TrackState::Down | TrackState::Unknown if risen => TrackState::Up,
            TrackState::Unknown if fallen || self.undecided >= self.rise.max(self.fall) => TrackState::Down,
            unchanged => unchanged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter for each state after one letter for each outcome: `P`assed, `F`ailed, failed for `C`ertain, a number.
    fn states(start: TrackState, rise: u8, fall: u8, outcomes: &str) -> String {
        let mut verdict = Verdict::new(start, rise, fall);
        let mut letters = String::new();
        for letter in outcomes.chars() {
            let outcome = match letter {
                'P' => Outcome::Passed,
                'F' => Outcome::Failed,
                'C' => Outcome::FailedForCertain,
                '0' => Outcome::Measured(0),
                '7' => Outcome::Measured(7),
                other => panic!("{other} is no outcome"),
            };
            verdict = verdict.after(outcome);
            letters.push(match verdict.state() {
                TrackState::Unknown => '?',
                TrackState::Up => 'U',
                TrackState::Down => 'D',
                TrackState::Value(_) => 'V',
            });
        }
        letters
    }

    #[test]
    fn a_passing_check_fails_after_fall_failures_in_a_row() {
        let cases = [
            // rise, fall, outcomes, states
            (1, 1, "PFP", "UDU"),
            (1, 2, "FPFF", "UUUD"),
            (2, 3, "FFPFFF", "UUUUUD"),
            (9, 1, "F", "D"),
        ];
        for (rise, fall, outcomes, expected) in cases {
            assert_eq!(states(TrackState::Up, rise, fall, outcomes), expected, "rise {rise}, fall {fall}: {outcomes}");
        }
    }

    #[test]
    fn a_failing_check_passes_after_rise_successes_in_a_row() {
        let cases = [(1, 1, "FP", "DU"), (2, 1, "PFPP", "DDDU"), (3, 2, "PPFPPP", "DDDDDU"), (3, 2, "PPPFF", "DDUUD")];
        for (rise, fall, outcomes, expected) in cases {
            assert_eq!(
                states(TrackState::Down, rise, fall, outcomes),
                expected,
                "rise {rise}, fall {fall}: {outcomes}"
            );
        }
    }

    #[test]
    fn the_first_result_takes_rise_successes_or_fall_failures_too() {
        let cases = [
            (1, 1, "P", "U"),
            (1, 1, "F", "D"),
            (2, 2, "PP", "?U"),
            (2, 2, "FF", "?D"),
            (4, 1, "PPPP", "???U"),
            (1, 4, "FFFF", "???D"),
            (1, 4, "FFP", "??U"),
        ];
        for (rise, fall, outcomes, expected) in cases {
            assert_eq!(
                states(TrackState::Unknown, rise, fall, outcomes),
                expected,
                "rise {rise}, fall {fall}: {outcomes}"
            );
        }
    }

    #[test]
    fn the_first_result_is_never_later_than_the_larger_of_rise_and_fall() {
        let cases = [
            (2, 2, "PF", "?D"),
            (2, 2, "FP", "?D"),
            (3, 2, "PFP", "??D"),
            (2, 3, "FPF", "??D"),
            (5, 2, "PFPFP", "????D"),
        ];
        for (rise, fall, outcomes, expected) in cases {
            assert_eq!(
                states(TrackState::Unknown, rise, fall, outcomes),
                expected,
                "rise {rise}, fall {fall}: {outcomes}"
            );
        }
        for (rise, fall) in (1..6).flat_map(|rise| (1..6).map(move |fall| (rise, fall))) {
            for pattern in 0..(1_u32 << rise.max(fall)) {
                let outcomes: String =
                    (0..rise.max(fall)).map(|bit| if pattern >> bit & 1 == 1 { 'P' } else { 'F' }).collect();
                let seen = states(TrackState::Unknown, rise, fall, &outcomes);
                assert!(!seen.ends_with('?'), "rise {rise}, fall {fall}: {outcomes} gives {seen}");
            }
        }
    }

    #[test]
    fn a_failure_for_certain_needs_no_fall() {
        for start in [TrackState::Unknown, TrackState::Up, TrackState::Down] {
            assert_eq!(states(start, 2, 100, "C"), "D", "{start:?}");
        }
        assert_eq!(states(TrackState::Up, 2, 5, "CPP"), "DDU");
    }

    #[test]
    fn a_number_counts_at_once_and_lasts_until_looking_for_it_has_failed() {
        for start in [TrackState::Unknown, TrackState::Up, TrackState::Down] {
            assert_eq!(states(start, 9, 2, "70FF"), "VVVD", "{start:?}");
        }
        assert_eq!(Verdict::new(TrackState::Up, 9, 9).after(Outcome::Measured(-7)).state(), TrackState::Value(-7));
    }

    #[test]
    fn a_number_makes_the_check_fail_unless_it_is_zero() {
        let zero = Verdict::new(TrackState::Up, 2, 2).after(Outcome::Measured(0));
        assert!(zero.would_fall(Outcome::Measured(7)));
        assert!(!zero.would_fall(Outcome::Measured(0)));
        assert!(!zero.after(Outcome::Measured(7)).would_fall(Outcome::Measured(8)), "it already fails");
    }

    #[test]
    fn would_fall_is_true_for_exactly_the_outcome_that_makes_the_check_fail() {
        let up = Verdict::new(TrackState::Up, 2, 2);
        assert!(!up.would_fall(Outcome::Failed));
        assert!(up.after(Outcome::Failed).would_fall(Outcome::Failed));
        assert!(!up.after(Outcome::Failed).would_fall(Outcome::Passed));
        assert!(up.would_fall(Outcome::FailedForCertain));
        assert!(!Verdict::new(TrackState::Down, 2, 2).would_fall(Outcome::FailedForCertain), "it already fails");
    }

    #[test]
    fn counters_do_not_wrap() {
        let mut verdict = Verdict::new(TrackState::Up, 100, 100);
        for _ in 0..1_000 {
            verdict = verdict.after(Outcome::Failed);
        }
        assert_eq!(verdict.state(), TrackState::Down);
        for _ in 0..1_000 {
            verdict = verdict.after(Outcome::Passed);
        }
        assert_eq!(verdict.state(), TrackState::Up);
    }
}
