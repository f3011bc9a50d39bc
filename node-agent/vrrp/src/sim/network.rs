//! The LAN: a link from every node to every other, and what has been cut.

use std::time::Duration;

use super::chooser::Seeds;
use super::clock::Time;
use super::link::{Fate, Link, Quality};
use super::setup::NodeIndex;
use super::step::NodeSet;
use crate::types::Family;

/// All links. Machines that are no nodes have links of their own, which are never cut.
#[derive(Clone, Debug)]
pub(super) struct Network {
    nodes: usize,
    links: Vec<Path>,
    echoing: NodeSet,
}

#[derive(Clone, Debug)]
struct Path {
    link: Link,
    /// IPv4, IPv6.
    cut: [bool; 2],
}

impl Network {
    /// Links of this quality between so many nodes.
    pub(super) fn new(nodes: usize, quality: Quality, seed: u64) -> Self {
        let path =
            |number: u64| Path { link: Link::new(quality, Seeds::stream(seed, 1_000 + number)), cut: [false; 2] };
        Self { nodes, links: (0..).map(path).take((nodes + 1) * nodes).collect(), echoing: NodeSet::default() }
    }

    fn path(&mut self, from: Option<NodeIndex>, to: NodeIndex) -> Option<&mut Path> {
        self.links.get_mut(from.unwrap_or(self.nodes) * self.nodes + to)
    }

    /// Decides what becomes of a packet; `from` is `None` for machines that are no nodes.
    pub(super) fn send(&mut self, now: Time, from: Option<NodeIndex>, to: NodeIndex, family: Family) -> Fate {
        if from == Some(to) && !self.echoing.contains(to) {
            return Fate::default();
        }
        match self.path(from, to) {
            Some(path) if !path.is_cut(family) => path.link.send(now),
            _ => Fate::default(),
        }
    }

    /// Whether everything of these families gets from one node to the other, unchanged and once.
    pub(super) fn is_clean(&self, from: NodeIndex, to: NodeIndex, families: &[Family]) -> bool {
        let path = self.links.get(from * self.nodes + to);
        path.is_some_and(|path| path.link.quality.is_clean() && !families.iter().any(|family| path.is_cut(*family)))
    }

    /// Whether no link loses, damages or duplicates anything, and none is cut.
    pub(super) fn is_clean_everywhere(&self) -> bool {
        self.links
            .iter()
            .all(|path| path.link.quality.is_clean() && !path.is_cut(Family::Ipv4) && !path.is_cut(Family::Ipv6))
    }

    /// The longest that a packet takes on any link.
    pub(super) fn longest_delay(&self) -> Duration {
        self.links.iter().map(|path| path.link.quality.longest_delay()).max().unwrap_or_default()
    }

    /// Gives all links a quality.
    pub(super) fn set_quality(&mut self, quality: Quality) {
        for path in &mut self.links {
            path.link.quality = quality;
        }
    }

    /// Cuts the links from one side to the other; unless `one_way`, also those back.
    pub(super) fn partition(&mut self, side: NodeSet, one_way: bool, family: Option<Family>) {
        self.cut_where(family, |from, to| {
            let (from, to) = (side.contains(from), side.contains(to));
            (from && !to) || (!one_way && !from && to)
        });
    }

    /// Cuts everything that involves a node outside `core`, but what `listeners` hear of it.
    pub(super) fn isolate(&mut self, core: NodeSet, listeners: NodeSet) {
        self.cut_where(None, |from, to| {
            let (from, heard) = (core.contains(from), core.contains(to) || listeners.contains(to));
            !(from && heard)
        });
    }

    fn cut_where(&mut self, family: Option<Family>, cut: impl Fn(NodeIndex, NodeIndex) -> bool) {
        let nodes = self.nodes;
        for (number, path) in self.links.iter_mut().enumerate().take(nodes * nodes) {
            if cut(number / nodes, number % nodes) {
                path.cut(family);
            }
        }
    }

    /// Ends all cuts.
    pub(super) fn mend(&mut self) {
        for path in &mut self.links {
            path.cut = [false; 2];
        }
    }

    /// Gives a node its own packets back, or not.
    pub(super) fn echo(&mut self, node: NodeIndex, on: bool) {
        self.echoing =
            (0..self.nodes).filter(|other| if *other == node { on } else { self.echoing.contains(*other) }).collect();
    }

    /// Ends all echoes.
    pub(super) fn silence_echoes(&mut self) {
        self.echoing = NodeSet::default();
    }
}

impl Path {
    fn is_cut(&self, family: Family) -> bool {
        match (family, self.cut) {
            (Family::Ipv4, [cut, _]) | (Family::Ipv6, [_, cut]) => cut,
        }
    }

    fn cut(&mut self, family: Option<Family>) {
        match family {
            Some(Family::Ipv4) => self.cut[0] = true,
            Some(Family::Ipv6) => self.cut[1] = true,
            None => self.cut = [true; 2],
        }
    }
}
