//! The election of a group: one state for all its virtual routers, events in, actions out.
//!
//! [`Group::handle`] is the only way to change a group. When it returns, nothing is pending inside but timers. It only
//! appends to the list of actions, cannot fail, and reads no clock. The files below this one hold one part each:
//!
//! | file | holds |
//! | --- | --- |
//! | `lifecycle.rs` | start, drain, abort, faults and recovery |
//! | `receive.rs` | an advert comes in: checks, and what it means in each state |
//! | `backup.rs` | following a master, preemption, the master down timer |
//! | `master.rs` | taking over, adverts, yielding, resigning, stalls |
//! | `release.rs` | holding addresses until the successor answers |
//! | `announce.rs` | gratuitous ARP and neighbour advertisements, conflicts |
//! | `track.rs` | priorities and what their change does |
//! | `reconfigure.rs` | a new configuration while running |
//! | `succeed.rs` | groups made of the members of others |
//! | `order.rs` | the order of phases within one call |
//! | `view.rs` | reading the state |

mod announce;
mod backup;
mod lifecycle;
mod master;
mod order;
#[cfg(feature = "sim")]
pub(crate) mod rebase;
mod receive;
mod reconfigure;
mod release;
mod succeed;
mod track;
mod view;

pub use succeed::Predecessor;

use self::order::order_by_phase;
use crate::action::{Action, Notice, Reason, State};
use crate::config::{GroupConfig, MemberConfig};
use crate::event::{Epoch, Event, MemberIndex};
use crate::member::Member;
use crate::time::Instant;
use crate::timers::{GroupTimer, MemberTimer, Timers};
use crate::tracking::TrackState;

/// Virtual routers that move together, elected as one. See the [module documentation](self) for where what is.
///
/// A group is a value: it can be cloned, compared, hashed, recorded and searched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    config: GroupConfig,
    members: Vec<Member>,
    tracked: Vec<TrackState>,
    lifecycle: Lifecycle,
    state: State,
    reason: Reason,
    since: Instant,
    epoch: Epoch,
    preemption: PreemptionHold,
    kernel_fault: Option<Reason>,
    retries: u8,
    timers: Timers<3>,
}

/// Whether the group takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Lifecycle {
    #[default]
    New,
    Running,
    Stopped,
}

/// Where the preemption delay stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum PreemptionHold {
    /// No lower master was heard.
    #[default]
    Idle,
    /// A lower master was heard, and the delay runs.
    Running,
    /// The delay is over.
    Elapsed,
}

impl Group {
    /// A group that waits for [`Event::Start`]. `tracked` holds the known states of the configuration's trackers;
    /// missing ones are unknown.
    pub fn new(config: GroupConfig, tracked: &[TrackState]) -> Self {
        let members = config.members().iter().map(Member::new).collect();
        let tracked = track::states_for(&config, tracked);
        let mut group = Self {
            config,
            members,
            tracked,
            lifecycle: Lifecycle::New,
            state: State::Initialize,
            reason: Reason::NotStarted,
            since: Instant::ZERO,
            epoch: Epoch::default(),
            preemption: PreemptionHold::Idle,
            kernel_fault: None,
            retries: 0,
            timers: Timers::default(),
        };
        group.weigh_priorities();
        group
    }

    /// Takes in what happened at `now` and appends what is to be done about it, in non-decreasing
    /// [`Phase`](crate::Phase).
    ///
    /// `now` must not go backwards. Received packets must be handed in before [`Event::Timer`] of the same wake-up.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, actions: &mut Vec<Action>) {
        let first = actions.len();
        self.step_down_after_stall(now, actions);
        match event {
            Event::Start => self.start(now, actions),
            Event::Drain => self.drain(now, actions),
            Event::Abort => self.abort(now, actions),
            Event::Timer => self.fire_timers(now, actions),
            Event::Packet { member, datagram } => self.receive(now, member, &datagram, actions),
            Event::Link { member, link } => self.change_link(now, member, link, actions),
            Event::Track { tracker, state } => self.track(now, tracker, state, actions),
            Event::NeighborClaim { member, address, by } => self.neighbor_claims(now, member, address, by, actions),
            Event::AddressDeleted { member, address } => self.address_deleted(member, address, actions),
            Event::AddressFailed { member, address, epoch } => {
                self.address_failed(now, member, address, epoch, actions);
            }
            Event::SendFailed { member } => self.send_failed(now, member, actions),
            Event::Reconfigure { config, trackers } => self.reconfigure(now, config, trackers, actions),
        }
        if let Some(added) = actions.get_mut(first..) {
            order_by_phase(added);
        }
    }

    /// When [`Event::Timer`] is due next; `None` while nothing is waited for.
    pub fn next_deadline(&self) -> Option<Instant> {
        let members = self.members.iter().filter_map(Member::next_deadline);
        members.chain(self.timers.next()).min()
    }

    fn fire_timers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.fire_group_timers(now, actions);
        for member in self.indices() {
            self.fire_member_timers(now, member, actions);
        }
        self.take_over_if_all_agree(now, actions);
    }

    fn fire_group_timers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.timers.take_due(GroupTimer::PreemptDelay, now).is_some() {
            self.preemption = PreemptionHold::Elapsed;
        }
        let _ = self.timers.take_due(GroupTimer::HoldDown, now);
        if self.timers.take_due(GroupTimer::Retry, now).is_some() {
            self.retry_after_kernel_fault(now, actions);
        }
    }

    fn fire_member_timers(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let due =
            |group: &mut Self, timer| group.part(index).and_then(|(_, member)| member.timers.take_due(timer, now));
        if let Some(deadline) = due(self, MemberTimer::Advert) {
            self.advertise_on_schedule(now, index, deadline, actions);
        }
        self.part(index).into_iter().for_each(|(_, member)| member.master_down.fire(now));
        if due(self, MemberTimer::Release).is_some() {
            self.release_all(index, actions);
        }
        if due(self, MemberTimer::Announce).is_some() {
            self.continue_announcements(now, index, actions);
        }
        if due(self, MemberTimer::Refresh).is_some() {
            self.refresh_announcements(now, index, actions);
        }
        if due(self, MemberTimer::Reannounce).is_some() {
            self.reannounce(now, actions);
        }
    }

    fn set_state(&mut self, now: Instant, to: State, reason: Reason, actions: &mut Vec<Action>) {
        let from = self.state;
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
        self.state = to;
        self.reason = reason;
        self.since = now;
        actions.push(Action::Notify(Notice::StateChanged { from, to, reason }));
    }

    fn indices(&self) -> impl Iterator<Item = MemberIndex> + use<> {
        (0..=u8::MAX).take(self.members.len()).map(MemberIndex)
    }

    fn part(&mut self, index: MemberIndex) -> Option<(&MemberConfig, &mut Member)> {
        let place = usize::from(index.0);
        self.config.members().get(place).zip(self.members.get_mut(place))
    }

    fn parts(&mut self) -> impl Iterator<Item = (MemberIndex, &MemberConfig, &mut Member)> {
        let indices = (0..=u8::MAX).map(MemberIndex);
        indices
            .zip(self.config.members())
            .zip(&mut self.members)
            .map(|((index, config), member)| (index, config, member))
    }
}
