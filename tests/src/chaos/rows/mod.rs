//! The faults: each row does one, in one or more parts, and leaves it to the stage to make everything whole again.
//!
//! | file | holds what happens to |
//! | --- | --- |
//! | `agent` | the agent: its pod, its process, its memory |
//! | `operator` | the operator |
//! | `node` | a node, its kubelet and containerd, its place in the cluster |
//! | `workload` | the web server behind an address |
//! | `control_plane` | the API server and its store |
//! | `network` | links and the LAN |
//! | `addresses` | the addresses, by the hand of an administrator or of a stranger |
//! | `load` | the processors, and hundreds of objects |
//! | `access` | a stolen token |

mod access;
mod addresses;
mod agent;
mod control_plane;
mod load;
mod network;
mod node;
mod operator;
mod workload;

use anyhow::Result;

use super::stage::Stage;

/// One fault and what is promised for it.
#[derive(Debug)]
pub struct Row {
    /// Its name, by which it can be asked for.
    pub name: &'static str,
    /// What is broken.
    pub fault: &'static str,
    /// Breaks it.
    pub(super) play: fn(&mut Stage) -> Result<()>,
}

/// All rows, in the order of the matrix.
pub const ROWS: &[Row] = &[
    Row { name: "agent-pod-deleted", fault: "the master's agent pod is deleted", play: agent::pod_deleted },
    Row { name: "agents-rolled", fault: "the DaemonSet is rolled by `helm upgrade`", play: agent::rolled },
    Row { name: "agent-killed", fault: "the master's agent is killed (SIGKILL)", play: agent::killed },
    Row { name: "agent-frozen", fault: "the master's agent is frozen for 10 s (SIGSTOP)", play: agent::frozen },
    Row {
        name: "agent-out-of-memory",
        fault: "the container of the master's agent is OOM-killed",
        play: agent::out_of_memory,
    },
    Row {
        name: "agent-crash-loop",
        fault: "the master's agent is killed whenever it starts, for 45 s",
        play: agent::crash_loop,
    },
    Row { name: "operator-deleted", fault: "all operator pods are deleted", play: operator::deleted },
    Row { name: "operator-killed", fault: "the leading operator is killed (SIGKILL)", play: operator::killed },
    Row { name: "kubelet-killed", fault: "the master's kubelet is killed and restarted", play: node::kubelet_killed },
    Row {
        name: "containerd-killed",
        fault: "the master's containerd is killed and restarted",
        play: node::containerd_killed,
    },
    Row { name: "node-crash", fault: "the master's node dies and comes back", play: node::crash },
    Row { name: "node-reboot", fault: "the master's node is rebooted in order", play: node::reboot },
    Row { name: "node-drained", fault: "the master's node is drained and uncordoned", play: node::drained },
    Row { name: "node-tainted", fault: "the master's node gets the taint `out-of-service`", play: node::tainted },
    Row { name: "node-deleted", fault: "a node is deleted from the API", play: node::deleted },
    Row { name: "web-crash", fault: "the web server of the master crashes", play: workload::crash },
    Row { name: "web-unready", fault: "the web server of the master hangs", play: workload::hangs },
    Row { name: "api-server-down", fault: "the API server is down for 2 min", play: control_plane::down },
    Row {
        name: "api-server-hangs",
        fault: "the API server accepts connections and answers nothing",
        play: control_plane::hangs,
    },
    Row { name: "etcd-restarted", fault: "etcd is killed and restarted", play: control_plane::etcd_restarted },
    Row { name: "link-down", fault: "the link of the master goes down and up", play: network::link_down },
    Row { name: "link-flaps", fault: "the carrier of the master flaps 20 times", play: network::link_flaps },
    Row { name: "only-receives", fault: "nobody hears the master's adverts", play: network::only_receives },
    Row { name: "only-sends", fault: "the master hears nobody", play: network::only_sends },
    Row { name: "split", fault: "the LAN is split in two and healed", play: network::split },
    Row { name: "address-deleted", fault: "somebody deletes the addresses on the master", play: addresses::deleted },
    Row {
        name: "addresses-flushed",
        fault: "somebody flushes all addresses of the master's interface",
        play: addresses::flushed,
    },
    Row { name: "address-added", fault: "somebody adds an address on a backup", play: addresses::added },
    Row { name: "foreign-router", fault: "a foreign keepalived uses the same VRID", play: addresses::foreign_router },
    Row { name: "impostor", fault: "another host answers for an address", play: addresses::impostor },
    Row { name: "processors-busy", fault: "all processors are busy for a minute", play: load::busy },
    Row { name: "hundreds", fault: "200 VirtualIPs are applied at once, and deleted", play: load::hundreds },
    Row { name: "token-stolen", fault: "the token of an agent's pod is stolen", play: access::token_stolen },
];
