//! Which members of new groups come from which members of the groups that run, so that nothing stops that is to go on.
//!
//! What a member is known by is the caller's matter: its virtual router ID and family on its interface.

use crate::event::MemberIndex;

/// A member of a running group, by the place of the group in the caller's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The place of the group.
    pub group: usize,
    /// The member of the group.
    pub member: MemberIndex,
}

/// What a wanted group is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heritage {
    /// Of nothing that runs.
    New,
    /// Of the group at this place, of all its members in their order, and of nothing else.
    Same(usize),
    /// Of these members, and of new ones.
    Assembled(Vec<Option<Origin>>),
}

/// How running groups become wanted groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regrouping {
    /// For each wanted group what it is made of.
    pub heritage: Vec<Heritage>,
    /// For each running group the members that are wanted no more. A group that is left over as a whole just stops.
    pub left_over: Vec<Vec<MemberIndex>>,
}

/// Finds out how `running` groups become `wanted` ones. Each group has a name, and what tells its members apart;
/// `continues` says whether a wanted member is a running one.
///
/// Each member of a running group is used once. Should several fit, one in the group of the same name is taken.
pub fn regroup<N: Eq, R, W>(
    running: &[(N, Vec<R>)],
    wanted: &[(N, Vec<W>)],
    continues: impl Fn(&R, &W) -> bool,
) -> Regrouping {
    let mut left: Vec<Vec<Option<&R>>> =
        running.iter().map(|(_, members)| members.iter().map(Some).collect()).collect();
    let mut found: Vec<Vec<Option<Origin>>> = wanted.iter().map(|(_, members)| vec![None; members.len()]).collect();
    for same_name in [true, false] {
        for ((name, members), origins) in wanted.iter().zip(&mut found) {
            for (wanted, origin) in members.iter().zip(origins).filter(|(_, origin)| origin.is_none()) {
                let groups = running.iter().zip(&mut left).enumerate();
                let mut groups = groups.filter(|(_, ((other, _), _))| !same_name || other == name);
                *origin = groups.find_map(|(group, (_, left))| {
                    let place =
                        left.iter().position(|member| member.is_some_and(|member| continues(member, wanted)))?;
                    left.iter_mut().skip(place).take(1).for_each(|member| *member = None);
                    Some(Origin { group, member: MemberIndex(u8::try_from(place).ok()?) })
                });
            }
        }
    }
    let heritage = found.into_iter().map(|origins| heritage(running, origins)).collect();
    let left_over = left.iter().map(|members| {
        let members = (0..).map(MemberIndex).zip(members);
        members.filter(|(_, member)| member.is_some()).map(|(index, _)| index).collect()
    });
    Regrouping { heritage, left_over: left_over.collect() }
}

fn heritage<N, R>(running: &[(N, Vec<R>)], origins: Vec<Option<Origin>>) -> Heritage {
    let Some(first) = origins.iter().flatten().next() else { return Heritage::New };
    let whole = running.get(first.group).map_or(0, |(_, members)| members.len());
    let in_order = (0..).map(|place| Some(Origin { group: first.group, member: MemberIndex(place) }));
    if origins.len() == whole && origins.iter().copied().zip(in_order).all(|(origin, same)| origin == same) {
        return Heritage::Same(first.group);
    }
    Heritage::Assembled(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Groups<'a> = &'a [(&'a str, &'a str)];

    /// Each letter is the key of a member.
    fn regroup_letters(running: Groups<'_>, wanted: Groups<'_>) -> Regrouping {
        let keys = |groups: Groups<'_>| -> Vec<(String, Vec<char>)> {
            groups.iter().map(|(name, keys)| ((*name).to_owned(), keys.chars().collect())).collect()
        };
        regroup(&keys(running), &keys(wanted), |one, other| one == other)
    }

    const fn origin(group: usize, member: u8) -> Origin {
        Origin { group, member: MemberIndex(member) }
    }

    #[test]
    fn what_a_group_is_made_of() {
        use Heritage::{Assembled, New, Same};
        let cases: [(Groups<'_>, Groups<'_>, Vec<Heritage>); 10] = [
            (&[], &[("g", "a")], vec![New]),
            (&[("g", "ab")], &[("g", "ab")], vec![Same(0)]),
            (&[("g", "ab")], &[("h", "ab")], vec![Same(0)]),
            (&[("g", "ab")], &[("g", "ba")], vec![Assembled(vec![Some(origin(0, 1)), Some(origin(0, 0))])]),
            (&[("g", "ab")], &[("g", "a")], vec![Assembled(vec![Some(origin(0, 0))])]),
            (&[("g", "a")], &[("g", "ab")], vec![Assembled(vec![Some(origin(0, 0)), None])]),
            (
                &[("g", "ab")],
                &[("a", "a"), ("b", "b")],
                vec![Assembled(vec![Some(origin(0, 0))]), Assembled(vec![Some(origin(0, 1))])],
            ),
            (&[("a", "a"), ("b", "b")], &[("g", "ab")], vec![Assembled(vec![Some(origin(0, 0)), Some(origin(1, 0))])]),
            (&[("a", "a"), ("b", "b")], &[("b", "b"), ("c", "c")], vec![Same(1), New]),
            // Of two with one key, each stays what it is.
            (&[("a", "x"), ("b", "x")], &[("b", "x"), ("a", "x")], vec![Same(1), Same(0)]),
        ];
        for (running, wanted, expected) in cases {
            assert_eq!(regroup_letters(running, wanted).heritage, expected, "{running:?} to {wanted:?}");
        }
    }

    #[test]
    fn what_nobody_wants_is_left_over() {
        let left_over = |running, wanted| regroup_letters(running, wanted).left_over;
        let member = MemberIndex;
        assert_eq!(left_over(&[("g", "abc")], &[("g", "b")]), [vec![member(0), member(2)]]);
        assert_eq!(left_over(&[("g", "a"), ("h", "b")], &[("h", "b")]), [vec![member(0)], vec![]]);
        assert_eq!(left_over(&[("g", "ab")], &[("g", "ba")]), [vec![]]);
    }
}
