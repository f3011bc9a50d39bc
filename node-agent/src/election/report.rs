//! What the election thread tells people and programs: logs, Events and the status are made from it.

use std::net::IpAddr;
use std::time::SystemTime;

use holdfast_vrrp::wire::MacAddress;
use holdfast_vrrp::{Reason, State};

/// Where reports come out. Never full: the election thread does not wait for a reader.
pub type Reports = tokio::sync::mpsc::UnboundedReceiver<Report>;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A group changed its state; or it stays in a fault for another reason, and `from` and `to` are the same.
    StateChanged {
        /// The group.
        group: String,
        /// Its virtual routers.
        routers: Vec<String>,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why, as one word of the API.
        reason: Reason,
        /// Why, for people; may be empty.
        message: String,
        /// When.
        at: SystemTime,
    },
    /// The effective priorities of a group changed.
    PriorityChanged {
        /// The group.
        group: String,
        /// The name and the new effective priority of each of its virtual routers.
        priorities: Vec<(String, u8)>,
    },
    /// A router that is no known peer sends adverts for our VRID. It is not obeyed.
    ForeignRouter {
        /// The virtual router that heard it.
        router: String,
        /// Where.
        interface: String,
        /// The source of its adverts.
        sender: IpAddr,
    },
    /// An address of ours is somebody else's too. Repeated while somebody says so.
    AddressConflict {
        /// The virtual router that has the address.
        router: String,
        /// Where.
        interface: String,
        /// The address.
        address: IpAddr,
        /// Whose it is.
        conflict: Conflict,
    },
    /// An address that had vanished from the interface was put back.
    AddressRestored {
        /// The virtual router that has the address.
        router: String,
        /// Where.
        interface: String,
        /// The address.
        address: IpAddr,
        /// Why it had vanished.
        cause: Disappearance,
    },
    /// The kernel refused an address.
    AddressFailed {
        /// The virtual router that has the address.
        router: String,
        /// Where.
        interface: String,
        /// The address.
        address: IpAddr,
        /// The kernel's word for it.
        error: String,
    },
    /// A master that should yield to this node was heard: two parts of a network met again, or it does not hear this
    /// node. Repeated while it lasts.
    LowerMasterHeard {
        /// The virtual router that heard it.
        router: String,
    },
    /// The master's adverts name other addresses than our configuration.
    AddressListDiffers {
        /// The virtual router that heard it.
        router: String,
    },
    /// A virtual router cannot run where it should.
    Unusable {
        /// The virtual router.
        router: String,
        /// Why, for people.
        message: String,
    },
    /// The node answers ARP on an interface for addresses that it does not have, also for those of other masters.
    ProxyArp {
        /// The interface.
        interface: String,
    },
    /// Reports of the kernel were lost, and the state of the network was read anew.
    NetlinkOverrun,
    /// The kernel cannot fence addresses: what a dead agent holds answers until its lifetime ends.
    NoFence {
        /// The kernel's word for it.
        error: String,
    },
    /// Somebody had taken the fence away; it is back.
    FenceRestored,
    /// The fence was closed while this node held addresses: adverts did not leave in time.
    FenceClosed {
        /// The virtual router.
        router: String,
        /// How many packets were dropped since the last time.
        packets: u64,
    },
    /// The fence was closed for a virtual router that does not run here now: mostly what a killed agent has left.
    FenceWasClosed {
        /// The interface.
        interface: String,
        /// The VRID.
        virtual_router_id: u8,
        /// How many packets were dropped.
        packets: u64,
    },
    /// The thread runs like any program, since it may not run in real time.
    OrdinaryScheduling {
        /// The kernel's word for it.
        error: String,
    },
    /// Something in the agent's surroundings does not work as it should; the election goes on.
    Degraded {
        /// What, for people.
        message: String,
    },
    /// All groups have stopped, and no address is held any more. Nothing comes after it.
    Finished,
}

/// Whose an address of ours is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Another machine says that it is its own.
    ClaimedBy(Option<MacAddress>),
    /// It was on our interface before we wanted to put it there, and stays as it is.
    AlreadyPresent,
}

/// Why an address had vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disappearance {
    /// Somebody removed it.
    Removed,
    /// This agent did not renew it in time.
    Expired,
}
