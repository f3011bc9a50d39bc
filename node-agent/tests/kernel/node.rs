//! An election thread in a namespace, and what one can ask it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use holdfast_node_agent::desired::{
    DesiredAddress, DesiredGroup, DesiredRouter, Fencing, InterfaceChoice, TrackerSource,
};
use holdfast_node_agent::election::{ElectionHandle, ElectionOptions, Realtime, Report, Reports, spawn};
use holdfast_node_agent::network::ownership::{OwnedAddress, OwnedAddresses};
use holdfast_node_agent::snapshot::{RouterSnapshot, RouterState, Snapshot};
use holdfast_vrrp::{
    AdvertInterval, Announcements, Family, GroupConfig, Ipv4Checksum, MemberConfig, Preemption, Priority, Protocol,
    State, Tracker, Transport, VirtualRouterId,
};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::lan::Namespace;

/// Longer than anything that is waited for takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A record in memory that outlives the election thread, as a state folder does.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateFolder(Arc<(Mutex<Folder>, Condvar)>);

impl StateFolder {
    /// The name of the fence of an agent with this folder.
    pub(crate) fn fence(&self) -> String {
        format!("holdfast-{:x}", Arc::as_ptr(&self.0) as usize)
    }
}

#[derive(Debug, Default)]
struct Folder {
    record: Vec<OwnedAddress>,
    brake: BrakeState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BrakeState {
    #[default]
    Off,
    On,
    StandingStill,
}

/// Makes the election thread stand still when it writes its record: a stall of any length.
pub(crate) struct Brake(StateFolder);

impl OwnedAddresses for StateFolder {
    fn load(&mut self) -> Vec<OwnedAddress> {
        self.recorded()
    }

    fn record(&mut self, owned: &[OwnedAddress]) {
        let (folder, changed) = &*self.0;
        let mut folder = folder.lock().expect("no panic");
        folder.record = owned.to_vec();
        if folder.brake == BrakeState::On {
            folder.brake = BrakeState::StandingStill;
            changed.notify_all();
            drop(changed.wait_while(folder, |folder| folder.brake != BrakeState::Off).expect("no panic"));
        }
    }
}

impl StateFolder {
    pub(crate) fn holding(record: &[OwnedAddress]) -> Self {
        let mut folder = Self::default();
        folder.record(record);
        folder
    }

    pub(crate) fn recorded(&self) -> Vec<OwnedAddress> {
        self.0.0.lock().expect("no panic").record.clone()
    }

    pub(crate) fn brake(&self) -> Brake {
        self.set_brake(BrakeState::On);
        Brake(self.clone())
    }

    fn set_brake(&self, state: BrakeState) {
        self.0.0.lock().expect("no panic").brake = state;
        self.0.1.notify_all();
    }
}

impl Brake {
    pub(crate) fn await_standstill(&self) {
        let (folder, changed) = &*self.0.0;
        let folder = folder.lock().expect("no panic");
        let stood = changed.wait_timeout_while(folder, PATIENCE, |folder| folder.brake != BrakeState::StandingStill);
        assert!(!stood.expect("no panic").1.timed_out(), "the thread never wrote its record");
    }

    pub(crate) fn release(self) {
        drop(self);
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        self.0.set_brake(BrakeState::Off);
    }
}

/// A running election thread. Aborts when dropped.
pub(crate) struct Node {
    pub(crate) handle: ElectionHandle,
    reports: Reports,
    seen: VecDeque<Report>,
    runtime: Runtime,
}

impl Node {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        Self::start_with(namespace, StateFolder::default())
    }

    pub(crate) fn start_with(namespace: &Namespace, folder: StateFolder) -> Self {
        Self::start_as(namespace, folder, Realtime::Off)
    }

    /// With the policy `SCHED_RR`.
    pub(crate) fn start_in_real_time(namespace: &Namespace) -> Self {
        Self::start_as(namespace, StateFolder::default(), Realtime::On)
    }

    fn start_as(namespace: &Namespace, folder: StateFolder, realtime: Realtime) -> Self {
        let fence = Some(folder.fence());
        let options = ElectionOptions { owned: Box::new(folder), realtime, fence, memory_lock: false };
        let (handle, reports) = namespace.enter(|| spawn(options)).expect("the election thread starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { handle, reports, seen: VecDeque::new(), runtime }
    }

    pub(crate) fn apply(&self, groups: &[DesiredGroup]) {
        self.handle.apply(groups.iter().cloned().collect());
    }

    /// The next report that `wanted` accepts; the others are dropped.
    pub(crate) fn await_report<T>(&mut self, what: &str, wanted: impl Fn(&Report) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut dropped = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let reports = &mut self.reports;
            let next = self.seen.pop_front();
            let next =
                next.or_else(|| self.runtime.block_on(async { timeout(left, reports.recv()).await.ok().flatten() }));
            let Some(report) = next else { panic!("no report of {what}, but {dropped:#?}") };
            if let Some(found) = wanted(&report) {
                return found;
            }
            dropped.push(report);
        }
    }

    /// Waits until a group is in this state.
    pub(crate) fn await_state(&mut self, group: &str, state: State) {
        self.await_report(&format!("{group} becoming {state:?}"), |report| match report {
            Report::StateChanged { group: name, to, .. } if name == group && *to == state => Some(()),
            _ => None,
        });
    }

    /// Everything that was reported up to now.
    pub(crate) fn drain_reports(&mut self) -> Vec<Report> {
        // The answer to a question comes after the reports of everything before it.
        self.snapshot();
        let mut reports: Vec<Report> = self.seen.drain(..).collect();
        while let Ok(report) = self.reports.try_recv() {
            reports.push(report);
        }
        reports
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.runtime.block_on(self.handle.snapshot()).expect("the thread runs")
    }

    pub(crate) fn router(&self, name: &str) -> RouterSnapshot {
        let snapshot = self.snapshot();
        let found = snapshot.virtual_routers.into_iter().find(|router| router.name == name);
        found.unwrap_or_else(|| panic!("there is no virtual router {name}"))
    }

    pub(crate) fn is_master(&self, name: &str) -> bool {
        self.router(name).state == RouterState::Master
    }

    /// Asks again and again until the answer is yes: for what nothing reports.
    pub(crate) fn until(&self, what: &str, answer: impl Fn(&Snapshot) -> bool) {
        eventually(what, || answer(&self.snapshot()));
    }

    pub(crate) fn await_finished(&mut self) {
        self.await_report("the end", |report| (*report == Report::Finished).then_some(()));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.abort();
        let wait = async { timeout(PATIENCE, async { while self.reports.recv().await.is_some() {} }).await };
        let _ = self.runtime.block_on(wait);
    }
}

/// Asks again and again until the answer is yes.
pub(crate) fn eventually(what: &str, mut answer: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !answer() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A group of one virtual router, to be changed to taste.
#[derive(Clone, Debug)]
pub(crate) struct GroupSpec {
    pub(crate) name: String,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) interval: Duration,
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    pub(crate) interface: InterfaceChoice,
    pub(crate) transport: Transport,
    pub(crate) preemption: Preemption,
    pub(crate) announcements: Announcements,
    pub(crate) known_peers: Option<Vec<IpAddr>>,
    pub(crate) trackers: Vec<(Tracker, TrackerSource)>,
    pub(crate) fencing: Fencing,
}

impl GroupSpec {
    /// On `eth0`, VRRPv3 over multicast, every 100 ms.
    pub(crate) fn new(vrid: u8, priority: u8, address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        Self {
            name: format!("vip{vrid}"),
            vrid,
            priority,
            interval: Duration::from_millis(100),
            addresses: vec![(address, if address.is_ipv4() { 32 } else { 128 })],
            interface: InterfaceChoice::Named("eth0".to_owned()),
            transport: Transport::Multicast,
            preemption: Preemption::Preempt { delay: Duration::ZERO },
            announcements: Announcements::default(),
            known_peers: None,
            trackers: vec![],
            fencing: Fencing::default(),
        }
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    pub(crate) fn group(&self) -> DesiredGroup {
        let family = Family::of(self.addresses[0].0);
        let member = MemberConfig {
            virtual_router_id: VirtualRouterId::new(self.vrid).expect("not zero"),
            family,
            protocol: Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
            interval: AdvertInterval::v3(self.interval).expect("in range"),
            priority: Priority::new(self.priority).expect("not zero"),
            addresses: self.addresses.iter().map(|(address, _)| *address).collect(),
            transport: self.transport.clone(),
            known_peers: self.known_peers.clone(),
            rival: None,
            announcements: self.announcements,
        };
        let trackers = self.trackers.iter().map(|(tracker, _)| *tracker).collect();
        let addresses =
            self.addresses.iter().map(|(address, length)| DesiredAddress { address: *address, prefix_length: *length });
        DesiredGroup {
            name: self.name.clone(),
            routers: vec![DesiredRouter {
                name: self.name.clone(),
                virtual_ip: self.name.clone(),
                family,
                interface: self.interface.clone(),
                addresses: addresses.collect(),
                fencing: self.fencing,
            }],
            config: GroupConfig::new(vec![member], self.preemption, trackers).expect("a valid configuration"),
            trackers: self.trackers.iter().map(|(_, source)| source.clone()).collect(),
        }
    }
}
