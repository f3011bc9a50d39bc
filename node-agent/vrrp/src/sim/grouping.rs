//! Which virtual routers of an election a node has, and which of them move together on it.

use std::fmt;
use std::str::FromStr;

/// As many virtual routers as one simulated election can have.
pub const MAXIMUM_MEMBERS: usize = 3;

/// A virtual router of an election, by its place there.
pub type MemberNumber = u8;

/// Groups of virtual routers, in order. Written as `1,0/2`: the first two move together, the third alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping([Option<MemberNumber>; 2 * MAXIMUM_MEMBERS - 1]);

impl Grouping {
    /// All virtual routers in one group.
    pub fn whole(count: usize) -> Self {
        let all = (0..).take(count.min(MAXIMUM_MEMBERS)).collect();
        Self::of(&[all])
    }

    /// These groups. What is more than there can be is left out.
    pub fn of(groups: &[Vec<MemberNumber>]) -> Self {
        let groups = groups.iter().filter(|group| !group.is_empty());
        // A gap between groups; the one after the last does no harm.
        let listed = groups.flat_map(|group| group.iter().copied().map(Some).chain([None]));
        let mut grouping = Self(Default::default());
        for (place, member) in grouping.0.iter_mut().zip(listed) {
            *place = member;
        }
        grouping
    }

    /// The groups, none of them empty.
    pub fn groups(self) -> Vec<Vec<MemberNumber>> {
        let groups = self.0.split(Option::is_none).filter(|group| !group.is_empty());
        groups.map(|group| group.iter().flatten().copied().collect()).collect()
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |group: &Vec<MemberNumber>| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let groups: Vec<String> = self.groups().iter().map(list).collect();
        formatter.write_str(&groups.join("/"))
    }
}

impl FromStr for Grouping {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let group = |group: &str| group.split(',').filter(|number| !number.is_empty()).map(str::parse).collect();
        let groups: Vec<Vec<MemberNumber>> = text.split('/').map(group).collect::<Result<_, _>>()?;
        Ok(Self::of(&groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_written_and_read_without_loss() {
        for (text, groups) in [
            ("0,1,2", vec![vec![0, 1, 2]]),
            ("2/0,1", vec![vec![2], vec![0, 1]]),
            ("1/2/0", vec![vec![1], vec![2], vec![0]]),
            ("1", vec![vec![1]]),
            ("", vec![]),
        ] {
            let grouping: Grouping = text.parse().unwrap();
            assert_eq!((grouping.groups(), grouping.to_string()), (groups, text.to_owned()));
        }
        assert!("0,x".parse::<Grouping>().is_err());
        assert_eq!(Grouping::whole(2).to_string(), "0,1");
    }
}
