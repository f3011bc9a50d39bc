//! A LAN: a bridge in a namespace of its own, and a veth pair to each host.
//!
//! The port towards host `x` is called `to-x` in the bridge's namespace. Captures on a port see everything that passes
//! between the host and the LAN.

use std::time::Duration;

use anyhow::{Context, Result};

use super::fault::{self, Partition};
use super::host::Host;
use super::mac::Mac;
use super::namespace::Namespace;
use super::wait;

/// The first client's number; below it is room for nodes.
const FIRST_CLIENT: u8 = 240;

/// How long a bridge port may take from its carrier to forwarding.
const FORWARDING: Duration = Duration::from_secs(10);

/// A broadcast domain. Multicast snooping and spanning tree are off: a frame reaches every port at once.
#[derive(Debug)]
pub struct Lan {
    index: u8,
    namespace: Namespace,
    nodes: u8,
    clients: u8,
    partitions: Vec<Partition>,
}

impl Lan {
    /// LAN 0, with the addresses 10.77.0.0/24 and `fd77::/64`.
    pub fn new() -> Result<Self> {
        Self::with_index(0)
    }

    /// LAN `index`, with the addresses 10.77.index.0/24 and `fd77:0:0:index::/64`.
    pub fn with_index(index: u8) -> Result<Self> {
        let namespace = Namespace::network(&format!("lan{index}"))?;
        // The bridge's side has no business on the LAN: no link-local addresses, no router solicitations.
        namespace.set_sysctl("net/ipv6/conf/all/disable_ipv6", "1")?;
        namespace.set_sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        namespace.ip_batch(
            "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 30000\nlink set br0 up\n",
        )?;
        Ok(Self { index, namespace, nodes: 0, clients: 0, partitions: Vec::new() })
    }

    /// Adds a node with the next free number (1, 2, ..) on `eth0`.
    pub fn node(&mut self, name: &str) -> Result<Host> {
        self.nodes = self.nodes.saturating_add(1);
        let host = Host::node(name, self.nodes)?;
        self.attach(&host, "eth0")?;
        Ok(host)
    }

    /// Adds a client with the next free number (240, 241, ..) on `eth0`.
    pub fn client(&mut self, name: &str) -> Result<Host> {
        let number = FIRST_CLIENT.saturating_add(self.clients);
        self.clients = self.clients.saturating_add(1);
        let host = Host::client(name, number)?;
        self.attach(&host, "eth0")?;
        Ok(host)
    }

    /// Plugs a host into this LAN as `interface`, with this LAN's addresses, and waits until frames pass.
    pub fn attach(&self, host: &Host, interface: &str) -> Result<()> {
        let (port, mac) = (Self::port(host), Mac::of_host(self.index, host.number()));
        let peer = format!("peer name {interface} address {mac} netns {}", host.namespace().name());
        self.namespace.ip_batch(&format!(
            "link add {port} address {port_mac} type veth {peer}\nlink set {port} master br0 up\n",
            port_mac = Mac([0x06, 0, 0, 0, self.index, host.number()]),
        ))?;
        let (ipv4, ipv6) = (host.ipv4_on(self.index), host.ipv6_on(self.index));
        host.namespace().ip_batch(&format!(
            "link set {interface} up\naddr add {ipv4}/24 brd + dev {interface}\n\
             addr add {ipv6}/64 dev {interface} nodad\n"
        ))?;
        host.wait_until_up(interface)?;
        self.wait_until_forwarding(&port)
    }

    fn wait_until_forwarding(&self, port: &str) -> Result<()> {
        wait::until(&format!("{port} forwards"), FORWARDING, || {
            let shown = self.namespace.ip(&format!("-d -o link show dev {port}"))?;
            Ok(shown.contains("bridge_slave state forwarding"))
        })
    }

    /// The namespace of the bridge, for captures on ports.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The name of a host's port.
    pub fn port(host: &Host) -> String {
        format!("to-{}", host.name())
    }

    /// Lets the bridge learn who listens to which group, and forward multicast only there, as a managed switch does.
    pub fn set_multicast_snooping(&self, on: bool) -> Result<()> {
        self.namespace.ip(&format!("link set br0 type bridge mcast_snooping {}", u8::from(on))).map(drop)
    }

    /// Silently cuts a host off: its link stays up, its frames go nowhere, nothing reaches it. With
    /// [`Host::kill_everything`] this is a crashed machine.
    pub fn unplug(&self, host: &Host) -> Result<()> {
        self.namespace.ip(&format!("link set {} nomaster", Self::port(host))).map(drop)
    }

    /// Undoes [`Lan::unplug`].
    pub fn plug(&self, host: &Host) -> Result<()> {
        let port = Self::port(host);
        self.namespace.ip(&format!("link set {port} master br0"))?;
        self.wait_until_forwarding(&port)
    }

    /// Takes the carrier from a host's interface, as a pulled cable does.
    pub fn cut_carrier(&self, host: &Host) -> Result<()> {
        self.namespace.ip(&format!("link set {} down", Self::port(host))).map(drop)
    }

    /// Undoes [`Lan::cut_carrier`].
    pub fn restore_carrier(&self, host: &Host) -> Result<()> {
        let port = Self::port(host);
        self.namespace.ip(&format!("link set {port} up"))?;
        self.wait_until_forwarding(&port)
    }

    /// Adds a rule by which the bridge drops frames. Rules add up until [`Lan::heal`].
    pub fn partition(&mut self, partition: Partition) -> Result<()> {
        self.partitions.push(partition);
        self.apply_partitions()
    }

    /// Removes all partitions.
    pub fn heal(&mut self) -> Result<()> {
        self.partitions.clear();
        self.apply_partitions()
    }

    fn apply_partitions(&self) -> Result<()> {
        self.namespace.nft(&fault::rule_set(&self.partitions)).context("cannot partition the LAN")
    }
}

/// Two nodes and a client on one LAN: the smallest scene in which an address can move.
#[derive(Debug)]
pub struct Pair {
    /// The LAN.
    pub lan: Lan,
    /// Node `a`, 10.77.0.1.
    pub a: Host,
    /// Node `b`, 10.77.0.2.
    pub b: Host,
    /// The client, 10.77.0.240.
    pub client: Host,
}

impl Pair {
    /// Builds them.
    pub fn new() -> Result<Self> {
        let mut lan = Lan::new()?;
        let (a, b) = (lan.node("a")?, lan.node("b")?);
        let client = lan.client("client")?;
        Ok(Self { lan, a, b, client })
    }
}
