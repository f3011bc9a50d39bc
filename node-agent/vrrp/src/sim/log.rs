//! The log of a run: one line an event, in fixed columns, and a fingerprint that two equal runs share.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::clock::Time;
use super::setup::{ElectionIndex, NodeIndex};
use super::table::{Input, Situation};
use crate::action::{Action, Notice};
use crate::types::Claim;

/// What has happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Log {
    fingerprint: Fingerprint,
    lines: Option<Vec<String>>,
}

/// A group handled an event.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Entry<'a> {
    pub(super) node: NodeIndex,
    pub(super) election: ElectionIndex,
    pub(super) from: Situation,
    pub(super) input: Input,
    pub(super) to: Situation,
    /// In how long the group wants to be woken.
    pub(super) due: Option<Duration>,
    pub(super) actions: &'a [Action],
}

/// A hash that is the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fingerprint(u64);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Log {
    /// A log that keeps its lines, not only the fingerprint.
    pub fn with_lines() -> Self {
        Self { lines: Some(Vec::new()), ..Self::default() }
    }

    /// Whether lines are kept.
    pub fn has_lines(&self) -> bool {
        self.lines.is_some()
    }

    /// The fingerprint of all that was logged.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.finish()
    }

    /// The lines, if they were kept.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    pub(super) fn write(&mut self, time: Time, entry: Entry<'_>) {
        (time, entry).hash(&mut self.fingerprint);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{time:>16}  {entry}"));
        }
    }

    /// A line for the reader alone.
    pub(super) fn remark(&mut self, time: Time, text: impl fmt::Display) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{time:>16}  {text}"));
        }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, election, from, input, to, due, actions } = self;
        let (input, to) = (format!("{input:?}"), if from == to { String::new() } else { format!("-> {to:?}") });
        let from = format!("{from:?}");
        let due = due.map_or_else(String::new, |due| format!("{:.3}ms", due.as_secs_f64() * 1_000.0));
        write!(formatter, "node {node}  election {election}  {from:<8}{input:<17}{to:<12}{due:>12}  ")?;
        let mut before = "";
        for action in *actions {
            write!(formatter, "{before}{}", Short(action))?;
            before = ", ";
        }
        Ok(())
    }
}

/// An action in a few letters.
struct Short<'a>(&'a Action);

impl fmt::Display for Short<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Action::SendAdvert { member, claim: Claim::Master(priority) } => {
                write!(formatter, "advert {}:{priority}", member.0)
            }
            Action::SendAdvert { member, claim: Claim::Release } => write!(formatter, "release {}", member.0),
            Action::RemoveAddress { address, .. } => write!(formatter, "-{address}"),
            Action::AddAddress { address, .. } => write!(formatter, "+{address}"),
            Action::Announce { address, .. } => write!(formatter, "!{address}"),
            Action::Probe { address, .. } => write!(formatter, "?{address}"),
            Action::Notify(Notice::StateChanged { reason, .. }) => write!(formatter, "because {reason:?}"),
            Action::Notify(notice) => {
                let mut text = String::new();
                write!(text, "{notice:?}")?;
                formatter.write_str(text.split([' ', '{']).next().unwrap_or_default())
            }
        }
    }
}
