//! Spreading masters evenly over nodes, and moving as few as possible when nodes come and go.

use std::collections::VecDeque;

/// Something that one node holds at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Load<'a> {
    pub(crate) name: &'a str,
    /// The nodes that may hold it, as places in the list of nodes, ascending.
    pub(crate) nodes: Vec<usize>,
    /// The node that was preferred for it so far.
    pub(crate) previous: Option<usize>,
}

/// The preferred node of each load, in their order; `None` where no node may hold it.
///
/// Loads keep their node while it may hold them. New ones go to the least loaded node. Then loads move, one path at a
/// time, for as long as that evens out two nodes: between nodes that may hold the same loads the numbers differ by at
/// most one, and nothing moves that need not.
pub(crate) fn spread(loads: &[Load<'_>], node_names: &[&str]) -> Vec<Option<usize>> {
    let mut assignment = Assignment::keep(loads, node_names.len());
    assignment.place_new(loads, node_names);
    while assignment.improve(loads) {}
    assignment.preferred
}

struct Assignment {
    preferred: Vec<Option<usize>>,
    /// How many loads each node is preferred for.
    counts: Vec<usize>,
}

/// A load that moves from its node to another.
#[derive(Clone, Copy)]
struct Move {
    load: usize,
    from: usize,
    to: usize,
}

impl Assignment {
    fn keep(loads: &[Load<'_>], nodes: usize) -> Self {
        let preferred: Vec<_> =
            loads.iter().map(|load| load.previous.filter(|node| load.nodes.contains(node))).collect();
        let mut counts = vec![0; nodes];
        for node in preferred.iter().flatten() {
            if let Some(count) = counts.get_mut(*node) {
                *count += 1;
            }
        }
        Self { preferred, counts }
    }

    fn count(&self, node: usize) -> usize {
        self.counts.get(node).copied().unwrap_or_default()
    }

    fn place_new(&mut self, loads: &[Load<'_>], node_names: &[&str]) {
        for (index, load) in loads.iter().enumerate() {
            if self.preferred.get(index).copied().flatten().is_some() {
                continue;
            }
            let rank = |node: &&usize| {
                let name = node_names.get(**node).copied().unwrap_or_default();
                (self.count(**node), std::cmp::Reverse(stable_hash(&[load.name, name])), **node)
            };
            if let Some(node) = load.nodes.iter().min_by_key(rank).copied() {
                self.put(index, node);
            }
        }
    }

    fn put(&mut self, load: usize, node: usize) {
        if let (Some(slot), Some(count)) = (self.preferred.get_mut(load), self.counts.get_mut(node)) {
            *slot = Some(node);
            *count += 1;
        }
    }

    fn apply(&mut self, step: Move) {
        if let Some(count) = self.counts.get_mut(step.from) {
            *count = count.saturating_sub(1);
        }
        self.put(step.load, step.to);
    }

    /// Evens out one pair of nodes, from the most loaded on. Returns whether there was one.
    fn improve(&mut self, loads: &[Load<'_>]) -> bool {
        let mut order: Vec<usize> = (0..self.counts.len()).collect();
        order.sort_by_key(|node| (std::cmp::Reverse(self.count(*node)), *node));
        let held = self.held_by_node();
        for start in order {
            if let Some(path) = self.path_to_lighter(start, loads, &held) {
                for step in path {
                    self.apply(step);
                }
                return true;
            }
        }
        false
    }

    fn held_by_node(&self) -> Vec<Vec<usize>> {
        let mut held = vec![Vec::new(); self.counts.len()];
        for (load, node) in self.preferred.iter().enumerate() {
            if let Some(list) = node.and_then(|node| held.get_mut(node)) {
                list.push(load);
            }
        }
        held
    }

    /// The shortest chain of moves that takes one load from `start` and adds one to a node with at least two fewer.
    fn path_to_lighter(&self, start: usize, loads: &[Load<'_>], held: &[Vec<usize>]) -> Option<Vec<Move>> {
        let target_count = self.count(start).checked_sub(2)?;
        let mut reached_by: Vec<Option<Move>> = vec![None; self.counts.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(from) = queue.pop_front() {
            if from != start && self.count(from) <= target_count {
                return Some(trace(&reached_by, start, from));
            }
            for load in held.get(from).into_iter().flatten() {
                let nodes = loads.get(*load).map_or(&[][..], |load| load.nodes.as_slice());
                for to in nodes {
                    if *to == start {
                        continue;
                    }
                    if let Some(slot @ None) = reached_by.get_mut(*to) {
                        *slot = Some(Move { load: *load, from, to: *to });
                        queue.push_back(*to);
                    }
                }
            }
        }
        None
    }
}

/// The moves that lead from `start` to `end`, the last one first, so that no node is overfull in between.
fn trace(reached_by: &[Option<Move>], start: usize, end: usize) -> Vec<Move> {
    let mut path = Vec::new();
    let mut node = end;
    while node != start {
        let Some(step) = reached_by.get(node).copied().flatten() else { break };
        path.push(step);
        node = step.from;
    }
    path
}

/// FNV-1a with a final mix: the same on every machine and in every version, which the standard library's hash is not.
pub(crate) fn stable_hash(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn load(name: &str, nodes: &[usize], previous: Option<usize>) -> Load<'static> {
        Load { name: Box::leak(name.to_owned().into_boxed_str()), nodes: nodes.to_vec(), previous }
    }

    fn counts(preferred: &[Option<usize>]) -> Vec<usize> {
        (0..NAMES.len()).map(|node| preferred.iter().filter(|place| **place == Some(node)).count()).collect()
    }

    #[test]
    fn a_chain_of_moves_evens_out_what_no_single_move_can() {
        // Node 0 is full, node 2 empty, and no load may go from the one to the other.
        let loads = [load("w", &[0, 1], Some(0)), load("x", &[0, 1], Some(0)), load("y", &[1, 2], Some(1))];
        let preferred = spread(&loads, &NAMES);
        assert_eq!(counts(&preferred)[..3], [1, 1, 1]);
    }

    #[test]
    fn loads_without_a_node_are_left_out() {
        assert_eq!(spread(&[load("x", &[], None)], &NAMES), [None]);
    }

    #[test]
    fn the_hash_never_changes() {
        // Agents of different versions must come to the same plan.
        assert_eq!(stable_hash(&[]), 17_058_014_651_485_797_458);
        assert_ne!(stable_hash(&["web", "node-a"]), stable_hash(&["webn", "ode-a"]), "parts do not run together");
    }
}
