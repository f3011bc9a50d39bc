//! What has been seen: a run that passes proves nothing about what never happened in it.

use std::fmt;

use super::step::{Refusal, Step};
use super::table::{Input, Situation, outcomes};
use crate::action::{Action, Notice, Reason};
use crate::types::Claim;

/// Something that has to be seen for a pass to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// A cell of the state table, with its outcome.
    Cell(Situation, Input, Situation),
    /// A group changed its state for this reason.
    Because(Reason),
    /// A group did this.
    Did(Deed),
    /// This was done to the world.
    Struck(Fault),
    /// This happened by itself.
    Saw(Sight),
}

/// What a group asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the actions and notices of the crate")]
pub enum Deed {
    Advert,
    Release,
    RemoveAddress,
    AddAddress,
    Announce,
    Probe,
    StateChanged,
    ReasonChanged,
    PriorityChanged,
    ForeignRouter,
    AddressConflict,
    AddressRestored,
    LowerMasterHeard,
    AddressListDiffers,
}

/// What is done to a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the steps")]
pub enum Fault {
    CrashOfAgent,
    CrashOfNode,
    Restart,
    Drain,
    Abort,
    Stall,
    InterfaceDown,
    InterfaceUp,
    RefuseSend,
    RefuseAdd,
    RefuseRemove,
    Delete,
    Track,
    Reconfigure,
    Partition,
    OneWayPartition,
    PartitionOfOneFamily,
    Mend,
    Degrade,
    Stranger,
    Junk,
    Claim,
    Echo,
}

/// What happens by itself in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sight {
    /// A packet was lost on its way.
    PacketLost,
    /// A packet arrived twice.
    PacketTwice,
    /// A packet arrived before one that was sent earlier.
    PacketOvertook,
    /// A packet arrived with a flipped bit.
    PacketDamaged,
    /// A socket had no room for a packet.
    QueueFull,
    /// A driver woke after the deadline of a timer.
    LateWakeUp,
    /// A timer event came before its deadline.
    EarlyTimer,
    /// A kernel let an address go whose lease was not renewed.
    LeaseEnded,
    /// A kernel reported a refusal late.
    LateReport,
    /// A master woke from a stall.
    StalledMaster,
    /// A group had one member that heard a master and one that did not.
    DeafMember,
    /// A master was preempted after a delay.
    DelayedPreemption,
    /// A router that resigned obeyed a lower master.
    HeldDown,
    /// `Never` left a lower master alone.
    LeftAlone,
    /// A backup obeyed an advert that came by another transport than its own.
    OtherTransport,
    /// A tracker reported a number that moves the priority.
    ValueCounted,
    /// A tracker reported a number that outweighs every priority.
    ValueFailed,
    /// A master got members that were new to it.
    MemberJoined,
    /// A master lost a member.
    MemberLeft,
    /// Masters were united, divided or put into another order.
    MasterRegrouped,
    /// A master was united with a router that was none.
    Divided,
    /// Routers that were no masters were regrouped.
    OthersRegrouped,
    /// Two masters that heard each other, for a moment.
    Overlap,
    /// A backup took over from a node whose kernel still had the addresses.
    Fenced,
    /// The core agreed on the best.
    Converged,
    /// Nobody in the core was fit.
    NobodyFit,
    /// A node outside the core listened to it.
    Listener,
}

const REASONS: [Reason; 15] = [
    Reason::Started,
    Reason::AddressOwner,
    Reason::MasterSilent,
    Reason::MasterReleased,
    Reason::Preempting,
    Reason::HigherPriority,
    Reason::HigherAddress,
    Reason::Resigned,
    Reason::InterfaceDown,
    Reason::CheckFailed,
    Reason::AddressFailed,
    Reason::SendFailed,
    Reason::Recovered,
    Reason::Stalled,
    Reason::Stopped,
];

const DEEDS: [Deed; 14] = [
    Deed::Advert,
    Deed::Release,
    Deed::RemoveAddress,
    Deed::AddAddress,
    Deed::Announce,
    Deed::Probe,
    Deed::StateChanged,
    Deed::ReasonChanged,
    Deed::PriorityChanged,
    Deed::ForeignRouter,
    Deed::AddressConflict,
    Deed::AddressRestored,
    Deed::LowerMasterHeard,
    Deed::AddressListDiffers,
];

const FAULTS: [Fault; 23] = [
    Fault::CrashOfAgent,
    Fault::CrashOfNode,
    Fault::Restart,
    Fault::Drain,
    Fault::Abort,
    Fault::Stall,
    Fault::InterfaceDown,
    Fault::InterfaceUp,
    Fault::RefuseSend,
    Fault::RefuseAdd,
    Fault::RefuseRemove,
    Fault::Delete,
    Fault::Track,
    Fault::Reconfigure,
    Fault::Partition,
    Fault::OneWayPartition,
    Fault::PartitionOfOneFamily,
    Fault::Mend,
    Fault::Degrade,
    Fault::Stranger,
    Fault::Junk,
    Fault::Claim,
    Fault::Echo,
];

const SIGHTS: [Sight; 27] = [
    Sight::PacketLost,
    Sight::PacketTwice,
    Sight::PacketOvertook,
    Sight::PacketDamaged,
    Sight::QueueFull,
    Sight::LateWakeUp,
    Sight::EarlyTimer,
    Sight::LeaseEnded,
    Sight::LateReport,
    Sight::StalledMaster,
    Sight::DeafMember,
    Sight::DelayedPreemption,
    Sight::HeldDown,
    Sight::LeftAlone,
    Sight::OtherTransport,
    Sight::ValueCounted,
    Sight::ValueFailed,
    Sight::MemberJoined,
    Sight::MemberLeft,
    Sight::MasterRegrouped,
    Sight::Divided,
    Sight::OthersRegrouped,
    Sight::Overlap,
    Sight::Fenced,
    Sight::Converged,
    Sight::NobodyFit,
    Sight::Listener,
];

const CELLS: usize = Situation::ALL.len() * Input::ALL.len() * Situation::ALL.len();
/// `Reason::NotStarted` is no reason for a change, but has a number.
const REASON_NUMBERS: usize = REASONS.len() + 1;
const PROBES: usize = CELLS + REASON_NUMBERS + DEEDS.len() + FAULTS.len() + SIGHTS.len();

/// Cells that come about too rarely to be waited for. The tests of the election visit them one by one.
const RARE: [(Situation, Input, Situation); 17] = [
    (Situation::New, Input::OwnAdvert, Situation::New),
    (Situation::Pending, Input::OwnAdvert, Situation::Pending),
    (Situation::Pending, Input::AddressDeleted, Situation::Pending),
    (Situation::Pending, Input::Reconfigure, Situation::Master),
    (Situation::Pending, Input::Reconfigure, Situation::Backup),
    (Situation::Pending, Input::Reconfigure, Situation::Fault),
    (Situation::Fault, Input::Timer, Situation::Pending),
    (Situation::Fault, Input::LinkUp, Situation::Pending),
    (Situation::Fault, Input::CheckPasses, Situation::Pending),
    (Situation::Fault, Input::Reconfigure, Situation::Pending),
    (Situation::Fault, Input::CheckPasses, Situation::Master),
    (Situation::Fault, Input::Reconfigure, Situation::Master),
    (Situation::Stopped, Input::CheckFails, Situation::Stopped),
    (Situation::Stopped, Input::CheckPasses, Situation::Stopped),
    (Situation::Stopped, Input::PriorityFalls, Situation::Stopped),
    (Situation::Stopped, Input::PriorityRises, Situation::Stopped),
    (Situation::Stopped, Input::OutdatedRefusal, Situation::Stopped),
];

/// How often each probe was seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Probes([u64; PROBES]);

// === impl Probe ===

impl Probe {
    /// Every probe that a pass needs: the outcomes that the state table allows, but for rare ones, and everything else.
    pub fn required() -> impl Iterator<Item = Self> {
        let cells = Situation::ALL.into_iter().flat_map(|situation| {
            Input::ALL.into_iter().flat_map(move |input| {
                outcomes(situation, input).iter().map(move |outcome| Self::Cell(situation, input, *outcome))
            })
        });
        let rare = |probe: &Self| matches!(probe, Self::Cell(a, b, c) if RARE.contains(&(*a, *b, *c)));
        cells
            .filter(move |probe| !rare(probe))
            .chain(REASONS.into_iter().map(Self::Because))
            .chain(DEEDS.into_iter().map(Self::Did))
            .chain(FAULTS.into_iter().map(Self::Struck))
            .chain(SIGHTS.into_iter().map(Self::Saw))
    }

    fn place(self) -> usize {
        let [reasons, deeds] = [CELLS, CELLS + REASON_NUMBERS];
        let [faults, sights] = [deeds + DEEDS.len(), deeds + DEEDS.len() + FAULTS.len()];
        match self {
            Self::Cell(situation, input, outcome) => {
                let row = situation as usize * Input::ALL.len() + input as usize;
                row * Situation::ALL.len() + outcome as usize
            }
            Self::Because(reason) => reasons + reason as usize,
            Self::Did(deed) => deeds + deed as usize,
            Self::Struck(fault) => faults + fault as usize,
            Self::Saw(sight) => sights + sight as usize,
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(situation, input, outcome) => write!(formatter, "{situation:?} + {input:?} -> {outcome:?}"),
            Self::Because(reason) => write!(formatter, "reason {reason:?}"),
            Self::Did(deed) => write!(formatter, "action {deed:?}"),
            Self::Struck(fault) => write!(formatter, "fault {fault:?}"),
            Self::Saw(sight) => write!(formatter, "sight {sight:?}"),
        }
    }
}

// === impl Deed ===

impl Deed {
    /// What an action is.
    pub const fn of(action: &Action) -> Self {
        match action {
            Action::SendAdvert { claim: Claim::Master(_), .. } => Self::Advert,
            Action::SendAdvert { claim: Claim::Release, .. } => Self::Release,
            Action::RemoveAddress { .. } => Self::RemoveAddress,
            Action::AddAddress { .. } => Self::AddAddress,
            Action::Announce { .. } => Self::Announce,
            Action::Probe { .. } => Self::Probe,
            Action::Notify(notice) => match notice {
                Notice::StateChanged { .. } => Self::StateChanged,
                Notice::ReasonChanged { .. } => Self::ReasonChanged,
                Notice::PriorityChanged => Self::PriorityChanged,
                Notice::ForeignRouter { .. } => Self::ForeignRouter,
                Notice::AddressConflict { .. } => Self::AddressConflict,
                Notice::AddressRestored { .. } => Self::AddressRestored,
                Notice::LowerMasterHeard { .. } => Self::LowerMasterHeard,
                Notice::AddressListDiffers { .. } => Self::AddressListDiffers,
            },
        }
    }
}

// === impl Fault ===

impl Fault {
    /// What a step does.
    pub const fn of(step: &Step) -> Self {
        match step {
            Step::Crash { vanish: false, .. } => Self::CrashOfAgent,
            Step::Crash { vanish: true, .. } => Self::CrashOfNode,
            Step::Restart { .. } => Self::Restart,
            Step::Drain { .. } => Self::Drain,
            Step::Abort { .. } => Self::Abort,
            Step::Stall { .. } => Self::Stall,
            Step::Interface { up: false, .. } => Self::InterfaceDown,
            Step::Interface { up: true, .. } => Self::InterfaceUp,
            Step::Refuse { what: Refusal::Send, .. } => Self::RefuseSend,
            Step::Refuse { what: Refusal::Add, .. } => Self::RefuseAdd,
            Step::Refuse { what: Refusal::Remove, .. } => Self::RefuseRemove,
            Step::Delete { .. } => Self::Delete,
            Step::Track { .. } => Self::Track,
            Step::Reconfigure { .. } => Self::Reconfigure,
            Step::Partition { one_way: true, .. } => Self::OneWayPartition,
            Step::Partition { family: Some(_), .. } => Self::PartitionOfOneFamily,
            Step::Partition { .. } => Self::Partition,
            Step::Mend => Self::Mend,
            Step::Degrade { .. } => Self::Degrade,
            Step::Stranger { .. } => Self::Stranger,
            Step::Junk { .. } => Self::Junk,
            Step::Claim { .. } => Self::Claim,
            Step::Echo { .. } => Self::Echo,
        }
    }
}

// === impl Probes ===

impl Default for Probes {
    fn default() -> Self {
        Self([0; PROBES])
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = Probe::required().filter(|probe| self.count(*probe) > 0);
        formatter.debug_map().entries(seen.map(|probe| (probe, self.count(probe)))).finish()
    }
}

impl Probes {
    /// Notes that a probe was seen.
    pub fn note(&mut self, probe: Probe) {
        if let Some(count) = self.0.get_mut(probe.place()) {
            *count += 1;
        }
    }

    /// How often a probe was seen.
    pub fn count(&self, probe: Probe) -> u64 {
        self.0.get(probe.place()).copied().unwrap_or_default()
    }

    /// Adds what was seen elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// The required probes that were never seen.
    pub fn missing(&self) -> Vec<Probe> {
        Probe::required().filter(|probe| self.count(*probe) == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_probe_has_a_place_of_its_own() {
        let places: BTreeSet<_> = Probe::required().map(Probe::place).collect();
        assert_eq!(places.len(), Probe::required().count());
        assert!(places.iter().all(|place| *place < PROBES));
    }

    #[test]
    fn a_rare_cell_is_one_of_the_table() {
        assert!(RARE.iter().all(|(situation, input, outcome)| outcomes(*situation, *input).contains(outcome)));
    }

    #[test]
    fn what_was_not_seen_is_missing() {
        let mut probes = Probes::default();
        assert_eq!(probes.missing().len(), Probe::required().count());
        probes.note(Probe::Saw(Sight::Overlap));
        assert!(!probes.missing().contains(&Probe::Saw(Sight::Overlap)));
    }
}
