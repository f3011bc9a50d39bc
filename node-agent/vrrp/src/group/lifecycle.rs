//! Start, stop, faults and recovery: whether the group may take part at all.

use std::net::IpAddr;
use std::time::Duration;

use super::{Group, Lifecycle, PreemptionHold};
use crate::action::{Action, Notice, Reason, State};
use crate::event::{Epoch, Link, MemberIndex};
use crate::master_down::MasterDown;
use crate::member::{Followed, Succession};
use crate::time::Instant;
use crate::timers::GroupTimer;
use crate::timing;
use crate::types::Priority;

/// The first wait after the kernel refused something; doubled with each failure in a row.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// No more than 2^5 times the first wait.
const MAXIMUM_DOUBLINGS: u8 = 5;

impl Group {
    pub(super) fn start(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.lifecycle == Lifecycle::New {
            self.lifecycle = Lifecycle::Running;
            self.settle(now, actions);
        }
    }

    pub(super) fn drain(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let was_running = self.lifecycle == Lifecycle::Running;
        self.lifecycle = Lifecycle::Stopped;
        if !was_running {
            return;
        }
        if self.state == State::Master {
            self.release_mastership(now, actions);
        }
        self.stop_electing();
        self.set_state(now, State::Initialize, Reason::Stopped, actions);
    }

    pub(super) fn abort(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.drain(now, actions);
        self.release_everything(actions);
    }

    pub(super) fn change_link(&mut self, now: Instant, index: MemberIndex, link: Link, actions: &mut Vec<Action>) {
        let Some((_, member)) = self.part(index) else { return };
        if std::mem::replace(&mut member.link, link) != link {
            self.forget_kernel_fault();
        }
        self.settle(now, actions);
        self.join(now, index, actions);
    }

    pub(super) fn address_failed(
        &mut self,
        now: Instant,
        index: MemberIndex,
        address: IpAddr,
        epoch: Epoch,
        actions: &mut Vec<Action>,
    ) {
        let outdated = epoch != self.epoch || self.state != State::Master;
        let Some((config, member)) = self.part(index) else { return };
        if outdated {
            member.counters.outdated_reports += 1;
            return;
        }
        let Some(place) = config.addresses.iter().position(|own| *own == address) else { return };
        if !member.asked_again.contains(place) {
            member.installed.remove(place);
        }
        member.counters.address_failures += 1;
        self.fail_in_kernel(now, Reason::AddressFailed, actions);
    }

    pub(super) fn send_failed(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let master = self.state == State::Master;
        let Some((_, member)) = self.part(index) else { return };
        member.counters.send_failures += 1;
        let too_many = member.failed_sends.failed();
        if master && too_many {
            self.fail_in_kernel(now, Reason::SendFailed, actions);
        }
    }

    pub(super) fn retry_after_kernel_fault(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.kernel_fault = None;
        self.settle(now, actions);
    }

    /// What the kernel refused is not asked for any more, or under other conditions: there is nothing to wait for.
    pub(super) fn forget_kernel_fault(&mut self) {
        self.kernel_fault = None;
        self.retries = 0;
        self.timers.cancel(GroupTimer::Retry);
    }

    /// Brings the state in line with the causes of faults. Does nothing when they agree already.
    pub(super) fn settle(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.lifecycle != Lifecycle::Running {
            return;
        }
        match (self.fault(), self.state) {
            (None, State::Backup | State::Master) => {}
            (Some(reason), State::Fault) => self.blame(reason, actions),
            (Some(reason), _) => self.enter_fault(now, reason, actions),
            (None, State::Initialize) if self.is_pending() => {}
            // What made the fault is over, but a first result is still waited for: it may be another fault.
            (None, State::Fault) if self.is_pending() => {
                self.set_state(now, State::Initialize, Reason::Recovered, actions);
            }
            (None, State::Initialize) => self.begin_electing(now, Reason::Started, actions),
            (None, State::Fault) => self.begin_electing(now, Reason::Recovered, actions),
        }
    }

    /// The first cause of a fault, if there is any.
    pub(super) fn fault(&self) -> Option<Reason> {
        let link = self.members.iter().any(|member| member.link == Link::Down);
        let check = self.config.trackers.iter().zip(&self.tracked).any(|(tracker, state)| tracker.is_fault(*state));
        link.then_some(Reason::InterfaceDown).or(check.then_some(Reason::CheckFailed)).or(self.kernel_fault)
    }

    /// The fault goes on, maybe for another reason: the first has ended, or one that counts more has begun.
    fn blame(&mut self, reason: Reason, actions: &mut Vec<Action>) {
        if std::mem::replace(&mut self.reason, reason) != reason {
            actions.push(Action::Notify(Notice::ReasonChanged { reason }));
        }
    }

    /// Whether a first result is still waited for.
    fn is_pending(&self) -> bool {
        let link = self.members.iter().any(|member| member.link == Link::Unknown);
        let check = self.config.trackers.iter().zip(&self.tracked).any(|(tracker, state)| tracker.is_pending(*state));
        link || check
    }

    fn fail_in_kernel(&mut self, now: Instant, reason: Reason, actions: &mut Vec<Action>) {
        let wait = FIRST_RETRY * 2_u32.pow(u32::from(self.retries.min(MAXIMUM_DOUBLINGS)));
        self.retries = self.retries.saturating_add(1);
        self.kernel_fault = Some(reason);
        self.timers.set(GroupTimer::Retry, now.saturating_add(wait));
        self.settle(now, actions);
    }

    /// Leaving by fault is immediate: what does not work cannot be handed over.
    fn enter_fault(&mut self, now: Instant, reason: Reason, actions: &mut Vec<Action>) {
        if self.state == State::Master {
            self.release_mastership(now, actions);
        }
        self.release_everything(actions);
        self.stop_electing();
        self.set_state(now, State::Fault, reason, actions);
    }

    fn begin_electing(&mut self, now: Instant, reason: Reason, actions: &mut Vec<Action>) {
        if self.indices().all(|index| self.priority(index).is_some_and(Priority::is_owner)) {
            self.take_over(now, Reason::AddressOwner, actions);
            return;
        }
        self.expect_own_interval();
        self.follow(now, None, reason, actions);
    }

    /// Becomes a backup that waits a whole master down interval, of `leader` or of whoever comes.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        leader: Option<(MemberIndex, Followed)>,
        reason: Reason,
        actions: &mut Vec<Action>,
    ) {
        self.preemption = PreemptionHold::Idle;
        self.timers.cancel(GroupTimer::PreemptDelay);
        for index in self.indices() {
            let Some(priority) = self.priority(index) else { continue };
            let Some((config, member)) = self.part(index) else { continue };
            member.followed = leader.filter(|(heard_by, _)| *heard_by == index).map(|(_, followed)| followed);
            member.best_heard = member.followed.map(|leader| leader.priority);
            member.succession = Succession::Silence;
            let down = timing::master_down(&config.protocol, priority, member.master_interval);
            // Who is not there yet waits when it joins.
            let waits = member.source().is_some();
            member.master_down =
                if waits { MasterDown::Running(now.saturating_add(down)) } else { MasterDown::Stopped };
        }
        self.set_state(now, State::Backup, reason, actions);
    }

    /// Stops every timer of the election; addresses that are still held keep theirs.
    fn stop_electing(&mut self) {
        self.preemption = PreemptionHold::Idle;
        self.timers.cancel(GroupTimer::PreemptDelay);
        self.timers.cancel(GroupTimer::HoldDown);
        if self.lifecycle == Lifecycle::Stopped {
            self.timers.cancel(GroupTimer::Retry);
        }
        for (_, _, member) in self.parts() {
            member.followed = None;
            member.master_down = MasterDown::Stopped;
        }
    }
}
