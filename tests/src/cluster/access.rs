//! Who somebody is to the API server, as a client of this process and as a kubeconfig file for programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube::config::AuthInfo;
use kube::{Client, Config};
use serde_json::json;

/// How somebody proves who they are.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A certificate that the cluster's authority has signed, and its key; both PEM.
    Certificate {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A bearer token.
    Token(String),
}

/// An API server, and who asks it.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) url: String,
    pub(super) authority: PathBuf,
    pub(super) authority_der: Vec<u8>,
    pub(super) credential: Credential,
}

impl Access {
    /// For a [`Client`]; no timeouts, no proxy, nothing of the machine's own configuration.
    pub fn config(&self) -> Result<Config> {
        let url = self.url.parse().with_context(|| format!("not a URL: {}", self.url))?;
        let mut config = Config::new(url);
        config.root_cert = Some(vec![self.authority_der.clone()]);
        config.auth_info = match &self.credential {
            Credential::Token(token) => AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() },
            Credential::Certificate { certificate, key } => AuthInfo {
                client_certificate: Some(certificate.display().to_string()),
                client_key: Some(key.display().to_string()),
                ..AuthInfo::default()
            },
        };
        Ok(config)
    }

    /// A client of the runtime in which it is called: it works there only.
    pub fn client(&self) -> Result<Client> {
        Client::try_from(self.config()?).context("cannot make a client")
    }

    /// Writes a kubeconfig file. It names the files of certificates by their absolute paths.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let user = match &self.credential {
            Credential::Token(token) => json!({ "token": token }),
            Credential::Certificate { certificate, key } => {
                json!({ "client-certificate": certificate, "client-key": key })
            }
        };
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                { "name": "holdfast", "cluster": { "server": self.url, "certificate-authority": self.authority } }
            ],
            "users": [{ "name": "user", "user": user }],
            "contexts": [{ "name": "holdfast", "context": { "cluster": "holdfast", "user": "user" } }],
            "current-context": "holdfast",
        });
        // JSON is YAML.
        fs::write(path, format!("{kubeconfig:#}\n")).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The same API server under another name or address, which its certificate must hold.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }
}
