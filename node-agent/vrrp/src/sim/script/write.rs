//! Writing a script as text, one thing a line.

use std::fmt;

use super::record::{write_duration as time, write_list};
use super::{End, Script};
use crate::config::{Announcements, Preemption};
use crate::sim::clock::Time;
use crate::sim::link::Quality;
use crate::sim::setup::{DriverSetup, ElectionSetup, InstanceSetup, NodeSetup, Setup};
use crate::sim::step::{AddressPlace, Change, NodeSet, Refusal, RouterPlace, Step};
use crate::tracking::TrackState;
use crate::types::{Family, Protocol};

impl fmt::Display for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.setup.fmt(formatter)?;
        for (at, step) in &self.steps {
            writeln!(formatter, "at {} {step}", time(at.since(Time::ZERO)))?;
        }
        let End { at, core, listeners } = &self.end;
        writeln!(formatter, "end at={} core={core} listeners={listeners}", time(at.since(Time::ZERO)))
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "seed number={}", self.seed)?;
        writeln!(formatter, "driver {}", self.driver)?;
        writeln!(formatter, "links {}", self.quality)?;
        self.elections.iter().try_for_each(|election| writeln!(formatter, "election {election}"))?;
        for node in &self.nodes {
            writeln!(formatter, "node {node}")?;
            node.instances.iter().try_for_each(|instance| writeln!(formatter, "instance {instance}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for DriverSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lateness, queue, lease, batch, report_delay } = *self;
        write!(formatter, "late={} queue={queue} lease={}", time(lateness), time(lease))?;
        write!(formatter, " report={}{}", time(report_delay), if batch { " batch" } else { "" })
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "delay={} jitter={}", time(self.delay), time(self.jitter))?;
        let rare = [
            ("loss", self.loss),
            ("burst", self.burst),
            ("twice", self.duplication),
            ("flip", self.corruption),
            ("capacity", self.capacity),
        ];
        rare.iter().filter(|(_, value)| *value > 0).try_for_each(|(name, value)| write!(formatter, " {name}={value}"))
    }
}

impl fmt::Display for ElectionSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::V2 { password: None } => "2",
            Protocol::V2 { password: Some(_) } => "2 password",
            Protocol::V3 { .. } => "3",
        };
        let members = write_list(self.members.iter().map(|family| digit(*family)));
        let peers = if self.peers_known { " peers" } else { "" };
        write!(formatter, "members={members} version={protocol}{peers}")
    }
}

impl fmt::Display for NodeSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, drift) = (time(self.clock.offset), self.clock.drift_ppm);
        write!(formatter, "clock={offset} drift={drift} host4={} host6={}", self.ipv4_host, self.ipv6_host)
    }
}

impl fmt::Display for InstanceSetup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (interval, preemption) = (time(self.interval), preemption(self.preemption));
        write!(formatter, "priority={} interval={interval} preempt={preemption}", self.priority)?;
        write!(formatter, " groups={} addresses={}", self.grouping, self.addresses)?;
        write!(formatter, " {}", announcements(self.announcements))?;
        for (word, holds) in [("rival", self.rival_known), ("unicast", self.unicast)] {
            if holds {
                write!(formatter, " {word}")?;
            }
        }
        if self.trackers.is_empty() {
            return Ok(());
        }
        let mark = |reverse| if reverse { "r" } else { "" };
        let trackers = self.trackers.iter().map(|tracker| format!("{}{}", tracker.weight.get(), mark(tracker.reverse)));
        write!(formatter, " trackers={}", write_list(trackers))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |on| if on { "on" } else { "off" };
        match *self {
            Self::Crash { node, vanish } => {
                write!(formatter, "crash node={node}{}", if vanish { " vanish" } else { "" })
            }
            Self::Restart { node } => write!(formatter, "restart node={node}"),
            Self::Drain { node } => write!(formatter, "drain node={node}"),
            Self::Abort { node } => write!(formatter, "abort node={node}"),
            Self::Stall { node, duration } => write!(formatter, "stall node={node} for={}", time(duration)),
            Self::Interface { node, up } => {
                write!(formatter, "interface node={node} {}", if up { "up" } else { "down" })
            }
            Self::Refuse { node, what, on } => {
                let what = match what {
                    Refusal::Send => "send",
                    Refusal::Add => "add",
                    Refusal::Remove => "remove",
                };
                write!(formatter, "refuse node={node} what={what} {}", switch(on))
            }
            Self::Delete { node, address } => write!(formatter, "delete node={node} {address}"),
            Self::Track { node, election, tracker, state } => {
                let state = match state {
                    TrackState::Unknown => "unknown".to_owned(),
                    TrackState::Up => "up".to_owned(),
                    TrackState::Down => "down".to_owned(),
                    TrackState::Value(value) => value.to_string(),
                };
                write!(formatter, "track node={node} election={election} tracker={tracker} state={state}")
            }
            Self::Reconfigure { node, election, change } => {
                write!(formatter, "set node={node} election={election} {change}")
            }
            Self::Partition { side, one_way, family } => {
                write!(formatter, "partition side={side}{}", if one_way { " one-way" } else { "" })?;
                family.map_or(Ok(()), |family| write!(formatter, " family={}", digit(family)))
            }
            Self::Mend => write!(formatter, "mend"),
            Self::Degrade { quality } => write!(formatter, "links {quality}"),
            Self::Stranger { router, host, priority, interval, count } => {
                let interval = time(interval);
                write!(formatter, "stranger {router} host={host} priority={priority} interval={interval} count={count}")
            }
            Self::Junk { router, kind } => write!(formatter, "junk {router} kind={kind:?}"),
            Self::Claim { address } => write!(formatter, "claim {address}"),
            Self::Echo { node, on } => write!(formatter, "echo node={node} {}", switch(on)),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Priority(priority) => write!(formatter, "priority={priority}"),
            Self::Interval(interval) => write!(formatter, "interval={}", time(interval)),
            Self::Preemption(mode) => write!(formatter, "preempt={}", preemption(mode)),
            Self::Addresses(count) => write!(formatter, "addresses={count}"),
            Self::Unicast(unicast) => {
                write!(formatter, "transport={}", if unicast { "unicast" } else { "multicast" })
            }
            Self::Grouping(grouping) => write!(formatter, "groups={grouping}"),
            Self::Weight(weight) => write!(formatter, "weight={weight}"),
            Self::Announcements(schedule) => formatter.write_str(&announcements(schedule)),
        }
    }
}

impl fmt::Display for RouterPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "election={} member={}", self.election, self.member)
    }
}

impl fmt::Display for AddressPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} place={}", self.router, self.place)
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&write_list(self.iter()))
    }
}

fn preemption(preemption: Preemption) -> String {
    match preemption {
        Preemption::Preempt { delay } => time(delay),
        Preemption::Never => "never".to_owned(),
    }
}

fn announcements(schedule: Announcements) -> String {
    let refresh = schedule.refresh.map(|refresh| format!(" refresh={}", time(refresh)));
    format!("announce={} within={}{}", schedule.count, time(schedule.delay), refresh.unwrap_or_default())
}

fn digit(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    }
}
