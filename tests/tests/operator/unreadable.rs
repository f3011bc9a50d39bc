//! Objects that cannot be read, as those that another version of Holdfast has stored.

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_crds::condition::ConditionType::Accepted;
use holdfast_tests::cluster::{crds, wait};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::json;

use crate::support::{LONG, SHORT, Stage, apply, virtual_ip, wait_for_condition, wait_for_event};

/// Lets anything be stored as a VirtualIP.
async fn loosen(stage: &Stage) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(stage.client.clone());
    let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let patch = json!([{ "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec", "value": anything }]);
    let patch = Patch::<()>::Json(serde_json::from_value(patch)?);
    definitions.patch("virtualips.holdfast.dev", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Stores a VirtualIP that cannot be read. The API server needs a moment for a new schema.
async fn store_unreadable(stage: &Stage, name: &str) -> Result<()> {
    let resource = ApiResource::erase::<holdfast_crds::VirtualIP>(&());
    let api: Api<DynamicObject> = Api::all_with(stage.client.clone(), &resource);
    let object = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name },
        "spec": { "addresses": 5, "interface": "eth0" },
    });
    let parameters = PatchParams::apply("user").force();
    let store = async || Ok(api.patch(name, &parameters, &Patch::Apply(&object)).await.map(drop)?);
    wait::repeatedly("the looser schema is in force", LONG, store).await
}

fn routers(config: &NodeConfig) -> Vec<&str> {
    let mut names: Vec<&str> = config.spec.virtual_routers.iter().map(|router| router.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn an_object_that_cannot_be_read_any_more_stays_in_force_and_harms_no_other() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let operator = stage.operator()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has_web = |config: &NodeConfig| routers(config) == ["web"];
    wait::until(&stage.node_configs(), "node-1", "web", SHORT, has_web).await?;

    loosen(&stage).await?;
    store_unreadable(&stage, "web").await?;
    let seen = || operator.get("/debug/state").is_ok_and(|(_, state)| state.contains("VirtualIP web"));
    wait::repeatedly("the operator tells of it", SHORT, async || {
        anyhow::ensure!(seen(), "not yet");
        Ok(())
    })
    .await?;
    crds::apply(&stage.client).await?;
    apply(&stage.virtual_ips(), virtual_ip("mail", "192.0.2.101/24")?).await?;
    let has_both = |config: &NodeConfig| routers(config) == ["mail", "web"];
    wait::until(&stage.node_configs(), "node-1", "web stays, and mail is added", SHORT, has_both).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_that_is_started_afterwards_leaves_it_in_force_too_and_tells_users_what_is_wrong() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let operator = stage.operator()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has_web = |config: &NodeConfig| routers(config) == ["web"];
    let before = wait::until(&stage.node_configs(), "node-1", "web", SHORT, has_web).await?;
    drop(operator);

    loosen(&stage).await?;
    store_unreadable(&stage, "web").await?;
    let _operator = stage.operator()?;
    // Its address is taken, although nobody can read whose it is.
    apply(&stage.virtual_ips(), virtual_ip("same", "192.0.2.100/24")?).await?;
    apply(&stage.virtual_ips(), virtual_ip("mail", "192.0.2.101/24")?).await?;
    let has_both = |config: &NodeConfig| routers(config) == ["mail", "web"];
    let after = wait::until(&stage.node_configs(), "node-1", "mail is added", SHORT, has_both).await?;
    let web = |config: &NodeConfig| config.spec.virtual_routers.iter().find(|router| router.name == "web").cloned();
    assert_eq!(web(&after), web(&before));
    let message = wait_for_condition(&stage, "same", Accepted, "AddressInUse").await?;
    assert!(message.contains("192.0.2.100 belongs to VirtualIP \"web\""), "{message}");

    let resource = ApiResource::erase::<holdfast_crds::VirtualIP>(&());
    let objects: Api<DynamicObject> = Api::all_with(stage.client.clone(), &resource);
    let said = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["type"] == "Accepted" && condition["reason"] == "InvalidSpec" && message.contains("integer `5`")
        })
    };
    wait::repeatedly("users are told", SHORT, async || {
        let object = objects.get("web").await?;
        anyhow::ensure!(said(&object), "{}", object.data);
        Ok(())
    })
    .await?;
    let note = wait_for_event(&stage, "web", "InvalidSpec").await?;
    println!("{note}");
    assert!(note.contains("integer `5`"), "{note}");
    Ok(())
}
