//! Waits until the API server knows Holdfast's kinds.

use std::time::Duration;

use holdfast_crds::{HealthCheck, NodeConfig, VirtualIP, VirtualIPGroup};
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::backoff;
use crate::explain::explain;

/// How to mend it.
const REMEDY: &str = "install them with helm, or with `kubectl apply -f crds/yaml`";

const PATIENCE: Duration = Duration::from_secs(10);

/// Returns once all kinds are there. Until then `problem` holds what is wrong, and every new problem is logged once.
pub async fn wait_for(client: &Client, problem: &watch::Sender<Option<String>>) {
    let mut failures = 0;
    loop {
        let found = look(client).await;
        let is_news = *problem.borrow() != found;
        match &found {
            None => {
                if is_news && failures > 0 {
                    info!(event = "definitions_found", "the API server answers, and knows all kinds");
                }
                problem.send_replace(None);
                return;
            }
            Some(error) if is_news => warn!(error, event = "definitions_missing", "cannot begin yet"),
            Some(_) => {}
        }
        problem.send_replace(found);
        failures += 1;
        sleep(backoff::wait(failures, backoff::chance())).await;
    }
}

/// What is wrong, if anything.
async fn look(client: &Client) -> Option<String> {
    let mut missing = Vec::new();
    let kinds = [
        (VirtualIP::kind(&()), probe::<VirtualIP>(client).await),
        (HealthCheck::kind(&()), probe::<HealthCheck>(client).await),
        (VirtualIPGroup::kind(&()), probe::<VirtualIPGroup>(client).await),
        (NodeConfig::kind(&()), probe::<NodeConfig>(client).await),
    ];
    for (kind, probed) in kinds {
        match probed {
            Ok(()) => {}
            Err(Probe::Missing) => missing.push(kind),
            Err(Probe::Failed(error)) => return Some(format!("cannot list objects of the kind {kind}: {error}")),
        }
    }
    let missing = missing.join(", ");
    (!missing.is_empty()).then(|| format!("the API server does not know the kinds {missing}: {REMEDY}"))
}

enum Probe {
    Missing,
    Failed(String),
}

async fn probe<K>(client: &Client) -> Result<(), Probe>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let api: Api<PartialObjectMeta<K>> = Api::all(client.clone());
    match timeout(PATIENCE, api.list(&ListParams::default().limit(1))).await {
        Ok(Ok(_)) => Ok(()),
        // The answer for a group that it does not know is no Status, so it has a code and no reason.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(Probe::Missing),
        Ok(Err(error)) => Err(Probe::Failed(explain(&error))),
        Err(_) => Err(Probe::Failed(format!("no answer within {PATIENCE:?}"))),
    }
}
