//! Reading a script from text. What [`super::write`] writes is read as the same script.

use std::str::FromStr;

use super::record::{Record, ScriptError};
use super::{End, Script};
use crate::config::{Announcements, Preemption, Tracker};
use crate::sim::clock::{Clock, Time};
use crate::sim::grouping::Grouping;
use crate::sim::link::Quality;
use crate::sim::setup::{DriverSetup, ElectionSetup, InstanceSetup, NodeSetup, Setup, tracker};
use crate::sim::step::{AddressPlace, Change, Junk, Refusal, RouterPlace, Step};
use crate::tracking::TrackState;
use crate::types::{Family, Protocol};

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut setup = Setup {
            seed: 0,
            driver: DriverSetup { lateness: MOMENT, queue: 64, lease: DAY, batch: false, report_delay: MOMENT },
            quality: Quality::default(),
            elections: Vec::new(),
            nodes: Vec::new(),
        };
        let (mut steps, mut end) = (Vec::new(), None);
        for (line, text) in (1..).zip(text.lines()) {
            let Some(record) = Record::split(line, text) else { continue };
            match record.word {
                "at" => {
                    let (time, record) = Record::at(line, text.trim().trim_start_matches("at"))?;
                    steps.push((Time::after(time), step(&record)?));
                }
                "end" => end = Some(read_end(&record)?),
                _ => add_to_setup(&mut setup, &record)?,
            }
        }
        Ok(Self { setup, steps, end: end.ok_or(ScriptError::NoEnd)? })
    }
}

const MOMENT: std::time::Duration = std::time::Duration::ZERO;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn read_end(record: &Record<'_>) -> Result<End, ScriptError> {
    Ok(End {
        at: Time::after(record.duration("at")?),
        core: record.nodes("core")?,
        listeners: record.nodes("listeners")?,
    })
}

fn add_to_setup(setup: &mut Setup, record: &Record<'_>) -> Result<(), ScriptError> {
    match record.word {
        "seed" => setup.seed = record.number("number")?,
        "driver" => setup.driver = driver(record)?,
        "links" => setup.quality = quality(record)?,
        "election" => setup.elections.push(election(record)?),
        "node" => setup.nodes.push(node(record)?),
        "instance" => {
            let node = setup.nodes.last_mut().ok_or_else(|| record.unknown())?;
            let members = setup.elections.get(node.instances.len()).map_or(0, |election| election.members.len());
            node.instances.push(instance(record, members)?);
        }
        _ => return Err(record.unknown()),
    }
    Ok(())
}

fn driver(record: &Record<'_>) -> Result<DriverSetup, ScriptError> {
    Ok(DriverSetup {
        lateness: record.duration("late")?,
        queue: record.number("queue")?,
        lease: record.duration("lease")?,
        batch: record.has("batch"),
        report_delay: record.duration("report")?,
    })
}

fn quality(record: &Record<'_>) -> Result<Quality, ScriptError> {
    Ok(Quality {
        delay: record.duration("delay")?,
        jitter: record.duration("jitter")?,
        loss: record.number_or_default("loss")?,
        burst: record.number_or_default("burst")?,
        duplication: record.number_or_default("twice")?,
        corruption: record.number_or_default("flip")?,
        capacity: record.number_or_default("capacity")?,
    })
}

fn election(record: &Record<'_>) -> Result<ElectionSetup, ScriptError> {
    let protocol: Protocol = match record.text("version")? {
        "2" => ElectionSetup::v2(record.has("password")),
        "3" => ElectionSetup::V3,
        _ => return Err(record.error("version")),
    };
    Ok(ElectionSetup { protocol, peers_known: record.has("peers"), members: record.list("members", read_family)? })
}

fn node(record: &Record<'_>) -> Result<NodeSetup, ScriptError> {
    Ok(NodeSetup {
        clock: Clock { offset: record.duration("clock")?, drift_ppm: record.number("drift")? },
        ipv4_host: record.number("host4")?,
        ipv6_host: record.number("host6")?,
        instances: Vec::new(),
    })
}

fn instance(record: &Record<'_>, members: usize) -> Result<InstanceSetup, ScriptError> {
    Ok(InstanceSetup {
        grouping: if record.has("groups") { record.number("groups")? } else { Grouping::whole(members) },
        priority: record.number("priority")?,
        interval: record.duration("interval")?,
        preemption: preemption(record)?,
        rival_known: record.has("rival"),
        unicast: record.has("unicast"),
        addresses: record.number("addresses")?,
        announcements: announcements(record)?,
        trackers: if record.has("trackers") { record.list("trackers", read_tracker)? } else { Vec::new() },
    })
}

fn step(record: &Record<'_>) -> Result<Step, ScriptError> {
    let node = || record.number("node");
    Ok(match record.word {
        "crash" => Step::Crash { node: node()?, vanish: record.has("vanish") },
        "restart" => Step::Restart { node: node()? },
        "drain" => Step::Drain { node: node()? },
        "abort" => Step::Abort { node: node()? },
        "stall" => Step::Stall { node: node()?, duration: record.duration("for")? },
        "interface" => Step::Interface { node: node()?, up: record.has("up") },
        "refuse" => Step::Refuse { node: node()?, what: refusal(record)?, on: record.has("on") },
        "delete" => Step::Delete { node: node()?, address: address(record)? },
        "track" => Step::Track {
            node: node()?,
            election: record.number("election")?,
            tracker: record.number("tracker")?,
            state: track_state(record)?,
        },
        "set" => Step::Reconfigure { node: node()?, election: record.number("election")?, change: change(record)? },
        "partition" => Step::Partition {
            side: record.nodes("side")?,
            one_way: record.has("one-way"),
            family: record.text("family").ok().and_then(read_family),
        },
        "mend" => Step::Mend,
        "links" => Step::Degrade { quality: quality(record)? },
        "stranger" => Step::Stranger {
            router: router(record)?,
            host: record.number("host")?,
            priority: record.number("priority")?,
            interval: record.duration("interval")?,
            count: record.number("count")?,
        },
        "junk" => Step::Junk { router: router(record)?, kind: junk(record)? },
        "claim" => Step::Claim { address: address(record)? },
        "echo" => Step::Echo { node: node()?, on: record.has("on") },
        _ => return Err(record.unknown()),
    })
}

fn change(record: &Record<'_>) -> Result<Change, ScriptError> {
    let fields = ["priority", "interval", "preempt", "addresses", "transport", "groups", "weight", "announce"];
    match fields.into_iter().find(|field| record.has(field)) {
        Some("priority") => Ok(Change::Priority(record.number("priority")?)),
        Some("interval") => Ok(Change::Interval(record.duration("interval")?)),
        Some("preempt") => Ok(Change::Preemption(preemption(record)?)),
        Some("addresses") => Ok(Change::Addresses(record.number("addresses")?)),
        Some("transport") => match record.text("transport")? {
            "unicast" => Ok(Change::Unicast(true)),
            "multicast" => Ok(Change::Unicast(false)),
            _ => Err(record.error("transport")),
        },
        Some("groups") => Ok(Change::Grouping(record.number("groups")?)),
        Some("weight") => Ok(Change::Weight(record.number("weight")?)),
        Some("announce") => Ok(Change::Announcements(announcements(record)?)),
        _ => Err(record.error("priority")),
    }
}

fn router(record: &Record<'_>) -> Result<RouterPlace, ScriptError> {
    Ok(RouterPlace { election: record.number("election")?, member: record.number("member")? })
}

fn address(record: &Record<'_>) -> Result<AddressPlace, ScriptError> {
    Ok(AddressPlace { router: router(record)?, place: record.number("place")? })
}

fn preemption(record: &Record<'_>) -> Result<Preemption, ScriptError> {
    if record.text("preempt")? == "never" {
        return Ok(Preemption::Never);
    }
    Ok(Preemption::Preempt { delay: record.duration("preempt")? })
}

fn announcements(record: &Record<'_>) -> Result<Announcements, ScriptError> {
    let refresh = if record.has("refresh") { Some(record.duration("refresh")?) } else { None };
    Ok(Announcements { count: record.number("announce")?, delay: record.duration("within")?, refresh })
}

fn refusal(record: &Record<'_>) -> Result<Refusal, ScriptError> {
    match record.text("what")? {
        "send" => Ok(Refusal::Send),
        "add" => Ok(Refusal::Add),
        "remove" => Ok(Refusal::Remove),
        _ => Err(record.error("what")),
    }
}

fn track_state(record: &Record<'_>) -> Result<TrackState, ScriptError> {
    match record.text("state")? {
        "unknown" => Ok(TrackState::Unknown),
        "up" => Ok(TrackState::Up),
        "down" => Ok(TrackState::Down),
        number => number.parse().map(TrackState::Value).map_err(|_| record.error("state")),
    }
}

fn junk(record: &Record<'_>) -> Result<Junk, ScriptError> {
    let name = record.text("kind")?;
    Junk::ALL.into_iter().find(|kind| format!("{kind:?}") == name).ok_or_else(|| record.error("kind"))
}

fn read_family(text: &str) -> Option<Family> {
    match text {
        "4" => Some(Family::Ipv4),
        "6" => Some(Family::Ipv6),
        _ => None,
    }
}

fn read_tracker(text: &str) -> Option<Tracker> {
    let weight = text.trim_end_matches('r').parse().ok()?;
    Some(tracker(weight, text.ends_with('r')))
}

#[cfg(test)]
mod tests {
    use super::super::record::read_duration;
    use super::*;

    #[test]
    fn durations_keep_their_value_in_every_unit() {
        for text in ["1ns", "250us", "40950ms", "3s"] {
            assert!(read_duration(text).is_some(), "{text}");
        }
        for text in ["", "5", "s", "1.5s", "3 s", "9m"] {
            assert_eq!(read_duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named() {
        let text = "seed number=1\nfly node=3\n";
        assert_eq!(text.parse::<Script>(), Err(ScriptError::Word { line: 2, word: "fly".to_owned() }));
        let text = "\n\nat 1s stall node=3\n";
        assert_eq!(text.parse::<Script>(), Err(ScriptError::Field { line: 3, key: "for".to_owned() }));
        assert_eq!("seed number=1".parse::<Script>(), Err(ScriptError::NoEnd));
    }
}
