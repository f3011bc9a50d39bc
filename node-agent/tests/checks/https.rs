//! The `http` probe with TLS: which certificates pass.

use std::fs;
use std::sync::{Arc, Mutex};

use holdfast_vrrp::TrackState::{Down, Up};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::http::{Server, exchange};
use crate::support::{Checks, eventually, folder};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Until when a certificate is valid.
#[derive(Clone, Copy)]
enum Validity {
    Now,
    Past,
    Future,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str, validity: Validity) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = match validity {
            Validity::Now => (date_time_ymd(2000, 1, 1), date_time_ymd(2100, 1, 1)),
            Validity::Past => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Validity::Future => (date_time_ymd(2099, 1, 1), date_time_ymd(2100, 1, 1)),
        };
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A server with a certificate for `name`, and what its clients did.
struct TlsServer {
    server: Server,
    /// The names that they asked for.
    names: Arc<Mutex<Vec<Option<String>>>>,
    /// Whether they took up an earlier session.
    handshakes: Arc<Mutex<Vec<Option<HandshakeKind>>>>,
}

impl TlsServer {
    async fn new(authority: &Authority, name: &str, validity: Validity) -> Self {
        let (certificate, key) = authority.issue(name, validity);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (names, handshakes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let seen = (names.clone(), handshakes.clone());
        let server = Server::start(move |stream, requests| {
            let (acceptor, seen) = (acceptor.clone(), seen.clone());
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let session = stream.get_ref().1;
                    seen.0.lock().unwrap().push(session.server_name().map(str::to_owned));
                    seen.1.lock().unwrap().push(session.handshake_kind());
                    exchange(stream, &requests, ANSWER).await;
                }
            }
        })
        .await;
        Self { server, names, handshakes }
    }

    /// Whether a check with these fields of `http` and of `tls` passes, and what it says.
    async fn verdict(&self, fields: &str, tls: &str) -> (bool, String) {
        let spec = format!(
            "{{fall: 1, rise: 1, timeout: 5s, http: {{scheme: HTTPS, port: {}, {fields} tls: {{{tls}}}}}}}",
            self.server.port
        );
        let mut checks = Checks::of(&spec);
        checks.next().await;
        let settled = checks.next().await;
        (settled.state == Up, checks.message())
    }
}

/// As a value in YAML flow style.
fn bundle(pem: &str) -> String {
    format!("caBundle: {}", serde_json::to_string(pem).unwrap())
}

fn passes() -> (bool, String) {
    (true, "HTTP 200".to_owned())
}

fn fails(message: &str) -> (bool, String) {
    (false, message.to_owned())
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_the_right_name_passes() {
    let authority = Authority::new("authority");
    let server = TlsServer::new(&authority, "localhost", Validity::Now).await;
    assert_eq!(server.verdict("host: localhost,", &bundle(&authority.pem())).await, passes());

    let server = TlsServer::new(&authority, "127.0.0.1", Validity::Now).await;
    assert_eq!(server.verdict("", &bundle(&authority.pem())).await, passes(), "an address as the name");
}

#[tokio::test]
async fn any_of_several_authorities_will_do() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let server = TlsServer::new(&other, "127.0.0.1", Validity::Now).await;
    assert_eq!(server.verdict("", &bundle(&format!("{}{}", one.pem(), other.pem()))).await, passes());
}

#[tokio::test]
async fn a_certificate_of_another_authority_fails() {
    let other = Authority::new("other");
    let server = TlsServer::new(&other, "127.0.0.1", Validity::Now).await;
    let unknown = fails("the certificate comes from an authority that is not trusted");
    for name in ["trusted", "other"] {
        let trusted = Authority::new(name);
        assert_eq!(server.verdict("", &bundle(&trusted.pem())).await, unknown, "{name}, with another key");
    }
    assert_eq!(server.verdict("", "").await, unknown, "the authorities of the node do not know it either");
}

#[tokio::test]
async fn a_certificate_for_another_name_fails() {
    let authority = Authority::new("authority");
    let server = TlsServer::new(&authority, "other.example", Validity::Now).await;
    let trust = bundle(&authority.pem());
    assert_eq!(server.verdict("", &trust).await, fails("the certificate is not for 127.0.0.1"));
    assert_eq!(
        server.verdict("hostHeader: www.example,", &trust).await,
        fails("the certificate is not for www.example")
    );
}

#[tokio::test]
async fn a_certificate_outside_its_time_fails() {
    let authority = Authority::new("authority");
    let trust = bundle(&authority.pem());
    let expired = TlsServer::new(&authority, "127.0.0.1", Validity::Past).await;
    assert_eq!(expired.verdict("", &trust).await, fails("the certificate has expired"));
    let early = TlsServer::new(&authority, "127.0.0.1", Validity::Future).await;
    assert_eq!(early.verdict("", &trust).await, fails("the certificate is not valid yet"));
}

#[tokio::test]
async fn without_verification_every_certificate_passes() {
    let authority = Authority::new("authority");
    for (name, validity) in
        [("127.0.0.1", Validity::Now), ("other.example", Validity::Now), ("127.0.0.1", Validity::Past)]
    {
        let server = TlsServer::new(&authority, name, validity).await;
        assert_eq!(server.verdict("", "insecureSkipVerify: true").await, passes(), "{name}");
    }
}

#[tokio::test]
async fn address_host_header_and_tls_name_are_independent() {
    let authority = Authority::new("authority");
    let server = TlsServer::new(&authority, "tls.example", Validity::Now).await;
    let trust = format!("serverName: tls.example, {}", bundle(&authority.pem()));
    assert_eq!(server.verdict("hostHeader: 'www.example:443',", &trust).await, passes());

    assert_eq!(server.names.lock().unwrap()[0].as_deref(), Some("tls.example"));
    let request = server.server.requests()[0].to_ascii_lowercase();
    assert!(request.contains("\r\nhost: www.example:443\r\n"), "{request}");
}

#[tokio::test]
async fn the_tls_name_is_that_of_the_host_header_unless_specified() {
    let authority = Authority::new("authority");
    let server = TlsServer::new(&authority, "www.example", Validity::Now).await;
    let trust = bundle(&authority.pem());
    assert_eq!(server.verdict("hostHeader: 'www.example:8443',", &trust).await, passes());
    assert_eq!(server.names.lock().unwrap()[0].as_deref(), Some("www.example"));
}

#[tokio::test]
async fn each_probe_looks_at_the_certificate_again() {
    let authority = Authority::new("authority");
    let server = TlsServer::new(&authority, "127.0.0.1", Validity::Now).await;
    let trust = bundle(&authority.pem());
    let port = server.server.port;
    let spec = format!("{{interval: 100ms, timeout: 5s, http: {{scheme: HTTPS, port: {port}, tls: {{{trust}}}}}}}");
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;
    eventually("four probes", || server.server.requests().len() >= 4).await;

    let handshakes = server.handshakes.lock().unwrap().clone();
    assert!(handshakes.iter().all(|kind| *kind == Some(HandshakeKind::Full)), "{handshakes:?}");
}

#[tokio::test]
async fn a_new_ca_file_counts_from_the_next_probe_on() {
    let (old, new) = (Authority::new("same name"), Authority::new("same name"));
    let server = TlsServer::new(&new, "127.0.0.1", Validity::Now).await;
    let folder = folder(false);
    let file = folder.path().join("ca.pem");
    let spec = format!(
        "{{interval: 100ms, timeout: 5s, http: {{scheme: HTTPS, port: {}, tls: {{caFile: '{}'}}}}}}",
        server.server.port,
        file.display()
    );
    let mut checks = Checks::of(&spec);
    checks.settles(Down).await;
    assert!(checks.message().starts_with(&format!("cannot read caFile {}: ", file.display())), "{}", checks.message());

    fs::write(&file, "nothing here").unwrap();
    checks.says("caFile holds no certificate").await;
    fs::write(&file, old.pem()).unwrap();
    checks.says("the certificate comes from an authority that is not trusted").await;
    fs::write(&file, new.pem()).unwrap();
    checks.becomes("check", Up).await;
    fs::write(&file, old.pem()).unwrap();
    checks.becomes("check", Down).await;
}

#[tokio::test]
async fn a_server_without_tls_fails_in_the_handshake() {
    let server = Server::start(|stream, requests| async move { exchange(stream, &requests, ANSWER).await }).await;
    let spec = format!("{{fall: 1, http: {{scheme: HTTPS, port: {}}}, timeout: 500ms}}", server.port);
    let mut checks = Checks::of(&spec);
    checks.settles(Down).await;
    // The greeting of TLS has no end of line, so this server waits for more of it.
    assert_eq!(checks.message(), "timed out after 500ms");

    let server = Server::start(|mut stream, _| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail.example ESMTP\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut checks = Checks::of(&format!("{{fall: 1, timeout: 10s, http: {{scheme: HTTPS, port: {}}}}}", server.port));
    checks.settles(Down).await;
    assert!(checks.message().starts_with("TLS handshake failed: "), "{}", checks.message());
}
