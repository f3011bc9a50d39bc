//! The `http` probe: passes when a request is answered with an expected status and body.
//!
//! Each probe is one request over one new connection to `host`:`port`. Whatever could make it pass for another reason is
//! left out: no proxy from the environment, no redirect, no connection that was opened earlier, no resumed TLS session.

mod exchange;
mod tls;

use std::io;

use holdfast_crds::StatusCodes;
use holdfast_crds::probe::{HttpMethod, HttpProbe, HttpScheme};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

use super::connect::{ConnectError, Endpoint};
use super::finding::Finding;
use tls::{TlsClient, TlsError};

/// What a compiled body expression may occupy, in bytes. A short text can stand for a huge automaton.
const REGEX_SIZE_LIMIT: usize = 4 << 20;

pub(super) struct HttpProber {
    endpoint: Endpoint,
    tls: Option<TlsClient>,
    request: Request<Empty<Bytes>>,
    expected: Expected,
}

/// What the answer must look like.
struct Expected {
    status_codes: Vec<StatusCodes>,
    body: Option<Regex>,
}

/// Why a probe cannot be made of a specification.
#[derive(Debug, Error)]
pub(super) enum HttpSpecError {
    #[error("the request cannot be built: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("header {name}: {source}")]
    HeaderName { name: String, source: hyper::header::InvalidHeaderName },
    #[error("header {name}: {source}")]
    HeaderValue { name: String, source: hyper::header::InvalidHeaderValue },
    #[error("bodyRegex: {0}")]
    BodyRegex(#[from] regex::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why a probe did not get an answer.
#[derive(Debug, Error)]
pub(super) enum HttpError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the server closed the connection before its answer was complete")]
    Incomplete,
    #[error("the answer is no HTTP: {0}")]
    NotHttp(hyper::Error),
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("the exchange failed: {0}")]
    Exchange(hyper::Error),
}

impl HttpProber {
    pub(super) fn new(probe: &HttpProbe) -> Result<Self, HttpSpecError> {
        let endpoint = Endpoint::new(&probe.host, probe.port);
        let tls = match probe.scheme {
            HttpScheme::Http => None,
            HttpScheme::Https => {
                Some(TlsClient::new(probe.tls.clone().unwrap_or_default(), server_name(probe, &endpoint))?)
            }
        };
        let expected = Expected {
            status_codes: probe.status_codes.clone(),
            body: probe.body_regex.as_deref().map(compile).transpose()?,
        };
        Ok(Self { request: request(probe, &endpoint)?, endpoint, tls, expected })
    }

    pub(super) async fn probe(&mut self) -> Result<Finding, HttpError> {
        let stream = self.endpoint.connect().await?;
        match &mut self.tls {
            None => exchange::judge(stream, self.request.clone(), &self.expected).await,
            Some(tls) => {
                let stream = tls.handshake(stream).await?;
                exchange::judge(stream, self.request.clone(), &self.expected).await
            }
        }
    }
}

/// Headers of the specification replace those that are sent by default.
fn request(probe: &HttpProbe, endpoint: &Endpoint) -> Result<Request<Empty<Bytes>>, HttpSpecError> {
    let method = match probe.method {
        HttpMethod::Get => hyper::Method::GET,
        HttpMethod::Head => hyper::Method::HEAD,
    };
    let host = probe.host_header.clone().unwrap_or_else(|| endpoint.authority());
    let mut request = Request::builder()
        .method(method)
        .uri(&probe.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("holdfast-agent/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::new())?;
    for header in &probe.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|source| HttpSpecError::HeaderName { name: header.name.clone(), source })?;
        let value = HeaderValue::from_str(&header.value)
            .map_err(|source| HttpSpecError::HeaderValue { name: header.name.clone(), source })?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// The name that the certificate must be for: `tls.serverName`, else `hostHeader` without its port, else `host`.
fn server_name<'a>(probe: &'a HttpProbe, endpoint: &'a Endpoint) -> &'a str {
    let explicit = probe.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    explicit.or_else(|| probe.host_header.as_deref().map(without_port)).unwrap_or(endpoint.host())
}

/// The host part of `host`, `host:port`, `[address]` or `[address]:port`.
fn without_port(authority: &str) -> &str {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn compile(expression: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(expression).size_limit(REGEX_SIZE_LIMIT).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_host_header_is_what_stands_before_the_port() {
        for (authority, host) in [
            ("www.example.org", "www.example.org"),
            ("www.example.org:8443", "www.example.org"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }

    fn probe(yaml: &str) -> HttpProbe {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn the_certificate_is_checked_for_the_most_specific_name_given() {
        let cases = [
            ("{port: 443, host: 192.0.2.1}", "192.0.2.1"),
            ("{port: 443, host: 192.0.2.1, hostHeader: 'www.example.org:8443'}", "www.example.org"),
            (
                "{port: 443, host: 192.0.2.1, hostHeader: www.example.org, tls: {serverName: tls.example}}",
                "tls.example",
            ),
        ];
        for (yaml, name) in cases {
            let probe = probe(yaml);
            assert_eq!(server_name(&probe, &Endpoint::new(&probe.host, probe.port)), name);
        }
    }

    #[test]
    fn a_header_of_the_specification_replaces_the_default_one() {
        let probe = probe("{port: 80, path: '/x?y', headers: [{name: User-Agent, value: me}, {name: X-A, value: b}]}");
        let request = request(&probe, &Endpoint::new(&probe.host, probe.port)).unwrap();
        assert_eq!(request.uri(), "/x?y");
        assert_eq!(request.headers()[HOST], "127.0.0.1:80");
        assert_eq!(request.headers()[USER_AGENT], "me");
        assert_eq!(request.headers()["x-a"], "b");
        assert_eq!(request.headers().get_all(USER_AGENT).iter().count(), 1);
    }

    #[test]
    fn an_expression_that_would_fill_the_memory_is_refused() {
        assert!(compile("(a{1000}){1000}").is_err());
        assert!(compile("(?i)all is well").is_ok());
    }
}
