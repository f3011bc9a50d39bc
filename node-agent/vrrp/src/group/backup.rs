//! Being a backup: following a master, and when not to.

use std::net::IpAddr;
use std::time::Duration;

use super::{Group, PreemptionHold};
use crate::config::Preemption;
use crate::event::MemberIndex;
use crate::master_down::MasterDown;
use crate::member::{Followed, Succession};
use crate::time::Instant;
use crate::timers::GroupTimer;
use crate::timing;
use crate::types::{Priority, Protocol};

impl Group {
    /// A master advertises: follow it, or let the timer run because it is worse than we are.
    pub(super) fn hear_master(&mut self, now: Instant, index: MemberIndex, master: Followed, interval: Duration) {
        let Some(own) = self.priority(index) else { return };
        let worse = master.priority < own;
        if worse {
            self.begin_preemption_delay(now);
        } else {
            self.preemption = PreemptionHold::Idle;
            self.timers.cancel(GroupTimer::PreemptDelay);
        }
        if worse && self.may_preempt(own) {
            self.outvote(index, master, own);
        } else {
            self.obey(now, index, master, interval, own);
        }
    }

    /// The timer runs on. A better master that we follow stays the one whose release counts: a deposed router sends one
    /// last advert of its own.
    fn outvote(&mut self, index: MemberIndex, worse: Followed, own: Priority) {
        let Some((_, member)) = self.part(index) else { return };
        if member.followed.is_none_or(|followed| followed.priority < own) {
            member.succession = Succession::Preemption;
            member.followed = Some(worse);
        }
    }

    /// Waits for this master from now on, unless a better one is to be awaited for longer.
    ///
    /// A router that was just deposed sends one last advert. If its interval is shorter than the new master's, obeying
    /// it would end in a takeover before the new master's next advert, and that in the next last advert, for ever.
    fn obey(&mut self, now: Instant, index: MemberIndex, master: Followed, interval: Duration, own: Priority) {
        let Some((config, member)) = self.part(index) else { return };
        let deadline = now.saturating_add(timing::master_down(&config.protocol, own, interval));
        let awaited = member.master_down.deadline();
        if member.followed.is_some_and(|followed| followed.is_better_than(&master)) && awaited > Some(deadline) {
            return;
        }
        member.followed = Some(master);
        member.succession = Succession::Silence;
        member.master_down = MasterDown::Running(deadline);
        self.learn_interval(index, interval);
    }

    /// A backup waits for the master's interval, not its own (RFC 9568 section 6.4.2). VRRPv2 does not let them differ.
    pub(super) fn learn_interval(&mut self, index: MemberIndex, interval: Duration) {
        let Some((config, member)) = self.part(index) else { return };
        if let Protocol::V3 { .. } = config.protocol {
            member.master_interval = interval;
        }
    }

    /// No master is known: expect one with our own interval.
    pub(super) fn expect_own_interval(&mut self) {
        for (_, config, member) in self.parts() {
            member.master_interval = config.interval.get();
        }
    }

    /// The delay runs from the first advert of lower priority. It never holds back a takeover from a silent master.
    fn begin_preemption_delay(&mut self, now: Instant) {
        let Preemption::Preempt { delay } = self.config.preemption else { return };
        if self.preemption != PreemptionHold::Idle {
            return;
        }
        if delay.is_zero() {
            self.preemption = PreemptionHold::Elapsed;
        } else {
            self.preemption = PreemptionHold::Running;
            self.timers.set(GroupTimer::PreemptDelay, now.saturating_add(delay));
        }
    }

    /// An owner of the addresses always preempts, whatever is configured (RFC 9568 section 6.1, `Preempt_Mode`).
    fn may_preempt(&self, own: Priority) -> bool {
        let held_down = self.timers.get(GroupTimer::HoldDown).is_some();
        let wanted = matches!(self.config.preemption, Preemption::Preempt { .. });
        !held_down && (own.is_owner() || wanted && self.preemption == PreemptionHold::Elapsed)
    }

    /// The master leaves: every member waits only its skew, since a group leaves as a whole even where a dead link
    /// swallowed a release.
    ///
    /// A release by a router that is not the master we follow says nothing about that master.
    pub(super) fn hear_release(&mut self, now: Instant, index: MemberIndex, sender: IpAddr) {
        let Some((_, member)) = self.part(index) else { return };
        if member.followed.is_some_and(|followed| followed.address != sender) {
            member.counters.unrelated_releases += 1;
            return;
        }
        for index in self.indices() {
            let Some(priority) = self.priority(index) else { continue };
            let Some((config, member)) = self.part(index) else { continue };
            let skew = timing::skew(&config.protocol, priority, member.master_interval);
            member.master_down.shift(|deadline| deadline.min(now.saturating_add(skew)));
            member.succession = Succession::Release;
        }
    }
}
