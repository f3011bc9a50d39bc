//! From what runs to what should run: which groups stay, change, go and come.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_vrrp::Group;

use super::slot::Slot;
use crate::desired::{Desired, DesiredGroup};

/// What becomes of a group. Groups that stay as they are are not mentioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The group at this place goes on with another configuration.
    Reconfigure(Slot, DesiredGroup),
    /// The group at this place drains.
    Stop(Slot),
    /// A group starts.
    Start(DesiredGroup),
}

/// Compares what runs (without what drains already) with what should.
///
/// A group is the same if it has the same name and the same virtual routers on the same interfaces; else the old one
/// goes and a new one comes. Those that go come first.
pub(super) fn changes<'a>(
    running: impl Iterator<Item = (Slot, &'a Arc<DesiredGroup>, &'a Group)>,
    desired: Desired,
) -> Vec<Change> {
    let mut wanted: HashMap<String, DesiredGroup> =
        desired.groups.into_iter().map(|group| (group.name.clone(), group)).collect();
    let (mut stops, mut others) = (Vec::new(), Vec::new());
    for (slot, present, group) in running {
        match wanted.remove(&present.name) {
            Some(same) if same == **present => {}
            Some(changed) if is_same_election(present, group, &changed) => {
                others.push(Change::Reconfigure(slot, changed));
            }
            Some(different) => {
                stops.push(Change::Stop(slot));
                others.push(Change::Start(different));
            }
            None => stops.push(Change::Stop(slot)),
        }
    }
    let mut new: Vec<DesiredGroup> = wanted.into_values().collect();
    new.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    others.extend(new.into_iter().map(Change::Start));
    stops.extend(others);
    stops
}

fn is_same_election(present: &DesiredGroup, group: &Group, wanted: &DesiredGroup) -> bool {
    let interfaces =
        |desired: &DesiredGroup| desired.routers.iter().map(|router| router.interface.clone()).collect::<Vec<_>>();
    group.can_become(&wanted.config) && interfaces(present) == interfaces(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::InterfaceChoice;
    use crate::election::test_groups::{group_with, vip_group};

    fn compare(running: &[DesiredGroup], desired: &[DesiredGroup]) -> Vec<Change> {
        let running: Vec<_> = running
            .iter()
            .map(|desired| (Arc::new(desired.clone()), Group::new(desired.config.clone(), &[])))
            .collect();
        let listed = running.iter().enumerate().map(|(index, (desired, group))| (Slot::new(index), desired, group));
        changes(listed, Desired { groups: desired.to_vec() })
    }

    #[test]
    fn what_has_not_changed_is_left_alone() {
        let groups = [vip_group("a", 51), vip_group("b", 52)];
        assert_eq!(compare(&groups, &groups), []);
        assert_eq!(compare(&groups, &[groups[1].clone(), groups[0].clone()]), [], "the order means nothing");
    }

    #[test]
    fn groups_come_and_go_by_name() {
        let (old, new) = (vip_group("a", 51), vip_group("b", 52));
        assert_eq!(compare(&[old], std::slice::from_ref(&new)), [Change::Stop(Slot::new(0)), Change::Start(new)]);
    }

    #[test]
    fn a_change_of_priority_or_addresses_keeps_the_election() {
        let present = vip_group("a", 51);
        let changed = group_with("a", 51, |member| {
            member.addresses = vec![[10, 0, 0, 200].into()];
            member.priority = holdfast_vrrp::Priority::MAX_BACKUP;
        });
        let expected = [Change::Reconfigure(Slot::new(0), changed.clone())];
        assert_eq!(compare(&[present], &[changed]), expected);
    }

    #[test]
    fn another_vrid_or_interface_is_another_election() {
        let present = vip_group("a", 51);
        let moved = DesiredGroup {
            routers: present
                .routers
                .iter()
                .cloned()
                .map(|mut router| {
                    router.interface = InterfaceChoice::Named("eth9".to_owned());
                    router
                })
                .collect(),
            ..present.clone()
        };
        for different in [vip_group("a", 52), moved] {
            let expected = [Change::Stop(Slot::new(0)), Change::Start(different.clone())];
            assert_eq!(compare(std::slice::from_ref(&present), &[different]), expected);
        }
    }
}
