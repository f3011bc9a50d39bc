//! Make before break: addresses stay on the interface until the successor answers for them, or a bound has passed.

use std::net::IpAddr;

use super::Group;
use crate::action::Action;
use crate::event::MemberIndex;
use crate::time::Instant;
use crate::timers::MemberTimer;
use crate::timing;

impl Group {
    /// Asks for every address, also for those that are still held for a successor: whether an earlier request has
    /// succeeded may not be known yet, and a report about it would be out of date.
    pub(super) fn install_all(&mut self, index: MemberIndex, actions: &mut Vec<Action>) {
        let epoch = self.epoch;
        let Some((config, member)) = self.part(index) else { return };
        member.asked_again = member.installed;
        for (place, address) in config.addresses.iter().enumerate() {
            member.installed.insert(place);
            actions.push(Action::AddAddress { member: index, address: *address, epoch });
        }
    }

    /// Takes every address of the member off the interface.
    pub(super) fn release_all(&mut self, index: MemberIndex, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        for (place, address) in config.addresses.iter().enumerate() {
            if member.installed.remove(place) {
                actions.push(Action::RemoveAddress { member: index, address: *address });
            }
        }
        member.timers.cancel(MemberTimer::Release);
    }

    pub(super) fn release_everything(&mut self, actions: &mut Vec<Action>) {
        for index in self.indices() {
            self.release_all(index, actions);
        }
    }

    /// The successor advertises. It adds and announces its addresses only afterwards, so it gets a moment to do so.
    pub(super) fn successor_heard(&mut self, now: Instant, index: MemberIndex) {
        let Some((_, member)) = self.part(index) else { return };
        if !member.installed.is_empty() {
            member.timers.set_earlier(MemberTimer::Release, now.saturating_add(timing::ANNOUNCEMENT_GRACE));
        }
    }

    /// The successor announced this address, so it answers for it.
    pub(super) fn release_claimed(&mut self, index: MemberIndex, address: IpAddr, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        let Some(place) = config.addresses.iter().position(|own| *own == address) else { return };
        if member.installed.remove(place) {
            actions.push(Action::RemoveAddress { member: index, address });
        }
        if member.installed.is_empty() {
            member.timers.cancel(MemberTimer::Release);
        }
    }
}
