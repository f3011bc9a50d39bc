//! How reports of the election thread are written into the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_vrrp::State;
use tokio::time::timeout;
use tracing::{Span, error_span, info, warn};

use super::fault;
use super::packet_faults::{Fault, PacketFaults, Subject};
use super::rate_limit::RateLimit;
use crate::app::App;
use crate::election::{Report, reason};
use crate::snapshot::Snapshot;

/// How long a line waits for what it says beside the report.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long what was looked up serves. Where hundreds move together, each look would be at hundreds.
const FRESH: Duration = Duration::from_millis(100);

/// Writes reports into the log, with what people want to know beside them.
pub struct Narrator {
    app: Arc<App>,
    known: BTreeMap<String, Facts>,
    looked_up: Option<Instant>,
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
        Self {
            app,
            known: BTreeMap::new(),
            looked_up: None,
            limit: RateLimit::default(),
            faults: PacketFaults::default(),
        }
    }

    /// Writes a report. Transitions always; what may come a thousand times a second, now and then.
    pub async fn tell(&mut self, report: &Report) {
        match report {
            Report::StateChanged { routers, .. } => {
                if self.is_outdated(routers) {
                    self.look_up().await;
                }
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
            fault => {
                if fault::router(fault).is_some_and(|router| !self.known.contains_key(router)) {
                    self.look_up().await;
                }
                self.tell_fault(fault);
            }
        }
    }

    /// Sums up what packets were rejected since the last call. To be called every few seconds.
    pub async fn tell_packet_faults(&mut self) {
        let Some(snapshot) = self.look_up().await else { return };
        for Fault { subject, counter, count } in self.faults.news(&snapshot) {
            let what = words(&counter);
            match subject {
                Subject::Router(router) => self.span(&router).in_scope(|| {
                    warn!(event = "packet-fault", router, counter, count, "{router}: {count} {what}");
                }),
                Subject::Interface(interface) => {
                    warn!(event = "packet-fault", interface, counter, count, "{interface}: {count} {what}");
                }
            }
        }
    }

    fn is_outdated(&self, routers: &[String]) -> bool {
        let fresh = self.looked_up.is_some_and(|at| at.elapsed() < FRESH);
        let known = |router: &String| self.known.get(router).is_some_and(|facts| !facts.interface.is_empty());
        !fresh || !routers.iter().all(known)
    }

    /// Learns where virtual routers are. What is known of one that is gone stays for one more time, for the line about
    /// its end.
    async fn look_up(&mut self) -> Option<Snapshot> {
        let snapshot = timeout(PATIENCE, self.app.parts.elections()).await.ok().flatten()?;
        self.looked_up = Some(Instant::now());
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
        let Some(left_out) = self.limit.admit(&fault::kind(report), Instant::now()) else { return };
        let left_out = (left_out > 0).then_some(left_out);
        match fault::router(report) {
            Some(router) => self.span(router).in_scope(|| fault::write(report, left_out)),
            None => fault::write(report, left_out),
        }
    }
}

/// A counter for people, after a number.
fn words(counter: &str) -> String {
    match counter.split_once('_') {
        Some(("rejected", check)) => format!("adverts failed the check {check}"),
        Some(("malformed", check)) => format!("packets failed the check {check}"),
        _ => counter.replace('_', " "),
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

#[cfg(test)]
mod tests {
    use std::future::{Future, ready};
    use std::io;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::time::SystemTime;

    use holdfast_vrrp::Reason;
    use holdfast_vrrp::wire::MacAddress;
    use serde_json::{Value, json};
    use tokio::sync::watch;
    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::EnvFilter;

    use super::*;
    use crate::app::{Configuration, Parts};
    use crate::election::Conflict;
    use crate::snapshot::{CheckSnapshot, RouterSnapshot, RouterState};

    /// An election thread with this state, or none.
    struct Elections(Option<Snapshot>);

    impl Parts for Elections {
        fn elections(&self) -> Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>> {
            Box::pin(ready(self.0.clone()))
        }

        fn answers(&self) -> Pin<Box<dyn Future<Output = bool> + Send>> {
            Box::pin(ready(self.0.is_some()))
        }

        fn checks(&self) -> Vec<CheckSnapshot> {
            Vec::new()
        }

        fn state_write_failures(&self) -> u64 {
            0
        }
    }

    fn web(rejected: u64) -> Elections {
        let router = RouterSnapshot {
            name: "web/ipv4".to_owned(),
            virtual_ip: "web".to_owned(),
            group: "web".to_owned(),
            state: RouterState::Master,
            priority: 100,
            virtual_router_id: 51,
            interface: Some("eth0".to_owned()),
            family: "IPv4".to_owned(),
            addresses: Vec::new(),
            held: Vec::new(),
            since: String::new(),
            reason: String::new(),
            message: String::new(),
            transitions: 0,
            master_address: None,
            fencing: Some(crate::desired::Fencing::default()),
            fence_unavailable: false,
            obstacle: None,
            occupied: Vec::new(),
            foreign_router: None,
            counters: [("rejected_checksum".into(), rejected)].into(),
        };
        Elections(Some(Snapshot { virtual_routers: vec![router], ..Snapshot::default() }))
    }

    fn narrator(elections: Elections) -> Narrator {
        let (_, configuration) = watch::channel(Configuration::default());
        let node = "a".to_owned();
        let started = SystemTime::UNIX_EPOCH;
        Narrator::new(Arc::new(App { node, started, configuration, parts: Box::new(elections) }))
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut text = self.0.lock().map_err(|_| io::Error::other("a writer has panicked"))?;
            text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written into a JSON log meanwhile, without the time.
    async fn written(telling: impl Future<Output = ()>) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = super::super::json(EnvFilter::new("info"), move || writer.clone());
        telling.with_subscriber(log).await;
        let text = String::from_utf8(lines.0.lock().expect("nobody panics").clone()).expect("text");
        let parse = |line: &str| {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            assert!(line["timestamp"].take().is_string());
            line
        };
        text.lines().map(parse).collect()
    }

    fn transition() -> Report {
        Report::StateChanged {
            group: "web".to_owned(),
            routers: vec!["web/ipv4".to_owned()],
            from: State::Backup,
            to: State::Master,
            reason: Reason::MasterSilent,
            message: "192.0.2.2 has not advertised in time".to_owned(),
            at: SystemTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_transition_has_the_fields_that_programs_follow() {
        let mut narrator = narrator(web(0));
        let lines = written(narrator.tell(&transition())).await;
        let expected = json!({
            "timestamp": null, "level": "INFO", "event": "transition", "from": "BACKUP", "to": "MASTER",
            "reason": "MasterSilent", "router": "web/ipv4", "virtual_ip": "web", "group": "web",
            "message": "web/ipv4 is MASTER: 192.0.2.2 has not advertised in time",
            "span": { "name": "router", "vip": "web", "interface": "eth0", "vrid": 51, "family": "IPv4" },
        });
        assert_eq!(lines, [expected]);
    }

    #[tokio::test]
    async fn transitions_are_told_without_an_answer_of_the_election_thread_too() {
        let mut narrator = narrator(Elections(None));
        let lines = written(narrator.tell(&transition())).await;
        assert_eq!(lines[0]["to"], "MASTER");
    }

    #[tokio::test]
    async fn what_strangers_can_cause_is_told_once_in_a_while() {
        let mut narrator = narrator(web(0));
        let foreign = |last: u8| Report::ForeignRouter {
            router: "web/ipv4".to_owned(),
            interface: "eth0".to_owned(),
            sender: [192, 0, 2, last].into(),
        };
        let telling = async {
            for last in 0..=255 {
                narrator.tell(&foreign(last)).await;
            }
        };
        let lines = written(telling).await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["event"], "foreign-router");
        assert_eq!(lines[0]["sender"], "192.0.2.0");
        assert_eq!(lines[0]["span"]["interface"], "eth0", "also if nothing was told of the router before");
    }

    #[tokio::test]
    async fn each_machine_that_claims_an_address_is_told_of_and_its_repeats_are_left_out() {
        let mut narrator = narrator(web(0));
        let machines = [1, 2].map(|last| MacAddress([2, 0, 0, 0, 0, last]));
        let claim = |by: MacAddress| Report::AddressConflict {
            router: "web/ipv4".to_owned(),
            interface: "eth0".to_owned(),
            address: [192, 0, 2, 100].into(),
            conflict: Conflict::ClaimedBy(Some(by)),
        };
        let telling = async {
            for _ in 0..10 {
                for machine in machines {
                    narrator.tell(&claim(machine)).await;
                }
            }
        };
        let lines = written(telling).await;
        let claimants: Vec<_> = lines.iter().map(|line| line["claimed_by"].as_str()).collect();
        assert_eq!(claimants, [Some("02:00:00:00:00:01"), Some("02:00:00:00:00:02")]);
        assert_eq!((&lines[0]["level"], &lines[0]["address"]), (&json!("WARN"), &json!("192.0.2.100")));
    }

    #[tokio::test]
    async fn rejected_packets_are_summed_up() {
        let mut narrator = narrator(web(25));
        let telling = async {
            narrator.tell_packet_faults().await;
            narrator.tell_packet_faults().await;
        };
        let lines = written(telling).await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["message"], "web/ipv4: 25 adverts failed the check checksum");
        assert_eq!((&lines[0]["event"], &lines[0]["count"]), (&json!("packet-fault"), &json!(25)));
        assert_eq!(lines[0]["span"]["vip"], "web");
    }
}
