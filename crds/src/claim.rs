//! How it is written into a `VirtualIP` that a node is its master, and how that is taken back.
//!
//! The agent of the node does both. Where it cannot, the operator does so in its name: so both must write alike, under one
//! field manager, or one could not take back what the other has written. Both are server-side applies to the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use serde_json::{Map, Value, json};

use crate::{API_VERSION, VirtualIP};

/// Before the name of the node.
const PREFIX: &str = "holdfast-agent-";

/// The longest name that the API server takes for a field manager.
const LONGEST_MANAGER: usize = 128;

/// Which object a claim is about.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its UID; none: whichever object has the name.
    pub uid: Option<&'a str>,
    /// Its version: the API server refuses the write (409) if it is another one. None: any.
    pub resource_version: Option<&'a str>,
}

impl Claimed<'_> {
    /// The `VirtualIP` as one applies it who claims it for a node, which is master since `since`.
    pub fn by(&self, node: &str, since: Option<&Time>) -> Value {
        let mut object = self.by_nobody();
        if let Some(fields) = object.as_object_mut() {
            fields.insert("status".to_owned(), json!({ "master": node, "masterSince": since }));
        }
        object
    }

    /// The `VirtualIP` as one applies it who gives its claim back: what nobody has applied since is removed.
    ///
    /// There is no status at all in it: an empty one would become null where nobody else has written any, and be invalid.
    pub fn by_nobody(&self) -> Value {
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.name));
        for (key, value) in [("uid", self.uid), ("resourceVersion", self.resource_version)] {
            metadata.extend(value.map(|value| (key.to_owned(), json!(value))));
        }
        json!({ "apiVersion": API_VERSION, "kind": VirtualIP::kind(&()), "metadata": metadata })
    }
}

/// The field manager of a node's claims. Each node has one of its own, also if its name is too long for one: so taking a
/// claim back removes what was written for this node and nothing else.
pub fn claim_manager(node: &str) -> String {
    let whole = format!("{PREFIX}{node}");
    if whole.len() <= LONGEST_MANAGER {
        return whole;
    }
    // FNV-1a: the same in every version, or a claim could not be taken back by the next.
    let hash = node
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // Names of nodes are ASCII.
    let beginning: String = whole.chars().take(LONGEST_MANAGER - 17).collect();
    format!("{beginning}-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_claims_under_a_name_of_its_own_that_is_short_enough() {
        assert_eq!(claim_manager("node-1"), "holdfast-agent-node-1");
        let long = "n".repeat(240);
        let (one, other) = (claim_manager(&format!("{long}1")), claim_manager(&format!("{long}2")));
        assert_eq!((one.len(), other.len()), (LONGEST_MANAGER, LONGEST_MANAGER));
        assert_ne!(one, other);
    }

    #[test]
    fn a_claim_names_node_and_time_and_what_it_takes_for_granted_of_the_object() {
        let claimed = Claimed { name: "web", uid: Some("7f3c"), resource_version: Some("41") };
        let since = Time("2026-01-01T00:00:00.9Z".parse().unwrap());
        let expected = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP",
            "metadata": { "name": "web", "uid": "7f3c", "resourceVersion": "41" },
            "status": { "master": "a", "masterSince": "2026-01-01T00:00:00Z" },
        });
        assert_eq!(claimed.by("a", Some(&since)), expected);
    }

    #[test]
    fn a_claim_is_taken_back_without_a_word_about_the_status() {
        let claimed = Claimed { name: "web", uid: None, resource_version: None };
        let expected =
            json!({ "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "web" } });
        assert_eq!(claimed.by_nobody(), expected);
    }
}
