//! When adverts left last: what the right to answer comes from when the fence is made anew.
//!
//! The kernel keeps that itself while the fence stands. If somebody takes the fence away, the thread that puts it back may be
//! well while the one that sends adverts is stuck; so it must not take the other's word, but look at what has left. The
//! memory is shared, and nobody waits for the other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use holdfast_vrrp::{Family, Instant};
use nix::time::ClockId;

use super::ruleset::{Key, Times};
use crate::network::interfaces::InterfaceIndex;

/// What an advert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// That its sender is master.
    Claim,
    /// That its sender is leaving: priority 0.
    Release,
}

/// When a virtual router sent last. In nanoseconds of `CLOCK_BOOTTIME`; 0 if never.
#[derive(Debug, Default)]
pub struct Pulse {
    claim: AtomicU64,
    release: AtomicU64,
}

/// The pulses of all virtual routers of this node.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<HashMap<Key, Weak<Pulse>>>>);

impl Pulse {
    /// An advert has left; never early.
    pub fn beat(&self, sent: Sent, now: Instant) {
        let last = match sent {
            Sent::Claim => &self.claim,
            Sent::Release => &self.release,
        };
        last.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// For how long the last advert keeps the virtual router alive yet; none if that is over.
    pub(super) fn rest(&self, times: Times, now: Instant) -> Option<Duration> {
        let (claim, release) = (self.claim.load(Ordering::Relaxed), self.release.load(Ordering::Relaxed));
        let (last, timeout) = if release >= claim { (release, times.release) } else { (claim, times.advert) };
        let rest = Instant::from_nanos(last).saturating_add(timeout).saturating_since(now);
        (last != 0 && !rest.is_zero()).then_some(rest)
    }
}

impl Pulses {
    /// That of one virtual router, for whoever sends its adverts; forgotten with the last who has it.
    pub fn of(&self, interface: InterfaceIndex, family: Family, virtual_router_id: u8) -> Arc<Pulse> {
        let mut pulses = self.lock();
        let place = pulses.entry(Key { interface, family, virtual_router_id }).or_default();
        let pulse = place.upgrade().unwrap_or_default();
        *place = Arc::downgrade(&pulse);
        pulses.retain(|_, pulse| pulse.strong_count() > 0);
        pulse
    }

    /// [`Pulse::rest`] of a virtual router at this moment.
    pub(super) fn rest(&self, key: Key, times: Times) -> Option<Duration> {
        let pulse = self.lock().get(&key).and_then(Weak::upgrade)?;
        pulse.rest(times, now()?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Pulse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time by the clock of the election (`CLOCK_BOOTTIME`).
pub fn now() -> Option<Instant> {
    let time = ClockId::CLOCK_BOOTTIME.now().ok()?;
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec()).ok()?, u64::try_from(time.tv_nsec()).ok()?);
    Some(Instant::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { advert: Duration::from_millis(400), release: Duration::from_millis(900) };

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    fn rest(pulse: &Pulse, now: u64) -> Option<u128> {
        pulse.rest(TIMES, at(now)).map(|rest| rest.as_millis())
    }

    #[test]
    fn the_last_advert_counts_and_from_the_moment_when_it_left() {
        let pulse = Pulse::default();
        assert_eq!(rest(&pulse, 100), None, "it never sent one");
        pulse.beat(Sent::Claim, at(1_000));
        assert_eq!(rest(&pulse, 1_000), Some(400));
        assert_eq!(rest(&pulse, 1_399), Some(1));
        assert_eq!(rest(&pulse, 1_400), None);
        pulse.beat(Sent::Release, at(1_100));
        assert_eq!(rest(&pulse, 1_400), Some(600));
        pulse.beat(Sent::Claim, at(1_200));
        assert_eq!(rest(&pulse, 1_400), Some(200), "it stays after all");
    }

    #[test]
    fn whoever_asks_twice_has_the_same_and_nothing_stays_of_those_that_are_gone() {
        let pulses = Pulses::default();
        let of = |virtual_router_id| pulses.of(InterfaceIndex::new(2), Family::Ipv4, virtual_router_id);
        let first = of(51);
        assert!(Arc::ptr_eq(&first, &of(51)));
        assert!(!Arc::ptr_eq(&first, &of(52)));
        drop(first);
        let _third = of(53);
        assert_eq!(pulses.lock().len(), 1);
    }
}
