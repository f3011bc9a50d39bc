//! The log: its form, and who writes what into it.
//!
//! | file | holds |
//! | --- | --- |
//! | `narrator.rs` | how reports of the election thread are written |
//! | `fault.rs` | the lines about those that may come a thousand times a second |
//! | `packet_faults.rs` | what packets were rejected, summed up now and then (pure) |
//! | `rate_limit.rs` | the same news is told once in a while (pure) |
//!
//! Field names do not change: programs follow them. Every line of a virtual router has the span `router` with `vip`,
//! `interface`, `vrid` and `family`; every line has a field `event`, and a transition `from`, `to`, `reason`, `router`
//! and `virtual_ip`.

mod fault;
mod narrator;
mod packet_faults;
mod rate_limit;

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub use narrator::Narrator;

use crate::cli::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise. Libraries tell of every request that fails; the agent tells of what
/// that comes to, once.
const DEFAULT_FILTER: &str = "info,kube_client=off,hickory_resolver=off,hickory_net=off";

/// Starts the log on standard error. `RUST_LOG` sets what is logged.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    match format {
        LogFormat::Text => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let colors = io::stderr().is_terminal() && !plain;
            let log = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).with_ansi(colors);
            log.init();
        }
        LogFormat::Json => json(filter, io::stderr).init(),
    }
}

/// One object a line: the fields of the event beside its message, and those of the span below `span`.
fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    log.json().flatten_event(true).with_span_list(false).finish()
}
