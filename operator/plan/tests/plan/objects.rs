//! Short ways to write the objects of a test.

use std::collections::BTreeMap;

use holdfast_crds::{
    HealthCheck, HealthCheckReference, HealthCheckSpec, Labels, NodeConfig, VirtualIP, VirtualIPGroup,
    VirtualIPGroupSpec, VirtualIPSpec,
};
use holdfast_plan::{Cluster, InForce, Input, Memory, Plan, Standalone, plan};
use k8s_openapi::api::core::v1::{Node, NodeAddress, NodeStatus};

/// All objects of a test; lists are given in any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) virtual_ips: Vec<VirtualIP>,
    pub(crate) health_checks: Vec<HealthCheck>,
    pub(crate) groups: Vec<VirtualIPGroup>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) earlier: Vec<NodeConfig>,
    pub(crate) draining: Vec<String>,
    pub(crate) unreadable: Vec<String>,
}

impl World {
    pub(crate) fn plan(&self) -> Plan {
        plan(&Input {
            virtual_ips: &self.virtual_ips,
            health_checks: &self.health_checks,
            groups: &self.groups,
            nodes: &self.nodes,
            memory: Memory::Cluster(Cluster {
                node_configs: &self.earlier,
                draining: &self.draining,
                unreadable: &self.unreadable,
            }),
        })
    }

    /// The same world, with the plan carried out.
    pub(crate) fn after(mut self, plan: &Plan) -> Self {
        self.earlier = plan.node_configs.iter().map(|(node, spec)| NodeConfig::new(node, spec.clone())).collect();
        self
    }
}

/// An agent with a folder of manifests, and what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) node: String,
    pub(crate) labels: Labels,
    pub(crate) in_force: InForce,
}

impl Agent {
    pub(crate) fn new(node: &str) -> Self {
        Self { node: node.to_owned(), labels: Labels::new(), in_force: InForce::default() }
    }

    /// Reads the folder, and remembers what came of it.
    pub(crate) fn follow(&mut self, folder: &World) -> Plan {
        let Self { node, labels, in_force } = self;
        let plan = plan(&Input {
            virtual_ips: &folder.virtual_ips,
            health_checks: &folder.health_checks,
            groups: &folder.groups,
            nodes: &folder.nodes,
            memory: Memory::Standalone(Standalone { node, labels, in_force }),
        });
        self.in_force = plan.in_force.clone();
        plan
    }

    /// What it runs after having read the folder: the virtual router ID of each router.
    pub(crate) fn runs(&mut self, folder: &World) -> BTreeMap<String, u8> {
        let plan = self.follow(folder);
        let routers = plan.node_configs[&self.node].virtual_routers.iter();
        routers.map(|router| (router.name.clone(), router.virtual_router_id)).collect()
    }
}

pub(crate) fn reference(name: &str) -> HealthCheckReference {
    HealthCheckReference { name: name.into(), weight: None, reverse: false }
}

pub(crate) fn vip(name: &str, address: &str) -> VirtualIP {
    VirtualIP::new(name, VirtualIPSpec::new([address]))
}

pub(crate) fn vip_with(name: &str, address: &str, change: impl FnOnce(&mut VirtualIPSpec)) -> VirtualIP {
    let mut vip = vip(name, address);
    change(&mut vip.spec);
    vip
}

pub(crate) fn group(name: &str, members: &[&str]) -> VirtualIPGroup {
    let members = members.iter().map(ToString::to_string).collect();
    VirtualIPGroup::new(name, VirtualIPGroupSpec { members, ..VirtualIPGroupSpec::default() })
}

pub(crate) fn check(name: &str, probe: &str) -> HealthCheck {
    let spec: HealthCheckSpec = serde_saphyr::from_str(probe).expect("a health check");
    HealthCheck::new(name, spec)
}

pub(crate) fn node(name: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = Some(name.to_owned());
    node
}

pub(crate) fn node_at(name: &str, addresses: &[&str]) -> Node {
    let address = |address: &&str| NodeAddress { type_: "InternalIP".into(), address: (*address).to_owned() };
    let addresses = Some(addresses.iter().map(address).collect());
    Node { status: Some(NodeStatus { addresses, ..NodeStatus::default() }), ..node(name) }
}

pub(crate) fn labelled(mut node: Node, key: &str, value: &str) -> Node {
    node.metadata.labels.get_or_insert_with(BTreeMap::new).insert(key.into(), value.into());
    node
}

/// The priority of a virtual router on each node.
pub(crate) fn priorities(plan: &Plan, router: &str) -> BTreeMap<String, u8> {
    let of_node = |(node, spec): (&String, &holdfast_crds::NodeConfigSpec)| {
        let router = spec.virtual_routers.iter().find(|candidate| candidate.name == router)?;
        Some((node.clone(), router.priority))
    };
    plan.node_configs.iter().filter_map(of_node).collect()
}

/// The node with the highest priority for a virtual router.
pub(crate) fn preferred(plan: &Plan, router: &str) -> Option<String> {
    priorities(plan, router).into_iter().max_by_key(|(_, priority)| *priority).map(|(node, _)| node)
}
