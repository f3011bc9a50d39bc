//! Addresses: added and removed in turn, all there while master, kept for the successor when the group leaves, and
//! never longer than a bound.

use std::net::IpAddr;

use super::facts::ANNOUNCEMENT;
use super::succeed::{Origin, collect};
use super::{Case, Rule, Verdict};
use crate::action::Action;
use crate::event::{Event, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;

/// Since when each member holds its addresses for a successor.
#[derive(Clone, Debug)]
pub(super) struct Handover(Vec<Leaving>);

#[derive(Clone, Copy, Debug, Default)]
struct Leaving {
    /// When to let go if no successor is heard.
    bound: Option<Instant>,
    /// When a successor was heard first.
    successor: Option<Instant>,
}

impl Handover {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![Leaving::default(); members])
    }

    pub(super) fn succeed(origins: &[Origin<'_>]) -> Self {
        Self(collect(origins, |referee| &referee.handover.0))
    }

    /// Returns the addresses that each member holds after the event.
    pub(super) fn judge(&mut self, case: &Case<'_>) -> Result<Vec<Vec<IpAddr>>, Broken> {
        let mut all = Vec::with_capacity(self.0.len());
        for (place, leaving) in (0..).zip(&mut self.0) {
            let index = MemberIndex(place);
            let held = balance(case, index)?;
            leaving.follow(case, index);
            leaving.judge(case, index, &held)?;
            all.push(held);
        }
        Ok(all)
    }
}

use super::Broken;

/// Keeps account of what was added and removed, and compares it with the group's own account.
fn balance(case: &Case<'_>, index: MemberIndex) -> Result<Vec<IpAddr>, Broken> {
    let mut held = case.facts.member(index).map(|(_, member)| member.held.clone()).unwrap_or_default();
    let again = case.input == Input::AddressDeleted || case.became(Situation::Master);
    for action in case.actions {
        match action {
            Action::AddAddress { member, address, .. } if *member == index => {
                if held.contains(address) {
                    Rule::Balance.demand(again, || format!("{address} is added twice"))?;
                } else {
                    held.push(*address);
                }
            }
            Action::RemoveAddress { member, address } if *member == index => {
                let before = held.len();
                held.retain(|other| other != address);
                Rule::Balance.demand(held.len() < before || is_gone(case, *address), || {
                    format!("{address} is removed without having been added")
                })?;
            }
            _ => {}
        }
    }
    // What the kernel refused or lost needs no removal.
    held.retain(|address| !is_gone(case, *address) || case.group.installed(index).any(|own| own == *address));
    let mut own: Vec<IpAddr> = case.group.installed(index).collect();
    own.sort_unstable();
    held.sort_unstable();
    Rule::Balance.demand(own == held, || format!("{index:?} believes to hold {own:?}, but holds {held:?}"))?;
    Ok(held)
}

/// Whether the event says that the address is not on the interface.
fn is_gone(case: &Case<'_>, wanted: IpAddr) -> bool {
    match case.event {
        Event::AddressFailed { address, .. } | Event::AddressDeleted { address, .. } => *address == wanted,
        _ => false,
    }
}

impl Leaving {
    fn follow(&mut self, case: &Case<'_>, index: MemberIndex) {
        if case.situation == Situation::Master {
            *self = Self::default();
            return;
        }
        if case.facts.situation == Situation::Master {
            let bound = case.facts.longest_handover();
            *self = Self { bound: Some(case.now.saturating_add(bound)), successor: None };
        }
        let heard = matches!(case.event, Event::Packet { member, .. } if *member == index)
            && matches!(
                case.input,
                Input::HigherPriority | Input::HigherAddress | Input::LowerAddress | Input::LowerPriority
            );
        if heard && self.successor.is_none() {
            self.successor = Some(case.now);
        }
    }

    /// When the addresses are due to go.
    fn due(&self) -> Instant {
        let grace = self.successor.map(|heard| heard.saturating_add(ANNOUNCEMENT));
        self.bound.into_iter().chain(grace).min().unwrap_or(Instant::ZERO)
    }

    fn judge(&self, case: &Case<'_>, index: MemberIndex, held: &[IpAddr]) -> Verdict {
        let at_once = case.situation == Situation::Fault || matches!(case.event, Event::Abort);
        if at_once {
            return Rule::Handover.demand(held.is_empty(), || format!("{held:?} are kept on {:?}", case.input));
        }
        if case.situation == Situation::Master || case.stalled {
            return Ok(());
        }
        if matches!(case.event, Event::Timer) {
            Rule::Handover.demand(held.is_empty() || case.now < self.due(), || {
                format!("{held:?} are kept until {}, longer than {}", case.now, self.due())
            })?;
        }
        let removed = case.actions.iter().filter_map(|action| match action {
            Action::RemoveAddress { member, address } if *member == index => Some(*address),
            _ => None,
        });
        for address in removed {
            let asked = match case.event {
                Event::NeighborClaim { address: claimed, .. } => *claimed == address,
                Event::Reconfigure { .. } => true,
                _ => false,
            };
            Rule::Handover.demand(asked || case.now >= self.due(), || {
                format!("{address} is given up at {}, before {}", case.now, self.due())
            })?;
        }
        Ok(())
    }
}
