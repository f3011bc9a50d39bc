//! A simulated machine: a clock, a kernel, and an agent while it runs.

use std::time::Duration;

use super::chooser::{Chooser, Seeds};
use super::clock::Time;
use super::frame::Frame;
use super::instance::Record;
use super::kernel::Kernel;
use super::mutant::Mutant;
use super::probe::{Probe, Sight};
use super::process::{Message, Outgoing, Process, Surroundings};
use super::setup::{DriverSetup, NodeIndex, NodeSetup};
use crate::time::Instant;
use crate::tracking::TrackState;

/// How every agent does its work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Driver {
    pub(super) setup: DriverSetup,
    pub(super) mutant: Option<Mutant>,
}

/// Where what an agent does ends up.
pub(super) struct Events<'a> {
    pub(super) outbox: &'a mut Vec<Outgoing>,
    pub(super) record: &'a mut Record,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) setup: NodeSetup,
    pub(super) kernel: Kernel,
    pub(super) process: Option<Process>,
    /// What the health checks find, by election and tracker.
    pub(super) tracked: Vec<Vec<TrackState>>,
    /// Counts the agents that have run: messages for an earlier one are not delivered.
    pub(super) generation: u32,
    /// When the agent was to be woken for something that arrived.
    woken_at: Option<Time>,
    /// The first deadline, and when the agent will wake for it.
    timer: Option<(Instant, Time)>,
    next: Option<Time>,
    choices: Seeds,
}

impl Node {
    pub(super) fn new(setup: NodeSetup, queue: usize, tracked: Vec<Vec<TrackState>>, choices: Seeds) -> Self {
        Self {
            setup,
            kernel: Kernel::new(queue),
            process: None,
            tracked,
            generation: 0,
            woken_at: None,
            timer: None,
            next: None,
            choices,
        }
    }

    /// When something happens on this node by itself: the agent wakes, or a lease ends.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Works out anew when that is.
    pub(super) fn plan(&mut self, lateness: Duration) {
        let wake = self.next_wake(lateness);
        self.next = wake.into_iter().chain(self.kernel.next_expiry()).min();
    }

    fn next_wake(&mut self, lateness: Duration) -> Option<Time> {
        let process = self.process.as_ref()?;
        if let Some(until) = process.stalled_until {
            return Some(until);
        }
        let deadline = process.next_deadline();
        if self.timer.map(|(deadline, _)| deadline) != deadline {
            let late = self.how_late(lateness);
            self.timer = deadline.map(|deadline| (deadline, self.setup.clock.when(deadline).plus(late)));
        }
        let process = self.process.as_ref()?;
        let timer = self.timer.map(|(_, wake)| wake);
        timer.into_iter().chain(self.woken_at).chain(process.next_chore()).min()
    }

    /// Mostly a little, sometimes as late as can be.
    fn how_late(&mut self, lateness: Duration) -> Duration {
        let most = if self.choices.chance(1, 8) { lateness } else { lateness / 16 };
        Duration::from_nanos(self.choices.pick(u64::try_from(most.as_nanos()).unwrap_or_default() + 1))
    }

    /// Wakes the agent at once if it was to be woken late.
    pub(super) fn hurry(&mut self, time: Time, lateness: Duration) {
        self.timer = None;
        self.woken_at = self.woken_at.map(|_| time);
        self.process.iter_mut().for_each(|process| process.hurry_reports(time));
        self.plan(lateness);
    }

    /// A random time below `most`.
    pub(super) fn some_time(&mut self, most: Duration) -> Duration {
        Duration::from_nanos(self.choices.pick(u64::try_from(most.as_nanos()).unwrap_or_default()))
    }

    /// A random number below `bound`.
    pub(super) fn pick(&mut self, bound: u64) -> u64 {
        self.choices.pick(bound)
    }

    /// Whether the agent runs, and is not stalled.
    pub(super) fn is_awake(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.stalled_until.is_none())
    }

    /// A packet reaches the node's socket, if there is one.
    pub(super) fn arrive(&mut self, time: Time, frame: Frame, lateness: Duration, record: &mut Record) {
        if self.process.is_none() || !self.kernel.up {
            return;
        }
        if self.kernel.receive(frame) {
            self.wake_soon(time, lateness);
        } else {
            record.probes.note(Probe::Saw(Sight::QueueFull));
        }
    }

    pub(super) fn tell(&mut self, time: Time, message: Message, lateness: Duration) {
        if let Some(process) = &mut self.process {
            process.tell(message);
            self.wake_soon(time, lateness);
        }
    }

    fn wake_soon(&mut self, time: Time, lateness: Duration) {
        if self.woken_at.is_none() {
            let late = self.how_late(lateness);
            self.woken_at = Some(time.plus(late));
        }
        self.plan(lateness);
    }

    /// The agent ends without a word.
    pub(super) fn kill(&mut self) {
        self.process = None;
        self.generation += 1;
        self.woken_at = None;
        self.timer = None;
        self.kernel.close_socket();
        self.plan(Duration::ZERO);
    }

    /// Lets whatever is due happen.
    pub(super) fn run(&mut self, (index, time): (NodeIndex, Time), driver: &Driver, events: Events<'_>) {
        self.end_leases(time, events.record);
        if let Some(mut process) = self.process.take() {
            let resumed = process.stalled_until.is_none_or(|until| until <= time);
            if resumed {
                process.stalled_until = None;
                self.woken_at = None;
                self.wake((index, time), &mut process, driver, events);
            }
            let finished = resumed && process.is_finished();
            self.process = Some(process).filter(|_| !finished);
            if finished {
                self.kill();
            }
        }
        self.plan(driver.setup.lateness);
    }

    fn end_leases(&mut self, time: Time, record: &mut Record) {
        while let Some(address) = self.kernel.expire_one(time) {
            record.probes.note(Probe::Saw(Sight::LeaseEnded));
            if let Some(process) = &mut self.process {
                process.tell(Message::Deleted(address));
            }
        }
    }

    fn wake(
        &mut self,
        (node, time): (NodeIndex, Time),
        process: &mut Process,
        driver: &Driver,
        Events { outbox, record }: Events<'_>,
    ) {
        let now = self.setup.clock.read(time);
        if self.timer.is_some_and(|(deadline, _)| deadline < now) {
            record.probes.note(Probe::Saw(Sight::LateWakeUp));
        }
        let woken_for_nothing = self.choices.chance(1, 32);
        if woken_for_nothing {
            process.instances.values().for_each(|instance| instance.fire_early((time, now), record));
        }
        let (setup, kernel) = (&self.setup, &mut self.kernel);
        process.run(&mut Surroundings { time, now, node, setup, kernel, driver, woken_for_nothing, outbox, record });
    }
}
