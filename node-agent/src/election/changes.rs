//! From what runs to what should run: which groups stay, change, go and come, and which are made of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_vrrp::{GroupConfig, Heritage, MemberConfig, MemberIndex, Origin, regroup};

use super::slot::{Seat, Slot};
use crate::desired::{Desired, DesiredGroup, DesiredRouter, InterfaceChoice};
use crate::network::interfaces::InterfaceIndex;

/// A group that runs, and where its virtual routers do.
#[derive(Clone, Debug)]
pub(super) struct Present {
    pub(super) slot: Slot,
    pub(super) desired: Arc<DesiredGroup>,
    /// For each member the interface that it runs on, or would if that worked.
    pub(super) interfaces: Vec<Option<InterfaceIndex>>,
}

/// What is to be done, in this order. Groups that stay as they are are not mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The groups at these places drain.
    pub(super) stop: Vec<Slot>,
    /// The groups at these places go on with another configuration.
    pub(super) reconfigure: Vec<(Slot, Arc<DesiredGroup>)>,
    /// Groups that are made of members of others.
    pub(super) succeed: Vec<Successor>,
    /// The groups at these places have no members any more: their successors have them.
    pub(super) replace: Vec<Slot>,
    /// Groups start.
    pub(super) start: Vec<Arc<DesiredGroup>>,
}

/// A group that is made of members of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) desired: Arc<DesiredGroup>,
    /// Where each member comes from; none for a new one.
    pub(super) origins: Vec<Option<Seat>>,
    /// It has what nobody wants any more, and drains.
    pub(super) leaves: bool,
}

/// A virtual router that runs or should run.
struct Router<'a> {
    desired: &'a DesiredRouter,
    config: &'a MemberConfig,
    interface: Option<InterfaceIndex>,
}

/// Compares what runs (without what drains already) with what should. `resolve` finds the interface of a choice.
///
/// A virtual router is the same if it has the same ID, in the same family, on the same interface, and is about the same
/// `VirtualIP` or some of the same addresses. It goes on, in whichever group it is to be.
pub(super) fn changes(
    present: &[Present],
    desired: Desired,
    resolve: impl Fn(&InterfaceChoice) -> Option<InterfaceIndex>,
) -> Changes {
    // By name, so that what comes of it does not hang on the order of a list. No name comes twice.
    let wanted: BTreeMap<String, Arc<DesiredGroup>> =
        desired.groups.into_iter().map(|group| (group.name.clone(), group)).collect();
    let regrouping = {
        let running: Vec<_> = present
            .iter()
            .map(|present| (&present.desired.name, routers(&present.desired, present.interfaces.iter().copied())))
            .collect();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(name, group)| (name, routers(group, group.routers.iter().map(|router| resolve(&router.interface)))))
            .collect();
        regroup(&running, &wanted, continues)
    };
    let mut changes = Changes::default();
    for (group, heritage) in wanted.into_values().zip(regrouping.heritage) {
        match heritage {
            Heritage::New => changes.start.push(group),
            Heritage::Same(place) => {
                let same = present.get(place).filter(|present| present.desired != group);
                changes.reconfigure.extend(same.map(|present| (present.slot, group)));
            }
            Heritage::Assembled(origins) => {
                let origins = origins.into_iter().map(|origin| origin.and_then(|origin| seat(present, origin)));
                changes.succeed.push(Successor { desired: group, origins: origins.collect(), leaves: false });
            }
        }
    }
    for (present, left_over) in present.iter().zip(regrouping.left_over) {
        changes.dissolve(present, &left_over);
    }
    changes
}

impl Changes {
    /// A group whose members are wanted elsewhere, or no more.
    fn dissolve(&mut self, present: &Present, left_over: &[MemberIndex]) {
        let is_used = |seat: &Seat| seat.slot == present.slot;
        let used = self.succeed.iter().flat_map(|successor| &successor.origins).flatten().any(is_used);
        if !used {
            let goes = !left_over.is_empty();
            self.stop.extend(goes.then_some(present.slot));
            return;
        }
        self.replace.push(present.slot);
        self.succeed.extend(remainder(present, left_over));
    }
}

fn routers(group: &DesiredGroup, interfaces: impl Iterator<Item = Option<InterfaceIndex>>) -> Vec<Router<'_>> {
    let members = group.routers.iter().zip(group.config.members()).zip(interfaces);
    members.map(|((desired, config), interface)| Router { desired, config, interface }).collect()
}

fn continues(running: &Router<'_>, wanted: &Router<'_>) -> bool {
    let identity = |router: &Router<'_>| (router.config.virtual_router_id, router.config.family);
    let same_place = running.desired.interface == wanted.desired.interface
        || (running.interface.is_some() && running.interface == wanted.interface);
    let same_matter = running.desired.virtual_ip == wanted.desired.virtual_ip
        || running.config.addresses.iter().any(|address| wanted.config.addresses.contains(address));
    identity(running) == identity(wanted) && same_place && same_matter
}

fn seat(present: &[Present], origin: Origin) -> Option<Seat> {
    Some(Seat { slot: present.get(origin.group)?.slot, member: origin.member })
}

/// The part of a group that nobody wants any more, as a group of its own.
fn remainder(present: &Present, left_over: &[MemberIndex]) -> Option<Successor> {
    let before = &present.desired;
    let part = |index: &MemberIndex| {
        let place = usize::from(index.0);
        before.routers.get(place).cloned().zip(before.config.members().get(place).cloned())
    };
    let (routers, members) = left_over.iter().filter_map(part).unzip();
    let config = GroupConfig::new(members, before.config.preemption, before.config.trackers.clone()).ok()?;
    let desired = DesiredGroup { name: before.name.clone(), routers, config, trackers: before.trackers.clone() };
    let origins = left_over.iter().map(|member| Some(Seat { slot: present.slot, member: *member }));
    Some(Successor { desired: Arc::new(desired), origins: origins.collect(), leaves: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election::test_groups::{group_with, united, vip_group};

    const ETH0: InterfaceIndex = InterfaceIndex::new(2);

    fn compare(running: &[DesiredGroup], desired: &[DesiredGroup]) -> Changes {
        let present = running.iter().enumerate().map(|(place, desired)| Present {
            slot: Slot::new(place),
            desired: Arc::new(desired.clone()),
            interfaces: vec![Some(ETH0); desired.routers.len()],
        });
        let present: Vec<_> = present.collect();
        changes(&present, desired.iter().cloned().collect(), |_| Some(ETH0))
    }

    fn seat(slot: usize, member: u8) -> Seat {
        Seat { slot: Slot::new(slot), member: MemberIndex(member) }
    }

    /// The address 10.0.0.<vrid>, so that no two are about the same.
    fn vip(name: &str, vrid: u8) -> DesiredGroup {
        group_with(name, vrid, |member| member.addresses = vec![[10, 0, 0, vrid].into()])
    }

    fn stays(desired: DesiredGroup, origins: Vec<Option<Seat>>) -> Successor {
        Successor { desired: desired.into(), origins, leaves: false }
    }

    #[test]
    fn what_has_not_changed_is_left_alone() {
        let groups = [vip("a", 51), vip("b", 52)];
        assert_eq!(compare(&groups, &groups), Changes::default());
        let turned = [groups[1].clone(), groups[0].clone()];
        assert_eq!(compare(&groups, &turned), Changes::default(), "the order means nothing");
    }

    #[test]
    fn groups_come_and_go() {
        let (old, new) = (vip("a", 51), vip("b", 52));
        let expected = Changes { stop: vec![Slot::new(0)], start: vec![new.clone().into()], ..Changes::default() };
        assert_eq!(compare(&[old], &[new]), expected);
    }

    #[test]
    fn a_change_of_priority_or_addresses_or_of_the_name_keeps_the_election() {
        let changed = group_with("a", 51, |member| {
            member.addresses = vec![[10, 0, 0, 200].into()];
            member.priority = holdfast_vrrp::Priority::MAX_BACKUP;
        });
        let renamed = DesiredGroup { name: "group/a".to_owned(), ..vip("a", 51) };
        for other in [changed, renamed] {
            let expected = Changes { reconfigure: vec![(Slot::new(0), other.clone().into())], ..Changes::default() };
            assert_eq!(compare(&[vip("a", 51)], &[other]), expected);
        }
    }

    #[test]
    fn another_vrid_or_interface_or_matter_is_another_election() {
        let mut moved = vip("a", 51);
        moved.routers[0].interface = InterfaceChoice::Named("eth9".to_owned());
        let other_matter = group_with("b", 51, |member| member.addresses = vec![[10, 0, 0, 7].into()]);
        for different in [vip("a", 52), moved, other_matter] {
            let resolve = |choice: &InterfaceChoice| {
                let eth9 = *choice == InterfaceChoice::Named("eth9".to_owned());
                Some(if eth9 { InterfaceIndex::new(9) } else { ETH0 })
            };
            let present = Present { slot: Slot::new(0), desired: Arc::new(vip("a", 51)), interfaces: vec![Some(ETH0)] };
            let desired = [different.clone()].into_iter().collect();
            let expected = Changes { stop: vec![Slot::new(0)], start: vec![different.into()], ..Changes::default() };
            assert_eq!(changes(&[present], desired, resolve), expected);
        }
    }

    #[test]
    fn another_way_to_name_the_same_interface_changes_no_election() {
        let mut by_address = vip("a", 51);
        by_address.routers[0].interface = InterfaceChoice::HoldingSubnetOf([10, 0, 0, 51].into());
        let expected = Changes { reconfigure: vec![(Slot::new(0), by_address.clone().into())], ..Changes::default() };
        assert_eq!(compare(&[vip("a", 51)], &[by_address]), expected);
    }

    #[test]
    fn members_change_their_order_join_and_leave_without_a_new_election() {
        let (a, b, c) = (vip("a", 51), vip("b", 52), vip("c", 53));
        let before = united("g", &[&a, &b]);
        let turned = united("g", &[&b, &a]);
        let expected = Changes {
            succeed: vec![stays(turned.clone(), vec![Some(seat(0, 1)), Some(seat(0, 0))])],
            replace: vec![Slot::new(0)],
            ..Changes::default()
        };
        assert_eq!(compare(std::slice::from_ref(&before), &[turned]), expected);

        let exchanged = united("g", &[&a, &c]);
        let goes = Successor { desired: united("g", &[&b]).into(), origins: vec![Some(seat(0, 1))], leaves: true };
        let expected = Changes {
            succeed: vec![stays(exchanged.clone(), vec![Some(seat(0, 0)), None]), goes],
            replace: vec![Slot::new(0)],
            ..Changes::default()
        };
        assert_eq!(compare(&[before], &[exchanged]), expected);
    }

    #[test]
    fn groups_are_united_and_divided() {
        let (a, b) = (vip("a", 51), vip("b", 52));
        let both = united("g", &[&a, &b]);
        let expected = Changes {
            succeed: vec![stays(both.clone(), vec![Some(seat(0, 0)), Some(seat(1, 0))])],
            replace: vec![Slot::new(0), Slot::new(1)],
            ..Changes::default()
        };
        assert_eq!(compare(&[a.clone(), b.clone()], std::slice::from_ref(&both)), expected);

        let expected = Changes {
            succeed: vec![stays(a.clone(), vec![Some(seat(0, 0))]), stays(b.clone(), vec![Some(seat(0, 1))])],
            replace: vec![Slot::new(0)],
            ..Changes::default()
        };
        assert_eq!(compare(&[both], &[a, b]), expected);
    }

    #[test]
    fn a_virtual_ip_that_gets_a_second_family_keeps_the_first() {
        let ipv4 = vip_group("a", 51);
        let mut ipv6 = group_with("a", 51, |member| {
            member.family = holdfast_vrrp::Family::Ipv6;
            member.addresses = vec!["fd00::100".parse().unwrap()];
        });
        ipv6.routers[0].name = "a/ipv6".to_owned();
        let mut both = united("a", &[&ipv4, &ipv6]);
        both.routers[0].name = "a/ipv4".to_owned();
        let expected = Changes {
            succeed: vec![stays(both.clone(), vec![Some(seat(0, 0)), None])],
            replace: vec![Slot::new(0)],
            ..Changes::default()
        };
        assert_eq!(compare(&[ipv4], &[both]), expected);
    }
}
