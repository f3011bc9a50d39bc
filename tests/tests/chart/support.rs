//! Values, and where the chart is.

use std::path::PathBuf;

use holdfast_tests::cluster::chart::CHART;
use serde_json::{Value, json};

/// A file of the chart.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(CHART).join(name)
}

/// Every option that adds something.
pub(crate) fn everything() -> Value {
    json!({
        "imagePullSecrets": ["registry"],
        "operator": {
            "podLabels": { "team": "network" },
            "podAnnotations": { "note": "x" },
            "nodeSelector": { "kubernetes.io/os": "linux" },
            "drainTaints": ["node.kubernetes.io/out-of-service", "example.org/empty"],
            "logFormat": "text",
        },
        "agent": {
            "nodeSelector": { "kubernetes.io/os": "linux" },
            "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                { "matchExpressions": [{ "key": "example.org/edge", "operator": "Exists" }] },
            ] } } },
            "http": { "address": "::", "port": 9200 },
            "commandDir": "/etc/holdfast/commands",
            "hostPID": true,
            "authSecret": "vrrp-passwords",
            "realtime": true,
            "podLabels": { "team": "network" },
            "podAnnotations": { "note": "x" },
        },
        "podMonitor": { "enabled": true, "labels": { "release": "prometheus" } },
        "prometheusRule": { "enabled": true, "labels": { "release": "prometheus" } },
        "dashboard": { "enabled": true },
    })
}

/// Nothing that can be left out.
pub(crate) fn nothing() -> Value {
    json!({ "crds": { "install": false }, "operator": { "replicas": 1 }, "networkPolicy": { "enabled": false } })
}
