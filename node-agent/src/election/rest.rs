//! When to let packets gather before looking again.
//!
//! Masters of many virtual routers send their adverts in bursts, and each packet of a burst would wake a backup by itself:
//! that costs more than to read it. So while packets come thick the thread rests for a moment between two looks. A rest
//! never reaches a deadline: whatever a timer does, it does no later. What may come later, by [`REST`], is the answer to a
//! packet, and only where packets come thick. The answer to a release is a takeover after the skew time, 6 ms at the
//! shortest interval and priority 100; who released holds the addresses until then. The answer to a master of higher
//! priority is to yield, which takes the kernel longer.

use std::time::Duration;

/// How long packets gather.
const REST: Duration = Duration::from_micros(300);

/// Who sleeps for less than this before the next packet comes is woken too often.
const THICK: Duration = Duration::from_micros(600);

/// How long to rest after a wake-up for nothing but packets that came after `slept`; the next timer is `due` in so long.
pub(super) fn rest(slept: Duration, due: Option<Duration>) -> Option<Duration> {
    (slept < THICK && due.is_none_or(|due| due > 2 * REST)).then_some(REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_gather_only_while_they_come_thick() {
        assert_eq!(rest(Duration::ZERO, None), Some(REST));
        assert_eq!(rest(REST, None), Some(REST), "a rest is no sign that it gets better");
        assert_eq!(rest(Duration::from_millis(10), None), None, "one virtual router at the shortest interval");
    }

    #[test]
    fn a_timer_is_not_kept_waiting() {
        assert_eq!(rest(Duration::ZERO, Some(Duration::from_millis(10))), Some(REST));
        assert_eq!(rest(Duration::ZERO, Some(REST)), None);
        assert_eq!(rest(Duration::ZERO, Some(Duration::ZERO)), None);
    }
}
