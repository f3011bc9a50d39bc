//! What is to be written into `VirtualIP.status.master`: this node while it is master, nothing of it any more afterwards
//! (pure).
//!
//! One entry for each VirtualIP, and in it one wish: the newest. A claim is written only if the election thread, asked right
//! before, still says MASTER; a release removes only what this node has written and nobody has taken over since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::failure::FailureKind;
use crate::snapshot::{RouterSnapshot, RouterState};

/// Between two attempts to claim what the election thread gives up: it may show MASTER until its successor answers.
const HESITATION: Duration = Duration::from_millis(50);

/// The longest wait between two attempts for one VirtualIP.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is to be written for a VirtualIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// This node is master, since this time (RFC 3339).
    Claim(String),
    /// This node is not.
    Release,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is written.
    Written,
    /// This node is not master any more.
    NotMaster,
    /// It failed.
    Failed(FailureKind),
}

/// What was claimed and what is to be.
#[derive(Debug, Default)]
pub(super) struct Claims {
    entries: BTreeMap<String, Entry>,
    /// What an earlier run has claimed, until its state is known.
    inherited: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    wish: Wish,
    written: Written,
    /// Whether an attempt is under way.
    busy: bool,
    /// Whether what that attempt writes is in doubt already.
    doubted: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
    /// Whether the node still has the VirtualIP.
    present: bool,
}

/// What the API server has of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    /// Nobody knows: an earlier run has written something, or somebody else may have since.
    Unknown,
    Wish(Wish),
}

impl Claims {
    /// Begins with what an earlier run has claimed.
    pub(super) fn new(inherited: BTreeSet<String>) -> Self {
        Self { inherited, ..Self::default() }
    }

    /// The VirtualIPs that may name this node: what the next run inherits.
    pub(super) fn claimed(&self) -> BTreeSet<String> {
        let named = self.entries.iter().filter(|(_, entry)| entry.may_be_named()).map(|(virtual_ip, _)| virtual_ip);
        named.chain(&self.inherited).cloned().collect()
    }

    /// What an earlier run has claimed and is not among these is to be released.
    pub(super) fn disown_missing(&mut self, routers: &[RouterSnapshot]) {
        let is_there = |virtual_ip: &String| routers.iter().any(|router| router.virtual_ip == *virtual_ip);
        let (kept, missing) = std::mem::take(&mut self.inherited).into_iter().partition(is_there);
        self.inherited = kept;
        let missing: BTreeSet<String> = missing;
        for virtual_ip in missing {
            let entry = Entry { present: false, ..Entry::new(Wish::Release, Written::Unknown) };
            self.entries.entry(virtual_ip).or_insert(entry);
        }
    }

    /// Takes in the state of all virtual routers.
    pub(super) fn look(&mut self, routers: &[RouterSnapshot]) {
        self.entries.values_mut().for_each(|entry| entry.present = false);
        for (virtual_ip, state) in states(routers) {
            match self.entries.get_mut(virtual_ip) {
                Some(entry) => {
                    entry.present = true;
                    entry.wish = state.unwrap_or(Wish::Release);
                }
                // A virtual router that has just started may be master in a moment: until then it has nothing to say.
                None => {
                    if let Some(wish) = state {
                        let inherited = self.inherited.remove(virtual_ip);
                        let written = if inherited { Written::Unknown } else { Written::Wish(Wish::Release) };
                        self.entries.insert(virtual_ip.to_owned(), Entry::new(wish, written));
                    }
                }
            }
        }
        for entry in self.entries.values_mut().filter(|entry| !entry.present) {
            entry.wish = Wish::Release;
        }
        self.forget();
    }

    /// Somebody else may have claimed the VirtualIP meanwhile: what was written is written again.
    pub(super) fn doubt(&mut self, virtual_ip: &str) {
        if let Some(entry) = self.entries.get_mut(virtual_ip) {
            entry.doubt();
        }
    }

    /// The same, and at once: the object is another one, and what failed with the old one says nothing.
    pub(super) fn begin_anew(&mut self, virtual_ip: &str) {
        if let Some(entry) = self.entries.get_mut(virtual_ip) {
            entry.begin_anew();
        }
    }

    /// The same for all: the API server is there again, or all objects may be others.
    pub(super) fn begin_all_anew(&mut self) {
        self.entries.values_mut().for_each(Entry::begin_anew);
    }

    /// Up to `count` things to write now, claims first: somebody waits for those.
    pub(super) fn take(&mut self, count: usize, now: Instant) -> Vec<(String, Wish)> {
        let mut due: Vec<_> = self.entries.iter_mut().filter(|(_, entry)| entry.is_due(now)).collect();
        due.sort_by_key(|(_, entry)| entry.wish == Wish::Release);
        due.truncate(count);
        let take = |(virtual_ip, entry): (&String, &mut Entry)| {
            entry.busy = true;
            (virtual_ip.clone(), entry.wish.clone())
        };
        due.into_iter().map(take).collect()
    }

    /// An attempt to write `wish` has ended.
    pub(super) fn finish(&mut self, virtual_ip: &str, wish: Wish, outcome: Outcome, now: Instant) {
        let Some(entry) = self.entries.get_mut(virtual_ip) else { return };
        entry.busy = false;
        match (outcome, &wish) {
            // Where there is no VirtualIP, there is nothing left to release.
            (Outcome::Written, _) | (Outcome::Failed(FailureKind::NotFound), Wish::Release) => entry.succeed(wish),
            (Outcome::NotMaster, _) => {
                entry.not_before = Some(now + HESITATION);
                if entry.wish == wish {
                    entry.wish = Wish::Release;
                }
            }
            (Outcome::Failed(kind), _) => {
                if kind.is_outage() {
                    // The request may have come through, and its answer not.
                    entry.written = Written::Unknown;
                }
                let at_most = if kind == FailureKind::Conflict { Backoff::SHORTEST } else { kind.longest_wait() };
                entry.not_before = Some(now + entry.backoff.next(at_most));
            }
        }
        self.forget();
    }

    /// When something that was put off is due; none if nothing is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| !entry.busy && entry.is_open()).filter_map(|entry| entry.not_before).min()
    }

    /// Whether everything is written.
    pub(super) fn is_settled(&self) -> bool {
        self.entries.values().all(|entry| !entry.busy && !entry.is_open())
    }

    /// What is gone and released needs no entry: there are never more than the node has, or has just had.
    fn forget(&mut self) {
        self.entries.retain(|_, entry| entry.present || entry.busy || entry.is_open());
    }
}

impl Entry {
    fn new(wish: Wish, written: Written) -> Self {
        let backoff = Backoff::new(LONGEST_WAIT);
        Self { wish, written, busy: false, doubted: false, not_before: None, backoff, present: true }
    }

    /// A release removes only what this node has written: that needs no repetition.
    fn doubt(&mut self) {
        if matches!(self.wish, Wish::Claim(_)) {
            self.written = Written::Unknown;
            self.doubted = self.busy;
        }
    }

    fn begin_anew(&mut self) {
        self.not_before = None;
        self.backoff.reset();
        self.doubt();
    }

    fn may_be_named(&self) -> bool {
        self.wish != Wish::Release || self.written != Written::Wish(Wish::Release)
    }

    fn is_open(&self) -> bool {
        self.written != Written::Wish(self.wish.clone())
    }

    fn is_due(&self, now: Instant) -> bool {
        !self.busy && self.is_open() && self.not_before.is_none_or(|time| time <= now)
    }

    fn succeed(&mut self, wish: Wish) {
        self.written = if std::mem::take(&mut self.doubted) { Written::Unknown } else { Written::Wish(wish) };
        self.not_before = None;
        self.backoff.reset();
    }
}

/// What each VirtualIP comes to: a claim if all its virtual routers are master; none while one of them is starting.
fn states(routers: &[RouterSnapshot]) -> BTreeMap<&str, Option<Wish>> {
    let mut states: BTreeMap<&str, Option<Wish>> = BTreeMap::new();
    for router in routers {
        let own = match router.state {
            RouterState::Master => Some(Wish::Claim(router.since.clone())),
            RouterState::Backup | RouterState::Fault => Some(Wish::Release),
            RouterState::Init => None,
        };
        states
            .entry(&router.virtual_ip)
            .and_modify(|state| {
                *state = match (state.take(), own.clone()) {
                    (Some(Wish::Claim(one)), Some(Wish::Claim(other))) => Some(Wish::Claim(one.max(other))),
                    (None, _) | (_, None) => None,
                    _ => Some(Wish::Release),
                };
            })
            .or_insert(own);
    }
    states
}

#[cfg(test)]
mod tests {
    use super::super::test_snapshots::{master, router};
    use super::*;

    fn claim(second: u8) -> Wish {
        Wish::Claim(master("web", second).since)
    }

    fn web(wish: Wish) -> Vec<(String, Wish)> {
        vec![("web".to_owned(), wish)]
    }

    /// Claims that have seen these states and written everything.
    fn settled(routers: &[RouterSnapshot], now: Instant) -> Claims {
        let mut claims = Claims::default();
        claims.look(routers);
        for (virtual_ip, wish) in claims.take(usize::MAX, now) {
            claims.finish(&virtual_ip, wish, Outcome::Written, now);
        }
        assert!(claims.is_settled());
        claims
    }

    #[test]
    fn a_master_claims_its_virtual_ip_once() {
        let now = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        assert_eq!(claims.take(9, now), web(claim(1)));
        assert_eq!(claims.take(9, now), [], "it is under way");
        claims.finish("web", claim(1), Outcome::Written, now);
        claims.look(&[master("web", 1)]);
        assert!(claims.is_settled());
    }

    #[test]
    fn a_master_that_steps_down_releases_and_one_that_comes_back_claims_anew() {
        let now = Instant::now();
        let mut claims = settled(&[master("web", 1)], now);
        claims.look(&[router("web")]);
        assert_eq!(claims.take(9, now), web(Wish::Release));
        claims.finish("web", Wish::Release, Outcome::Written, now);
        claims.look(&[master("web", 7)]);
        assert_eq!(claims.take(9, now), web(claim(7)));
    }

    #[test]
    fn what_was_never_claimed_needs_no_release() {
        let mut claims = Claims::default();
        claims.look(&[router("web")]);
        assert_eq!(claims.take(9, Instant::now()), []);
        assert_eq!(claims.claimed(), BTreeSet::new());
    }

    #[test]
    fn what_an_earlier_run_has_claimed_is_released_once_the_state_is_known() {
        let (now, names) = (Instant::now(), BTreeSet::from(["web".to_owned()]));
        let mut claims = Claims::new(names.clone());
        claims.look(&[RouterSnapshot { state: RouterState::Init, ..router("web") }]);
        assert_eq!(claims.take(9, now), [], "it may be master in a moment");
        assert_eq!(claims.claimed(), names, "and the next run must know of it as well");
        claims.look(&[router("web")]);
        assert_eq!(claims.take(9, now), web(Wish::Release));
        claims.finish("web", Wish::Release, Outcome::Written, now);
        assert_eq!(claims.claimed(), BTreeSet::new());
    }

    #[test]
    fn what_an_earlier_run_has_claimed_and_the_node_has_no_more_is_released_too() {
        let now = Instant::now();
        let mut claims = Claims::new(BTreeSet::from(["web".to_owned()]));
        claims.look(&[]);
        assert_eq!(claims.take(9, now), [], "its configuration may come yet");
        claims.disown_missing(&[]);
        assert_eq!(claims.take(9, now), web(Wish::Release));
    }

    #[test]
    fn what_is_to_be_claimed_is_inherited_also_if_the_agent_is_killed_meanwhile() {
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        assert_eq!(claims.claimed(), BTreeSet::from(["web".to_owned()]));
    }

    #[test]
    fn a_virtual_ip_that_leaves_the_node_is_released_and_forgotten() {
        let now = Instant::now();
        let mut claims = settled(&[master("web", 1)], now);
        claims.look(&[]);
        assert_eq!(claims.take(9, now), web(Wish::Release));
        claims.finish("web", Wish::Release, Outcome::Failed(FailureKind::NotFound), now);
        assert!(claims.entries.is_empty(), "and if it does not exist any more, that is the same");
    }

    #[test]
    fn the_newest_wish_wins_over_one_that_could_not_be_written() {
        let now = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        claims.take(9, now);
        claims.look(&[router("web")]);
        claims.finish("web", claim(1), Outcome::Failed(FailureKind::Timeout), now);
        let retry = claims.next().expect("put off");
        assert_eq!(claims.take(9, retry), web(Wish::Release), "the claim is not written any more");
    }

    #[test]
    fn a_claim_that_was_written_while_the_node_stepped_down_is_released() {
        let now = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        claims.take(9, now);
        claims.look(&[router("web")]);
        claims.finish("web", claim(1), Outcome::Written, now);
        assert_eq!(claims.take(9, now), web(Wish::Release));
    }

    #[test]
    fn a_claim_of_a_node_that_is_not_master_any_more_is_dropped() {
        let now = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        claims.take(9, now);
        claims.finish("web", claim(1), Outcome::NotMaster, now);
        assert!(claims.is_settled(), "nothing was written");
        let mut claims = settled(&[master("web", 1)], now);
        claims.look(&[master("web", 7)]);
        claims.take(9, now);
        claims.finish("web", claim(7), Outcome::NotMaster, now);
        assert_eq!(claims.take(9, now), [], "it may be on its way out, and still hold the addresses");
        assert_eq!(claims.take(9, now + HESITATION), web(Wish::Release), "the earlier one is there");
    }

    #[test]
    fn a_conflict_is_judged_anew_soon_and_a_refusal_ever_more_seldom() {
        let start = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        let mut now = start;
        for _ in 0..20 {
            claims.take(9, now);
            claims.finish("web", claim(1), Outcome::Failed(FailureKind::Conflict), now);
            let retry = claims.next().expect("put off");
            assert!(retry <= now + Backoff::SHORTEST);
            now = retry;
        }
        claims.take(9, now);
        claims.finish("web", claim(1), Outcome::Failed(FailureKind::Refused), now);
        assert!(claims.next().expect("put off") >= now + LONGEST_WAIT / 2);
    }

    #[test]
    fn a_dual_stack_virtual_ip_is_claimed_when_both_families_are_master() {
        let now = Instant::now();
        let family = |name: &str, router: RouterSnapshot| RouterSnapshot { name: format!("web/{name}"), ..router };
        let mut claims = Claims::default();
        claims.look(&[family("ipv4", master("web", 1)), family("ipv6", router("web"))]);
        assert_eq!(claims.take(9, now), []);
        claims.look(&[family("ipv4", master("web", 1)), family("ipv6", master("web", 2))]);
        assert_eq!(claims.take(9, now), web(claim(2)));
    }

    #[test]
    fn what_was_written_is_written_again_when_there_is_doubt() {
        let now = Instant::now();
        let mut claims = settled(&[master("web", 1), router("other")], now);
        claims.doubt("web");
        assert_eq!(claims.take(9, now), web(claim(1)), "a partition has healed: the other master had claimed it");
        claims.finish("web", claim(1), Outcome::Written, now);
        claims.begin_all_anew();
        assert_eq!(claims.take(9, now), web(claim(1)), "releases need no repetition");
    }

    #[test]
    fn a_virtual_ip_that_was_made_again_is_claimed_again_at_once() {
        let now = Instant::now();
        let mut claims = settled(&[master("web", 1), master("other", 1)], now);
        claims.begin_anew("web");
        assert_eq!(claims.take(9, now), web(claim(1)));
        claims.finish("web", claim(1), Outcome::Failed(FailureKind::NotFound), now);
        claims.begin_anew("web");
        assert_eq!(claims.take(9, now), web(claim(1)), "the wait was for the old one");
    }

    #[test]
    fn a_claim_that_may_have_been_written_to_the_old_object_is_written_again() {
        let now = Instant::now();
        let mut claims = Claims::default();
        claims.look(&[master("web", 1)]);
        claims.take(9, now);
        claims.begin_anew("web");
        claims.finish("web", claim(1), Outcome::Written, now);
        assert_eq!(claims.take(9, now), web(claim(1)));
        claims.finish("web", claim(1), Outcome::Written, now);
        assert!(claims.is_settled());
    }

    #[test]
    fn claims_come_before_releases_and_no_more_than_asked_for() {
        let now = Instant::now();
        let mut claims = Claims::new(["a", "c"].map(str::to_owned).into());
        claims.look(&[router("a"), master("b", 1), router("c"), master("d", 1)]);
        let names = |taken: Vec<(String, Wish)>| taken.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(claims.take(3, now)), ["b", "d", "a"]);
        assert_eq!(names(claims.take(3, now)), ["c"]);
    }
}
