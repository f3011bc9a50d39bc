//! The token that the NodeConfig is read with (pure).
//!
//! RBAC cannot give each pod of a DaemonSet another right: they share one ServiceAccount. So each node has one of its own,
//! which may read this node's NodeConfig alone, and the agent exchanges the token of its pod for one of that. It is bound to
//! the Node: it ends with it. (The API server binds a token to a pod only if that runs under the same ServiceAccount.)

use std::time::Duration;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};

/// How long a token is asked for. The API server may give another.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The ServiceAccount of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeServiceAccount {
    /// Its name.
    pub name: String,
    /// Its namespace, which is that of the pod.
    pub namespace: String,
    /// The name of the node.
    pub node: String,
}

/// A token and how long to use it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct NodeToken {
    /// The token. Never printed.
    pub token: String,
    /// When it should be replaced, counted from the request for it.
    pub renew_after: Duration,
}

impl NodeServiceAccount {
    /// What to ask the API server for.
    pub fn request(&self) -> TokenRequest {
        let node = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(self.node.clone()),
            uid: None,
        };
        let spec = TokenRequestSpec {
            // Those of the API server.
            audiences: Vec::new(),
            bound_object_ref: Some(node),
            expiration_seconds: i64::try_from(LIFETIME.as_secs()).ok(),
        };
        TokenRequest { spec, ..TokenRequest::default() }
    }
}

impl NodeToken {
    /// What the API server has answered; `None` if there is no token in it.
    ///
    /// Counted from the request by this node's own time, not by the date in the answer: the clock of the node may be
    /// wrong.
    pub(super) fn of(answer: TokenRequest) -> Option<Self> {
        let seconds = answer.spec.expiration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lifetime = seconds.map_or(LIFETIME, Duration::from_secs);
        let token = answer.status?.token;
        // At 80 %: there is time for several attempts.
        (!token.is_empty()).then(|| Self { token, renew_after: lifetime * 4 / 5 })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_token_is_bound_to_the_node() {
        let account = NodeServiceAccount {
            name: "holdfast-agent-a".to_owned(),
            namespace: "holdfast".to_owned(),
            node: "a".to_owned(),
        };
        let expected = json!({
            "audiences": [],
            "boundObjectRef": { "apiVersion": "v1", "kind": "Node", "name": "a" },
            "expirationSeconds": 3600,
        });
        assert_eq!(serde_json::to_value(account.request()).expect("JSON")["spec"], expected);
    }

    #[test]
    fn a_token_is_renewed_when_a_fifth_of_its_life_is_left() {
        for (seconds, renew_after) in [(Some(3600), 2880), (Some(600), 480), (None, 2880)] {
            let mut answer: TokenRequest = serde_json::from_value(json!({ "spec": { "audiences": [] }, "status": {
                    "token": "secret", "expirationTimestamp": "1999-01-01T00:00:00Z",
                } }))
            .expect("an answer");
            answer.spec.expiration_seconds = seconds;
            let token = NodeToken::of(answer).expect("a token");
            assert_eq!((token.token.as_str(), token.renew_after.as_secs()), ("secret", renew_after));
        }
    }

    #[test]
    fn an_answer_without_a_token_is_none() {
        assert!(NodeToken::of(TokenRequest::default()).is_none());
    }
}
