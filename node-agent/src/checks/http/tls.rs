//! TLS of the `http` probe: whom it trusts, and what it says about a certificate that it does not.

mod accept_any;

use std::fs;
use std::io;
use std::sync::Arc;

use holdfast_crds::probe::Tls;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::checks::blocking::OneAtATime;
use accept_any::AcceptAny;

/// Makes TLS connections that are verified as one check asks for.
pub(super) struct TlsClient {
    trust: Trust,
    server_name: ServerName<'static>,
    loads: OneAtATime<Result<Loaded, TlsError>>,
    loaded: Option<Loaded>,
}

/// Whose certificates are accepted.
#[derive(Clone)]
enum Trust {
    Anyone,
    AuthoritiesOfNode,
    File(String),
    Bundle(String),
}

/// A client, and the PEM file that it was made from, if any.
#[derive(Clone)]
struct Loaded {
    connector: TlsConnector,
    pem: Option<Vec<u8>>,
}

/// Why there is no TLS connection.
#[derive(Debug, Error)]
pub(in crate::checks) enum TlsError {
    #[error("{0} is no name that a certificate can be for")]
    ServerName(String),
    #[error("the certificate authorities cannot be loaded: {0}")]
    Load(io::Error),
    #[error("cannot read caFile {path}: {source}")]
    ReadFile { path: String, source: io::Error },
    #[error("{field} is not in PEM form: {source}")]
    Pem { field: &'static str, source: pem::Error },
    #[error("{field} holds no certificate")]
    NoCertificate { field: &'static str },
    #[error("{field} holds a certificate that cannot be trusted: {source}")]
    Certificate { field: &'static str, source: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
    #[error("the certificate has expired")]
    Expired,
    #[error("the certificate is not valid yet")]
    NotYetValid,
    #[error("the certificate is not for {0}")]
    WrongName(String),
    #[error("the certificate comes from an authority that is not trusted")]
    UnknownAuthority,
    #[error("TLS handshake failed: {0}")]
    Handshake(io::Error),
}

impl TlsClient {
    pub(super) fn new(tls: Tls, server_name: &str) -> Result<Self, TlsError> {
        let trust = match tls {
            Tls { insecure_skip_verify: true, .. } => Trust::Anyone,
            Tls { ca_file: Some(path), .. } => Trust::File(path),
            Tls { ca_bundle: Some(pem), .. } => Trust::Bundle(pem),
            _ => Trust::AuthoritiesOfNode,
        };
        let server_name =
            ServerName::try_from(server_name.to_owned()).map_err(|_| TlsError::ServerName(server_name.to_owned()))?;
        Ok(Self { trust, server_name, loads: OneAtATime::new(), loaded: None })
    }

    pub(super) async fn handshake(&mut self, stream: TcpStream) -> Result<TlsStream<TcpStream>, TlsError> {
        let connector = self.connector().await?;
        let name = self.server_name.clone();
        connector.connect(name, stream).await.map_err(|error| describe(error, &self.server_name))
    }

    /// The client, made again whenever the content of `caFile` has changed.
    async fn connector(&mut self) -> Result<TlsConnector, TlsError> {
        let trust = self.trust.clone();
        let earlier = self.loaded.clone();
        let loaded = self.loads.run(move || load(&trust, earlier)).await.map_err(TlsError::Load)??;
        Ok(self.loaded.insert(loaded).connector.clone())
    }
}

fn load(trust: &Trust, earlier: Option<Loaded>) -> Result<Loaded, TlsError> {
    let pem = match trust {
        Trust::File(path) => Some(fs::read(path).map_err(|source| TlsError::ReadFile { path: path.clone(), source })?),
        Trust::Anyone | Trust::AuthoritiesOfNode | Trust::Bundle(_) => None,
    };
    match earlier {
        Some(earlier) if earlier.pem == pem => Ok(earlier),
        _ => Ok(Loaded { connector: connector(trust, pem.as_deref())?, pem }),
    }
}

fn connector(trust: &Trust, file: Option<&[u8]>) -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let roots = match trust {
        Trust::Anyone => return accepting_anyone(provider),
        Trust::AuthoritiesOfNode => authorities_of_node(),
        Trust::File(_) => roots_of("caFile", file.unwrap_or_default())?,
        Trust::Bundle(pem) => roots_of("caBundle", pem.as_bytes())?,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(finish(config))
}

fn accepting_anyone(provider: Arc<CryptoProvider>) -> Result<TlsConnector, TlsError> {
    let verifier = Arc::new(AcceptAny::new(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(finish(config))
}

fn finish(mut config: ClientConfig) -> TlsConnector {
    // A resumed session shows no certificate, so its expiry would go unnoticed.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// What the node trusts, as far as it can be read. An empty store fails every certificate, which is then reported.
fn authorities_of_node() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(field: &'static str, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|source| TlsError::Pem { field, source })?;
        roots.add(certificate).map_err(|source| TlsError::Certificate { field, source })?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoCertificate { field });
    }
    Ok(roots)
}

fn describe(error: io::Error, server_name: &ServerName<'_>) -> TlsError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = cause else {
        return TlsError::Handshake(error);
    };
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsError::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsError::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsError::WrongName(server_name.to_str().into_owned())
        }
        // The signature is bad where an authority has the name of a trusted one, but another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsError::UnknownAuthority,
        _ => TlsError::Handshake(error),
    }
}
