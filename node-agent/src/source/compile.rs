//! Objects to the `NodeConfig` of one node, by the same plan that the operator uses.

use std::collections::BTreeMap;

use holdfast_crds::condition::ConditionReason;
use holdfast_crds::{HealthCheck, Labels, Manifest, NodeConfigSpec, VirtualIP, VirtualIPGroup};
use holdfast_plan::{InForce, Input, Memory, Plan, Standalone, Verdict, plan};
use k8s_openapi::api::core::v1::Node;

use super::document::Object;
use super::problem::Problem;

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// Its name.
    pub name: String,
    /// Labels, beside those of its Node object.
    pub labels: Labels,
}

/// What the objects come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compiled {
    /// What this node runs.
    pub spec: NodeConfigSpec,
    /// The objects that the plan refused.
    pub problems: Vec<Problem>,
    /// What is in force now: to be handed in the next time.
    pub in_force: InForce,
}

#[derive(Default)]
struct Sorted {
    virtual_ips: Vec<VirtualIP>,
    health_checks: Vec<HealthCheck>,
    groups: Vec<VirtualIPGroup>,
    nodes: Vec<Node>,
    files: BTreeMap<String, String>,
}

/// Plans for all nodes that are known, and takes out what this one runs.
///
/// `in_force` is what this agent went by until now. An object of it that the plan would refuse as it stands now keeps
/// its last good version; that is a problem all the same.
pub fn compile<'a>(
    objects: impl Iterator<Item = (&'a str, &'a Object)>,
    identity: &NodeIdentity,
    in_force: &InForce,
) -> Compiled {
    let sorted = sort(objects);
    let mut plan = plan(&Input {
        virtual_ips: &sorted.virtual_ips,
        health_checks: &sorted.health_checks,
        groups: &sorted.groups,
        nodes: &sorted.nodes,
        memory: Memory::Standalone(Standalone { node: &identity.name, labels: &identity.labels, in_force }),
    });
    let spec = plan.node_configs.remove(&identity.name).unwrap_or_default();
    Compiled { spec, problems: problems(&plan, &sorted.files), in_force: plan.in_force }
}

fn sort<'a>(objects: impl Iterator<Item = (&'a str, &'a Object)>) -> Sorted {
    let mut sorted = Sorted::default();
    for (file, object) in objects {
        sorted.files.insert(object.key(), file.to_owned());
        match object {
            Object::Holdfast(Manifest::VirtualIP(vip)) => sorted.virtual_ips.push((**vip).clone()),
            Object::Holdfast(Manifest::HealthCheck(check)) => sorted.health_checks.push((**check).clone()),
            Object::Holdfast(Manifest::VirtualIPGroup(group)) => sorted.groups.push((**group).clone()),
            Object::Node(node) => sorted.nodes.push((**node).clone()),
        }
    }
    sorted
}

fn problems(plan: &Plan, files: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, verdict) in &plan.health_checks {
        problems.extend(problem("HealthCheck", name, verdict, files));
    }
    for (name, verdict) in &plan.virtual_ips {
        problems.extend(problem("VirtualIP", name, &verdict.accepted, files));
    }
    for (name, verdict) in &plan.groups {
        problems.extend(problem("VirtualIPGroup", name, verdict, files));
    }
    problems
}

fn problem<R: ConditionReason>(
    kind: &str,
    name: &str,
    verdict: &Verdict<R>,
    files: &BTreeMap<String, String>,
) -> Option<Problem> {
    if verdict.is_accepted() {
        return None;
    }
    let object = format!("{kind}/{name}");
    Some(Problem { file: files.get(&object).cloned(), object: Some(object), message: verdict.message.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::document::parse_file;
    use super::*;

    fn compiled(text: &str, name: &str, labels: &[(&str, &str)]) -> Compiled {
        let objects = parse_file("f.yaml", text).expect("good");
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let identity = NodeIdentity { name: name.to_owned(), labels };
        compile(objects.iter().map(|object| ("f.yaml", object)), &identity, &InForce::default())
    }

    fn vip(spec: &str) -> String {
        format!(
            "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {{name: web}}\nspec: {{addresses: [192.0.2.1], {spec}}}\n"
        )
    }

    #[test]
    fn a_node_without_an_object_is_made_up() {
        let compiled = compiled(&vip(""), "a", &[]);
        assert!(compiled.problems.is_empty());
        assert_eq!(compiled.spec.virtual_routers.len(), 1);
    }

    #[test]
    fn labels_from_the_command_line_count_for_selectors() {
        let text = vip("nodeSelector: {matchLabels: {edge: \"yes\"}}");
        assert_eq!(compiled(&text, "a", &[("edge", "yes")]).spec.virtual_routers.len(), 1);
        assert!(compiled(&text, "a", &[]).spec.virtual_routers.is_empty());
    }

    #[test]
    fn what_the_plan_refuses_is_a_problem_of_its_file_and_object() {
        let text = vip("nodeSelector: {matchLabels: {edge: \"yes\"}}")
            + "---\napiVersion: holdfast.dev/v1alpha1\nkind: VirtualIPGroup\nmetadata: {name: all}\n\
               spec: {members: [web, other]}\n---\n"
            + &vip("virtualRouterID: 9").replace("web", "other").replace("192.0.2.1", "192.0.2.2");
        assert_eq!(compiled(&text, "a", &[]).problems, [], "the other nodes may be selected");

        let described = text + "---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n";
        let problems: Vec<String> = compiled(&described, "a", &[]).problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 2, "{problems:#?}");
        assert!(problems[0].starts_with("f.yaml: VirtualIP/web: spec.nodeSelector"), "{problems:#?}");
        assert!(problems[1].starts_with("f.yaml: VirtualIPGroup/all: spec.members"), "{problems:#?}");
    }

    #[test]
    fn nodes_that_are_only_named_are_rivals() {
        let compiled =
            compiled(&vip("nodePriorities: [{nodeName: a, priority: 100}, {nodeName: b, priority: 99}]"), "a", &[]);
        let router = &compiled.spec.virtual_routers[0];
        assert_eq!(router.rival_priority, Some(99));
        assert!(!router.peers_known, "without addresses anybody may be the other node");
    }
}
