//! The faults: each row does one, in one or more parts, and leaves it to the stage to make everything whole again.
//!
//! | file | holds what happens to |
//! | --- | --- |
//! | `agent` | the agent: its pod, its process, its memory |
//! | `operator` | the operator |
//! | `node` | a node, its clock, its kubelet and containerd, its place in the cluster |
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
    /// What an operator may expect.
    pub(super) says: &'static str,
    /// Breaks it.
    pub(super) play: fn(&mut Stage) -> Result<()>,
}

/// All rows, in the order of the matrix.
pub const ROWS: &[Row] = &[
    Row {
        name: "agent-pod-deleted",
        fault: "the master's agent pod is deleted",
        says: "The agent that ends hands its addresses over: it answers until the next node does. Its \
            successor starts as a backup and takes them back the same way.",
        play: agent::pod_deleted,
    },
    Row {
        name: "agents-rolled",
        fault: "the DaemonSet is rolled by `helm upgrade`",
        says: "Node after node hands over and takes back. A `helm upgrade` needs no maintenance window.",
        play: agent::rolled,
    },
    Row {
        name: "agent-killed",
        fault: "the master's agent is killed (SIGKILL)",
        says: "The kernel answers on, fenced, until the next node has announced itself; then it is silent. \
            With `Strict` it is silent first, which leaves a gap of 0.5 A + S at most.",
        play: agent::killed,
    },
    Row {
        name: "agent-frozen",
        fault: "the master's agent is frozen for 10 s (SIGSTOP)",
        says: "As if it had been killed. When it goes on it is a backup before it says anything: no advert and \
            no announcement of a deposed master.",
        play: agent::frozen,
    },
    Row {
        name: "agent-out-of-memory",
        fault: "the container of the master's agent is OOM-killed",
        says: "As if it had been killed, which it was.",
        play: agent::out_of_memory,
    },
    Row {
        name: "agent-crash-loop",
        fault: "the master's agent is killed whenever it starts, for 45 s",
        says: "The next node serves for as long as it takes. An agent that never gets to its election disturbs \
            nobody.",
        play: agent::crash_loop,
    },
    Row {
        name: "operator-deleted",
        fault: "all operator pods are deleted",
        says: "Addresses do not depend on the operator. What is asked for meanwhile is carried out as soon as \
            another one leads.",
        play: operator::deleted,
    },
    Row {
        name: "operator-killed",
        fault: "the leading operator is killed (SIGKILL)",
        says: "The other replica leads when the Lease has expired, after about 15 s. Addresses do not notice.",
        play: operator::killed,
    },
    Row {
        name: "kubelet-killed",
        fault: "the master's kubelet is killed and restarted",
        says: "VRRP needs no kubelet. Pods run on, and so does the agent.",
        play: node::kubelet_killed,
    },
    Row {
        name: "containerd-killed",
        fault: "the master's containerd is killed and restarted",
        says: "VRRP needs no container runtime. Pods run on, and so does the agent.",
        play: node::containerd_killed,
    },
    Row {
        name: "node-crash",
        fault: "the master's node dies and comes back",
        says: "The next node takes over when it has heard nothing for three intervals and its skew: 2 A + S to \
            3 A + S after the crash. When the node comes back it takes its addresses back without a loss.",
        play: node::crash,
    },
    Row {
        name: "node-reboot",
        fault: "the master's node is rebooted in order",
        says: "Drained first, a reboot costs nothing, neither on the way down nor on the way up.",
        play: node::reboot,
    },
    Row {
        name: "node-drained",
        fault: "the master's node is drained and uncordoned",
        says: "As soon as the first pod is evicted the addresses leave. `kubectl uncordon` lets them come \
            back.",
        play: node::drained,
    },
    Row {
        name: "node-tainted",
        fault: "the master's node gets the taint `out-of-service`",
        says: "A taint of `operator.drainTaints` empties a node of its addresses, until it is removed.",
        play: node::tainted,
    },
    Row {
        name: "clock-jumps",
        fault: "the wall clock of the master's node jumps by an hour",
        says: "Nothing that matters reads the wall clock: all timers are monotonic, and Leases are judged by \
            whether they change.",
        play: node::clock_jumps,
    },
    Row {
        name: "node-deleted",
        fault: "a node is deleted from the API",
        says: "A backup that is deleted changes nothing. A master that is deleted hands over, and comes back \
            when its kubelet registers it again.",
        play: node::deleted,
    },
    Row {
        name: "web-crash",
        fault: "the web server of the master crashes",
        says: "The health check fails, the node gives the address up, and the web server of the next node \
            answers.",
        play: workload::crash,
    },
    Row {
        name: "web-unready",
        fault: "the web server of the master hangs",
        says: "A server that accepts and does not answer runs into the check's timeout, and is as good as \
            dead.",
        play: workload::hangs,
    },
    Row {
        name: "api-server-down",
        fault: "the API server is down for 2 min",
        says: "Elections, failovers and restarts of agents go on without it, and the status is right within \
            seconds of its return.",
        play: control_plane::down,
    },
    Row {
        name: "api-server-hangs",
        fault: "the API server accepts connections and answers nothing",
        says: "As when it is down: elections, failovers and restarts of agents go on, and the status is right \
            within seconds of its return.",
        play: control_plane::hangs,
    },
    Row {
        name: "api-server-cut-off",
        fault: "the master's node alone cannot reach the API server, for 30 s",
        says: "A master that cannot reach the API server is master as before: it still reaches the other \
            nodes.",
        play: control_plane::cut_off,
    },
    Row {
        name: "etcd-restarted",
        fault: "etcd is killed and restarted",
        says: "As without an API server, for some seconds.",
        play: control_plane::etcd_restarted,
    },
    Row {
        name: "link-down",
        fault: "the link of the master goes down and up",
        says: "The next node takes over, and the node without a link lets go at once. When the link is back it \
            takes its addresses back without a loss.",
        play: network::link_down,
    },
    Row {
        name: "link-flaps",
        fault: "the carrier of the master flaps 20 times",
        says: "Each time a link stays away for long enough another node takes over. Nobody is left with two \
            masters, and announcements stay few.",
        play: network::link_flaps,
    },
    Row {
        name: "only-receives",
        fault: "nobody hears the master's adverts",
        says: "A master that nobody hears cannot know it. The next node takes over, and both answer until the \
            network is mended; then one of them goes within A + 0.3 s.",
        play: network::only_receives,
    },
    Row {
        name: "only-sends",
        fault: "the master hears nobody",
        says: "It is heard, so it stays master. Nobody else takes over.",
        play: network::only_sends,
    },
    Row {
        name: "split",
        fault: "the LAN is split in two and healed",
        says: "Each side has one master: whoever is there is served. When the sides meet again the lower one \
            goes within A + 0.3 s, and the other one announces its addresses again.",
        play: network::split,
    },
    Row {
        name: "address-deleted",
        fault: "somebody deletes the addresses on the master",
        says: "Put back and announced, in milliseconds.",
        play: addresses::deleted,
    },
    Row {
        name: "addresses-flushed",
        fault: "somebody flushes all addresses of the master's interface",
        says: "Without an address of its own a node cannot send adverts. It lets go, the next node takes over, \
            and all comes back with the node's own address.",
        play: addresses::flushed,
    },
    Row {
        name: "address-added",
        fault: "somebody adds an address on a backup",
        says: "An address that somebody else put on a node is left alone, and reported with the node's name: \
            the election goes on.",
        play: addresses::added,
    },
    Row {
        name: "foreign-router",
        fault: "a foreign keepalived uses the same VRID",
        says: "A router that is no listed peer moves nothing, whatever its priority, and is reported with its \
            address.",
        play: addresses::foreign_router,
    },
    Row {
        name: "impostor",
        fault: "another host answers for an address",
        says: "Another host that answers for an address is reported with its MAC address, within a minute: so often a \
            master asks. Whoever believes the impostor is lost to it for that long: ARP knows no authentication.",
        play: addresses::impostor,
    },
    Row {
        name: "processors-busy",
        fault: "programs of the master's node keep all processors busy for a minute",
        says: "At the default interval a busy node is no dead node.",
        play: load::busy,
    },
    Row {
        name: "hundreds",
        fault: "200 VirtualIPs are applied at once, and deleted",
        says: "They are ready within seconds, and others do not notice; deleted, they leave nothing.",
        play: load::hundreds,
    },
    Row {
        name: "token-stolen",
        fault: "the token of an agent's pod is stolen",
        says: "An agent's token reports on its own node and claims for its own node, and does nothing else.",
        play: access::token_stolen,
    },
];

/// What the short form plays: faults that other projects fail, each over in seconds.
pub(super) const SHORT: &[&str] =
    &["node-crash", "clock-jumps", "api-server-cut-off", "foreign-router", "token-stolen"];
