//! The API of Holdfast: the kinds of `holdfast.dev/v1alpha1` as data, with their defaults and validation rules.
//!
//! The Rust types are the source; `crdgen` writes the custom resource definitions from them. This crate decides nothing
//! and talks to nobody: it may not depend on any other crate of the project.
#![forbid(unsafe_code)]
// `KubeSchema` repeats each public struct inside a function, where nothing can be reached.
#![allow(unreachable_pub)]
// Several columns in one `kube` attribute look like duplicates.
#![allow(clippy::duplicated_attributes)]

pub mod address;
pub mod claim;
pub mod condition;
pub mod definition;
pub mod duration;
pub mod election;
pub mod health_check;
pub mod labels;
pub mod manifest;
pub mod node_config;
pub mod probe;
pub mod protocol;
pub mod reference;
mod rules;
mod schema;
pub mod status_codes;
pub mod tracking;
pub mod validate;
mod violation;
pub mod virtual_ip;
pub mod virtual_ip_group;

pub use address::{ParseAddressError, VipAddress};
pub use claim::{Claimed, claim_manager};
pub use duration::{DurationString, ParseDurationError};
pub use election::{Announcements, Preemption, PreemptionMode};
pub use health_check::{
    HealthCheck, HealthCheckResult, HealthCheckSpec, HealthCheckStatus, HealthCheckSummary, InitialState, Recovery,
};
pub use labels::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
pub use manifest::{Manifest, ParseManifestError, UserKind};
pub use node_config::{
    ElectionGroup, InterfaceStatus, NodeConfig, NodeConfigSpec, NodeConfigStatus, NodeConfigSummary, NodeHealthCheck,
    Peer, PeerSet, RouterProblem, RouterProblemReason, VirtualRouter, VirtualRouterStatus,
};
pub use probe::Probe;
pub use protocol::{Family, Fencing, Ipv4Checksum, ProtocolVersion, RouterState, Transport};
pub use status_codes::{ParseStatusCodesError, StatusCodes};
pub use tracking::{HealthCheckReference, TrackedHealthCheck, TrackedInterface};
pub use validate::Violation;
pub use virtual_ip::{
    Authentication, DEFAULT_PRIORITY, ExternalPeer, Labels, NodeInterface, NodePriority, Placement, VirtualIP,
    VirtualIPNodeStatus, VirtualIPSpec, VirtualIPStatus, VirtualIPSummary,
};
pub use virtual_ip_group::{VirtualIPGroup, VirtualIPGroupSpec, VirtualIPGroupStatus, VirtualIPGroupSummary};

/// The API group of all kinds.
pub const GROUP: &str = "holdfast.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";
/// Group and version as manifests write them.
pub const API_VERSION: &str = "holdfast.dev/v1alpha1";
