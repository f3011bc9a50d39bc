//! A whole Kubernetes: a control plane, nodes and a client on one LAN, in namespaces of this machine.
//!
//! ```text
//!              10.77.0.0/24, fd77::/64
//!   ────┬──────────┬──────────┬──────────┬──────────┬────
//!    .1 │      .11 │      .12 │      .13 │     .240 │
//!    control     node-1     node-2     node-3     client
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{self as core, ServiceAccount};
use kube::{Api, Client};

use super::access::Access;
use super::api_server::{ApiServer, Component, Settings};
use super::forward::Forwarder;
use super::leftovers::Leftovers;
use super::lock::Lock;
use super::node::configuration::Common;
use super::node::{self, Node};
use super::place::Place;
use super::{arguments, blocking, loopback, machine, pod_images, wait};
use crate::lab::{Host, Lan};

/// How long everything may take on a busy machine; alone it takes 5 s.
const READY: Duration = Duration::from_secs(90);

/// Where nodes and pods reach the API server.
const API_SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), 6443);

/// The number of the first node, which is the end of its address.
const FIRST_NODE: u8 = 11;

/// How many nodes there are.
const NODES: u8 = 3;

/// A running cluster. Ends with the handle, and with this process, however it ends.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped from the first to the last.
    nodes: Vec<Node>,
    _forwarder: Forwarder,
    api: ApiServer,
    access_inside: Access,
    control_plane: Arc<Host>,
    client: Host,
    lan: Lan,
    _leftovers: Leftovers,
    _lock: Lock,
}

impl Cluster {
    /// Starts everything and waits until all nodes are ready. Fails if a cluster runs on this machine.
    pub fn up() -> Result<Self> {
        let lock = Lock::take()?;
        machine::check()?;
        let leftovers = Leftovers::watch()?;
        let mut lan = Lan::new()?;
        let control_plane = Arc::new(Host::node("control", 1)?);
        lan.attach(&control_plane, "eth0")?;
        let numbers: Vec<u8> = (FIRST_NODE..).take(NODES.into()).collect();
        let pod_routes: String = numbers.iter().map(|&number| node::pod_route(number)).collect();
        control_plane.namespace().ip_batch(&pod_routes)?;

        let api = control_plane_servers(&control_plane)?;
        let address = api.address();
        let forwarder = Forwarder::start(address, Arc::clone(&control_plane), API_SERVER)?;
        let client = lan.client("client")?;
        let access_inside = api.admin().at(&format!("https://{API_SERVER}"));
        let nodes = nodes(&api, &numbers, leftovers.cgroup())?;
        let mut cluster = Self {
            nodes,
            _forwarder: forwarder,
            api,
            access_inside,
            control_plane,
            client,
            lan,
            _leftovers: leftovers,
            _lock: lock,
        };
        cluster.start()?;
        Ok(cluster)
    }

    /// The cluster that the tests of a test binary share: they take turns, and each finds it whole, whatever the one before
    /// has done to it. It ends with the process.
    pub fn shared() -> Result<Turn> {
        static SHARED: OnceLock<Result<Mutex<Cluster>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::up().map(Mutex::new).map_err(|error| format!("{error:#}")));
        let mutex = shared.as_ref().map_err(|error| anyhow!("{error}"))?;
        let mut cluster = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.mend()?;
        Ok(Turn(cluster))
    }

    /// Undoes every fault, and waits until everything is ready.
    pub fn mend(&mut self) -> Result<()> {
        self.lan.heal()?;
        for index in 0..self.nodes.len() {
            self.mend_node(index)?;
        }
        self.api.mend()?;
        self.api.wait_until_ready()?;
        self.wait_until_ready()
    }

    fn mend_node(&mut self, index: usize) -> Result<()> {
        match self.nodes.get(index).context("an index of a node")?.host() {
            Ok(host) => {
                // A port that is down never forwards, which the other two would wait for.
                self.lan.namespace().ip(&format!("link set {} up", Lan::port(host)))?;
                self.lan.plug(host)
            }
            Err(_) => self.boot_at(index),
        }
    }

    /// What can be done at the same time is: the nodes unpack their image while the API server starts.
    fn start(&mut self) -> Result<()> {
        self.api.start_component(Component::Etcd)?;
        self.api.start_component(Component::ApiServer)?;
        for index in 0..self.nodes.len() {
            self.boot_at(index)?;
        }
        self.api.wait_until_ready()?;
        let ready = self.nodes_folder().join("api-ready");
        fs::write(&ready, "").with_context(|| format!("cannot write {}", ready.display()))?;
        self.api.start_component(Component::ControllerManager)?;
        self.api.start_component(Component::Scheduler)?;
        self.wait_until_ready()
    }

    /// Waits until every node that has power is ready, and pods can be made in the namespace `default`.
    pub fn wait_until_ready(&self) -> Result<()> {
        let names = self.nodes.iter().filter(|node| node.is_running()).map(Node::name);
        blocking::run(async || {
            let client = self.api.client()?;
            for name in names {
                wait::until(&Api::all(client.clone()), name, "the node is ready", READY, is_ready).await?;
            }
            let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
            wait::until(&accounts, "default", "it exists", READY, |_| true).await.map(drop)
        })
        .or_else(|error| self.api.check().and(Err(error)))
    }

    /// The control plane: its clients, users, kubectl and log of requests. All of it is reached from this process and from
    /// this machine, not from inside the cluster: see [`Cluster::access_inside`] for that.
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The control plane, to break it.
    pub fn api_mut(&mut self) -> &mut ApiServer {
        &mut self.api
    }

    /// A client that may do everything, of the runtime in which this is called.
    pub fn client(&self) -> Result<Client> {
        self.api.client()
    }

    /// The access of one who may do everything, from the LAN and from pods.
    pub fn access_inside(&self) -> &Access {
        &self.access_inside
    }

    /// kubectl as one who may do everything; add arguments to it.
    pub fn kubectl(&self) -> Result<Command> {
        self.api.kubectl()
    }

    /// helm as one who may do everything, with nothing of the user's own configuration; add arguments to it.
    pub fn helm(&self) -> Result<Command> {
        let mut helm = Command::new(self.api.programs().built("helm")?);
        let home = self.api.folder().join("helm");
        helm.env("KUBECONFIG", self.api.kubeconfig());
        helm.env("HELM_CACHE_HOME", &home).env("HELM_CONFIG_HOME", &home).env("HELM_DATA_HOME", &home);
        Ok(helm)
    }

    /// All nodes, with or without power.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes.iter().find(|node| node.name() == name).with_context(|| format!("there is no node {name}"))
    }

    /// A host on the LAN that belongs to nobody: for probes, captures and browsers.
    pub fn client_host(&self) -> &Host {
        &self.client
    }

    /// The host of the control plane.
    pub fn control_plane(&self) -> &Host {
        &self.control_plane
    }

    /// The LAN, for captures and to unplug a host.
    pub fn lan(&self) -> &Lan {
        &self.lan
    }

    /// The LAN, for partitions.
    pub fn lan_mut(&mut self) -> &mut Lan {
        &mut self.lan
    }

    /// Takes the power of a node: everything on it is gone at once, except for its disk.
    pub fn power_off(&mut self, name: &str) -> Result<()> {
        let index = self.index(name)?;
        let node = self.nodes.get_mut(index).context("an index of a node")?;
        node.power_off(&self.lan)
    }

    /// Gives it power again, and does not wait for it: see [`Cluster::wait_until_ready`].
    pub fn boot(&mut self, name: &str) -> Result<()> {
        self.boot_at(self.index(name)?)
    }

    fn index(&self, name: &str) -> Result<usize> {
        self.nodes.iter().position(|node| node.name() == name).with_context(|| format!("there is no node {name}"))
    }

    fn boot_at(&mut self, index: usize) -> Result<()> {
        let pause = pod_images::name(&pod_images::PAUSE);
        let common = Common { authority: self.api.authority(), api_server: &self.access_inside, pause: &pause };
        let numbers: Vec<u8> = (FIRST_NODE..).take(NODES.into()).collect();
        self.nodes.get_mut(index).context("an index of a node")?.boot(&self.lan, &numbers, &common)
    }

    /// Gives a node the addresses and routes again that it has booted with, after somebody has removed them.
    pub fn restore_addresses(&self, name: &str) -> Result<()> {
        let numbers: Vec<u8> = (FIRST_NODE..).take(NODES.into()).collect();
        self.node(name)?.restore_addresses(&numbers)
    }

    /// Pulls the cable of a node, or of any other host of the LAN: its interface loses the carrier.
    pub fn link_down(&self, name: &str) -> Result<()> {
        self.lan.cut_carrier(self.node(name)?.host()?)
    }

    /// Undoes [`Cluster::link_down`].
    pub fn link_up(&self, name: &str) -> Result<()> {
        self.lan.restore_carrier(self.node(name)?.host()?)
    }

    /// Loads an image from an OCI archive into every node that has power. Pods use it with `imagePullPolicy: Never`, or
    /// `IfNotPresent`: there is no registry.
    pub fn import_image(&self, archive: &Path) -> Result<()> {
        self.nodes.iter().filter(|node| node.is_running()).try_for_each(|node| node.import_image(archive))
    }

    /// Loads the image of a web server and returns its name. Its only argument is the address to listen at, as `:80`; every
    /// page is the value of the environment variable `NODE_NAME`.
    pub fn import_web_image(&self) -> Result<String> {
        let archive = pod_images::pack(&pod_images::WEB, self.api.programs().folder()?, &self.nodes_folder())?;
        self.import_image(&archive)?;
        Ok(pod_images::name(&pod_images::WEB))
    }

    fn nodes_folder(&self) -> PathBuf {
        nodes_folder(&self.api)
    }
}

/// A test's turn with the shared cluster.
#[derive(Debug)]
pub struct Turn(MutexGuard<'static, Cluster>);

impl Deref for Turn {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.0
    }
}

fn control_plane_servers(host: &Arc<Host>) -> Result<ApiServer> {
    let local = |port| (Ipv4Addr::LOCALHOST, port).into();
    let names = ["127.0.0.1", "10.96.0.1", "fd77::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut api = ApiServer::new(Settings {
        place: Place::Host(Arc::clone(host)),
        listen: API_SERVER,
        address: loopback::socket(),
        etcd: [local(2379), local(2380)],
        names: names.map(str::to_owned).to_vec(),
        arguments: arguments::of_whole_cluster(),
    })?;
    let in_cluster = api.admin().at(&format!("https://{API_SERVER}"));
    for (component, program) in
        [(Component::ControllerManager, "kube-controller-manager"), (Component::Scheduler, "kube-scheduler")]
    {
        let credential = api.authority().credential(&format!("system:{program}"), None)?;
        let kubeconfig = api.folder().join(format!("{program}.kubeconfig"));
        Access { credential, ..in_cluster.clone() }.write_kubeconfig(&kubeconfig)?;
        let arguments = match component {
            Component::ControllerManager => arguments::controller_manager(&kubeconfig, api.authority()),
            _ => arguments::scheduler(&kubeconfig),
        };
        api.add(component, program, arguments)?;
    }
    Ok(api)
}

fn nodes(api: &ApiServer, numbers: &[u8], cgroup: &str) -> Result<Vec<Node>> {
    let folder = nodes_folder(api);
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let programs = api.programs().folder()?;
    pod_images::pack(&pod_images::PAUSE, programs, &folder)?;
    let named = numbers.iter().zip(1..);
    named.map(|(&number, index)| Node::new(&format!("node-{index}"), number, &folder, cgroup, programs)).collect()
}

fn nodes_folder(api: &ApiServer) -> PathBuf {
    api.folder().join("nodes")
}

fn is_ready(node: &core::Node) -> bool {
    let conditions = node.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
