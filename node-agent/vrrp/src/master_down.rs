//! A backup's patience with its master: running, run out, or not in question.

use crate::time::Instant;

/// The timer of RFC 9568 section 6.2, `Active_Down_Timer`. That it has run out is remembered: the members of a group
/// take over together, so one may have to wait for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum MasterDown {
    /// No master is waited for: the group is no backup.
    #[default]
    Stopped,
    /// The master is taken for dead at this time, unless it is heard before.
    Running(Instant),
    /// The master is taken for dead.
    Expired,
}

impl MasterDown {
    /// When it runs out, if it is still to do so.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Running(deadline) => Some(deadline),
            Self::Stopped | Self::Expired => None,
        }
    }

    /// Lets it run out if it is due.
    pub(crate) fn fire(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            *self = Self::Expired;
        }
    }

    /// Moves the deadline with `shift`, while there is one.
    pub(crate) fn shift(&mut self, shift: impl Fn(Instant) -> Instant) {
        if let Self::Running(deadline) = self {
            *deadline = shift(*deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Instant = Instant::from_nanos(10);
    const LATE: Instant = Instant::from_nanos(20);

    #[test]
    fn it_runs_out_when_it_is_due_and_stays_so() {
        let mut timer = MasterDown::Running(LATE);
        timer.fire(EARLY);
        assert_eq!(timer, MasterDown::Running(LATE));
        timer.fire(LATE);
        assert_eq!(timer, MasterDown::Expired);
        timer.fire(LATE);
        assert_eq!((timer, timer.deadline()), (MasterDown::Expired, None));
    }

    #[test]
    fn only_a_running_one_has_a_deadline_to_move() {
        let mut running = MasterDown::Running(LATE);
        running.shift(|deadline| deadline.min(EARLY));
        assert_eq!(running.deadline(), Some(EARLY));
        for mut still in [MasterDown::Stopped, MasterDown::Expired] {
            let before = still;
            still.shift(|_| EARLY);
            still.fire(LATE);
            assert_eq!(still, before);
        }
    }
}
