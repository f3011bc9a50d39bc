//! Clients for the API server: one that writes, and one that reads this node's NodeConfig.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};
use thiserror::Error;
use tokio::time::Instant;

use super::connection::Connection;
use super::failure::{Failure, FailureKind};
use super::health::Operation;
use super::token::{NodeServiceAccount, NodeToken};

/// How long any single request may take. An API server that needs longer is as good as gone.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Where the credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A file, as kubectl reads it.
    Kubeconfig(PathBuf),
    /// The pod's own, and perhaps a ServiceAccount to exchange them for to read.
    Pod(Option<NodeServiceAccount>),
}

/// Why there is no access to an API server.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// The agent does not run in a pod.
    #[error("{0}; outside of a pod give --kubeconfig, or --manifests to run without Kubernetes")]
    NotInPod(#[source] InClusterError),
    /// The client cannot be made.
    #[error("cannot make a client of the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// Access to the API server. Making it needs no network.
pub(super) struct Access {
    config: Config,
    writer: Client,
    reading: Option<NodeServiceAccount>,
}

/// What the NodeConfig is read with.
pub(super) struct Reader {
    /// The client.
    pub(super) client: Client,
    /// When to get another; never for credentials that renew themselves.
    pub(super) renew_at: Option<Instant>,
}

impl Access {
    /// Reads the credentials.
    pub(super) async fn open(credentials: &Credentials) -> Result<Self, AccessError> {
        let (mut config, reading) = match credentials {
            Credentials::Kubeconfig(path) => (read_kubeconfig(path).await?, None),
            Credentials::Pod(account) => (Config::incluster().map_err(AccessError::NotInPod)?, account.clone()),
        };
        config.connect_timeout = Some(CONNECT_LIMIT);
        // Each request is judged anew before it is repeated, so nothing below may repeat it.
        config.default_retry = false;
        let writer = client(config.clone())?;
        Ok(Self { config, writer, reading })
    }

    /// The client for everything but the NodeConfig's spec.
    pub(super) fn writer(&self) -> &Client {
        &self.writer
    }

    /// The namespace that the credentials belong to.
    pub(super) fn default_namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// A client for the NodeConfig of this node.
    pub(super) async fn reader(&self, connection: &Connection) -> Result<Reader, Failure> {
        let Some(account) = &self.reading else {
            return Ok(Reader { client: self.writer.clone(), renew_at: None });
        };
        let asked = Instant::now();
        let NodeToken { token, renew_after } = self.exchange(account, connection).await?;
        let mut config = self.config.clone();
        config.auth_info.token_file = None;
        config.auth_info.token = Some(token.into());
        let garbled = |error: AccessError| Failure { kind: FailureKind::Garbled, message: error.to_string() };
        Ok(Reader { client: client(config).map_err(garbled)?, renew_at: Some(asked + renew_after) })
    }

    async fn exchange(&self, account: &NodeServiceAccount, connection: &Connection) -> Result<NodeToken, Failure> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.writer.clone(), &account.namespace);
        let (parameters, request) = (PostParams::default(), account.request());
        let request = accounts.create_token_request(&account.name, &parameters, &request);
        let answer = connection.ask(Operation::Token, REQUEST_LIMIT, request).await.map_err(|failure| {
            if failure.kind == FailureKind::NotFound {
                let message = format!("{failure}: the operator makes it for every node; does it run?");
                return Failure { message, ..failure };
            }
            failure
        })?;
        let message = "the API server has answered without a token".to_owned();
        NodeToken::of(answer).ok_or(Failure { kind: FailureKind::Garbled, message })
    }
}

async fn read_kubeconfig(path: &Path) -> Result<Config, AccessError> {
    let failed = |source| AccessError::Kubeconfig { path: path.display().to_string(), source };
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(failed)
}

fn client(config: Config) -> Result<Client, AccessError> {
    Client::try_from(config).map_err(|error| AccessError::Client(Box::new(error)))
}
