//! The API server is a real one, and the things that Holdfast relies on are switched on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use holdfast_crds::{NodeConfig, VirtualIP};
use holdfast_tests::cluster::{Access, AgentIdentity, ApiServer, wait};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

const SHORT: Duration = Duration::from_secs(20);

fn output(mut command: Command) -> Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> Result<T> {
    Ok(serde_json::from_value(value)?)
}

fn agent(node: &'static str, namespace: &'static str) -> AgentIdentity<'static> {
    AgentIdentity { node, namespace, service_account: "agent" }
}

#[test]
fn kubectl_explains_the_fields_of_a_virtual_ip() -> Result<()> {
    let mut kubectl = ApiServer::shared()?.kubectl()?;
    kubectl.args(["explain", "virtualip.spec"]);
    let explained = output(kubectl)?;
    assert!(explained.contains("KIND:       VirtualIP"), "{explained}");
    assert!(explained.contains("advertisementInterval"), "{explained}");
    Ok(())
}

#[tokio::test]
async fn a_rule_of_the_schema_refuses_with_its_message() -> Result<()> {
    let client = ApiServer::shared()?.client()?;
    let kind = GroupVersionKind::gvk("holdfast.dev", "v1alpha1", "VirtualIP");
    let api: Api<DynamicObject> = Api::all_with(client, &ApiResource::from_gvk_with_plural(&kind, "virtualips"));
    let wrong: DynamicObject = from_json(json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "harness-wrong" },
        "spec": { "addresses": ["10.77.0.100/24", "10.77.0.100/24"] }
    }))?;
    let Err(kube::Error::Api(refusal)) = api.create(&PostParams::default(), &wrong).await else {
        bail!("an address that is there twice was accepted");
    };
    assert_eq!(refusal.code, 422);
    assert!(refusal.message.contains("address"), "{}", refusal.message);
    Ok(())
}

#[tokio::test]
async fn an_object_is_awaited_by_a_watch_and_a_vain_wait_shows_what_there_was() -> Result<()> {
    let client = ApiServer::shared()?.client()?;
    let api: Api<VirtualIP> = Api::all(client);
    let address = |address: &str| {
        from_json(json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "harness-awaited" },
            "spec": { "addresses": [address] }
        }))
    };
    let waiting = wait::until(&api, "harness-awaited", "it exists", SHORT, |_| true);
    let create = async { Ok(api.create(&PostParams::default(), &address("10.77.0.101/24")?).await?) };
    let (found, _) = futures::try_join!(waiting, create)?;
    assert_eq!(found.spec.addresses.len(), 1);

    let vain = wait::until(&api, "harness-awaited", "it has two addresses", Duration::from_millis(100), |object| {
        object.spec.addresses.len() == 2
    });
    let message = vain.await.unwrap_err().to_string();
    assert!(message.contains("it has two addresses") && message.contains("10.77.0.101"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_pod_names_its_node() -> Result<()> {
    let server = ApiServer::shared()?;
    let token = agent("harness-node-a", "harness-token").token(&server.client()?).await?;
    let api: Api<SelfSubjectReview> = Api::all(server.token(token).client()?);
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info).context("no user")?;
    assert_eq!(user.username.as_deref(), Some("system:serviceaccount:harness-token:agent"));
    let extra = user.extra.unwrap_or_default();
    assert_eq!(extra.get("authentication.kubernetes.io/node-name"), Some(&vec!["harness-node-a".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn who_has_no_role_may_nothing() -> Result<()> {
    let user = ApiServer::shared()?.user("harness-nobody", None)?;
    let api: Api<VirtualIP> = Api::all(user.client()?);
    let Err(kube::Error::Api(refusal)) = api.list(&ListParams::default()).await else { bail!("a stranger may list") };
    assert_eq!(refusal.code, 403);
    assert!(refusal.message.contains("harness-nobody"), "{}", refusal.message);
    Ok(())
}

#[tokio::test]
async fn a_kubelet_may_change_its_own_node_only() -> Result<()> {
    let server = ApiServer::shared()?;
    let all: Api<Node> = Api::all(server.client()?);
    for name in ["harness-own", "harness-other"] {
        all.create(&PostParams::default(), &from_json(json!({ "metadata": { "name": name } }))?).await?;
    }
    let kubelet: Api<Node> = Api::all(server.user("system:node:harness-own", Some("system:nodes"))?.client()?);
    let label = Patch::Merge(json!({ "metadata": { "annotations": { "harness": "yes" } } }));
    kubelet.patch("harness-own", &PatchParams::default(), &label).await?;
    let refusal = kubelet.patch("harness-other", &PatchParams::default(), &label).await.unwrap_err();
    assert!(refusal.to_string().contains("harness-own"), "{refusal}");
    Ok(())
}

/// Every agent may write every `NodeConfig` by its role, and a policy holds it to its own: the rule that Holdfast ships is
/// of this kind.
#[tokio::test]
async fn an_admission_policy_reads_the_node_from_the_token() -> Result<()> {
    let server = ApiServer::shared()?;
    let client = server.client()?;
    let tokens = [
        agent("harness-node-c", "harness-policy").token(&client).await?,
        agent("harness-node-d", "harness-policy").token(&client).await?,
    ];
    grant(&client, "harness-policy").await?;
    let policy: ValidatingAdmissionPolicy = from_json(json!({
        "metadata": { "name": "harness-own-node" },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]
            }] },
            "matchConditions": [{
                "name": "agents",
                "expression": "request.userInfo.username == 'system:serviceaccount:harness-policy:agent'"
            }],
            "validations": [{
                "expression":
                    "request.userInfo.extra['authentication.kubernetes.io/node-name'][0] == object.metadata.name",
                "message": "an agent writes of its own node only"
            }]
        }
    }))?;
    Api::all(client.clone()).create(&PostParams::default(), &policy).await?;
    let binding: ValidatingAdmissionPolicyBinding = from_json(json!({
        "metadata": { "name": "harness-own-node" },
        "spec": { "policyName": "harness-own-node", "validationActions": ["Deny"] }
    }))?;
    Api::all(client).create(&PostParams::default(), &binding).await?;

    let [own, other] = tokens.map(|token| server.token(token));
    let config = |name: &str| from_json::<ConfigMap>(json!({ "metadata": { "name": name } }));
    let api =
        |access: &Access| Ok::<_, anyhow::Error>(Api::<ConfigMap>::namespaced(access.client()?, "harness-policy"));
    let (own, other) = (api(&own)?, api(&other)?);
    let try_out = PostParams { dry_run: true, ..PostParams::default() };
    let refusal = wait::repeatedly("the policy is in force", SHORT, async || {
        let answer = other.create(&try_out, &config("harness-node-c")?).await;
        answer.err().context("another node's agent may write")
    });
    let refusal = refusal.await?.to_string();
    assert!(refusal.contains("an agent writes of its own node only"), "{refusal}");
    own.create(&try_out, &config("harness-node-c")?).await?;
    Ok(())
}

async fn grant(client: &kube::Client, namespace: &str) -> Result<()> {
    use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
    let role: Role = from_json(json!({
        "metadata": { "name": "agent" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"] }]
    }))?;
    let binding: RoleBinding = from_json(json!({
        "metadata": { "name": "agent" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "agent" },
        "subjects": [{ "kind": "ServiceAccount", "name": "agent", "namespace": namespace }]
    }))?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &role).await?;
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await?;
    Ok(())
}

#[tokio::test]
async fn the_audit_log_counts_the_requests_of_each_user() -> Result<()> {
    let server = ApiServer::shared()?;
    let user = server.user("harness-counted", Some("system:masters"))?.client()?;
    let configs: Api<NodeConfig> = Api::all(user.clone());
    let namespaces: Api<Namespace> = Api::all(user);
    // A kind that is new is refused for a moment (429), and the client asks again.
    configs.list(&ListParams::default()).await?;
    let mark = server.audit().mark()?;
    configs.list(&ListParams::default()).await?;
    namespaces.get("default").await?;
    let requests = server.audit().since(mark)?;
    let counted: Vec<_> = requests
        .iter()
        .filter(|request| request.user == "harness-counted")
        .map(|request| (request.verb.as_str(), request.resource.as_str(), request.name.as_str(), request.status))
        .collect();
    assert_eq!(counted, [("list", "nodeconfigs", "", 200), ("get", "namespaces", "default", 200)]);
    Ok(())
}

#[test]
fn a_kubeconfig_file_serves_any_program() -> Result<()> {
    let server = ApiServer::shared()?;
    let path = server.kubeconfig().with_file_name("harness-user");
    server.user("harness-file", Some("system:masters"))?.write_kubeconfig(&path)?;
    let mut kubectl = server.kubectl()?;
    kubectl.env("KUBECONFIG", &path).args(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    assert_eq!(output(kubectl)?, "harness-file");
    fs::remove_file(&path)?;
    Ok(())
}
