//! The `tcp` probe: passes when a connection is accepted.

use holdfast_crds::probe::TcpProbe;

use super::connect::{ConnectError, Endpoint};
use super::finding::Finding;

pub(super) struct TcpProber {
    endpoint: Endpoint,
}

impl TcpProber {
    pub(super) fn new(probe: &TcpProbe) -> Self {
        Self { endpoint: Endpoint::new(&probe.host, probe.port) }
    }

    /// Connects, and closes the connection again.
    pub(super) async fn probe(&mut self) -> Result<Finding, ConnectError> {
        self.endpoint.connect().await?;
        Ok(Finding::passed(format!("connection accepted by {}", self.endpoint)))
    }
}
