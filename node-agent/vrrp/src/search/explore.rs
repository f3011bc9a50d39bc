//! Visits every state, and looks at each: may it be, and does it end well.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::world::{Scenario, TICKS_PER_INTERVAL, Tame, World};
use crate::action::State;
use crate::sim::{Chooser, Enumerator};

/// How much was visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Different states.
    pub states: u64,
    /// Ways from one to another.
    pub transitions: u64,
    /// States with more than one master, a few of which there must be: frames take time.
    pub overlaps: u64,
    /// The longest overlap, in ticks.
    pub longest_overlap: u32,
}

/// A rule that a state breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule, and what was seen instead.
    pub rule: String,
    /// The state.
    pub state: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.rule, self.state)
    }
}

/// Visits every state that the scenario can reach.
pub fn explore(scenario: &Scenario) -> Result<Outcome, Box<Violation>> {
    let mut outcome = Outcome::default();
    let first = World::new(scenario);
    let mut seen = BTreeSet::from([fingerprint(&first)]);
    let mut queue = VecDeque::from([first]);
    while let Some(world) = queue.pop_front() {
        outcome.states += 1;
        outcome.overlaps += u64::from(world.overlap > 0);
        outcome.longest_overlap = outcome.longest_overlap.max(world.overlap);
        check_safety(&world, scenario)?;
        check_liveness(&world, scenario)?;
        let mut choices = Enumerator::default();
        loop {
            let next = after_a_tick(&world, &mut choices);
            outcome.transitions += 1;
            if seen.insert(fingerprint(&next)) {
                queue.push_back(next);
            }
            if !choices.advance() {
                break;
            }
        }
    }
    Ok(outcome)
}

fn after_a_tick(world: &World, chooser: &mut impl Chooser) -> World {
    let mut next = world.clone();
    next.tick(chooser);
    next
}

/// 64 bits in place of the state: with a million states, two share one in 40 million searches.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn check_safety(world: &World, scenario: &Scenario) -> Result<(), Box<Violation>> {
    for (place, router) in world.alive() {
        let Some(group) = &router.group else { continue };
        let may_hold = group.state() == State::Master || group.installed(crate::MemberIndex(0)).next().is_some();
        if router.holds && !may_hold {
            return violated(world, format!("router {place} holds the address and means not to"));
        }
        if group.state() == State::Master && !router.holds {
            return violated(world, format!("router {place} is master without the address"));
        }
        if group.next_deadline().is_none() {
            return violated(world, format!("router {place} waits for nothing"));
        }
    }
    // A lost advert leaves two masters for one interval more; each sends at least one an interval, both ways count.
    let intervals = u32::from(scenario.budget.losses) + 1;
    let bound = intervals * TICKS_PER_INTERVAL + 2 * u32::from(scenario.budget.delay);
    if world.overlap > bound {
        return violated(world, format!("two masters for {} ticks, more than {bound}", world.overlap));
    }
    Ok(())
}

/// Twice the longest time in which a backup takes over, and the longest time for which a deposed master holds on.
const PATIENCE: u32 = 2 * 4 * TICKS_PER_INTERVAL + 6 * TICKS_PER_INTERVAL;

fn check_liveness(world: &World, scenario: &Scenario) -> Result<(), Box<Violation>> {
    let mut end = world.without_faults();
    for _ in 0..PATIENCE {
        end.tick(&mut Tame);
    }
    let masters: Vec<usize> = end.masters().collect();
    let expected = end.best();
    let well = match (masters.as_slice(), expected) {
        ([], None) => true,
        // Without preemption whoever became master stays it, and an equal one never preempts.
        ([master], Some(best)) => !scenario.preempts || end.priority(*master) == end.priority(best),
        _ => false,
    };
    if !well {
        return violated(world, format!("in the end the masters are {masters:?}, but it should be {expected:?}"));
    }
    let holders: Vec<usize> = end.alive().filter(|(_, router)| router.holds).map(|(place, _)| place).collect();
    if holders != masters {
        return violated(world, format!("in the end {holders:?} hold the address, and {masters:?} are master"));
    }
    Ok(())
}

fn violated(world: &World, rule: String) -> Result<(), Box<Violation>> {
    Err(Box::new(Violation { rule, state: format!("{world:#?}") }))
}
