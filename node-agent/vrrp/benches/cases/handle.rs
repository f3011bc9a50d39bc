//! One event of a single group, and when it wants to be woken next: what the agent asks after each.

use std::hint::black_box;

use holdfast_vrrp::{Action, Event, Instant, State};

use super::Operation;
use super::decode::datagram;
use super::router::{INTERVAL, Kind, MEMBER, V3_IPV4};

/// A backup hears its master: the most frequent event of all.
pub(crate) fn backup_hears(kind: &'static Kind) -> Operation {
    let (mut group, packet) = (kind.backup(), kind.packet_of_master());
    let (mut now, mut actions) = (Instant::ZERO, Vec::<Action>::with_capacity(64));
    let mut hear = move || {
        now = now.saturating_add(INTERVAL);
        actions.clear();
        let datagram = datagram(kind, black_box(&packet));
        group.handle(now, Event::Packet { member: MEMBER, datagram }, &mut actions);
        black_box(group.next_deadline());
        assert!(group.state() == State::Backup && actions.is_empty());
        actions.len()
    };
    hear();
    Box::new(hear)
}

/// The timer of a master asks for the next advert.
pub(crate) fn master_wakes() -> Operation {
    let mut group = V3_IPV4.master();
    let (mut now, mut actions) = (group.next_deadline().unwrap(), Vec::with_capacity(64));
    let mut wake = move || {
        actions.clear();
        group.handle(black_box(now), Event::Timer, &mut actions);
        now = group.next_deadline().unwrap();
        assert!(matches!(*actions, [Action::SendAdvert { .. }]));
        black_box(&actions).len()
    };
    wake();
    Box::new(wake)
}
