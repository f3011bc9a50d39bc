//! What should be on the interfaces against what is: at the start, and whenever reports were lost.

use std::collections::HashSet;

use crate::network::interfaces::{InterfaceTable, Placement};
use crate::network::ownership::Ownership;

/// What is to be mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Ours, and should not be there: to be removed.
    pub(super) leftovers: Vec<Placement>,
    /// Should be there, and is not: to be put back.
    pub(super) missing: Vec<Placement>,
}

/// Compares what is `held` with a table that was just read. What is neither held nor ours is left alone.
pub(super) fn compare(present: &InterfaceTable, held: &HashSet<Placement>, ownership: &Ownership) -> Differences {
    let mut differences = Differences::default();
    let mut found = HashSet::with_capacity(held.len());
    for interface in present.iter() {
        for address in &interface.addresses {
            let placement = Placement {
                interface: interface.link.index,
                address: address.address,
                prefix_length: address.prefix_length,
            };
            if held.contains(&placement) {
                found.insert(placement);
            } else if ownership.is_ours(&interface.link.name, address) {
                differences.leftovers.push(placement);
            }
        }
    }
    differences.missing = held.difference(&found).copied().collect();
    differences.missing.sort_unstable();
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::interfaces::{InterfaceAddress, InterfaceIndex, Link, NetworkChange};
    use crate::network::ownership::{MARK, OwnedAddress};

    const ETH0: InterfaceIndex = InterfaceIndex::new(2);

    fn placement(last: u8) -> Placement {
        Placement { interface: ETH0, address: [10, 0, 0, last].into(), prefix_length: 32 }
    }

    fn present(addresses: &[(u8, Option<u8>)]) -> InterfaceTable {
        let mut table = InterfaceTable::default();
        let link = Link { index: ETH0, name: "eth0".to_owned(), mac: None, enabled: true, running: true, parent: None };
        table.apply(NetworkChange::LinkSet(link));
        for (last, protocol) in addresses {
            let placement = placement(*last);
            let address = InterfaceAddress { protocol: *protocol, ..InterfaceAddress::new(placement.address, 32) };
            table.apply(NetworkChange::AddressSet(ETH0, address));
        }
        table
    }

    fn recorded(lasts: &[u8]) -> Ownership {
        let owned = |last: &u8| OwnedAddress {
            interface: "eth0".to_owned(),
            address: placement(*last).address,
            prefix_length: 32,
        };
        Ownership::new(lasts.iter().map(owned), true)
    }

    #[test]
    fn nothing_to_do_when_all_is_as_it_should_be() {
        let table = present(&[(1, None), (100, Some(MARK))]);
        let held = HashSet::from([placement(100)]);
        assert_eq!(compare(&table, &held, &recorded(&[100])), Differences::default());
    }

    #[test]
    fn a_leftover_of_an_earlier_run_goes() {
        let table = present(&[(1, None), (100, Some(MARK))]);
        let expected = Differences { leftovers: vec![placement(100)], missing: vec![] };
        assert_eq!(compare(&table, &HashSet::new(), &recorded(&[100])), expected);
    }

    #[test]
    fn an_address_of_another_agent_or_of_nobody_known_stays() {
        let table = present(&[(1, None), (100, Some(MARK)), (101, None)]);
        assert_eq!(compare(&table, &HashSet::new(), &recorded(&[101, 102])), Differences::default());
    }

    #[test]
    fn what_is_held_and_missing_is_to_be_put_back() {
        let table = present(&[(1, None)]);
        let held = HashSet::from([placement(100), placement(101)]);
        let expected = Differences { leftovers: vec![], missing: vec![placement(100), placement(101)] };
        assert_eq!(compare(&table, &held, &recorded(&[])), expected);
    }
}
