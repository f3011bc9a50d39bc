//! How reports of the election thread are written into the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_vrrp::State;
use tokio::time::timeout;
use tracing::{Span, error, error_span, info, warn};

use super::packet_faults::{Fault, PacketFaults, Subject};
use super::rate_limit::RateLimit;
use crate::app::App;
use crate::election::{Conflict, Report, reason};
use crate::snapshot::Snapshot;

/// How long a line waits for what it says beside the report.
const PATIENCE: Duration = Duration::from_millis(200);

/// Writes reports into the log, with what people want to know beside them.
pub struct Narrator {
    app: Arc<App>,
    known: BTreeMap<String, Facts>,
    limit: RateLimit,
    faults: PacketFaults,
}

/// What a line says of its virtual router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    virtual_ip: String,
    interface: String,
    vrid: u8,
    family: String,
    /// Whether it was missing at the last look.
    gone: bool,
}

impl Narrator {
    /// A narrator for this agent.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, known: BTreeMap::new(), limit: RateLimit::default(), faults: PacketFaults::default() }
    }

    /// Writes a report. Transitions always; what may come a thousand times a second, now and then.
    pub async fn tell(&mut self, report: &Report) {
        match report {
            Report::StateChanged { routers, .. } => {
                self.look_up().await;
                for router in routers {
                    self.tell_transition(router, report);
                }
            }
            Report::PriorityChanged { priorities, .. } => {
                for (router, priority) in priorities {
                    self.span(router).in_scope(|| {
                        info!(event = "priority", router, priority, "the effective priority of {router} is {priority}");
                    });
                }
            }
            Report::Finished => info!(event = "finished", "all addresses are released"),
            fault => self.tell_fault(fault),
        }
    }

    /// Sums up what packets were rejected since the last call. To be called every few seconds.
    pub async fn tell_packet_faults(&mut self) {
        let Some(snapshot) = self.look_up().await else { return };
        for Fault { subject, counter, count } in self.faults.news(&snapshot) {
            match subject {
                Subject::Router(router) => self.span(&router).in_scope(|| {
                    warn!(event = "packet-fault", router, counter, count, "{router}: {counter} grew by {count}");
                }),
                Subject::Interface(interface) => {
                    warn!(event = "packet-fault", interface, counter, count, "{interface}: {counter} grew by {count}");
                }
            }
        }
    }

    /// Learns where virtual routers are. What is known of one that is gone stays for one more time, for the line about
    /// its end.
    async fn look_up(&mut self) -> Option<Snapshot> {
        let snapshot = timeout(PATIENCE, self.app.parts.elections()).await.ok().flatten()?;
        let shown = |name: &String| snapshot.virtual_routers.iter().any(|router| router.name == *name);
        self.known.retain(|name, facts| shown(name) || !std::mem::replace(&mut facts.gone, true));
        for router in &snapshot.virtual_routers {
            let earlier = self.known.entry(router.name.clone()).or_default();
            *earlier = Facts {
                virtual_ip: router.virtual_ip.clone(),
                interface: router.interface.clone().unwrap_or_else(|| earlier.interface.clone()),
                vrid: router.virtual_router_id,
                family: router.family.clone(),
                gone: false,
            };
        }
        Some(snapshot)
    }

    /// At the level of errors, so that every line has it whatever is filtered out.
    fn span(&self, router: &str) -> Span {
        let Some(Facts { virtual_ip, interface, vrid, family, .. }) = self.known.get(router) else {
            return error_span!("router", vip = router);
        };
        error_span!("router", vip = virtual_ip, interface, vrid, family)
    }

    fn tell_transition(&self, router: &str, report: &Report) {
        let Report::StateChanged { group, from, to, reason: why, message, .. } = report else { return };
        let (from, to) = (word(*from), word(*to));
        let virtual_ip = self.known.get(router).map_or(router, |facts| facts.virtual_ip.as_str());
        let detail = if message.is_empty() { String::new() } else { format!(": {message}") };
        self.span(router).in_scope(|| {
            info!(
                event = "transition",
                from,
                to,
                reason = reason(*why),
                router,
                virtual_ip,
                group,
                "{router} is {to}{detail}"
            );
        });
    }

    fn tell_fault(&mut self, report: &Report) {
        let Some(left_out) = self.limit.admit(&kind(report), Instant::now()) else { return };
        match router_of(report) {
            Some(router) => self.span(router).in_scope(|| write_fault(report, left_out)),
            None => write_fault(report, left_out),
        }
    }
}

/// News of the same kind is told once in a while. Nothing in it may be chosen by a stranger, or he could make it new
/// each time.
fn kind(report: &Report) -> String {
    match report {
        Report::ForeignRouter { router, .. } => format!("foreign/{router}"),
        Report::AddressConflict { router, address, conflict, .. } => {
            format!("conflict/{router}/{address}/{}", matches!(conflict, Conflict::AlreadyPresent))
        }
        Report::AddressRestored { router, address, .. } => format!("restored/{router}/{address}"),
        Report::AddressFailed { router, address, .. } => format!("failed/{router}/{address}"),
        Report::LowerMasterHeard { router } => format!("lower/{router}"),
        Report::AddressListDiffers { router } => format!("list/{router}"),
        Report::Unusable { router, message } => format!("unusable/{router}/{message}"),
        Report::ProxyArp { interface } => format!("proxy-arp/{interface}"),
        Report::Degraded { message } => format!("degraded/{message}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}

fn router_of(report: &Report) -> Option<&str> {
    match report {
        Report::ForeignRouter { router, .. }
        | Report::AddressConflict { router, .. }
        | Report::AddressRestored { router, .. }
        | Report::AddressFailed { router, .. }
        | Report::LowerMasterHeard { router }
        | Report::AddressListDiffers { router }
        | Report::Unusable { router, .. } => Some(router),
        _ => None,
    }
}

fn write_fault(report: &Report, left_out: u64) {
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
            router, left_out, "another router was master of {router} too, and yields: two parts of a network met again"
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
        Report::Degraded { message } => warn!(event = "degraded", left_out, "{message}"),
        Report::StateChanged { .. } | Report::PriorityChanged { .. } | Report::Finished => {}
    }
}

fn write_conflict(router: &str, interface: &str, address: IpAddr, conflict: Conflict, left_out: u64) {
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

fn word(state: State) -> &'static str {
    match state {
        State::Initialize => "INIT",
        State::Fault => "FAULT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
    }
}
