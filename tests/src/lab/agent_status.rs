//! What `holdfast-agent status -o json` says, as far as tests read it. Written from the documentation of that command, not
//! from the agent's types: a field that the agent renames must break a test.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Result, bail};
use serde::Deserialize;

/// The whole answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// The node's name.
    pub node: String,
    /// Every virtual router of this node; a dual-stack VIP has two.
    pub virtual_routers: Vec<VirtualRouterStatus>,
    /// Every health check of this node.
    #[serde(default)]
    pub health_checks: Vec<HealthCheckStatus>,
    /// What is wrong with the manifests, one message each.
    #[serde(default)]
    pub configuration_errors: Vec<String>,
}

/// One virtual router.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualRouterStatus {
    /// Its name on the node.
    pub name: String,
    /// The `VirtualIP` that it belongs to.
    #[serde(rename = "virtualIP")]
    pub virtual_ip: String,
    /// The group that it moves with.
    #[serde(default)]
    pub group: Option<String>,
    /// `MASTER`, `BACKUP`, `FAULT` or `INIT`.
    pub state: String,
    /// Effective priority.
    pub priority: u8,
    /// Virtual router ID.
    #[serde(rename = "virtualRouterID")]
    pub virtual_router_id: u8,
    /// Interface; absent while there is none that fits.
    #[serde(default)]
    pub interface: Option<String>,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The VIPs.
    pub addresses: Vec<String>,
    /// When it entered its state (RFC 3339).
    #[serde(default)]
    pub since: Option<String>,
    /// Why it is in its state.
    #[serde(default)]
    pub reason: Option<String>,
    /// How often it has changed its state.
    #[serde(default)]
    pub transitions: u64,
    /// Address of the master that it hears, or its own.
    #[serde(default)]
    pub master_address: Option<IpAddr>,
    /// The VIPs that this node holds now.
    #[serde(default)]
    pub held: Vec<IpAddr>,
    /// What silences its addresses if the agent is dead or stuck: `Overlap`, `Strict` or `None`.
    #[serde(default)]
    pub fencing: Option<String>,
    /// The reason for people.
    #[serde(default)]
    pub message: String,
    /// Everything that it counts, by name.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// One health check.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckStatus {
    /// Its name.
    pub name: String,
    /// Its verdict; `None` before the first one.
    #[serde(default)]
    pub passing: Option<bool>,
    /// What the last attempt said.
    #[serde(default)]
    pub message: Option<String>,
    /// Since when it has this verdict (RFC 3339).
    #[serde(default)]
    pub since: Option<String>,
}

impl AgentStatus {
    /// The virtual routers of one `VirtualIP`.
    pub fn of<'a>(&'a self, virtual_ip: &'a str) -> impl Iterator<Item = &'a VirtualRouterStatus> {
        self.virtual_routers.iter().filter(move |router| router.virtual_ip == virtual_ip)
    }

    /// True if the `VirtualIP` has virtual routers here and `wanted` holds for every one.
    pub fn every(&self, virtual_ip: &str, wanted: impl Fn(&VirtualRouterStatus) -> bool) -> bool {
        let mut routers = self.of(virtual_ip).peekable();
        routers.peek().is_some() && routers.all(wanted)
    }

    /// True if the `VirtualIP` has virtual routers here and all are in `state`.
    pub fn is_in_state(&self, virtual_ip: &str, state: &str) -> bool {
        self.every(virtual_ip, |router| router.state == state)
    }

    /// The virtual router of a `VirtualIP` of one family.
    pub fn router(&self, virtual_ip: &str) -> Result<&VirtualRouterStatus> {
        let mut routers = self.virtual_routers.iter().filter(|router| router.virtual_ip == virtual_ip);
        match (routers.next(), routers.next()) {
            (Some(router), None) => Ok(router),
            (None, _) => bail!("{} has no virtual router for {virtual_ip}", self.node),
            (Some(_), Some(_)) => bail!("{virtual_ip} has a virtual router for each family on {}", self.node),
        }
    }

    /// The health check of this name.
    pub fn health_check(&self, name: &str) -> Option<&HealthCheckStatus> {
        self.health_checks.iter().find(|check| check.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dual_stack_virtual_ip_is_master_only_if_both_families_are() {
        let json = r#"{"node": "a", "virtualRouters": [
            {"name": "web-v4", "virtualIP": "web", "group": null, "state": "MASTER", "priority": 100,
             "virtualRouterID": 51, "interface": "eth0", "family": "IPv4", "addresses": ["10.77.0.100/32"],
             "since": "2026-01-01T00:00:00Z", "reason": "MasterDown", "transitions": 2, "masterAddress": null},
            {"name": "web-v6", "virtualIP": "web", "group": null, "state": "BACKUP", "priority": 100,
             "virtualRouterID": 51, "interface": "eth0", "family": "IPv6", "addresses": ["fd77::100/128"],
             "since": null, "reason": "", "transitions": 1, "masterAddress": "fe80::1"}],
            "healthChecks": [{"name": "nginx", "passing": true, "message": "running", "since": null}]}"#;
        let mut status: AgentStatus = serde_json::from_str(json).unwrap();
        assert!(!status.is_in_state("web", "MASTER"));
        assert!(!status.is_in_state("other", "MASTER"));
        status.virtual_routers[1].state = "MASTER".to_owned();
        assert!(status.is_in_state("web", "MASTER"));
        assert_eq!(status.health_check("nginx").unwrap().passing, Some(true));
    }
}
