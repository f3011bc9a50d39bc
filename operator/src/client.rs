//! The client of the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

/// A connection over which nothing comes for so long is dead: the API server ends every watch earlier. What must not wait
/// that long has limits of its own.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The file cannot be used.
    #[error("cannot use the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// This is no pod, or one without a token.
    #[error("not in a pod with a service account ({0}): name a kubeconfig with --kubeconfig")]
    InCluster(#[source] InClusterError),
    /// What is configured makes no client.
    #[error("cannot make a client of the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client, and the namespace that goes with it.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<(Client, String), ClientError> {
    let mut config = match kubeconfig {
        Some(path) => read(path).await.map_err(|source| {
            let path = path.to_owned();
            ClientError::Kubeconfig { path, source: Box::new(source) }
        })?,
        None => Config::incluster().map_err(ClientError::InCluster)?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    config.write_timeout = Some(WRITE_TIMEOUT);
    // Every caller tries again by rules of its own; and nothing may hold up a renewal of the lease.
    config.default_retry = false;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| ClientError::Client(Box::new(error)))?;
    Ok((client, namespace))
}

async fn read(path: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await
}
