//! What can happen to a group.

use std::net::IpAddr;

use crate::config::GroupConfig;
use crate::tracking::TrackState;
use crate::wire::{Datagram, MacAddress};

/// The place of a virtual router in its group, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIndex(pub u8);

/// Counts the states that a group has been in. A report about an older state is out of date and ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// Whether a virtual router can send and receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    /// Not reported yet.
    #[default]
    Unknown,
    /// The interface is missing, down, without carrier, or without an address of the family.
    Down,
    /// The interface works, and adverts leave with this source address.
    Up {
        /// The primary IPv4 address, or the IPv6 link-local address.
        source: IpAddr,
    },
}

/// One thing that happened. Each is handed to [`crate::Group::handle`] with the time at which it was seen.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Take part in elections from now on.
    Start,
    /// Leave for good. A master releases its addresses as soon as another one answers, or a bound has passed.
    Drain,
    /// Leave for good, now: addresses go at once.
    Abort,
    /// A deadline may have passed. Too early is harmless, too late is noticed.
    Timer,
    /// A datagram of the VRRP protocol came in on the member's interface.
    Packet {
        /// The member whose VRID the datagram carries.
        member: MemberIndex,
        /// The datagram, not yet checked.
        datagram: Datagram<'a>,
    },
    /// The member's interface changed.
    Link {
        /// The member that uses the interface.
        member: MemberIndex,
        /// What the interface is now.
        link: Link,
    },
    /// A tracker has a result.
    Track {
        /// The place of the tracker in the configuration.
        tracker: usize,
        /// Its state.
        state: TrackState,
    },
    /// Another machine says that an address is its own: ARP or a neighbour advertisement from a foreign MAC address.
    NeighborClaim {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
        /// Whose MAC address it is, if it says so: neighbour advertisements need not.
        by: Option<MacAddress>,
    },
    /// An address of ours vanished from the interface, and we did not ask for it.
    AddressDeleted {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
    },
    /// The kernel refused to add an address.
    AddressFailed {
        /// The member that has the address.
        member: MemberIndex,
        /// The address in question.
        address: IpAddr,
        /// The epoch of the action that failed.
        epoch: Epoch,
    },
    /// An advert could not be sent.
    SendFailed {
        /// The member whose advert it was.
        member: MemberIndex,
    },
    /// The configuration changed, but not which members there are.
    Reconfigure {
        /// The new configuration: as many members as before, with the same VRIDs and families.
        config: &'a GroupConfig,
        /// The states of the new configuration's trackers.
        trackers: &'a [TrackState],
    },
}
