//! The probes behind one face.

use std::fmt::Display;
use std::future::Future;

use holdfast_crds::{DurationString, HealthCheckSpec, Probe};
use tokio::time::timeout;

use super::command::{CommandPolicy, CommandRunner};
use super::file::FileProber;
use super::finding::Finding;
use super::http::HttpProber;
use super::process::ProcessProber;
use super::tcp::TcpProber;

/// What one check asks, with whatever has to be kept between two probes.
pub(super) enum Prober {
    Tcp(TcpProber),
    Http(Box<HttpProber>),
    Process(ProcessProber),
    File(FileProber),
    Command(CommandRunner),
    /// A check that cannot pass, and why. The plan lets none through; should one come anyway, it fails loudly instead of
    /// being left out.
    Impossible(String),
}

impl Prober {
    /// The probe of a check. Must be called on the runtime.
    pub(super) fn new(name: &str, spec: &HealthCheckSpec, policy: &CommandPolicy) -> Self {
        match spec.probe() {
            Some(Probe::Tcp(probe)) => Self::Tcp(TcpProber::new(probe)),
            Some(Probe::Http(probe)) => match HttpProber::new(probe) {
                Ok(prober) => Self::Http(Box::new(prober)),
                Err(error) => Self::Impossible(error.to_string()),
            },
            Some(Probe::Process(probe)) => Self::Process(ProcessProber::new(probe)),
            Some(Probe::File(probe)) => match FileProber::new(probe) {
                Ok(prober) => Self::File(prober),
                Err(error) => Self::Impossible(error.to_string()),
            },
            Some(Probe::Command(probe)) => {
                Self::Command(CommandRunner::new(name, &probe.command, probe.user.as_deref(), policy))
            }
            Some(
                other @ (Probe::Grpc(_)
                | Probe::Dns(_)
                | Probe::Udp(_)
                | Probe::Icmp(_)
                | Probe::Smtp(_)
                | Probe::Kubernetes(_)),
            ) => Self::Impossible(format!("kind {} is not supported by this agent", other.type_name())),
            None => Self::Impossible("the check has no probe, or more than one".to_owned()),
        }
    }

    /// Asks once, for no longer than `limit`.
    pub(super) async fn probe(&mut self, limit: DurationString) -> Finding {
        match self {
            Self::Tcp(prober) => bounded(limit, prober.probe()).await,
            Self::Http(prober) => bounded(limit, prober.probe()).await,
            Self::Process(prober) => bounded(limit, prober.probe()).await,
            Self::File(prober) => bounded(limit, prober.probe()).await,
            Self::Command(runner) => found(runner.probe(limit).await),
            Self::Impossible(reason) => Finding::failed_for_certain(reason.as_str()),
        }
    }

    /// Waits until the kernel says that the answer may have changed; for ever where it says nothing. May be dropped at
    /// any point.
    pub(super) async fn notice(&mut self) {
        match self {
            Self::Process(prober) => prober.notice().await,
            Self::File(prober) => prober.notice().await,
            Self::Tcp(_) | Self::Http(_) | Self::Command(_) | Self::Impossible(_) => std::future::pending().await,
        }
    }
}

async fn bounded<E: Display>(limit: DurationString, probe: impl Future<Output = Result<Finding, E>>) -> Finding {
    match timeout(limit.as_duration(), probe).await {
        Ok(result) => found(result),
        Err(_) => Finding::failed(format!("timed out after {limit}")),
    }
}

/// A probe that did not get as far as a judgement counts as failed.
fn found<E: Display>(result: Result<Finding, E>) -> Finding {
    result.unwrap_or_else(|error| Finding::failed(error.to_string()))
}
