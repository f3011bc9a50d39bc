//! The same news is told once in a while, with the number of times that it was left out meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the same news is not told again.
const SILENCE: Duration = Duration::from_secs(10);

/// More kinds of news than a configuration makes; the oldest are forgotten first.
const REMEMBERED: usize = 4096;

/// Decides what is told.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    told: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    last: Instant,
    left_out: u64,
}

impl RateLimit {
    /// Whether news of this kind is told now; if so, returns how often it was left out since it was told last.
    pub(super) fn admit(&mut self, kind: &str, now: Instant) -> Option<u64> {
        if let Some(told) = self.told.get_mut(kind) {
            if now.saturating_duration_since(told.last) < SILENCE {
                told.left_out += 1;
                return None;
            }
            told.last = now;
            return Some(std::mem::take(&mut told.left_out));
        }
        if self.told.len() >= REMEMBERED {
            self.told.retain(|_, told| now.saturating_duration_since(told.last) < SILENCE);
        }
        if self.told.len() < REMEMBERED {
            self.told.insert(kind.to_owned(), Told { last: now, left_out: 0 });
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_news_is_told_once_and_counted_meanwhile() {
        let mut limit = RateLimit::default();
        let start = Instant::now();
        assert_eq!(limit.admit("a", start), Some(0));
        assert_eq!(limit.admit("a", start + SILENCE / 2), None);
        assert_eq!(limit.admit("a", start + SILENCE / 2), None);
        assert_eq!(limit.admit("b", start + SILENCE / 2), Some(0), "other news");
        assert_eq!(limit.admit("a", start + SILENCE), Some(2));
        assert_eq!(limit.admit("a", start + SILENCE * 2), Some(0));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut limit = RateLimit::default();
        let start = Instant::now();
        for number in 0..REMEMBERED + 10 {
            assert_eq!(limit.admit(&number.to_string(), start), Some(0));
        }
        assert_eq!(limit.told.len(), REMEMBERED);
        assert_eq!(limit.admit("late", start + SILENCE), Some(0));
        assert_eq!(limit.told.len(), 1, "what is old may be forgotten");
    }
}
