//! The lines about reports that may come a thousand times a second.

use std::net::IpAddr;

use tracing::{error, info, warn};

use crate::election::{Conflict, Report};

/// News of the same kind is told once in a while. Nothing in it may be chosen by a stranger, or he could make it new each
/// time; but of the machines that claim an address the election thread lets only a few through.
pub(super) fn kind(report: &Report) -> String {
    match report {
        Report::ForeignRouter { router, .. } => format!("foreign/{router}"),
        Report::AddressConflict { router, address, conflict, .. } => {
            format!("conflict/{router}/{address}/{conflict:?}")
        }
        Report::AddressRestored { router, address, .. } => format!("restored/{router}/{address}"),
        Report::AddressFailed { router, address, .. } => format!("failed/{router}/{address}"),
        Report::LowerMasterHeard { router } => format!("lower/{router}"),
        Report::FenceClosed { router, .. } => format!("fence/{router}"),
        Report::FenceWasClosed { interface, virtual_router_id, .. } => {
            format!("past-fence/{interface}/{virtual_router_id}")
        }
        Report::AddressListDiffers { router } => format!("list/{router}"),
        Report::Unusable { router, message } => format!("unusable/{router}/{message}"),
        Report::ProxyArp { interface } => format!("proxy-arp/{interface}"),
        Report::Degraded { message } => format!("degraded/{message}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}

/// The virtual router that a report is about.
pub(super) fn router(report: &Report) -> Option<&str> {
    match report {
        Report::ForeignRouter { router, .. }
        | Report::AddressConflict { router, .. }
        | Report::AddressRestored { router, .. }
        | Report::AddressFailed { router, .. }
        | Report::LowerMasterHeard { router }
        | Report::AddressListDiffers { router }
        | Report::FenceClosed { router, .. }
        | Report::Unusable { router, .. } => Some(router),
        _ => None,
    }
}

/// Writes the line. `left_out` says how many like it were not written.
pub(super) fn write(report: &Report, left_out: Option<u64>) {
    match report {
        Report::ForeignRouter { router, interface, sender } => warn!(
            event = "foreign-router",
            router,
            interface,
            %sender,
            left_out,
            "{sender}, no known peer, advertises the virtual router ID of {router}; it is not obeyed"
        ),
        Report::AddressConflict { router, interface, address, conflict } => {
            write_conflict(router, interface, *address, *conflict, left_out);
        }
        Report::AddressRestored { router, interface, address, cause } => warn!(
            event = "address-restored",
            router,
            interface,
            %address,
            ?cause,
            left_out,
            "{address} had vanished from {interface} and was put back"
        ),
        Report::AddressFailed { router, interface, address, error } => {
            error!(event = "address-failed", router, interface, %address, error, left_out, "the kernel refused {address}");
        }
        Report::LowerMasterHeard { router } => warn!(
            event = "lower-master",
            router,
            left_out,
            "another router, which should yield to this one, is master of {router} too: two parts of a network have met \
             again, or it does not hear this node"
        ),
        Report::AddressListDiffers { router } => warn!(
            event = "address-list",
            router,
            left_out,
            "the master's adverts name other addresses than {router} has in this node's configuration"
        ),
        Report::Unusable { router, message } => warn!(event = "unusable", router, left_out, "{router}: {message}"),
        Report::ProxyArp { interface } => warn!(
            event = "proxy-arp",
            interface,
            left_out,
            "proxy_arp is on for {interface}: this node answers for addresses that others hold; turn it off"
        ),
        Report::NetlinkOverrun => {
            warn!(event = "netlink-overrun", left_out, "reports of the kernel were lost; everything was read anew");
        }
        Report::NoFence { error } => warn!(
            event = "no-fence",
            error,
            "the kernel cannot fence addresses ({error}; it takes Linux 5.16 with nf_tables): if this agent is killed or stuck, \
             its node answers for them until their lifetime of 2 s ends"
        ),
        Report::FenceRestored => {
            warn!(event = "fence-restored", left_out, "somebody removed the fence from nf_tables; it was put back");
        }
        Report::FenceClosed { router, packets } => warn!(
            event = "fence-closed",
            router,
            packets,
            left_out,
            "adverts of {router} did not leave in time, so this node did not answer for its addresses: {packets} packets dropped"
        ),
        Report::FenceWasClosed { interface, virtual_router_id, packets } => warn!(
            event = "fence-was-closed",
            interface,
            virtual_router_id,
            packets,
            left_out,
            "while no agent advertised virtual router {virtual_router_id} on {interface}, this node did not answer for its \
             addresses: {packets} packets dropped"
        ),
        Report::OrdinaryScheduling { error } => info!(
            event = "ordinary-scheduling",
            error,
            "the election thread runs without real-time priority, which it may not have: other programs can delay it"
        ),
        Report::Degraded { message } => warn!(event = "degraded", left_out, "{message}"),
        Report::StateChanged { .. } | Report::PriorityChanged { .. } | Report::Finished => {}
    }
}

fn write_conflict(router: &str, interface: &str, address: IpAddr, conflict: Conflict, left_out: Option<u64>) {
    match conflict {
        Conflict::ClaimedBy(mac) => {
            let whose = mac.map_or_else(|| "another machine".to_owned(), |mac| mac.to_string());
            warn!(
                event = "address-conflict",
                router,
                interface,
                %address,
                claimed_by = whose,
                left_out,
                "{whose} claims {address}, which this node holds"
            );
        }
        Conflict::AlreadyPresent => warn!(
            event = "address-conflict",
            router,
            interface,
            %address,
            left_out,
            "somebody else has put {address} on {interface}; it is left alone"
        ),
    }
}
