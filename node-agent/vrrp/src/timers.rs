//! Timers as data: a fixed array of deadlines. Nothing can fire that is not in it.

use crate::time::Instant;

/// The timers of one virtual router, in the order in which they fire when they are due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum MemberTimer {
    /// The next own advert (RFC 9568 section 6.2, `Adver_Timer`).
    Advert,
    /// The end of holding addresses for a successor.
    Release,
    /// The next announcement after a takeover.
    Announce,
    /// The next periodic announcement.
    Refresh,
    /// An announcement out of turn that had to be put off.
    Reannounce,
}

/// The timers of a group as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GroupTimer {
    /// The end of the preemption delay.
    PreemptDelay,
    /// The end of the time in which a router that resigned does not preempt.
    HoldDown,
    /// The next try after a fault of the kernel.
    Retry,
}

/// Deadlines by timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timers<const N: usize>([Option<Instant>; N]);

/// A timer has a place in the array of its kind.
pub(crate) trait Slot<const N: usize>: Copy {
    /// The place, below `N`.
    fn slot(self) -> usize;
}

impl Slot<5> for MemberTimer {
    fn slot(self) -> usize {
        self as usize
    }
}

impl Slot<3> for GroupTimer {
    fn slot(self) -> usize {
        self as usize
    }
}

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self([None; N])
    }
}

impl<const N: usize> Timers<N> {
    /// Sets the deadline of a timer, in place of any earlier one.
    pub(crate) fn set(&mut self, timer: impl Slot<N>, deadline: Instant) {
        if let Some(slot) = self.0.get_mut(timer.slot()) {
            *slot = Some(deadline);
        }
    }

    /// Sets the deadline, unless the timer is due earlier.
    pub(crate) fn set_earlier(&mut self, timer: impl Slot<N>, deadline: Instant) {
        self.set(timer, self.get(timer).map_or(deadline, |current| current.min(deadline)));
    }

    /// Stops a timer.
    pub(crate) fn cancel(&mut self, timer: impl Slot<N>) {
        if let Some(slot) = self.0.get_mut(timer.slot()) {
            *slot = None;
        }
    }

    /// Stops all timers.
    pub(crate) fn cancel_all(&mut self) {
        *self = Self::default();
    }

    /// The deadline of a timer that runs.
    pub(crate) fn get(&self, timer: impl Slot<N>) -> Option<Instant> {
        self.0.get(timer.slot()).copied().flatten()
    }

    /// Stops a timer that is due and returns its deadline.
    pub(crate) fn take_due(&mut self, timer: impl Slot<N>, now: Instant) -> Option<Instant> {
        let deadline = self.get(timer).filter(|deadline| *deadline <= now)?;
        self.cancel(timer);
        Some(deadline)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Moves every deadline with `shift`.
    #[cfg(feature = "sim")]
    pub(crate) fn rebase(&mut self, shift: impl Fn(Instant) -> Instant) {
        for deadline in self.0.iter_mut().flatten() {
            *deadline = shift(*deadline);
        }
    }
}
