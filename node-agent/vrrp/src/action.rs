//! What a group asks of its driver: small values, in phases.

use std::net::IpAddr;

use crate::event::{Epoch, MemberIndex};
use crate::types::Claim;
use crate::wire::MacAddress;

/// The state of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not started, waiting for a first result, or stopped (RFC 9568 section 6.4.1).
    #[default]
    Initialize,
    /// Unfit to be master: a check fails, an interface is gone, an address could not be added.
    Fault,
    /// Listening to a master, or for its silence (RFC 9568 section 6.4.2).
    Backup,
    /// Sending adverts and holding the addresses (RFC 9568 section 6.4.3, there `Active`).
    Master,
}

/// Why a group is in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nothing has happened yet.
    #[default]
    NotStarted,
    /// Everything that was waited for is there.
    Started,
    /// The addresses are the router's own: priority 255 does not wait.
    AddressOwner,
    /// The master fell silent for the master down interval.
    MasterSilent,
    /// The master released the addresses with priority 0.
    MasterReleased,
    /// The master has a lower priority.
    Preempting,
    /// A router of higher priority is master.
    HigherPriority,
    /// A router of equal priority and higher address is master.
    HigherAddress,
    /// A tracker or a new configuration took the claim to be master away.
    Resigned,
    /// An interface is down, missing or without an address.
    InterfaceDown,
    /// A tracker of weight 0 fails.
    CheckFailed,
    /// The kernel refused an address.
    AddressFailed,
    /// Adverts could not be sent.
    SendFailed,
    /// The last fault has cleared.
    Recovered,
    /// The process slept longer than a peer waits before it takes over.
    Stalled,
    /// Stopped on request.
    Stopped,
}

/// A message to people and programs, without influence on the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The group's state changed.
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why.
        reason: Reason,
    },
    /// The group stays unfit, but for another reason than before.
    ReasonChanged {
        /// Why now.
        reason: Reason,
    },
    /// The effective priority changed.
    PriorityChanged,
    /// A router that is no known peer sent an advert for our VRID; see [`crate::Group::foreign_router`].
    ForeignRouter {
        /// The member that heard it.
        member: MemberIndex,
    },
    /// Another machine says that it has an address of ours, while we are master. Once for each time that it says so:
    /// whoever tells people has to keep a measure.
    AddressConflict {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
        /// Whose MAC address it is, if it says so.
        by: Option<MacAddress>,
    },
    /// An address that someone else deleted was put back.
    AddressRestored {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
    },
    /// A router that should yield to us is master too: two parts of a network met again, or it does not hear us. Once for
    /// each of its adverts, but for the first second of a takeover, when our predecessor says its last words.
    LowerMasterHeard {
        /// The member that heard it.
        member: MemberIndex,
    },
    /// The master's list of addresses is not ours.
    AddressListDiffers {
        /// The member that heard it.
        member: MemberIndex,
    },
}

/// One thing to do. Actions of one call come in non-decreasing [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send an advert to the group or to each unicast peer.
    SendAdvert {
        /// The member that sends.
        member: MemberIndex,
        /// What it claims.
        claim: Claim,
    },
    /// Take an address off the interface.
    RemoveAddress {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
    },
    /// Put an address on the interface.
    AddAddress {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
        /// To be returned with a failure.
        epoch: Epoch,
    },
    /// Broadcast a gratuitous ARP, or an unsolicited neighbour advertisement.
    Announce {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
    },
    /// Ask whether another machine answers for the address: an ARP probe, or a neighbour solicitation.
    Probe {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
    },
    /// Tell people and programs.
    Notify(Notice),
}

/// The order in which a driver carries actions out, over all groups at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Adverts.
    Advertise,
    /// Addresses.
    Address,
    /// Gratuitous ARP and neighbour advertisements, after the kernel has acknowledged the addresses.
    Announce,
    /// Messages.
    Notify,
}

impl Action {
    /// When the action's turn is.
    pub const fn phase(&self) -> Phase {
        match self {
            Self::SendAdvert { .. } => Phase::Advertise,
            Self::RemoveAddress { .. } | Self::AddAddress { .. } => Phase::Address,
            Self::Announce { .. } | Self::Probe { .. } => Phase::Announce,
            Self::Notify(_) => Phase::Notify,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_a_small_value() {
        assert!(size_of::<Action>() <= 32, "{}", size_of::<Action>());
    }
}
