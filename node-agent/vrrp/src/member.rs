//! The state of one virtual router inside its group.

use std::net::IpAddr;
use std::time::Duration;

use crate::address_set::AddressSet;
use crate::config::MemberConfig;
use crate::counters::Counters;
use crate::event::Link;
use crate::master_down::MasterDown;
use crate::time::Instant;
use crate::timers::{MemberTimer, Timers};
use crate::timing;
use crate::types::Priority;

/// The master that a backup follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Followed {
    /// The source of its adverts.
    pub address: IpAddr,
    /// The priority in its last advert.
    pub priority: Priority,
}

/// What the end of the master down timer would mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Succession {
    /// The master fell silent.
    #[default]
    Silence,
    /// The master released the addresses.
    Release,
    /// The master goes on, but its priority is lower.
    Preemption,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) link: Link,
    /// The effective priority, tracking included.
    pub(crate) priority: Priority,
    /// The master's interval as learned (v3) or configured (v2).
    pub(crate) master_interval: Duration,
    pub(crate) followed: Option<Followed>,
    pub(crate) succession: Succession,
    /// The highest priority that a peer has claimed since this router last became backup.
    pub(crate) best_heard: Option<Priority>,
    pub(crate) master_down: MasterDown,
    pub(crate) timers: Timers<5>,
    /// The addresses on the interface: all while master, those not yet released afterwards.
    pub(crate) installed: AddressSet,
    /// Those that were asked for again although they were believed to be there: they may be, even if one of the
    /// requests was refused.
    pub(crate) asked_again: AddressSet,
    /// How many announcements of the current takeover are done.
    pub(crate) announced: u8,
    pub(crate) last_takeover: Instant,
    pub(crate) last_advert: Instant,
    pub(crate) last_reannouncement: Option<Instant>,
    /// When a master of equal priority was last heard that has the lower address; since this takeover.
    pub(crate) won_tie: Option<Instant>,
    /// Since when a master of equal priority is heard that has the higher address, and earlier members decide.
    pub(crate) losing_tie_since: Option<Instant>,
    pub(crate) failed_sends: FailedSends,
    pub(crate) foreign: Option<IpAddr>,
    pub(crate) list_differs: bool,
    /// Who had a say while adverts came by the other transport, if they ever did.
    pub(crate) former_peers: Option<FormerPeers>,
    pub(crate) counters: Counters,
}

/// Who had a say before the transport was changed. Over IPv6 the addresses differ: multicast adverts come from link-local
/// ones, and what is known of unicast peers are others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FormerPeers {
    Anyone,
    These(Vec<IpAddr>),
}

/// Failures of adverts that followed each other without a success between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FailedSends {
    in_a_row: u8,
    last_failed: bool,
}

impl FailedSends {
    /// As many intervals as a peer waits: by then it takes over anyway.
    const LIMIT: u8 = 3;

    pub(crate) fn sending(&mut self) {
        if !self.last_failed {
            self.in_a_row = 0;
        }
        self.last_failed = false;
    }

    /// Notes a failure; returns whether there were too many.
    pub(crate) fn failed(&mut self) -> bool {
        if !self.last_failed {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        self.last_failed = true;
        self.in_a_row >= Self::LIMIT
    }
}

impl Followed {
    /// Whether this router, and not the other, stays master when they meet (RFC 9568 section 6.4.3).
    pub(crate) fn is_better_than(&self, other: &Self) -> bool {
        (self.priority, self.address) > (other.priority, other.address)
    }
}

impl Member {
    pub(crate) fn new(config: &MemberConfig) -> Self {
        Self {
            link: Link::Unknown,
            priority: config.priority,
            master_interval: config.interval.get(),
            followed: None,
            succession: Succession::default(),
            best_heard: None,
            master_down: MasterDown::default(),
            timers: Timers::default(),
            installed: AddressSet::default(),
            asked_again: AddressSet::default(),
            announced: 0,
            last_takeover: Instant::ZERO,
            last_advert: Instant::ZERO,
            last_reannouncement: None,
            won_tie: None,
            losing_tie_since: None,
            failed_sends: FailedSends::default(),
            foreign: None,
            list_differs: false,
            former_peers: None,
            counters: Counters::default(),
        }
    }

    /// When the member wants to be woken next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.master_down.deadline()).min()
    }

    /// Whether the member is master: it has sent an advert, and the next one is due at some time.
    pub(crate) fn is_advertising(&self) -> bool {
        self.timers.get(MemberTimer::Advert).is_some()
    }

    /// The source address of adverts, while there is one.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        match self.link {
            Link::Up { source } => Some(source),
            Link::Unknown | Link::Down => None,
        }
    }

    /// Whether the takeover is so long ago that nothing of the predecessor can be under way any more.
    pub(crate) fn has_settled(&self, now: Instant) -> bool {
        now >= self.last_takeover.saturating_add(timing::MINIMUM_REANNOUNCE_INTERVAL)
    }

    /// Whether a router had a say before the transport was changed.
    pub(crate) fn obeyed_before(&self, source: IpAddr) -> bool {
        match &self.former_peers {
            None => false,
            Some(FormerPeers::Anyone) => true,
            Some(FormerPeers::These(peers)) => peers.contains(&source),
        }
    }

    /// Whether announcements may be repeated now; notes that they are. If not, they are put off, not given up: a client
    /// may have learned the other master just now.
    pub(crate) fn may_reannounce(&mut self, now: Instant) -> bool {
        let last = self.last_reannouncement.unwrap_or(self.last_takeover).max(self.last_takeover);
        let earliest = last.saturating_add(timing::MINIMUM_REANNOUNCE_INTERVAL);
        if now < earliest {
            self.timers.set_earlier(MemberTimer::Reannounce, earliest);
            return false;
        }
        self.timers.cancel(MemberTimer::Reannounce);
        self.last_reannouncement = Some(now);
        true
    }
}
