//! TCP connections to what a check names by host and port.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpStream;

use super::resolve::{ResolveError, resolve};

/// A host, by name or address, and a port.
pub(super) struct Endpoint {
    host: String,
    port: u16,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("{host} has no address")]
    NoAddress { host: String },
    #[error("connection refused by {address}")]
    Refused { address: SocketAddr },
    #[error("cannot connect to {address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
}

impl Endpoint {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    /// Connects to the first address that accepts, in the order of the resolver. The caller bounds the time.
    pub(super) async fn connect(&self) -> Result<TcpStream, ConnectError> {
        let mut last = ConnectError::NoAddress { host: self.host.clone() };
        for address in resolve(&self.host, self.port).await? {
            match connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The host as other machines may be told it: the zone of a link-local address (RFC 6874) is of no use to them.
    pub(super) fn host(&self) -> &str {
        self.host.split('%').next().unwrap_or(&self.host)
    }

    /// Host and port as a Host header has them.
    pub(super) fn authority(&self) -> String {
        join(self.host(), self.port)
    }
}

/// As in a URL, with IPv6 addresses in brackets; here with the zone of a link-local one.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(&self.host, self.port))
    }
}

fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn connect_to(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    match TcpStream::connect(address).await {
        Ok(stream) => refuse_itself(stream, address),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(ConnectError::Refused { address }),
        Err(source) => Err(ConnectError::Connect { address, source }),
    }
}

/// Nobody has to listen for this: a socket that connects to a local port which the kernel just gave itself as the
/// source port meets itself (simultaneous open, RFC 9293 section 3.5). Sooner or later that happens to every check of
/// an ephemeral port on loopback.
fn refuse_itself(stream: TcpStream, address: SocketAddr) -> Result<TcpStream, ConnectError> {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) if local == peer => Err(ConnectError::Refused { address }),
        _ => Ok(stream),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[test]
    fn an_endpoint_is_written_as_in_a_url() {
        for (host, written, authority) in [
            ("127.0.0.1", "127.0.0.1:80", "127.0.0.1:80"),
            ("::1", "[::1]:80", "[::1]:80"),
            ("fe80::1%eth0", "[fe80::1%eth0]:80", "[fe80::1]:80"),
            ("web.example.org", "web.example.org:80", "web.example.org:80"),
        ] {
            let endpoint = Endpoint::new(host, 80);
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(endpoint.authority(), authority);
        }
    }

    #[tokio::test]
    async fn a_connection_of_a_socket_to_itself_counts_as_refused() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let itself = socket.local_addr().unwrap();
        let stream = socket.connect(itself).await.expect("the kernel connects it to itself");
        let refused = refuse_itself(stream, itself).unwrap_err();
        assert_eq!(refused.to_string(), format!("connection refused by {itself}"));
    }
}
