//! The log. Every line has a field `event` where programs may want to know what it is about.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::cli::LogFormat;

/// The client logs every failed request as an error, also those that are expected and tried again.
const QUIET: &str = "kube_client=off,kube_runtime=off";

/// Starts the log on standard error. `RUST_LOG` sets what is logged; `info` if it is not set.
pub fn start(format: LogFormat) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(filter(&wanted)).unwrap_or_else(|_| EnvFilter::new(filter("")));
    let log = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Text => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            log.with_ansi(io::stderr().is_terminal() && !plain).init();
        }
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

fn filter(wanted: &str) -> String {
    match wanted {
        "" => format!("info,{QUIET}"),
        wanted if wanted.contains("kube") => wanted.to_owned(),
        wanted => format!("{wanted},{QUIET}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_quiet_unless_somebody_asks() {
        assert_eq!(filter(""), format!("info,{QUIET}"));
        assert_eq!(filter("debug"), format!("debug,{QUIET}"));
        assert_eq!(filter("info,kube_client=debug"), "info,kube_client=debug");
    }
}
