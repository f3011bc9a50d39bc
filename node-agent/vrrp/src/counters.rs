//! What a virtual router counts, for metrics and for people who look for a fault.

use crate::wire::ReceiveCounters;

/// Counts since the virtual router was configured. All only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Datagrams that failed a receive check, by check.
    pub receive: ReceiveCounters,
    /// Adverts sent with a priority above 0.
    pub adverts_sent: u64,
    /// Adverts accepted, releases included.
    pub adverts_received: u64,
    /// Releases (priority 0) sent.
    pub releases_sent: u64,
    /// Releases accepted.
    pub releases_received: u64,
    /// Adverts that the driver could not send.
    pub send_failures: u64,
    /// Times this router became master.
    pub became_master: u64,
    /// Times this router stopped being master.
    pub released_master: u64,
    /// Announcements asked for: gratuitous ARP and unsolicited neighbour advertisements.
    pub announcements_sent: u64,
    /// Adverts from routers that are no known peers.
    pub foreign_adverts: u64,
    /// Adverts sent to the group while we use unicast, or to us alone while we use multicast; obeyed all the same.
    pub transport_mismatches: u64,
    /// Adverts that carried our own source address: a loop, or a duplicate address.
    pub own_adverts: u64,
    /// Adverts of masters that should not be: lower priority, or equal priority and lower address.
    pub lower_adverts: u64,
    /// Releases by routers that were not the master we follow.
    pub unrelated_releases: u64,
    /// VRRPv3 adverts with another interval than ours; it is learned (RFC 9568 section 7.1).
    pub interval_differs: u64,
    /// Adverts with another list of addresses than ours; accepted.
    pub address_list_differs: u64,
    /// IPv6 adverts whose first address is not link-local; accepted.
    pub first_address_not_link_local: u64,
    /// VRRPv3 adverts over IPv4 whose checksum leaves the pseudo-header out.
    pub message_only_checksums: u64,
    /// Claims of other machines to an address that we hold.
    pub address_conflicts: u64,
    /// Addresses deleted by someone else and put back.
    pub addresses_restored: u64,
    /// Addresses that the kernel refused.
    pub address_failures: u64,
    /// Reports about an older state.
    pub outdated_reports: u64,
    /// Times the process slept too long to stay master.
    pub stalls: u64,
}
