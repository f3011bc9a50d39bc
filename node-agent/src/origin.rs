//! Where the agent takes from what it runs: a folder, or a cluster.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::checks::Supervisor;
use crate::cli::Source;
use crate::configurator::Configurator;
use crate::election::{ElectionHandle, Reports};
use crate::kubernetes::{AccessError, Cluster, Connection, Running};
use crate::source::{Folder, NodeIdentity};

/// A source that is ready to be followed.
pub enum Origin {
    /// A folder of manifests, and who this node is among them.
    Folder(Folder, NodeIdentity),
    /// A cluster, which knows.
    Cluster(Box<Cluster>),
}

impl Origin {
    /// Gets a source ready, without any network.
    pub async fn open(source: Source, identity: NodeIdentity) -> Result<Self, AccessError> {
        Ok(match source {
            Source::Folder(path) => Self::Folder(Folder::new(path), identity),
            Source::Kubernetes(options) => Self::Cluster(Box::new(Cluster::open(options).await?)),
        })
    }

    /// Lets a cluster listen in on the reports of the election thread.
    pub fn listen(&self, reports: Reports) -> Reports {
        match self {
            Self::Folder(..) => reports,
            Self::Cluster(cluster) => cluster.listen(reports),
        }
    }

    /// How the requests to the cluster do, if there is one.
    pub fn connection(&self) -> Option<Arc<Connection>> {
        match self {
            Self::Folder(..) => None,
            Self::Cluster(cluster) => Some(cluster.connection()),
        }
    }

    /// Follows it; for a cluster, with everything that tells it what this node does.
    pub fn start(
        self,
        configurator: Configurator,
        election: &ElectionHandle,
        checks: &Arc<Supervisor>,
    ) -> (JoinHandle<()>, Option<Running>) {
        match self {
            Self::Folder(folder, identity) => (tokio::spawn(configurator.follow(folder, identity)), None),
            Self::Cluster(cluster) => {
                let (following, running) = cluster.start(election, checks, &configurator.state);
                (tokio::spawn(configurator.follow_node_config(following)), Some(running))
            }
        }
    }
}
