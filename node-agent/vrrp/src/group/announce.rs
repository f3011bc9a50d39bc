//! Telling neighbours where the addresses are: gratuitous ARP and unsolicited neighbour advertisements.

use std::net::IpAddr;
use std::time::Duration;

use super::Group;
use crate::action::{Action, Notice, State};
use crate::event::MemberIndex;
use crate::time::Instant;
use crate::timers::MemberTimer;
use crate::timing;
use crate::wire::MacAddress;

/// Between two announcements of the schedule there is at least this much: those that a late wake-up missed, and those
/// that are configured to come at once, do not all come in the same moment.
const LEAST_DISTANCE: Duration = Duration::from_millis(1);

impl Group {
    /// The first announcement of a takeover, and the schedule of the others.
    pub(super) fn begin_announcements(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        self.announce_all(index, actions);
        let Some((config, member)) = self.part(index) else { return };
        if let Some(refresh) = config.announcements.refresh {
            member.timers.set(MemberTimer::Refresh, now.saturating_add(refresh));
        }
        self.restart_announcements(now, index);
    }

    /// The schedule begins with an announcement that is made now.
    pub(super) fn restart_announcements(&mut self, now: Instant, index: MemberIndex) {
        let Some((_, member)) = self.part(index) else { return };
        member.last_takeover = now;
        member.announced = 1;
        self.schedule_announcement(now, index);
    }

    /// Sets the timer for the next announcement of the schedule.
    fn schedule_announcement(&mut self, now: Instant, index: MemberIndex) {
        let Some((config, member)) = self.part(index) else { return };
        match config.announcements.due(member.announced) {
            Some(due) => {
                let scheduled = member.last_takeover.saturating_add(due);
                member.timers.set(MemberTimer::Announce, scheduled.max(now.saturating_add(LEAST_DISTANCE)));
            }
            None => member.timers.cancel(MemberTimer::Announce),
        }
    }

    /// The next announcement of a takeover.
    pub(super) fn continue_announcements(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        self.announce_all(index, actions);
        self.probe_all(now, index, actions);
        let Some((_, member)) = self.part(index) else { return };
        member.announced = member.announced.saturating_add(1);
        self.schedule_announcement(now, index);
    }

    pub(super) fn refresh_announcements(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        self.announce_all(index, actions);
        self.probe_all(now, index, actions);
        let Some((config, member)) = self.part(index) else { return };
        if let Some(refresh) = config.announcements.refresh {
            member.timers.set(MemberTimer::Refresh, now.saturating_add(refresh));
        }
    }

    /// Repeats the announcements of the whole group: now, or as soon as the last ones are not fresh any more.
    pub(super) fn reannounce(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for index in self.indices() {
            if self.part(index).is_some_and(|(_, member)| member.is_advertising() && member.may_reannounce(now)) {
                self.announce_all(index, actions);
            }
        }
    }

    /// Another machine claims an address: our successor while we hold the address for it, a conflict while we are
    /// master, and no news otherwise.
    pub(super) fn neighbor_claims(
        &mut self,
        now: Instant,
        index: MemberIndex,
        address: IpAddr,
        by: Option<MacAddress>,
        actions: &mut Vec<Action>,
    ) {
        if self.state != State::Master {
            self.release_claimed(index, address, actions);
            return;
        }
        let Some((config, member)) = self.part(index) else { return };
        if !config.addresses.contains(&address) {
            return;
        }
        member.counters.address_conflicts += 1;
        self.reannounce(now, actions);
        actions.push(Action::Notify(Notice::AddressConflict { member: index, address, by }));
    }

    /// Someone took an address of ours away: a master puts it back at once, and says so to the neighbours.
    pub(super) fn address_deleted(&mut self, index: MemberIndex, address: IpAddr, actions: &mut Vec<Action>) {
        let (master, epoch) = (self.state == State::Master, self.epoch);
        let Some((config, member)) = self.part(index) else { return };
        let Some(place) = config.addresses.iter().position(|own| *own == address) else { return };
        if !member.installed.contains(place) {
            return;
        }
        if master {
            member.asked_again.insert(place);
            member.counters.addresses_restored += 1;
            member.counters.announcements_sent += 1;
            actions.push(Action::AddAddress { member: index, address, epoch });
            actions.push(Action::Announce { member: index, address });
            actions.push(Action::Notify(Notice::AddressRestored { member: index, address }));
        } else {
            member.installed.remove(place);
        }
    }

    pub(super) fn announce_all(&mut self, index: MemberIndex, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        for address in &config.addresses {
            member.counters.announcements_sent += 1;
            actions.push(Action::Announce { member: index, address: *address });
        }
    }

    /// Asks whether anyone else answers for the addresses, once every predecessor has let them go.
    fn probe_all(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        if now < member.last_takeover.saturating_add(timing::PREDECESSOR_GRACE) {
            return;
        }
        actions.extend(config.addresses.iter().map(|address| Action::Probe { member: index, address: *address }));
    }
}
