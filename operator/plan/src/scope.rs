//! Where a virtual router ID must be unique: the LAN. The plan knows a LAN by the name of the interface.

use std::collections::BTreeSet;

use holdfast_crds::VirtualIPSpec;

/// The interfaces that a `VirtualIP` uses on its nodes.
///
/// Nodes that leave the choice to their agents may end up on any interface, so they overlap with everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceScope {
    named: BTreeSet<String>,
    any: bool,
}

impl InterfaceScope {
    /// The interfaces that a `VirtualIP` may use on any node, whatever its name and labels.
    pub(crate) fn of_all_nodes(spec: &VirtualIPSpec) -> Self {
        let named = spec.node_interfaces.iter().map(|entry| Some(entry.interface.as_str()));
        named.chain([spec.interface.as_deref()]).collect()
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let names: Vec<&str> = self.named.iter().map(String::as_str).collect();
        match names.as_slice() {
            _ if self.any => "all interfaces together, since spec.interface names none,".to_owned(),
            [name] => format!("interface {name}"),
            names => format!("the interfaces {}", names.join(", ")),
        }
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.any || other.any || !self.named.is_disjoint(&other.named)
    }
}

impl<'a> FromIterator<Option<&'a str>> for InterfaceScope {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(interfaces: I) -> Self {
        let mut scope = Self::default();
        for interface in interfaces {
            match interface {
                Some(name) => {
                    scope.named.insert(name.to_owned());
                }
                None => scope.any = true,
            }
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_overlap_by_a_common_name_or_an_open_choice() {
        let scope = |names: &[Option<&'static str>]| names.iter().copied().collect::<InterfaceScope>();
        let cases = [
            (scope(&[Some("eth0")]), scope(&[Some("eth0"), Some("eth1")]), true),
            (scope(&[Some("eth0")]), scope(&[Some("eth1")]), false),
            (scope(&[Some("eth0")]), scope(&[None]), true),
            (scope(&[None]), scope(&[None]), true),
        ];
        for (one, other, overlap) in cases {
            assert_eq!(one.overlaps(&other), overlap);
            assert_eq!(other.overlaps(&one), overlap);
        }
    }
}
