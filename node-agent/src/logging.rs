//! The log: its form, and how reports of the election thread are written into it.

use std::io;

use holdfast_vrrp::State;
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::election::{Conflict, Report, reason};

/// Starts the log on standard error. `RUST_LOG` sets what is logged; `info` if it is not set.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Writes a report into the log. Field names do not change: programs follow them.
pub fn write(report: &Report) {
    match report {
        Report::StateChanged { group, routers, from, to, reason: why, message, .. } => info!(
            event = "transition",
            group,
            routers = %routers.join(","),
            from = word(*from),
            to = word(*to),
            reason = reason(*why),
            detail = message,
            "{group} is {}",
            word(*to)
        ),
        Report::PriorityChanged { group, priorities } => {
            let list: Vec<String> =
                priorities.iter().map(|(router, priority)| format!("{router}={priority}")).collect();
            info!(event = "priority", group, priorities = %list.join(","), "the priority of {group} changed");
        }
        Report::ForeignRouter { router, interface, sender } => warn!(
            event = "foreign-router",
            router,
            interface,
            %sender,
            "a router that is no known peer advertises the virtual router ID of {router}; it is not obeyed"
        ),
        Report::AddressConflict { router, interface, address, conflict } => {
            write_conflict(router, interface, address, *conflict)
        }
        Report::AddressRestored { router, interface, address, cause } => {
            warn!(event = "address-restored", router, interface, %address, ?cause, "an address had vanished and was put back");
        }
        Report::AddressFailed { router, interface, address, error } => {
            error!(event = "address-failed", router, interface, %address, error, "the kernel refused an address");
        }
        Report::LowerMasterHeard { router } => warn!(
            event = "lower-master",
            router, "another router was master too, and yields: two parts of a network met again"
        ),
        Report::AddressListDiffers { router } => warn!(
            event = "address-list",
            router, "the master's adverts name other addresses than this node's configuration"
        ),
        Report::Unusable { router, message } => warn!(event = "unusable", router, "{message}"),
        Report::ProxyArp { interface } => warn!(
            event = "proxy-arp",
            interface, "proxy_arp is on: this node answers for addresses that others hold; turn it off"
        ),
        Report::NetlinkOverrun => {
            warn!(event = "netlink-overrun", "reports of the kernel were lost; everything was read anew")
        }
        Report::Degraded { message } => warn!(event = "degraded", "{message}"),
        Report::Finished => info!(event = "finished", "all addresses are released"),
    }
}

fn write_conflict(router: &str, interface: &str, address: &std::net::IpAddr, conflict: Conflict) {
    match conflict {
        Conflict::ClaimedBy(Some(mac)) => {
            warn!(event = "address-conflict", router, interface, %address, %mac, "another machine claims an address that this node holds");
        }
        Conflict::ClaimedBy(None) => {
            warn!(event = "address-conflict", router, interface, %address, "another machine claims an address that this node holds");
        }
        Conflict::AlreadyPresent => {
            warn!(event = "address-conflict", router, interface, %address, "somebody else put the address on the interface; it is left alone");
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Initialize => "INIT",
        State::Fault => "FAULT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
    }
}
