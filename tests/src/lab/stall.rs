//! How long the machine itself holds programs up: the part of a delay that is nobody's mistake.
//!
//! Two threads do what an agent does on its way to a takeover. One sleeps and wakes up. The other asks the kernel to change
//! the configuration of a network, for which there is one lock on the whole machine, and whoever makes or removes a
//! namespace holds it for long. Both note how much longer than that it took.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use socket2::Socket;

/// Time from one sleep or request to the next.
const PERIOD: Duration = Duration::from_millis(2);

/// Shorter ones are not worth a note.
const NOTEWORTHY: Duration = Duration::from_millis(1);

/// How many are kept, the newest: some minutes of a very busy machine.
const KEPT: usize = 1 << 16;

/// How often a takeover waits for a processor: for the timer, for the thread that adds the address, and for the one that
/// announces it.
const WAKE_UPS: u32 = 3;

static WAKE_UP: LazyLock<Arc<Stalls>> = LazyLock::new(|| watch(|| Ok(Sleep)));
static CONFIGURATION: LazyLock<Arc<Stalls>> = LazyLock::new(|| watch(Loopback::open));

/// Begins to measure. What happened before is not known.
pub fn start() {
    LazyLock::force(&WAKE_UP);
    LazyLock::force(&CONFIGURATION);
}

/// What the machine can have added since a moment to a takeover or to anything simpler.
pub fn since(moment: Instant) -> Duration {
    WAKE_UP.longest_since(moment) * WAKE_UPS + CONFIGURATION.longest_since(moment)
}

/// Something that takes no time where nobody else wants anything.
trait Task {
    fn carry_out(&mut self) -> Result<()>;
}

struct Sleep;

impl Task for Sleep {
    fn carry_out(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Sets the loopback interface up, again and again, in a namespace of the calling thread's own.
struct Loopback(Socket);

/// `RTM_SETLINK` with `NLM_F_REQUEST | NLM_F_ACK`; interface 1, `IFF_UP` of the flags.
///
/// ```text
/// +--------+------+-------+----------+------+--------+---------+-------+-------+--------+
/// | length | type | flags | sequence | port | family | hw type | index | flags | change |
/// |   4    |  2   |   2   |    4     |  4   |   2    |    2    |   4   |   4   |   4    |  bytes
/// +--------+------+-------+----------+------+--------+---------+-------+-------+--------+
/// ```
fn set_up() -> [[u8; 4]; 8] {
    let [t1, t2] = 19_u16.to_ne_bytes();
    let [f1, f2] = 5_u16.to_ne_bytes();
    let (length, one, zero) = (32_u32.to_ne_bytes(), 1_u32.to_ne_bytes(), [0; 4]);
    [length, [t1, t2, f1, f2], zero, zero, zero, one, one, one]
}

impl Loopback {
    fn open() -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
        let (kind, protocol) = (SockType::Raw, SockProtocol::NetlinkRoute);
        let descriptor = socket(AddressFamily::Netlink, kind, SockFlag::SOCK_CLOEXEC, protocol)
            .context("cannot open a netlink socket")?;
        Ok(Self(Socket::from(descriptor)))
    }
}

impl Task for Loopback {
    fn carry_out(&mut self) -> Result<()> {
        self.0.write_all(set_up().as_flattened()).context("cannot send a request")?;
        self.0.read(&mut [0; 256]).context("cannot read an answer").map(drop)
    }
}

/// What took longer than it should, oldest first.
#[derive(Debug)]
struct Stalls {
    ended: Mutex<VecDeque<Stall>>,
    /// When what goes on now should be over.
    due: Mutex<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Stall {
    end: Instant,
    length: Duration,
}

fn watch<T: Task>(open: impl FnOnce() -> Result<T> + Send + 'static) -> Arc<Stalls> {
    let stalls = Arc::new(Stalls { ended: Mutex::default(), due: Mutex::new(Instant::now() + PERIOD) });
    let watcher = Arc::clone(&stalls);
    thread::spawn(move || {
        let ended = open().and_then(|task| watcher.watch(task));
        if let Err(error) = ended {
            println!("the lab does not know how busy the machine is: {error:#}");
        }
        // What is not known excuses nothing.
        watcher.expect(Instant::now() + Duration::from_secs(1 << 30));
    });
    stalls
}

impl Stalls {
    fn watch(&self, mut task: impl Task) -> Result<()> {
        loop {
            let due = Instant::now() + PERIOD;
            self.expect(due);
            thread::sleep(PERIOD);
            task.carry_out()?;
            self.note(due, Instant::now());
        }
    }

    fn expect(&self, due: Instant) {
        *lock(&self.due) = due;
    }

    fn note(&self, due: Instant, end: Instant) {
        let length = end.saturating_duration_since(due);
        if length >= NOTEWORTHY {
            let mut ended = lock(&self.ended);
            ended.push_back(Stall { end, length });
            if ended.len() > KEPT {
                ended.pop_front();
            }
        }
    }

    fn longest_since(&self, moment: Instant) -> Duration {
        let now = Instant::now();
        let going_on = now.saturating_duration_since(moment.max(*lock(&self.due)));
        let ended = lock(&self.ended);
        let ended = ended.iter().rev().take_while(|stall| stall.end >= moment);
        // Only the part after the moment counts.
        ended.map(|stall| stall.length.min(stall.end - moment)).fold(going_on, Duration::max)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn the_longest_stall_counts_and_of_it_only_what_was_after_the_moment() {
        let start = Instant::now();
        let at = |milliseconds: u32| start + MILLISECOND * milliseconds;
        let stalls = Stalls { ended: Mutex::default(), due: Mutex::new(start + Duration::from_secs(60)) };
        for (due, end) in [(10, 40), (50, 50), (60, 65), (70, 90)] {
            stalls.note(at(due), at(end));
        }
        for (moment, longest) in [(0, 30), (30, 20), (35, 20), (41, 20), (80, 10), (90, 0), (100, 0)] {
            assert_eq!(stalls.longest_since(at(moment)), MILLISECOND * longest, "since {moment} ms");
        }
    }

    #[test]
    fn a_stall_that_goes_on_counts() {
        let start = Instant::now();
        let stalls = Stalls { ended: Mutex::default(), due: Mutex::new(start) };
        thread::sleep(MILLISECOND * 5);
        assert!(stalls.longest_since(start) >= MILLISECOND * 5);
    }
}
