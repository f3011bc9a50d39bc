//! The tests' own Kubernetes: real servers, nothing pretended.
//!
//! | file | holds |
//! | --- | --- |
//! | `programs` | where the built programs lie |
//! | `folder`, `server`, `place` | a folder and the servers in it; they never outlive this process, however it ends |
//! | `authority`, `access` | certificates, and who somebody is to the API server |
//! | `api_server`, `arguments`, `loopback` | etcd and kube-apiserver: enough for most tests, and the faults of both |
//! | `kubernetes`, `node` | a whole cluster: control plane, three nodes and a client on a LAN |
//! | `machine`, `pod_images` | what it needs, and what its pods run |
//! | `forward`, `lock`, `leftovers` | the way into it, one at a time, and nothing left of it |
//! | `operator` | the operator as a process of this machine |
//! | `chart`, `release` | what the chart renders, and Holdfast installed with it |
//! | `member`, `gate` | a node of the lab whose agent asks an API server, and its way there, which can be cut |
//! | `throttle` | a user whose requests the API server has no time for |
//! | `audit` | the requests that the API server has answered, by user |
//! | `sightings` | the statuses of the VirtualIPs, as everybody can see them, and when |
//! | `crds`, `agent_identity`, `wait` | what tests put in, and awaiting what comes of it |
//! | `played_agent` | a node's agent as far as the API server can tell |
//! | `developer` | a cluster that stays, for a person to play with |
//! | `blocking` | asynchronous work from where there is no runtime |

mod access;
mod agent_identity;
mod api_server;
mod arguments;
mod audit;
mod authority;
pub mod blocking;
pub mod chart;
pub mod crds;
pub mod developer;
mod folder;
mod forward;
pub mod gate;
mod kubernetes;
mod leftovers;
pub mod lock;
mod loopback;
mod machine;
pub mod member;
pub mod node;
mod operator;
mod place;
mod played_agent;
mod pod_images;
mod programs;
mod release;
mod server;
mod sightings;
mod throttle;
pub mod wait;

pub use access::{Access, Credential};
pub use agent_identity::AgentIdentity;
pub use api_server::{ApiServer, Component};
pub use audit::{Audit, Mark, Request};
pub use kubernetes::{Cluster, Turn};
pub use member::Member;
pub use node::Node;
pub use operator::{NAMESPACE, Operator};
pub use played_agent::{PlayedAgent, Report};
pub use programs::Programs;
pub use release::Release;
pub use sightings::{Sighting, Sightings, Statuses, is_whole};
pub use throttle::Throttle;
