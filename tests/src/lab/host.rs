//! A host of the lab: a node that runs an agent, or a client that only looks on.
//!
//! Host `n` has the addresses 10.77.L.n/24 and `fd77:0:0:L::n/64` on LAN `L`, and a fixed Ethernet address. Nodes (n up to
//! 100) answer with TTL and hop limit 60 + n, so a client can tell who answered even where the answer comes from a virtual
//! Ethernet address.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::mac::Mac;
use super::namespace::Namespace;
use super::process::Process;
use super::wait;

/// TTL of host 0; see [`Host::time_to_live`].
const TTL_BASE: u8 = 60;

/// How long a new link may take to report a carrier; the kernel may delay that report by a second.
const LINK_UP: Duration = Duration::from_secs(10);

/// A host with its namespace.
#[derive(Debug)]
pub struct Host {
    name: String,
    number: u8,
    namespace: Namespace,
}

impl Host {
    /// A node: network, PID and mount namespaces of its own. `number` is 1..=100.
    pub fn node(name: &str, number: u8) -> Result<Self> {
        Self::configured(name, number, Namespace::isolated(name)?)
    }

    /// A client: a network namespace only. `number` is 101..=246.
    pub fn client(name: &str, number: u8) -> Result<Self> {
        Self::configured(name, number, Namespace::network(name)?)
    }

    fn configured(name: &str, number: u8, namespace: Namespace) -> Result<Self> {
        let host = Self { name: name.to_owned(), number, namespace };
        // A link-local address that is usable at once: no duplicate address detection before it, and no noise after it.
        host.set_sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        host.set_sysctl("net/ipv6/conf/default/router_solicitations", "0")?;
        host.set_sysctl("net/ipv6/conf/default/accept_ra", "0")?;
        if number <= 100 {
            let time_to_live = host.time_to_live().to_string();
            host.set_sysctl("net/ipv4/ip_default_ttl", &time_to_live)?;
            host.set_sysctl("net/ipv6/conf/default/hop_limit", &time_to_live)?;
        }
        Ok(host)
    }

    /// Its name, which is also its node name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number: the last part of its addresses.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Its namespace, for sockets and `ip` commands.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its Ethernet address on LAN 0.
    pub fn mac(&self) -> Mac {
        Mac::of_host(0, self.number)
    }

    /// Its IPv4 address on LAN 0.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.ipv4_on(0)
    }

    /// Its IPv4 address on the LAN with the given index.
    pub fn ipv4_on(&self, lan: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, lan, self.number)
    }

    /// Its global IPv6 address on LAN 0.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.ipv6_on(0)
    }

    /// Its global IPv6 address on the LAN with the given index.
    pub fn ipv6_on(&self, lan: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, u16::from(lan), 0, 0, 0, u16::from(self.number))
    }

    /// Its link-local address on LAN 0, made from its Ethernet address as the kernel does it.
    pub fn link_local(&self) -> Ipv6Addr {
        let [.., last] = self.mac().0;
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x00ff, 0xfe00, u16::from(last))
    }

    /// TTL and hop limit of what a node sends. (Adverts have 255 by their own choice.)
    pub fn time_to_live(&self) -> u8 {
        TTL_BASE.saturating_add(self.number)
    }

    /// Starts a program on this host.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        self.namespace.spawn(&format!("{name} on {}", self.name), command)
    }

    /// Sets a network sysctl; see [`Namespace::set_sysctl`].
    pub fn set_sysctl(&self, path: &str, value: &str) -> Result<()> {
        self.namespace.set_sysctl(path, value).with_context(|| format!("on {}", self.name))
    }

    /// Ends every program on a node at once. The network of the node stays: see [`super::Lan::unplug`] for the other half
    /// of a crash.
    pub fn kill_everything(&mut self) {
        self.namespace.kill_everything();
    }

    /// `ip link set INTERFACE down`, as an administrator would.
    pub fn set_link_down(&self, interface: &str) -> Result<()> {
        self.namespace.ip(&format!("link set {interface} down")).map(drop)
    }

    /// Undoes [`Host::set_link_down`] on LAN 0, IPv6 address included: the kernel forgot it when the link went down.
    pub fn set_link_up(&self, interface: &str) -> Result<()> {
        let address = self.ipv6();
        self.namespace
            .ip_batch(&format!("link set {interface} up\naddr replace {address}/64 dev {interface} nodad\n"))?;
        self.wait_until_up(interface)
    }

    /// Waits until the kernel reports the interface as up with a carrier.
    pub fn wait_until_up(&self, interface: &str) -> Result<()> {
        let arguments = format!("-o link show dev {interface}");
        wait::until(&format!("{interface} of {} is up", self.name), LINK_UP, || {
            Ok(self.namespace.ip(&arguments)?.contains(" state UP "))
        })
    }
}
