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

/// Libraries tell of every request that fails; the agent tells of what that comes to, once.
const QUIET: &str = "kube_client=off,hickory_resolver=off,hickory_net=off";

/// Starts the log on standard error. `RUST_LOG` sets what is logged; `info` if it is not set.
pub fn start(format: LogFormat) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(filter(&wanted)).unwrap_or_else(|_| EnvFilter::new(filter("")));
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

/// What is wanted, without those libraries unless one of them is asked for.
fn filter(wanted: &str) -> String {
    match wanted {
        "" => format!("info,{QUIET}"),
        wanted if wanted.contains("kube") || wanted.contains("hickory") => wanted.to_owned(),
        wanted => format!("{wanted},{QUIET}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_unless_somebody_asks_for_them() {
        assert_eq!(filter(""), format!("info,{QUIET}"));
        assert_eq!(filter("debug"), format!("debug,{QUIET}"));
        assert_eq!(filter("info,kube_client=debug"), "info,kube_client=debug");
    }
}
