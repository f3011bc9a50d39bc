//! What is promised, and whether figures keep to it. Pure.

use std::time::Duration;

use holdfast_crds::Fencing;

use super::figures::Figures;
use super::stage::BEFORE;
use super::vips::{CHECK_NOTICES, INTERVAL, NODES};

/// The longest time until a backup takes over: three intervals and the skew of the best of those that are left (RFC 9568,
/// section 6.1). The skew is that of the second node, or of the third where the second one is gone as well.
fn master_down(backup: usize) -> Duration {
    INTERVAL * 3 + skew(backup)
}

/// (256 - priority) / 256 of an interval: what sets backups apart.
fn skew(backup: usize) -> Duration {
    let priority = NODES.get(backup).map_or(0, |(_, priority)| *priority);
    INTERVAL * (256 - u32::from(priority)) / 256
}

/// How soon `kubectl` names a new master.
const VISIBLE: Duration = Duration::from_secs(1);

/// How soon the status is true after an outage of the API server.
pub(super) const TRUE_AGAIN: Duration = Duration::from_secs(5);

/// How soon it is true when the operator was lost.
pub(super) const OPERATOR_AGAIN: Duration = Duration::from_secs(30);

/// What two holders may take beside an interval when an agent has died.
const OVERLAP_SPARE: Duration = Duration::from_millis(50);

/// How long who yields waits for the other's announcement, after its first advert.
const ANNOUNCEMENT_GRACE: Duration = Duration::from_millis(300);

/// In a planned move both answer until the new master has announced itself, or as long as the old one waits for that.
const HAND_OVER: Duration = Duration::from_millis(400);

/// Limits of what is measured for one address; what has none is only reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Probes of the client that nobody answered in time.
    pub(super) lost: Option<usize>,
    /// The longest time for which the client had no answer.
    pub(super) gap: Option<Duration>,
    /// The longest time for which nobody answered "who has it?".
    pub(super) unanswered: Option<Duration>,
    /// The longest time for which two did.
    pub(super) two: Option<Duration>,
    /// The longest time for which the status named somebody else than one who answers.
    pub(super) wrong: Option<Duration>,
    /// Most announcements of the address within one second.
    pub(super) announcements: Option<usize>,
}

/// What is promised for an address with this kind of fence.
pub(super) type Promise = fn(Fencing) -> Bounds;

/// Nothing is lost, whoever holds it in the end.
pub(super) fn nothing_lost(_: Fencing) -> Bounds {
    Bounds {
        lost: Some(0),
        gap: Some(Duration::ZERO),
        unanswered: Some(Duration::ZERO),
        two: Some(HAND_OVER),
        wrong: Some(VISIBLE),
        announcements: Some(ANNOUNCEMENTS),
    }
}

/// Nothing is lost, and nothing moves.
pub(super) fn nothing_happens(fencing: Fencing) -> Bounds {
    Bounds { two: Some(Duration::ZERO), ..nothing_lost(fencing) }
}

/// The same while the API server cannot be asked, or has just come back.
pub(super) fn nothing_lost_unseen(fencing: Fencing) -> Bounds {
    Bounds { wrong: Some(TRUE_AGAIN), ..nothing_lost(fencing) }
}

/// Nothing is lost while the operator is replaced.
pub(super) fn nothing_lost_without_operator(fencing: Fencing) -> Bounds {
    Bounds { wrong: Some(OPERATOR_AGAIN), ..nothing_lost(fencing) }
}

/// The master is gone without a word: the second one takes over.
pub(super) fn failover(fencing: Fencing) -> Bounds {
    Bounds {
        lost: None,
        gap: Some(master_down(1)),
        unanswered: Some(master_down(1)),
        two: Some(Duration::ZERO),
        ..nothing_lost(fencing)
    }
}

/// The same while the API server cannot be asked.
pub(super) fn failover_unseen(fencing: Fencing) -> Bounds {
    Bounds { wrong: Some(TRUE_AGAIN), ..failover(fencing) }
}

/// The agent is gone or frozen, and its node lives.
pub(super) fn agent_lost(fencing: Fencing) -> Bounds {
    match fencing {
        Fencing::Overlap => Bounds { two: Some(INTERVAL + OVERLAP_SPARE), ..nothing_lost(fencing) },
        Fencing::Strict => Bounds {
            lost: None,
            gap: Some(INTERVAL + skew(1)),
            unanswered: Some(INTERVAL + skew(1)),
            two: Some(Duration::ZERO),
            ..nothing_lost(fencing)
        },
        Fencing::None => reported(fencing),
    }
}

/// The health check fails on the master, which leaves at once; all others have no check and notice nothing.
pub(super) fn check_fails(fencing: Fencing) -> Bounds {
    Bounds { lost: None, gap: Some(skew(1)), unanswered: Some(skew(1)), ..nothing_lost(fencing) }
}

/// What requests of users may wait for when the server behind the address dies on the master.
pub(super) const CHECK_OUTAGE: Duration = CHECK_NOTICES.saturating_add(INTERVAL);

/// The link goes and comes: each time the others take over, and the better one comes back.
pub(super) fn flapping(fencing: Fencing) -> Bounds {
    Bounds { wrong: Some(TRUE_AGAIN), two: Some(INTERVAL), ..failover(fencing) }
}

/// Two who do not hear each other each have a right to it: both answer where both are heard.
pub(super) fn split(fencing: Fencing) -> Bounds {
    Bounds { gap: None, unanswered: None, two: None, wrong: None, ..failover(fencing) }
}

/// They hear each other again: one goes when it hears the other announce itself, or so long after its first advert.
pub(super) fn healed(fencing: Fencing) -> Bounds {
    Bounds {
        lost: None,
        gap: None,
        two: Some(INTERVAL + ANNOUNCEMENT_GRACE + OVERLAP_SPARE),
        wrong: Some(TRUE_AGAIN),
        ..nothing_lost(fencing)
    }
}

/// The same where both were seen before, too, for as long as is watched before they hear each other.
pub(super) fn healed_in_sight(fencing: Fencing) -> Bounds {
    let healed = healed(fencing);
    Bounds { two: healed.two.map(|two| two + BEFORE), ..healed }
}

/// Nothing is promised, and everything told.
pub(super) fn reported(_: Fencing) -> Bounds {
    Bounds::default()
}

/// Most announcements of one address in a second: a burst for each of several changes within it, and no storm.
const ANNOUNCEMENTS: usize = 25;

/// The neighbour asks each 20 ms: what falls between two of its questions is not seen, and a time of nothing can begin and end
/// up to one question late.
const RESOLUTION: Duration = Duration::from_millis(20);

/// The distance of two probes of the client.
const PROBE: Duration = Duration::from_millis(2);

impl Bounds {
    /// What is not kept, in words. `noise` is what the machine itself may have added to each time that is not zero.
    pub(super) fn misses(&self, figures: &Figures, noise: Duration) -> Vec<String> {
        let count = |what: &str, measured: usize, limit: Option<usize>| {
            limit.filter(|limit| measured > *limit).map(|limit| format!("{what} {measured}, promised {limit}"))
        };
        let time = |what: &str, measured: Duration, limit: Option<Duration>, resolution: Duration| {
            let spare = if limit.is_some_and(|limit| limit.is_zero()) { Duration::ZERO } else { noise + resolution };
            let limit = limit.filter(|limit| measured > *limit + spare)?;
            Some(format!("{what} {} ms, promised {} ms", measured.as_millis(), limit.as_millis()))
        };
        [
            count("probes lost:", figures.lost, self.lost),
            time("gap of", figures.gap, self.gap, PROBE),
            time("nobody answered for", figures.unanswered, self.unanswered, RESOLUTION),
            time("two answered for", figures.two, self.two, RESOLUTION),
            time("the wrong master was named for", figures.wrong, self.wrong, RESOLUTION),
            count("announcements in a second:", figures.announcements, self.announcements),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn the_promises_follow_from_interval_and_priorities() {
        // 3 A + S with A = 200 ms and priority 150, and 0.5 A + S for the gap of a strict fence.
        assert_eq!(failover(Fencing::Overlap).gap.map(|gap| gap.as_micros()), Some(682_812));
        assert_eq!(agent_lost(Fencing::Strict).unanswered.map(|gap| gap.as_micros()), Some(282_812));
        assert_eq!(agent_lost(Fencing::Overlap).two, Some(MILLISECOND * 250));
    }

    #[test]
    fn what_is_measured_is_held_against_each_bound_and_noise_excuses_no_loss() {
        let kept = Figures::default();
        let table = [
            (Figures { lost: 1, ..kept }, 1),
            (Figures { gap: MILLISECOND, ..kept }, 1),
            (Figures { unanswered: MILLISECOND * 20, ..kept }, 1),
            (Figures { two: HAND_OVER + MILLISECOND * 60, ..kept }, 0),
            (Figures { two: HAND_OVER + MILLISECOND * 90, ..kept }, 1),
            (Figures { wrong: VISIBLE * 2, lost: 3, ..kept }, 2),
            (Figures { announcements: ANNOUNCEMENTS + 1, ..kept }, 1),
            (kept, 0),
        ];
        for (figures, misses) in table {
            let found = nothing_lost(Fencing::Overlap).misses(&figures, MILLISECOND * 50);
            assert_eq!(found.len(), misses, "{figures:?}: {found:?}");
        }
    }
}
