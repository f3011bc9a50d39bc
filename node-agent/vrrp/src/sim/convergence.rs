//! The end of a scenario: some nodes are healed, and have to agree within a time that can be computed.
//!
//! The others stay dead, cut off, or able to listen only. The healed ones must not need them.

use std::fmt::Write;
use std::time::Duration;

use super::clock::Time;
use super::grouping::{Grouping, MemberNumber};
use super::instance::Instance;
use super::probe::{Probe, Sight};
use super::rules::{Broken, GRACE, Rule, skew};
use super::setup::{ElectionIndex, NodeIndex};
use super::step::{Change, NodeSet, Refusal};
use super::table::Situation;
use super::world::World;
use crate::action::Reason;
use crate::config::Preemption;

/// The longest wait after the kernel refused something.
const LONGEST_RETRY: Duration = Duration::from_secs(32);

/// A socket that has room for everything that arrives while its agent sleeps.
const ROOMY: usize = 1_024;

/// A group of an election, by the virtual routers that it consists of.
type Group<'a> = (ElectionIndex, &'a [MemberNumber]);

impl World {
    /// Heals the core, and demands that it agrees in time and stays so.
    pub(super) fn converge(&mut self) {
        if self.record.failure.is_some() {
            return;
        }
        let end = self.script.end;
        self.heal(end.core, end.listeners);
        let bound = self.longest_convergence();
        self.run_until(self.now.plus(bound));
        let winners = self.judge_all(end.core, bound);
        self.record.log.remark(self.now, format_args!("AGREED {winners:?}"));
        let stable = self.longest_interval.iter().max().copied().unwrap_or_default() * 4;
        self.run_until(self.now.plus(stable));
        let later = self.judge_all(end.core, bound);
        if self.record.failure.is_none() && winners != later {
            self.break_rule(0, Rule::Stability.broken::<()>(format!("first {winners:?}, then {later:?}")).err());
        }
    }

    /// Everything works from now on, within the core.
    fn heal(&mut self, core: NodeSet, listeners: NodeSet) {
        self.record.log.remark(self.now, format_args!("HEAL {core}"));
        let quality = self.script.setup.quality.cleaned();
        let shortest = self.longest_interval.iter().min().copied().unwrap_or_default();
        self.driver.setup.lateness = self.driver.setup.lateness.min(shortest / 32);
        self.driver.setup.report_delay = self.driver.setup.report_delay.min(shortest / 32);
        self.lose_what_is_on_its_way();
        self.overlaps.forget();
        self.network.mend();
        self.network.set_quality(quality);
        self.network.silence_echoes();
        self.network.isolate(core, listeners);
        if !listeners.is_empty() {
            self.record.probes.note(Probe::Saw(Sight::Listener));
        }
        for node in &mut self.nodes {
            node.hurry(self.now, self.driver.setup.lateness);
        }
        core.iter().for_each(|node| self.heal_node(node));
    }

    fn heal_node(&mut self, index: NodeIndex) {
        let (now, lateness) = (self.now, self.driver.setup.lateness);
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.kernel.enlarge_socket(ROOMY);
        let was_up = std::mem::replace(&mut node.kernel.up, true);
        for what in [Refusal::Send, Refusal::Add, Refusal::Remove] {
            node.kernel.refuse(what, false);
        }
        let stopped = |instance: &Instance| !instance.is_leaving() && instance.situation() == Situation::Stopped;
        match &mut node.process {
            Some(process) if !process.instances.values().any(stopped) => {
                if let Some(until) = &mut process.stalled_until {
                    *until = now;
                }
                node.plan(lateness);
                if !was_up {
                    self.tell(index, self.moment(), super::process::Message::Interface { up: true });
                }
            }
            _ => self.start_agent(index),
        }
        // Everybody is told the priorities of everybody else, and what moves together.
        for election in 0..self.script.setup.elections.len() {
            if let Some(grouping) = self.agreed_grouping(election) {
                self.reconfigure(index, election, Change::Grouping(grouping));
            }
        }
    }

    /// What moves together in the end: what does on the first node of the core.
    fn agreed_grouping(&self, election: ElectionIndex) -> Option<Grouping> {
        let first = self.script.end.core.iter().next()?;
        self.script.setup.instance(first, election).map(|instance| instance.grouping)
    }

    /// Within this time the core has agreed.
    ///
    /// A silent master is noticed after the master down interval; a better router may then wait for its preemption
    /// delay, or until it need not hold back after having resigned; then a master down interval runs once more. Before
    /// all that an agent may have to wait for the kernel, or for what it had before to let its place go.
    fn longest_convergence(&self) -> Duration {
        let elections = self.script.setup.elections.iter().zip(&self.longest_interval).enumerate();
        let longest = elections.map(|(election, (setup, interval))| {
            let down = *interval * 3 + skew(&setup.protocol, 1, *interval) + GRACE;
            down * 4 + self.longest_delay(election) + *interval * 2
        });
        longest.max().unwrap_or_default() + self.longest_retry() + self.startup() * 2
    }

    fn longest_delay(&self, election: ElectionIndex) -> Duration {
        let instances = self.script.setup.nodes.iter().filter_map(|node| node.instances.get(election));
        let delays = instances.map(|instance| match instance.preemption {
            Preemption::Preempt { delay } => delay,
            Preemption::Never => Duration::ZERO,
        });
        delays.max().unwrap_or_default()
    }

    fn longest_retry(&self) -> Duration {
        let refused =
            |instance: &Instance| matches!(instance.group().reason(), Reason::AddressFailed | Reason::SendFailed);
        let mut processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        let waits = processes.any(|process| process.awaits_reports() || process.instances.values().any(refused));
        if waits { LONGEST_RETRY } else { Duration::ZERO }
    }

    /// The master of each election.
    fn judge_all(&mut self, core: NodeSet, bound: Duration) -> Vec<Option<NodeIndex>> {
        let elections = 0..self.script.setup.elections.len();
        let mut winners = Vec::with_capacity(elections.len());
        for election in elections {
            let groups = self.agreed_grouping(election).map(Grouping::groups).unwrap_or_default();
            for numbers in groups {
                if self.record.failure.is_some() {
                    return winners;
                }
                match self.judge_group((election, &numbers), core) {
                    Ok(winner) => winners.push(winner),
                    Err(how) => {
                        let pending = self.describe(election, core);
                        let how = format!("after {bound:?} in election {election} {numbers:?}: {how}\n{pending}");
                        self.break_rule(election, Rule::Convergence.broken::<()>(how).err());
                    }
                }
            }
        }
        winners
    }

    fn break_rule(&mut self, election: ElectionIndex, broken: Option<Broken>) {
        if let Some(broken) = broken {
            let first = self.script.end.core.iter().next().unwrap_or_default();
            self.record.fail(self.now, Some((first, election)), broken);
        }
    }

    /// Whether exactly one node of the core is master, the best, with every address, and nobody else with any.
    fn judge_group(&mut self, group: Group<'_>, core: NodeSet) -> Result<Option<NodeIndex>, String> {
        // An agent that was asked to leave before has left by now.
        let runs = |node: &NodeIndex| self.nodes.get(*node).is_some_and(|node| node.process.is_some());
        let instance = |node: NodeIndex| {
            let instance = self.instance(node, group.0, group.1);
            instance.map(|instance| (node, instance)).ok_or_else(|| format!("node {node} has no such group"))
        };
        let members: Vec<(NodeIndex, &Instance)> =
            core.iter().filter(runs).map(instance).collect::<Result<_, String>>()?;
        let masters: Vec<NodeIndex> = members
            .iter()
            .filter(|(_, instance)| instance.situation() == Situation::Master)
            .map(|(node, _)| *node)
            .collect();
        let fit = |instance: &Instance| !instance.facts().has_fault();
        let nobody_fit = !members.iter().any(|(_, instance)| fit(instance));
        let winner = match masters.as_slice() {
            [] if nobody_fit => None,
            [] => return Err("nobody is master".to_owned()),
            [winner] => Some(*winner),
            several => return Err(format!("nodes {several:?} are master")),
        };
        for (node, instance) in &members {
            self.judge_member(group, winner, *node, instance)?;
        }
        let sight = if winner.is_some() { Sight::Converged } else { Sight::NobodyFit };
        self.record.probes.note(Probe::Saw(sight));
        Ok(winner)
    }

    fn judge_member(
        &self,
        group: Group<'_>,
        winner: Option<NodeIndex>,
        node: NodeIndex,
        instance: &Instance,
    ) -> Result<(), String> {
        let expected = if winner == Some(node) {
            Situation::Master
        } else if instance.facts().has_fault() {
            Situation::Fault
        } else {
            Situation::Backup
        };
        if instance.situation() != expected {
            return Err(format!("node {node} is {:?}, not {expected:?}", instance.situation()));
        }
        self.judge_kernel(group.0, winner, node, instance)?;
        let Some(best) = winner.and_then(|winner| self.instance(winner, group.0, group.1)) else { return Ok(()) };
        let priority = |instance: &Instance| {
            let facts = instance.facts();
            facts.config.members().first().map(|config| facts.priority(config))
        };
        let better = expected == Situation::Backup && priority(instance) > priority(best);
        if better && instance.facts().preempts() {
            return Err(format!("node {node} is better than the master, and would preempt"));
        }
        Ok(())
    }

    fn judge_kernel(
        &self,
        election: ElectionIndex,
        winner: Option<NodeIndex>,
        node: NodeIndex,
        instance: &Instance,
    ) -> Result<(), String> {
        let Some(machine) = self.nodes.get(node) else { return Ok(()) };
        let master = winner == Some(node);
        let addresses = instance.facts().config.members().iter().flat_map(|config| &config.addresses);
        for address in addresses {
            let held = machine.kernel.holds(*address);
            // What the kernel refused to remove stays until its lease ends.
            let stuck = held && machine.kernel.is_stuck(*address);
            if held != master && (master || !stuck) {
                return Err(format!("node {node}, master: {master}, has {address}: {held} (election {election})"));
            }
        }
        Ok(())
    }

    /// What everybody waits for: for whoever reads about a failure.
    fn describe(&self, election: ElectionIndex, core: NodeSet) -> String {
        let mut text = String::new();
        for node in 0..self.nodes.len() {
            let part = if core.contains(node) { "core" } else { "outside" };
            let wake = self.nodes.get(node).and_then(super::node::Node::next);
            let _ = writeln!(text, "    node {node} ({part}), next at {}:", wake.unwrap_or(Time::ZERO));
            for instance in self.instances(node, election) {
                let (group, facts) = (instance.group(), instance.facts());
                let priorities: Vec<u8> = facts.config.members().iter().map(|config| facts.priority(config)).collect();
                let _ = writeln!(
                    text,
                    "        {:?}: {:?} because {:?}, priority {priorities:?}, {:?}, links {:?}",
                    instance.numbers(),
                    facts.situation,
                    group.reason(),
                    facts.config.preemption,
                    facts.members.iter().map(|member| member.link).collect::<Vec<_>>(),
                );
            }
        }
        text
    }
}
