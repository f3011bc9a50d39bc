//! Phase 4: telling people and programs.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::SystemTime;

use holdfast_vrrp::wire::MacAddress;
use holdfast_vrrp::{Action, MemberIndex, Notice, Reason, State};

use super::Driver;
use crate::desired::TrackerSource;
use crate::election::engine::Requests;
use crate::election::report::{Conflict, Disappearance, Report};
use crate::election::running::RunningGroup;
use crate::election::slot::{Seat, Slot};
use crate::network::interfaces::InterfaceIndex;

impl Driver {
    pub(super) fn notify(&mut self, requests: &Requests) {
        for (slot, action) in requests.iter() {
            if let Action::Notify(notice) = *action {
                self.tell_of(slot, notice);
            }
        }
    }

    fn tell_of(&mut self, slot: Slot, notice: Notice) {
        let report = match notice {
            Notice::StateChanged { from, to, reason } => self.state_changed(slot, from, to, reason),
            Notice::ReasonChanged { reason } => self.state_changed(slot, State::Fault, State::Fault, reason),
            Notice::PriorityChanged => self.engine.get(slot).map(priority_changed),
            Notice::ForeignRouter { member } => self.foreign_router(Seat { slot, member }),
            Notice::AddressConflict { member, address, by } => {
                self.address_conflict(Seat { slot, member }, address, by)
            }
            Notice::AddressRestored { member, address } => self.address_restored(Seat { slot, member }, address),
            Notice::LowerMasterHeard { member } => self.lower_master(Seat { slot, member }),
            Notice::AddressListDiffers { member } => {
                self.router(Seat { slot, member }).map(|router| Report::AddressListDiffers { router })
            }
        };
        if let Some(report) = report {
            self.report(report);
        }
    }

    fn state_changed(&mut self, slot: Slot, from: State, to: State, reason: Reason) -> Option<Report> {
        let running = self.engine.get_mut(slot)?;
        let at = SystemTime::now();
        let message = explain(running, reason);
        running.transitions += u64::from((from == State::Master) != (to == State::Master));
        if from != to {
            running.since = at;
        }
        running.message = message.as_str().into();
        let group = running.desired.name.clone();
        let routers = running.desired.routers.iter().map(|router| router.name.clone()).collect();
        Some(Report::StateChanged { group, routers, from, to, reason, message, at })
    }

    fn foreign_router(&self, seat: Seat) -> Option<Report> {
        let sender = self.engine.get(seat.slot)?.group.foreign_router(seat.member)?;
        Some(Report::ForeignRouter { router: self.router(seat)?, interface: self.interface_name(seat), sender })
    }

    fn address_conflict(&mut self, seat: Seat, address: IpAddr, by: Option<MacAddress>) -> Option<Report> {
        let interface = self.interface_of(seat)?;
        self.repeats.admit_claim(self.now, interface, address, by).then_some(())?;
        let (router, interface) = (self.router(seat)?, self.interface_name(seat));
        Some(Report::AddressConflict { router, interface, address, conflict: Conflict::ClaimedBy(by) })
    }

    fn lower_master(&mut self, seat: Seat) -> Option<Report> {
        self.repeats.admit_lower_master(self.now, seat).then_some(())?;
        Some(Report::LowerMasterHeard { router: self.router(seat)? })
    }

    fn address_restored(&mut self, seat: Seat, address: IpAddr) -> Option<Report> {
        let interface = self.interface_of(seat)?;
        let cause = self.vanished.remove(&(interface, address)).unwrap_or(Disappearance::Removed);
        Some(Report::AddressRestored {
            router: self.router(seat)?,
            interface: self.interface_name(seat),
            address,
            cause,
        })
    }

    fn router(&self, seat: Seat) -> Option<String> {
        self.engine.get(seat.slot).map(|running| running.router_name(seat.member).to_owned())
    }

    fn interface_of(&self, seat: Seat) -> Option<InterfaceIndex> {
        self.engine.get(seat.slot)?.binding(seat.member).map(|binding| binding.interface)
    }
}

fn priority_changed(running: &RunningGroup) -> Report {
    let priority = |member| running.group.priority(member).map(holdfast_vrrp::Priority::get);
    let named = |member: MemberIndex| Some((running.router_name(member).to_owned(), priority(member)?));
    Report::PriorityChanged {
        group: running.desired.name.clone(),
        priorities: running.indices().filter_map(named).collect(),
    }
}

/// A reason with the names and addresses that belong to it; empty where the reason says it all.
pub(super) fn explain(running: &RunningGroup, reason: Reason) -> String {
    let own = running.group.priority(MemberIndex(0)).map_or(0, holdfast_vrrp::Priority::get);
    let followed = running.indices().find_map(|member| running.group.followed(member));
    match (reason, running.last_master, followed) {
        (Reason::MasterSilent, Some(master), _) => format!("{} has not advertised in time", master.address),
        (Reason::MasterSilent, None, _) => "no other router advertises".to_owned(),
        (Reason::MasterReleased, Some(master), _) => format!("{} released the addresses", master.address),
        (Reason::Preempting, Some(master), _) => {
            format!("{} advertises priority {}, lower than {own}", master.address, master.priority)
        }
        (Reason::HigherPriority, _, Some(master)) => {
            format!("{} advertises priority {}, higher than {own}", master.address, master.priority)
        }
        (Reason::HigherAddress, _, Some(master)) => {
            format!("{} advertises the same priority {own} and has the higher address", master.address)
        }
        (Reason::Resigned, ..) => format!("the effective priority fell to {own}"),
        (Reason::InterfaceDown, ..) => obstacles(running),
        (Reason::CheckFailed, ..) => failing_checks(running),
        (Reason::AddressFailed | Reason::SendFailed, ..) => running.last_error.clone(),
        (Reason::Stalled, ..) => "the agent slept longer than its peers wait".to_owned(),
        _ => String::new(),
    }
}

/// With the names of the virtual routers, if there are several.
fn obstacles(running: &RunningGroup) -> String {
    let mut text = String::new();
    for (member, state) in running.indices().zip(&running.members) {
        let Some(obstacle) = &state.obstacle else { continue };
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = match running.members.len() {
            1 => write!(text, "{}", obstacle.message),
            _ => write!(text, "{separator}{}: {}", running.router_name(member), obstacle.message),
        };
    }
    text
}

fn failing_checks(running: &RunningGroup) -> String {
    let trackers = running.group.config().trackers.iter().zip(running.group.tracked());
    let failing = trackers.zip(&running.desired.trackers).filter(|((tracker, state), _)| tracker.is_fault(**state));
    let names: Vec<&str> = failing
        .map(|(_, source)| match source {
            TrackerSource::HealthCheck(name) | TrackerSource::Interface(name) => name.as_str(),
        })
        .collect();
    format!("failing: {}", names.join(", "))
}
