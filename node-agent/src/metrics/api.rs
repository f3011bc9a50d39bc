//! Metrics of an agent that runs on Kubernetes.

use prometheus_client::registry::Registry;

use super::{Counters, Gauges, count, set};
use crate::kubernetes::ApiSnapshot;

pub(super) fn register(registry: &mut Registry, api: &ApiSnapshot) {
    let registry = registry.sub_registry_with_prefix("holdfast_api");
    let (reachable, last_success, requests) = (Gauges::default(), Gauges::default(), Counters::default());
    if let Some(answers) = api.reachable {
        set(&reachable, &Vec::new(), i64::from(answers));
    }
    if let Some(seconds) = api.last_success {
        set(&last_success, &Vec::new(), seconds);
    }
    for (operation, results) in &api.requests {
        for (result, number) in results {
            count(&requests, &vec![("operation", operation.clone()), ("result", result.clone())], *number);
        }
    }
    registry.register("reachable", "Whether the last request to the API server was answered", reachable);
    registry.register(
        "last_success_timestamp_seconds",
        "When the API server answered last, in seconds since 1970",
        last_success,
    );
    registry.register("requests", "Requests to the API server, by operation and result", requests);
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
        assert!(!rendered(&ApiSnapshot::default()).contains("holdfast_api_reachable 0"));
    }
}
