//! YAML text to valid objects, or everything that is wrong with them.

use std::net::IpAddr;

use holdfast_crds::Manifest;
use holdfast_crds::manifest::ParseManifestError;
use k8s_openapi::api::core::v1::Node;
use serde::Serialize;
use serde_json::Value;

use super::problem::Problem;

/// An object of a kind that a folder may hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// An object of Holdfast.
    Holdfast(Manifest),
    /// A node of the cluster: its labels, and its addresses as those of a peer.
    Node(Box<Node>),
}

/// Kind and name: two objects with the same key are the same object.
pub(super) type Key = String;

impl Object {
    /// Reads back what was written of an object, by this version of Holdfast: no rule is applied again.
    pub(super) fn restore(value: Value) -> Option<Self> {
        if is_node(&value) {
            return serde_json::from_value(value).map(Self::Node).ok();
        }
        Manifest::restore(value).map(Self::Holdfast).ok()
    }

    /// `VirtualIP/web`.
    pub fn key(&self) -> Key {
        match self {
            Self::Holdfast(manifest) => format!("{}/{}", manifest.kind(), manifest.name()),
            Self::Node(node) => format!("Node/{}", node.metadata.name.as_deref().unwrap_or_default()),
        }
    }

    /// The name of the node that this object describes, if it is one.
    pub fn node_name(&self) -> Option<&str> {
        match self {
            Self::Node(node) => node.metadata.name.as_deref(),
            Self::Holdfast(_) => None,
        }
    }
}

/// How many documents a file may hold, empty ones too. The parser would stop at 1,024, fewer than the VIPs of a large site. Its
/// other limits stand: 250,000 nodes are some 8,000 VIPs, and what aliases make of a few lines does not fill the memory.
const MAXIMUM_DOCUMENTS: usize = 10_000;

/// Reads every document of a file. Empty documents count for nothing.
pub(super) fn parse_file(file: &str, text: &str) -> Result<Vec<Object>, Vec<Problem>> {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_documents: MAXIMUM_DOCUMENTS } };
    let values: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| vec![Problem::of_file(file, not_yaml(&error))])?;
    parse_values(file, values)
}

/// In one line, with line and column: problems are shown in logs and lists.
fn not_yaml(error: &serde_saphyr::Error) -> String {
    format!("not YAML: {}", error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter))
}

fn parse_values(file: &str, values: Vec<Value>) -> Result<Vec<Object>, Vec<Problem>> {
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    for value in values.into_iter().filter(|value| !value.is_null()) {
        match parse_value(file, value) {
            Ok(object) => objects.push(object),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(objects) } else { Err(problems) }
}

/// One document, from data.
pub(super) fn parse_value(file: &str, value: Value) -> Result<Object, Vec<Problem>> {
    let name = name_of(&value);
    if is_node(&value) {
        return parse_node(value)
            .map(|node| Object::Node(Box::new(node)))
            .map_err(|message| vec![Problem::of_object(file, name, message)]);
    }
    Manifest::parse(value).map(Object::Holdfast).map_err(|error| match error {
        ParseManifestError::UnknownKind { .. } => {
            vec![Problem::of_file(file, format!("{error}; or a Node of v1"))]
        }
        ParseManifestError::Invalid(violations) => violations
            .into_iter()
            .map(|violation| Problem::of_object(file, name.clone(), violation.to_string()))
            .collect(),
    })
}

fn is_node(value: &Value) -> bool {
    let text = |field| value.get(field).and_then(Value::as_str);
    text("apiVersion") == Some("v1") && text("kind") == Some("Node")
}

/// A node must have a name, and addresses that are ones: a mistyped address would shut a peer out.
fn parse_node(value: Value) -> Result<Node, String> {
    let node: Node = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if node.metadata.name.as_deref().unwrap_or_default().is_empty() {
        return Err("metadata.name: required: write the name of the node".to_owned());
    }
    let addresses = node.status.as_ref().and_then(|status| status.addresses.as_ref());
    for (index, address) in addresses.into_iter().flatten().enumerate() {
        if address.type_ == "InternalIP" && address.address.parse::<IpAddr>().is_err() {
            let text = &address.address;
            return Err(format!("status.addresses[{index}].address: {text:?} is not an IP address"));
        }
    }
    Ok(node)
}

/// What the object calls itself, right or wrong.
fn name_of(value: &Value) -> String {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("object");
    let name = value.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Value::as_str);
    format!("{kind}/{}", name.unwrap_or("(no name)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        parse_file("f.yaml", text).expect_err("problems").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn several_documents_make_several_objects_and_empty_ones_none() {
        let text = "---\n# nothing\n---\napiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: web}\n\
                    spec: {addresses: [192.0.2.1]}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n";
        let objects = parse_file("f.yaml", text).expect("good");
        let keys: Vec<_> = objects.iter().map(Object::key).collect();
        assert_eq!(keys, ["VirtualIP/web", "Node/a"]);
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        let messages = messages("spec:\n  addresses: [\n  foo: bar\n");
        assert_eq!(messages, ["f.yaml: not YAML: unclosed bracket '[' at line 2, column 14"]);
    }

    #[test]
    fn every_mistake_of_every_object_is_told_with_file_object_and_field() {
        let text = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: a}\n\
                    spec: {addresses: [192.0.2.1], virtualRouterID: 256, color: red}\n---\n\
                    apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIP\nmetadata: {name: b}\n\
                    spec: {addresses: [192.0.2.1], advertisementInterval: 0s}\n";
        let messages = messages(text);
        assert_eq!(messages.len(), 3, "{messages:#?}");
        assert!(messages.iter().any(|text| text.starts_with("f.yaml: VirtualIP/a: spec.virtualRouterID: ")));
        assert!(messages.iter().any(|text| text.starts_with("f.yaml: VirtualIP/a: spec.color: ")));
        assert!(messages.iter().any(|text| text.starts_with("f.yaml: VirtualIP/b: spec")), "{messages:#?}");
    }

    /// So many small objects.
    fn nodes(count: usize) -> String {
        let node = |number| format!("---\napiVersion: v1\nkind: Node\nmetadata: {{name: n{number}}}\n");
        (0..count).map(node).collect::<Vec<_>>().concat()
    }

    #[test]
    fn one_file_may_hold_the_objects_of_a_large_site() {
        assert_eq!(parse_file("f.yaml", &nodes(3_000)).expect("good").len(), 3_000);
    }

    #[test]
    fn a_file_that_would_keep_the_agent_busy_for_long_is_refused() {
        let doubled = |(text, before): (String, char), letter: char| {
            (format!("{text}{letter}: &{letter} [*{before}, *{before}, *{before}, *{before}]\n"), letter)
        };
        let (bomb, _) = ('b'..='p').fold(("a: &a [x, x, x, x]\n".to_owned(), 'a'), doubled);
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for text in [bomb, deep, nodes(MAXIMUM_DOCUMENTS + 1), "---\n".repeat(1 << 20)] {
            let messages = messages(&text);
            assert!(messages.len() == 1 && messages[0].starts_with("f.yaml: not YAML: "), "{messages:?}");
        }
    }

    #[test]
    fn a_foreign_kind_is_refused() {
        let messages = messages("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
        assert!(messages[0].contains("Deployment of apps/v1"), "{messages:?}");
    }

    #[test]
    fn the_addresses_of_a_node_must_be_ones() {
        let messages = messages(
            "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0}]}\n",
        );
        assert!(messages[0].starts_with("f.yaml: Node/a: status.addresses[0].address"), "{messages:?}");
    }
}
