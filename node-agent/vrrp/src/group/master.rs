//! Being master: taking over, adverts, yielding to a better router, resigning, noticing a stall.

use std::time::Duration;

use super::{Group, PreemptionHold};
use crate::action::{Action, Reason, State};
use crate::event::MemberIndex;
use crate::master_down::MasterDown;
use crate::member::{Followed, Succession};
use crate::time::Instant;
use crate::timers::{GroupTimer, MemberTimer};
use crate::timing;
use crate::types::Claim;

/// A master answers lower adverts at once, but not more often than this many times an interval.
const ANSWERS_PER_INTERVAL: u32 = 8;

impl Group {
    /// Takes over once every member's master down timer has run out: members move together or not at all.
    pub(super) fn take_over_if_all_agree(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let agreed = self.members.iter().all(|member| member.master_down == MasterDown::Expired);
        if self.state != State::Backup || !agreed {
            return;
        }
        let succession = self.members.iter().map(|member| member.succession).max().unwrap_or_default();
        let reason = match succession {
            Succession::Silence => Reason::MasterSilent,
            Succession::Release => Reason::MasterReleased,
            Succession::Preemption => Reason::Preempting,
        };
        self.take_over(now, reason, actions);
    }

    pub(super) fn take_over(&mut self, now: Instant, reason: Reason, actions: &mut Vec<Action>) {
        self.preemption = PreemptionHold::Idle;
        self.timers.cancel(GroupTimer::PreemptDelay);
        self.timers.cancel(GroupTimer::HoldDown);
        self.set_state(now, State::Master, reason, actions);
        for index in self.indices() {
            self.begin_mastership(now, index, actions);
        }
    }

    /// Advert, addresses, announcements: a member becomes master with its group, or joins one that is.
    pub(super) fn begin_mastership(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        self.advertise(now, index, actions);
        self.install_all(index, actions);
        self.begin_announcements(now, index, actions);
        let Some((_, member)) = self.part(index) else { return };
        member.followed = None;
        member.won_tie = None;
        member.losing_tie_since = None;
        member.succession = Succession::Silence;
        member.master_down = MasterDown::Stopped;
        member.timers.cancel(MemberTimer::Release);
        member.counters.became_master += 1;
    }

    /// Sends an advert, and the next one an interval later.
    pub(super) fn advertise(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let Some(priority) = self.priority(index) else { return };
        let Some((config, member)) = self.part(index) else { return };
        member.failed_sends.sending();
        member.last_advert = now;
        member.timers.set(MemberTimer::Advert, now.saturating_add(config.interval.get()));
        member.counters.adverts_sent += 1;
        actions.push(Action::SendAdvert { member: index, claim: Claim::Master(priority) });
    }

    /// The advert of the timer. The next one follows the schedule, not this wake-up, so that no delay adds up.
    pub(super) fn advertise_on_schedule(
        &mut self,
        now: Instant,
        index: MemberIndex,
        deadline: Instant,
        actions: &mut Vec<Action>,
    ) {
        if self.state != State::Master {
            return;
        }
        self.advertise(now, index, actions);
        self.retries = 0;
        let Some((config, member)) = self.part(index) else { return };
        let scheduled = deadline.saturating_add(config.interval.get());
        if scheduled > now {
            member.timers.set(MemberTimer::Advert, scheduled);
        }
        self.advertise_in_step(now, index, actions);
    }

    /// Members with one interval advertise together, and the first of them sets the pace: should the master die, backups miss
    /// all of them at one time. Otherwise those that advertised earlier would wait for the last, and a kernel that answers for
    /// some time after the last advert only would fall silent before the takeover.
    fn advertise_in_step(&mut self, now: Instant, first: MemberIndex, actions: &mut Vec<Action>) {
        if self.members.len() == 1 {
            return;
        }
        let Some((config, member)) = self.part(first) else { return };
        let (interval, Some(next)) = (config.interval, member.timers.get(MemberTimer::Advert)) else { return };
        for index in self.indices() {
            let Some((config, member)) = self.part(index) else { continue };
            let due = member.timers.get(MemberTimer::Advert).filter(|_| config.interval == interval);
            let Some(due) = due else { continue };
            if index < first {
                return;
            }
            // Who is due now has its turn in this call, who has just answered somebody has had it.
            if due > now && due != next {
                if member.last_advert < now {
                    self.advertise(now, index, actions);
                }
                self.part(index).into_iter().for_each(|(_, member)| member.timers.set(MemberTimer::Advert, next));
            }
        }
    }

    /// A router that should not be master sent an advert: say at once who is (RFC 9568 section 6.4.3), and repeat the
    /// announcements, since switches and neighbours may have learned the other.
    pub(super) fn assert_mastership(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        self.answer(now, index, actions);
        self.reannounce(now, actions);
    }

    /// An advert out of turn, unless one has just been sent.
    pub(super) fn answer(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        let least = config.interval.get() / ANSWERS_PER_INTERVAL;
        if now.saturating_since(member.last_advert) >= least {
            self.advertise(now, index, actions);
        }
    }

    /// A better router is master: become its backup, and keep answering until it does.
    ///
    /// One last advert tells it that somebody held the addresses, so that it repeats its announcements.
    pub(super) fn yield_to(
        &mut self,
        now: Instant,
        index: MemberIndex,
        better: Followed,
        interval: Duration,
        reason: Reason,
        actions: &mut Vec<Action>,
    ) {
        self.answer(now, index, actions);
        self.cease(now);
        self.successor_heard(now, index);
        self.expect_own_interval();
        self.learn_interval(index, interval);
        self.follow(now, Some((index, better)), reason, actions);
    }

    /// Gives the claim up of our own accord, and leaves it to others for as long as they need to take it.
    pub(super) fn resign(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.release_mastership(now, actions);
        let hold_down = self.release_bound();
        self.expect_own_interval();
        self.follow(now, None, Reason::Resigned, actions);
        self.timers.set(GroupTimer::HoldDown, now.saturating_add(hold_down));
    }

    /// Says that the addresses are free, and holds them until someone has taken them.
    pub(super) fn release_mastership(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.send_releases(actions);
        self.cease(now);
    }

    pub(super) fn send_releases(&mut self, actions: &mut Vec<Action>) {
        for (index, _, member) in self.parts() {
            if member.source().is_some() && member.is_advertising() {
                member.counters.releases_sent += 1;
                actions.push(Action::SendAdvert { member: index, claim: Claim::Release });
            }
        }
    }

    /// How long the addresses are held for a successor that is not heard of: a group is taken over as a whole, so its
    /// slowest member decides.
    fn release_bound(&self) -> Duration {
        let bounds = self.config.members().iter().map(|config| {
            let interval = config.interval.get();
            timing::release_bound(&config.protocol, interval)
        });
        bounds.max().unwrap_or_default()
    }

    /// Stops adverts and announcements, and starts the bound for holding the addresses.
    fn cease(&mut self, now: Instant) {
        let bound = self.release_bound();
        for (_, _, member) in self.parts() {
            member.timers.cancel_all();
            member.counters.released_master += 1;
            if !member.installed.is_empty() {
                member.timers.set(MemberTimer::Release, now.saturating_add(bound));
            }
        }
    }

    /// A master that slept longer than a peer waits may not be master any more: it goes silently, before it speaks.
    pub(super) fn step_down_after_stall(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let stalled = self.state == State::Master
            && self.config.members().iter().zip(&self.members).any(|(config, member)| {
                let silent = now.saturating_since(member.last_advert);
                member.is_advertising() && silent >= timing::earliest_takeover(config.interval.get())
            });
        if !stalled {
            return;
        }
        self.cease(now);
        self.release_everything(actions);
        for (_, _, member) in self.parts() {
            member.counters.stalls += 1;
        }
        self.expect_own_interval();
        self.follow(now, None, Reason::Stalled, actions);
    }
}
