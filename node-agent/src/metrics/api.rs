//! Metrics of an agent that runs on Kubernetes.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, count};
use crate::kubernetes::ApiSnapshot;

pub(super) fn register(registry: &mut Registry, api: &ApiSnapshot) {
    let registry = registry.sub_registry_with_prefix("holdfast_api");
    if let Some(answers) = api.reachable {
        register_gauge(registry, "reachable", "Whether the last request to the API server was answered", answers);
    }
    if let Some(seconds) = api.last_success {
        let help = "When the API server answered last, in seconds since 1970";
        register_gauge(registry, "last_success_timestamp_seconds", help, i64::try_from(seconds).unwrap_or(i64::MAX));
    }
    let requests = Counters::default();
    for (operation, results) in &api.requests {
        for (result, number) in results {
            count(&requests, &vec![("operation", operation.clone()), ("result", result.clone())], *number);
        }
    }
    registry.register("requests", "Requests to the API server, by operation and result", requests);
}

fn register_gauge(registry: &mut Registry, name: &str, help: &str, value: impl Into<i64>) {
    let gauge = Gauge::<i64>::default();
    gauge.set(value.into());
    registry.register(name, help, gauge);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prometheus_client::encoding::text::encode;

    use super::*;

    fn rendered(api: &ApiSnapshot) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        register(&mut registry, api);
        encode(&mut text, &registry).expect("text");
        text
    }

    #[test]
    fn requests_are_shown_by_operation_and_result() {
        let results = BTreeMap::from([("ok".to_owned(), 7), ("Timeout".to_owned(), 2)]);
        let api = ApiSnapshot {
            reachable: Some(false),
            last_success: Some(1_700_000_000),
            refused: Vec::new(),
            requests: BTreeMap::from([("heartbeat".to_owned(), results)]),
        };
        let text = rendered(&api);
        for line in [
            "holdfast_api_reachable 0",
            "holdfast_api_last_success_timestamp_seconds 1700000000",
            "holdfast_api_requests_total{operation=\"heartbeat\",result=\"ok\"} 7",
            "holdfast_api_requests_total{operation=\"heartbeat\",result=\"Timeout\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn before_the_first_answer_nothing_is_claimed() {
        let text = rendered(&ApiSnapshot::default());
        assert!(!text.contains("reachable") && !text.contains("last_success"), "{text}");
    }
}
