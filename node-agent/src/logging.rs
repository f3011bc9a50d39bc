//! The log: its form, and who writes what into it.
//!
//! | file | holds |
//! | --- | --- |
//! | `narrator.rs` | how reports of the election thread are written |
//! | `packet_faults.rs` | what packets were rejected, summed up now and then (pure) |
//! | `rate_limit.rs` | the same news is told once in a while (pure) |
//!
//! Field names do not change: programs follow them. Every line of a virtual router has the span `router` with `vip`,
//! `interface`, `vrid` and `family`; every line has a field `event`, and a transition `from`, `to`, `reason`, `router`
//! and `virtual_ip`.

mod narrator;
mod packet_faults;
mod rate_limit;

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

pub use narrator::Narrator;

use crate::cli::LogFormat;

/// Starts the log on standard error. `RUST_LOG` sets what is logged; `info` if it is not set.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Text => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            log.with_ansi(io::stderr().is_terminal() && !plain).init();
        }
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
