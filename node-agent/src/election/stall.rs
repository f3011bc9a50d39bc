//! How much to read before acting on timers.
//!
//! Everything that has arrived should be read before a timer counts: the advert that keeps a backup a backup may be
//! waiting in the socket. But a flood must not keep a master from its adverts. Usually a bounded number of packets is
//! everything. After a stall it is not: then the buffers hold what came in meanwhile, and reading it all is what keeps
//! a stalled backup from taking over from a live master.

use std::time::Duration;

/// How many packets a wake-up in time takes in at most; a few milliseconds of work.
const PROMPT_BUDGET: usize = 2_048;

/// How many packets a late wake-up takes in at most: more than the receive buffers hold.
const LATE_BUDGET: usize = 65_536;

/// A wake-up that comes this much after its time is late. The shortest master down time is 20 ms (RFC 9568
/// section 6.1, with an interval of 10 ms and priority 254: 30 ms).
pub(super) const LATE: Duration = Duration::from_millis(10);

/// How many packets to take in before timers fire, in a wake-up that comes `late` after the earliest deadline.
pub(super) fn receive_budget(late: Duration) -> usize {
    if late >= LATE { LATE_BUDGET } else { PROMPT_BUDGET }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_wake_up_reads_more() {
        assert_eq!(receive_budget(Duration::ZERO), PROMPT_BUDGET);
        assert_eq!(receive_budget(LATE), LATE_BUDGET);
    }
}
