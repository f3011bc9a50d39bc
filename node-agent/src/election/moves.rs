//! Virtual routers that move from one group into another, for all tables that name them by their place.

use std::collections::HashMap;

use holdfast_vrrp::Epoch;

use super::slot::Seat;

/// From where to where.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves(HashMap<Seat, Move>);

/// Where a virtual router is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) to: Seat,
    /// The present state of its former group, and what it is called in the new one.
    pub(super) epochs: (Epoch, Epoch),
}

impl Moves {
    pub(super) fn add(&mut self, from: Seat, to: Move) {
        self.0.insert(from, to);
    }

    /// Brings the name of a virtual router up to date.
    pub(super) fn update(&self, seat: &mut Seat) {
        if let Some(found) = self.0.get(seat) {
            *seat = found.to;
        }
    }

    /// The same with the state of its group. What is about an earlier state stays so.
    pub(super) fn update_with_epoch(&self, seat: &mut Seat, epoch: &mut Epoch) {
        if let Some(Move { to, epochs: (before, after) }) = self.0.get(seat).copied() {
            *seat = to;
            if *epoch == before {
                *epoch = after;
            }
        }
    }
}
