//! Which objects are in order, beyond what schema and CEL can see of one object alone.
//!
//! In a cluster objects are judged in the order of their creation, so the later one is refused and never the earlier. Times
//! of creation are whole seconds: within one, what is in force was there first, then the name decides. How agents judge that
//! do not ask each other is in `standalone.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use holdfast_crds::condition::{AcceptedReason, HealthCheckAcceptedReason};
use holdfast_crds::{Family, HealthCheck, NodeConfig, Probe, Transport, VipAddress, VirtualIP, VirtualRouter};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::node::ClusterNode;
use crate::retain::Retained;
use crate::scope::InterfaceScope;
use crate::steer::{PREFER_NODE, prefer_node};
use crate::verdict::{Verdict, VirtualIPVerdict};

pub(crate) type HealthCheckVerdicts = BTreeMap<String, Verdict<HealthCheckAcceptedReason>>;

/// A `VirtualIP` with everything that was found out about it.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    pub(crate) vip: &'a VirtualIP,
    pub(crate) addresses: Vec<VipAddress>,
    pub(crate) families: Vec<Family>,
    /// The nodes that may hold it, as places in the list of nodes.
    pub(crate) nodes: Vec<usize>,
    pub(crate) scope: InterfaceScope,
    pub(crate) virtual_router_id: Option<u8>,
    pub(crate) verdict: Verdict<AcceptedReason>,
}

/// All `VirtualIPs` in the order of judgement.
pub(crate) struct Candidates<'a>(pub(crate) Vec<Candidate<'a>>);

impl<'a> Candidates<'a> {
    pub(crate) fn accepted(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.0.iter().filter(|candidate| candidate.verdict.is_accepted())
    }

    pub(crate) fn into_verdicts(self) -> BTreeMap<String, VirtualIPVerdict> {
        let verdict = |candidate: Candidate<'_>| {
            let virtual_router_id = candidate.virtual_router_id.filter(|_| candidate.verdict.is_accepted());
            (candidate.name.to_owned(), VirtualIPVerdict { accepted: candidate.verdict, virtual_router_id })
        };
        self.0.into_iter().map(verdict).collect()
    }
}

impl<'a> Candidate<'a> {
    /// A `VirtualIP` that is in order until something is found.
    pub(crate) fn of(vip: &'a VirtualIP, nodes: &[ClusterNode]) -> Self {
        let selects = |(place, node): (usize, &ClusterNode)| vip.spec.selects_node(&node.labels).then_some(place);
        let selected: Vec<usize> = nodes.iter().enumerate().filter_map(selects).collect();
        let scope = selected
            .iter()
            .filter_map(|place| nodes.get(*place))
            .map(|node| vip.spec.interface_on(&node.name, &node.labels))
            .collect();
        let (addresses, verdict) = match vip.spec.parsed_addresses() {
            Ok(addresses) => (addresses, Verdict::new(AcceptedReason::Accepted, "The VirtualIP is valid")),
            Err(error) => (Vec::new(), Verdict::new(AcceptedReason::InvalidSpec, format!("spec.addresses: {error}"))),
        };
        Self {
            name: name_of(&vip.metadata),
            vip,
            addresses,
            families: vip.spec.families().unwrap_or_default(),
            nodes: selected,
            scope,
            virtual_router_id: None,
            verdict,
        }
    }

    /// A node that is asked for in vain is no reason to refuse, but one to tell.
    fn tell_of_unknown_node(&mut self, nodes: &[ClusterNode]) {
        let Some(wanted) = prefer_node(self.vip.metadata.annotations.as_ref()) else { return };
        let is_selected = self.nodes.iter().filter_map(|place| nodes.get(*place)).any(|node| node.name == wanted);
        if !is_selected {
            self.verdict.message = format!(
                "The VirtualIP is valid; annotation {PREFER_NODE} is ignored: no selected node is named {wanted:?}"
            );
        }
    }

    /// Takes in the first thing that is wrong. What was found before counts more.
    pub(crate) fn refuse_if(&mut self, refusal: impl FnOnce(&Self) -> Option<Verdict<AcceptedReason>>) {
        if self.verdict.is_accepted()
            && let Some(verdict) = refusal(self)
        {
            self.verdict = verdict;
        }
    }

    pub(crate) fn refuse(&mut self, reason: AcceptedReason, message: String) {
        self.verdict = Verdict::new(reason, message);
        self.virtual_router_id = None;
    }
}

/// Judges the `HealthChecks`: those that this version cannot carry out are refused.
pub(crate) fn health_checks(checks: &[HealthCheck]) -> HealthCheckVerdicts {
    checks.iter().map(|check| (name_of(&check.metadata).to_owned(), judge_health_check(check))).collect()
}

fn judge_health_check(check: &HealthCheck) -> Verdict<HealthCheckAcceptedReason> {
    match check.spec.probe() {
        None => Verdict::new(
            HealthCheckAcceptedReason::InvalidSpec,
            "spec must have exactly one probe: tcp, http, process, file or command",
        ),
        Some(Probe::Tcp(_) | Probe::Http(_) | Probe::Process(_) | Probe::File(_) | Probe::Command(_)) => {
            Verdict::new(HealthCheckAcceptedReason::Accepted, "The health check is valid")
        }
        Some(probe) => Verdict::new(
            HealthCheckAcceptedReason::InvalidSpec,
            format!(
                "spec.{}: this version does not run such probes: write tcp, http, process, file or command",
                probe.type_name()
            ),
        ),
    }
}

/// Judges the `VirtualIPs`, all but their virtual router IDs.
pub(crate) fn virtual_ips<'a>(
    virtual_ips: &'a [VirtualIP],
    nodes: &[ClusterNode],
    health_checks: &HealthCheckVerdicts,
    earlier: &[NodeConfig],
    retained: &Retained<'a>,
) -> Candidates<'a> {
    let mut order: Vec<&VirtualIP> = virtual_ips.iter().filter(|vip| retained.is_planned(vip)).collect();
    let routers = || earlier.iter().flat_map(|config| &config.spec.virtual_routers);
    let in_force: BTreeSet<&str> = routers().map(|router| router.virtual_ip.as_str()).collect();
    let held: BTreeSet<(&str, IpAddr)> = routers().flat_map(addresses_of).collect();
    order.sort_by_key(|vip| creation_order(&vip.metadata, &in_force));
    let mut taken = retained.addresses();
    let judge = |vip: &'a VirtualIP| {
        let mut candidate = Candidate::of(vip, nodes);
        candidate.refuse_if(spec_refusal);
        candidate.refuse_if(|candidate| node_refusal(candidate, nodes));
        candidate.refuse_if(|candidate| reference_refusal(candidate, health_checks));
        candidate.refuse_if(|candidate| address_refusal(&candidate.addresses, &taken));
        candidate.refuse_if(|candidate| {
            node_address_refusal(candidate, nodes, |address| held.contains(&(candidate.name, address)))
        });
        if candidate.verdict.is_accepted() {
            taken.extend(candidate.addresses.iter().map(|address| (address.address(), candidate.name)));
            candidate.tell_of_unknown_node(nodes);
        }
        candidate
    };
    Candidates(order.into_iter().map(judge).collect())
}

fn addresses_of(router: &VirtualRouter) -> impl Iterator<Item = (&str, IpAddr)> {
    let addresses = router.addresses.iter().filter_map(|address| address.parse::<VipAddress>().ok());
    addresses.map(|address| (router.virtual_ip.as_str(), address.address()))
}

/// What comes first was there first, as far as can be known.
pub(crate) fn creation_order(metadata: &ObjectMeta, in_force: &BTreeSet<&str>) -> (bool, String, bool, String) {
    let (created, name) = (metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()), name_of(metadata));
    (created.is_none(), created.unwrap_or_default(), !in_force.contains(name), name.to_owned())
}

pub(crate) fn name_of(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

/// What no host can own, and what this version cannot carry out.
pub(crate) fn spec_refusal(candidate: &Candidate<'_>) -> Option<Verdict<AcceptedReason>> {
    if let Some((index, address)) =
        candidate.addresses.iter().enumerate().find(|(_, address)| address.is_of_whole_subnet())
    {
        let message = format!(
            "spec.addresses[{index}]: {address} stands for its whole subnet, and no host can own it: choose another"
        );
        return Some(Verdict::new(AcceptedReason::InvalidSpec, message));
    }
    let message =
        "spec.virtualMAC: this version holds addresses with the MAC address of the node only: remove the field";
    candidate.vip.spec.virtual_mac.then(|| Verdict::new(AcceptedReason::InvalidSpec, message))
}

/// There must be a node, and unicast must know where to send.
pub(crate) fn node_refusal(candidate: &Candidate<'_>, nodes: &[ClusterNode]) -> Option<Verdict<AcceptedReason>> {
    let Candidate { vip, nodes: selected, addresses, .. } = candidate;
    if selected.is_empty() {
        let message = "spec.nodeSelector matches no node: change it, or label the nodes that may hold the addresses";
        return Some(Verdict::new(AcceptedReason::NoMatchingNodes, message));
    }
    // A single node with routers outside the cluster knows whom to talk to.
    let external_only = selected.len() == 1 && !vip.spec.external_peers.is_empty();
    if vip.spec.transport != Transport::Unicast || external_only {
        return None;
    }
    let families: BTreeSet<bool> = addresses.iter().map(|address| address.address().is_ipv6()).collect();
    let lost = selected
        .iter()
        .filter_map(|place| nodes.get(*place))
        .find(|node| families.iter().any(|ipv6| !node.addresses.iter().any(|address| address.is_ipv6() == *ipv6)))?;
    let message = format!(
        "spec.transport: Unicast needs an address of each node in each family of the VIP, and node {:?} has none: add a \
         Node object with status.addresses of type InternalIP, or use Multicast",
        lost.name
    );
    Some(Verdict::new(AcceptedReason::InvalidSpec, message))
}

/// No node may be robbed of its own address. A VIP that is in force stays: a kubelet may have taken it for the node's.
pub(crate) fn node_address_refusal(
    candidate: &Candidate<'_>,
    nodes: &[ClusterNode],
    is_in_force: impl Fn(IpAddr) -> bool,
) -> Option<Verdict<AcceptedReason>> {
    let addresses = candidate.addresses.iter().map(|address| address.address()).enumerate();
    let mut taken = addresses.filter(|(_, address)| !is_in_force(*address)).filter_map(|(index, address)| {
        let node = nodes.iter().find(|node| node.addresses.contains(&address))?;
        Some((index, address, &node.name))
    });
    let (index, address, node) = taken.next()?;
    let message =
        format!("spec.addresses[{index}]: {address} is the address of node {node:?} itself: choose one that is free");
    Some(Verdict::new(AcceptedReason::AddressInUse, message))
}

/// Every health check that it refers to must be there, and in order.
pub(crate) fn reference_refusal(
    candidate: &Candidate<'_>,
    health_checks: &HealthCheckVerdicts,
) -> Option<Verdict<AcceptedReason>> {
    let references = candidate.vip.spec.health_checks.iter().enumerate();
    let mut complaints = references.filter_map(|(index, reference)| {
        Some(format!("spec.healthChecks[{index}]: {}", check_complaint(&reference.name, health_checks)?))
    });
    complaints.next().map(|message| Verdict::new(AcceptedReason::UnknownHealthCheck, message))
}

/// Why a reference to a health check cannot be followed.
pub(crate) fn check_complaint(name: &str, health_checks: &HealthCheckVerdicts) -> Option<String> {
    match health_checks.get(name) {
        Some(verdict) if verdict.is_accepted() => None,
        Some(verdict) => Some(format!("HealthCheck {name:?} is not accepted: {}", verdict.message)),
        None => Some(format!("there is no HealthCheck {name:?}: create it, or remove the reference")),
    }
}

fn address_refusal(addresses: &[VipAddress], taken: &BTreeMap<IpAddr, &str>) -> Option<Verdict<AcceptedReason>> {
    let (index, address, owner) = addresses
        .iter()
        .enumerate()
        .find_map(|(index, address)| taken.get(&address.address()).map(|owner| (index, address.address(), *owner)))?;
    let message = format!(
        "spec.addresses[{index}]: {address} belongs to VirtualIP {owner:?}: choose another, or change that one"
    );
    Some(Verdict::new(AcceptedReason::AddressInUse, message))
}
