//! Label selectors: the Kubernetes form, with operators as an enum, and the pure rule of what they match.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Selects nodes by their labels, as in a Deployment: all of `matchLabels` and all of `matchExpressions` must hold.
/// An empty selector selects every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that a node must carry with exactly these values.
    /// Example: `{node-role.kubernetes.io/control-plane: ""}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels that a node must meet, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)")
        .message("operators In and NotIn need at least one entry")
        .field_path(".values"),
    validation = Rule::new("!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0")
        .message("operators Exists and DoesNotExist take no values: remove them")
        .field_path(".values")
)]
pub struct LabelSelectorRequirement {
    /// The key of the label, such as `topology.kubernetes.io/zone`.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label is compared with `values`.
    pub operator: LabelSelectorOperator,
    /// The values of `In` and `NotIn`; empty with `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelSelectorOperator {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there, whatever its value.
    Exists,
    /// The label is missing.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelSelectorRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        let listed = label.is_some_and(|value| self.values.contains(value));
        match self.operator {
            LabelSelectorOperator::In => listed,
            LabelSelectorOperator::NotIn => !listed,
            LabelSelectorOperator::Exists => label.is_some(),
            LabelSelectorOperator::DoesNotExist => label.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn expression(key: &str, operator: LabelSelectorOperator, values: &[&str]) -> LabelSelector {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        LabelSelector {
            match_expressions: vec![LabelSelectorRequirement { key: key.to_owned(), operator, values }],
            ..LabelSelector::default()
        }
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(LabelSelector::default().matches(&labels(&[])));
        assert!(LabelSelector::default().matches(&labels(&[("zone", "a")])));
    }

    #[test]
    fn match_labels_must_all_be_equal() {
        let selector =
            LabelSelector { match_labels: labels(&[("zone", "a"), ("edge", "")]), ..LabelSelector::default() };
        assert!(selector.matches(&labels(&[("zone", "a"), ("edge", ""), ("more", "x")])));
        assert!(!selector.matches(&labels(&[("zone", "a")])));
        assert!(!selector.matches(&labels(&[("zone", "b"), ("edge", "")])));
    }

    #[test]
    fn operators_match_as_kubernetes_documents_them() {
        use LabelSelectorOperator::{DoesNotExist, Exists, In, NotIn};
        let (a, b, missing) = (labels(&[("zone", "a")]), labels(&[("zone", "b")]), labels(&[]));
        for (operator, values, on_a, on_b, on_missing) in [
            (In, &["a", "c"][..], true, false, false),
            (NotIn, &["a", "c"][..], false, true, true),
            (Exists, &[][..], true, true, false),
            (DoesNotExist, &[][..], false, false, true),
        ] {
            let selector = expression("zone", operator, values);
            let found = (selector.matches(&a), selector.matches(&b), selector.matches(&missing));
            assert_eq!(found, (on_a, on_b, on_missing), "{operator:?}");
        }
    }

    #[test]
    fn labels_and_expressions_are_joined_by_and() {
        let mut selector = expression("zone", LabelSelectorOperator::Exists, &[]);
        selector.match_labels = labels(&[("edge", "yes")]);
        assert!(selector.matches(&labels(&[("zone", "a"), ("edge", "yes")])));
        assert!(!selector.matches(&labels(&[("zone", "a")])));
        assert!(!selector.matches(&labels(&[("edge", "yes")])));
    }
}
