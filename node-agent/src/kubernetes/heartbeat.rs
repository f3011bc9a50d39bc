//! The Lease by which the operator tells a living agent from a dead one.
//!
//! The operator judges it by when it sees it renewed, so the clock of this node need not be right.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::backoff::Backoff;
use super::connection::Connection;
use super::health::Operation;
use super::news::Ending;
use super::status_writer::MANAGER;

/// Between two renewals.
const RENEWAL: Duration = Duration::from_secs(5);

/// After this long without one, the agent counts as not heard of.
const DURATION_SECONDS: i32 = 15;

/// How long one renewal may take: there is time for another before the next is due.
const LIMIT: Duration = Duration::from_secs(4);

/// Renews the Lease of one node.
#[derive(Clone)]
pub(super) struct Heartbeat {
    /// The name of the node.
    pub(super) node: String,
    /// The namespace of the installation.
    pub(super) namespace: String,
    /// The client.
    pub(super) client: Client,
    /// How the requests do.
    pub(super) connection: Arc<Connection>,
    /// That the agent leaves.
    pub(super) ending: Ending,
}

impl Heartbeat {
    /// Renews until the agent leaves.
    pub(super) async fn run(mut self) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let parameters = PatchParams::apply(MANAGER).force();
        let mut backoff = Backoff::new(RENEWAL);
        while !self.ending.has_come() {
            let (began, lease) = (Instant::now(), lease(&self.node, &self.namespace, Timestamp::now()));
            let (name, patch) = (lease_name(&self.node), Patch::Apply(&lease));
            let request = leases.patch(&name, &parameters, &patch);
            let next = match self.connection.ask(Operation::Heartbeat, LIMIT, request).await {
                Ok(_) => {
                    backoff.reset();
                    began + RENEWAL
                }
                Err(failure) => {
                    debug!(error = %failure, kind = failure.kind.as_str(), "cannot renew the Lease");
                    Instant::now() + backoff.next(failure.kind.longest_wait())
                }
            };
            tokio::select! {
                () = self.ending.wait() => {}
                () = sleep_until(next) => {}
            }
        }
    }
}

/// The name of a node's Lease.
pub(super) fn lease_name(node: &str) -> String {
    format!("holdfast-agent-{node}")
}

fn lease(node: &str, namespace: &str, now: Timestamp) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(lease_name(node)),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(node.to_owned()),
            lease_duration_seconds: Some(DURATION_SECONDS),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_names_its_node_and_when_it_was_renewed() {
        let now = "2026-01-01T00:00:00.250Z".parse().expect("a time");
        let expected = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": "holdfast-agent-a", "namespace": "holdfast" },
            "spec": {
                "holderIdentity": "a",
                "leaseDurationSeconds": 15,
                "renewTime": "2026-01-01T00:00:00.250000Z",
            },
        });
        assert_eq!(serde_json::to_value(lease("a", "holdfast", now)).expect("JSON"), expected);
    }
}
