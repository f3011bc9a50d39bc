//! Which objects were deleted and made again (pure): what was written to the old ones is not in the new ones.

use std::collections::BTreeMap;

use super::programmed::Programmed;

/// The objects that were seen last, by their UIDs.
#[derive(Debug, Default)]
pub(super) struct Objects {
    node_config: Option<String>,
    virtual_ips: BTreeMap<String, String>,
}

/// What was made again since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remade {
    /// These VirtualIPs; mostly none.
    VirtualIPs(Vec<String>),
    /// The NodeConfig, and so perhaps everything.
    Everything,
}

impl Objects {
    /// Takes in what is carried out now.
    pub(super) fn see(&mut self, programmed: &Programmed) -> Remade {
        let routers = programmed.spec.virtual_routers.iter();
        let uids = routers.filter_map(|router| Some((router.virtual_ip.clone(), router.virtual_ip_uid.clone()?)));
        let before = std::mem::replace(&mut self.virtual_ips, uids.collect());
        if let Some(identity) = &programmed.identity
            && self.node_config.as_ref() != Some(&identity.uid)
            && self.node_config.replace(identity.uid.clone()).is_some()
        {
            return Remade::Everything;
        }
        let is_other = |(name, uid): &(&String, &String)| before.get(*name).is_some_and(|before| before != *uid);
        Remade::VirtualIPs(self.virtual_ips.iter().filter(is_other).map(|(name, _)| name.clone()).collect())
    }

    /// Whether the NodeConfig was ever seen in the cluster: before that, what this node runs may only be what it ran.
    pub(super) fn are_known(&self) -> bool {
        self.node_config.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::seen::Identity;
    use super::*;

    fn router(virtual_ip: &str, uid: Option<&str>) -> Value {
        json!({
            "name": virtual_ip, "virtualIP": virtual_ip, "virtualIPUID": uid, "group": virtual_ip, "family": "IPv4",
            "virtualRouterID": 51, "protocolVersion": 3, "advertisementInterval": "200ms", "priority": 100,
            "addresses": ["192.0.2.1"],
        })
    }

    /// What is carried out of the NodeConfig with this UID.
    fn programmed(uid: &str, routers: &[Value]) -> Programmed {
        let spec = serde_json::from_value(json!({ "virtualRouters": routers })).expect("a spec");
        let identity = Some(Identity { uid: uid.to_owned(), generation: 1 });
        Programmed { identity, spec: Arc::new(spec), ..Programmed::default() }
    }

    fn remade(names: &[&str]) -> Remade {
        Remade::VirtualIPs(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_virtual_ip_with_another_uid_was_made_again_and_a_new_one_was_not() {
        let mut objects = Objects::default();
        assert_eq!(objects.see(&programmed("n", &[router("a", Some("1")), router("b", Some("2"))])), remade(&[]));
        let now = [router("a", Some("1")), router("b", Some("3")), router("c", Some("4"))];
        assert_eq!(objects.see(&programmed("n", &now)), remade(&["b"]));
        assert_eq!(objects.see(&programmed("n", &now)), remade(&[]));
    }

    #[test]
    fn what_another_version_of_the_operator_has_left_out_was_not_made_again() {
        let mut objects = Objects::default();
        for uid in [None, Some("1"), None, Some("1")] {
            assert_eq!(objects.see(&programmed("n", &[router("a", uid)])), remade(&[]), "{uid:?}");
        }
    }

    #[test]
    fn with_a_node_config_that_was_made_again_everything_may_have_been() {
        let mut objects = Objects::default();
        let saved = Programmed { identity: None, ..programmed("", &[router("a", Some("1"))]) };
        assert_eq!(objects.see(&saved), remade(&[]));
        assert!(!objects.are_known());
        assert_eq!(objects.see(&programmed("n", &[])), remade(&[]));
        assert!(objects.are_known());
        assert_eq!(objects.see(&programmed("m", &[])), Remade::Everything);
        assert_eq!(objects.see(&saved), remade(&[]), "an outage makes nothing anew");
        assert_eq!(objects.see(&programmed("m", &[])), remade(&[]));
    }
}
