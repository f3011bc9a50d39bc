//! An advert comes in: is it valid, is it from a peer, and what does it mean in the state we are in.

use std::net::IpAddr;
use std::time::Duration;

use super::{Group, Lifecycle};
use crate::action::{Action, Notice, Reason, State};
use crate::config::{MemberConfig, Transport};
use crate::event::MemberIndex;
use crate::member::{Followed, Member};
use crate::time::Instant;
use crate::timing;
use crate::types::{Claim, Family, Ipv4Checksum};
use crate::wire::{Advert, Datagram, ReceivePolicy};

impl Group {
    pub(super) fn receive(
        &mut self,
        now: Instant,
        index: MemberIndex,
        datagram: &Datagram<'_>,
        actions: &mut Vec<Action>,
    ) {
        if self.lifecycle == Lifecycle::New {
            return;
        }
        let Some((config, member)) = self.part(index) else { return };
        let advert = match Advert::parse(datagram, &receive_policy(config)) {
            Ok(advert) => advert,
            Err(error) => {
                member.counters.receive.count(&error);
                return;
            }
        };
        // While the transport is changed from node to node, peers use the other one: still a peer.
        let other_transport = datagram.destination.is_multicast() != (config.transport == Transport::Multicast);
        member.counters.transport_mismatches += u64::from(other_transport);
        match sender_of(config, member, datagram.source, other_transport) {
            Sender::Peer => member.counters.adverts_received += 1,
            Sender::Ourselves => {
                member.counters.own_adverts += 1;
                return;
            }
            Sender::Stranger => {
                self.hear_stranger(index, datagram.source, actions);
                return;
            }
        }
        if self.lifecycle == Lifecycle::Running {
            self.note_differences(index, &advert, actions);
        }
        match advert.claim() {
            Claim::Release => self.hear_zero(now, index, datagram.source, actions),
            Claim::Master(priority) => {
                let sender = Followed { address: datagram.source, priority };
                self.hear_claim(now, index, sender, advert.interval(), actions);
            }
        }
    }

    /// A router that has no say is told of once, unless we have stopped listening for good.
    fn hear_stranger(&mut self, index: MemberIndex, source: IpAddr, actions: &mut Vec<Action>) {
        let running = self.lifecycle == Lifecycle::Running;
        let Some((_, member)) = self.part(index) else { return };
        member.counters.foreign_adverts += 1;
        if running && member.foreign != Some(source) {
            member.foreign = Some(source);
            actions.push(Action::Notify(Notice::ForeignRouter { member: index }));
        }
    }

    /// Counts what is odd but no reason to drop the advert.
    fn note_differences(&mut self, index: MemberIndex, advert: &Advert<'_>, actions: &mut Vec<Action>) {
        let Some((config, member)) = self.part(index) else { return };
        if advert.checksum_form() == Some(Ipv4Checksum::MessageOnly) {
            member.counters.message_only_checksums += 1;
        }
        if config.family == Family::Ipv6 && !advert.first_address_is_link_local() {
            member.counters.first_address_not_link_local += 1;
        }
        if advert.claim() == Claim::Release {
            return;
        }
        if advert.interval() != config.interval.get() {
            member.counters.interval_differs += 1;
        }
        let differs = !same_addresses(config, advert);
        if differs {
            member.counters.address_list_differs += 1;
            if !member.list_differs {
                actions.push(Action::Notify(Notice::AddressListDiffers { member: index }));
            }
        }
        member.list_differs = differs;
    }

    fn hear_zero(&mut self, now: Instant, index: MemberIndex, sender: IpAddr, actions: &mut Vec<Action>) {
        if let Some((_, member)) = self.part(index) {
            member.counters.releases_received += 1;
        }
        match self.state {
            State::Master => self.answer(now, index, actions),
            State::Backup => self.hear_release(now, index, sender),
            State::Initialize | State::Fault => {}
        }
    }

    fn hear_claim(
        &mut self,
        now: Instant,
        index: MemberIndex,
        sender: Followed,
        interval: Duration,
        actions: &mut Vec<Action>,
    ) {
        if let Some((_, member)) = self.part(index) {
            member.best_heard = member.best_heard.max(Some(sender.priority));
        }
        match self.state {
            State::Master => match self.meet(now, index, sender, interval) {
                Meeting::Yield(reason) => self.yield_to(now, index, sender, interval, reason, actions),
                Meeting::Stay => self.hear_lower_master(now, index, sender, actions),
                Meeting::Undecided => {}
            },
            State::Backup => {
                self.successor_heard(now, index);
                self.hear_master(now, index, sender, interval);
            }
            State::Initialize | State::Fault => self.successor_heard(now, index),
        }
    }

    /// What becomes of two masters that meet (RFC 9568 section 6.4.3).
    fn meet(&mut self, now: Instant, index: MemberIndex, other: Followed, interval: Duration) -> Meeting {
        let own = self.priority(index);
        let source = self.members.get(usize::from(index.0)).and_then(Member::source);
        let (Some(own), Some(source)) = (own, source) else { return Meeting::Stay };
        if other.priority > own {
            return Meeting::Yield(Reason::HigherPriority);
        }
        if other.priority < own || other.address < source {
            return Meeting::Stay;
        }
        self.lose_tie(now, index, interval)
    }

    /// The other master has the same priority and the higher address on this member.
    ///
    /// Two nodes need not have the same order by IPv4 and by IPv6 address. If each member counted for itself, both
    /// groups would lose a tie, yield, and take over again together, for ever. So the first member decides. A later one
    /// does if the earlier ones have heard nothing of the tie for an interval of the other's: on them it is not heard.
    fn lose_tie(&mut self, now: Instant, index: MemberIndex, interval: Duration) -> Meeting {
        let won_before = self.has_won_tie_before(now, index);
        let Some((_, member)) = self.part(index) else { return Meeting::Stay };
        if won_before {
            member.losing_tie_since = None;
            return Meeting::Stay;
        }
        let recent = |since: &Instant| now.saturating_since(*since) < timing::earliest_takeover(interval);
        let since = member.losing_tie_since.filter(recent).unwrap_or(now);
        member.losing_tie_since = Some(since);
        if index.0 == 0 || now.saturating_since(since) >= interval {
            Meeting::Yield(Reason::HigherAddress)
        } else {
            Meeting::Undecided
        }
    }

    /// Whether an earlier member has won a tie within the time that a master may be silent: then the group has.
    fn has_won_tie_before(&self, now: Instant, index: MemberIndex) -> bool {
        let mut earlier = self.config.members().iter().zip(&self.members).take(usize::from(index.0));
        earlier.any(|(config, member)| {
            let silence = timing::earliest_takeover(config.interval.get());
            member.won_tie.is_some_and(|won| now.saturating_since(won) < silence)
        })
    }

    fn hear_lower_master(&mut self, now: Instant, index: MemberIndex, sender: Followed, actions: &mut Vec<Action>) {
        let tie = self.priority(index) == Some(sender.priority);
        if let Some((_, member)) = self.part(index) {
            member.counters.lower_adverts += 1;
            if tie && member.source() > Some(sender.address) {
                member.won_tie = Some(now);
            }
        }
        self.assert_mastership(now, index, actions);
        if self.part(index).is_some_and(|(_, member)| member.has_settled(now)) {
            actions.push(Action::Notify(Notice::LowerMasterHeard { member: index }));
        }
    }
}

fn receive_policy(config: &MemberConfig) -> ReceivePolicy {
    match config.transport {
        Transport::Multicast => ReceivePolicy::multicast(config.protocol, config.family, config.interval),
        Transport::Unicast(_) => ReceivePolicy::unicast(config.protocol, config.family, config.interval),
    }
}

/// What becomes of a master that meets another.
enum Meeting {
    /// The other should be master.
    Yield(Reason),
    /// The other should not.
    Stay,
    /// Another member of the group may know better.
    Undecided,
}

/// Who sent an advert.
enum Sender {
    Peer,
    /// Our own advert came back: a loop, or a duplicate address.
    Ourselves,
    /// A router that has no say.
    Stranger,
}

fn sender_of(config: &MemberConfig, member: &Member, source: IpAddr, other_transport: bool) -> Sender {
    if member.source() == Some(source) {
        Sender::Ourselves
    } else if config.obeys(source) || (other_transport && member.obeyed_before(source)) {
        Sender::Peer
    } else {
        Sender::Stranger
    }
}

/// Compares the lists as sets: the order is the sender's choice.
fn same_addresses(config: &MemberConfig, advert: &Advert<'_>) -> bool {
    if advert.addresses().eq(config.addresses.iter().copied()) {
        return true;
    }
    advert.address_count() == config.addresses.len()
        && config.addresses.iter().all(|own| advert.addresses().any(|address| address == *own))
}
