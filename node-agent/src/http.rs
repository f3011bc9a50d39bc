//! The HTTP endpoints: for probes, Prometheus and people.
//!
//! | path | answers |
//! | --- | --- |
//! | `/livez` | 200 while the election thread answers |
//! | `/readyz` | 200 while a configuration is in force and nothing is wrong with it; else 503 and what is wrong |
//! | `/metrics` | metrics in the text format of OpenMetrics |
//! | `/debug/state` | everything, as JSON |

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::app::App;
use crate::metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The endpoints of an agent.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(serve_metrics))
        .route("/debug/state", get(debug_state))
        .with_state(app)
}

async fn livez(State(app): State<Arc<App>>) -> Response {
    match app.status().await {
        Some(_) => "ok\n".into_response(),
        None => silent(),
    }
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    if app.status().await.is_none() {
        return silent();
    }
    let configuration = app.configuration.borrow().clone();
    match (configuration.loaded, configuration.errors.is_empty()) {
        (true, true) => "ok\n".into_response(),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "no configuration yet\n").into_response(),
        (_, false) => {
            let text = configuration.errors.join("\n") + "\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn serve_metrics(State(app): State<Arc<App>>) -> Response {
    let Some(status) = app.status().await else { return silent() };
    match metrics::render(&status, app.state.write_failures()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn debug_state(State(app): State<Arc<App>>) -> Response {
    match app.status().await {
        Some(status) => Json(status).into_response(),
        None => silent(),
    }
}

fn silent() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the election thread does not answer\n").into_response()
}
