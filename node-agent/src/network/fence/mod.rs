//! The fence: the kernel answers for a virtual address only while adverts of its virtual router leave this node.
//!
//! An agent that is killed, frozen or starved sends no adverts, and so its kernel falls silent by itself, at the time when
//! another node takes over: nothing has to run for that. Each advert that leaves by an interface puts its virtual router
//! into a set of `nf_tables`, for as long as its fencing allows; packets that come in for an address whose virtual router is
//! not in the set are dropped. Needs the egress hook for devices (Linux 5.16).
//!
//! | file | holds |
//! | --- | --- |
//! | `message.rs`, `expression.rs` | how `nf_tables` is spoken to (pure) |
//! | `ruleset.rs` | the table: sets, chains and rules (pure) |
//! | `contents.rs` | what is in it, and what must change (pure) |
//! | `pulse.rs` | when adverts left last |
//! | `connection.rs` | the sockets |
//!
//! Decides nothing about who holds an address. Has one table, by its name; never touches another.

mod connection;
mod contents;
mod expression;
mod message;
pub mod pulse;
mod ruleset;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use holdfast_vrrp::Family;
use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};

use self::connection::{Connection, Sight, Watch};
use self::contents::Contents;
use self::message::Batch;
use self::pulse::Pulses;
use self::ruleset::{Key, Ruleset, Times, place};
use super::interfaces::InterfaceIndex;
use super::netlink::Lifetime;

/// The shortest kernel lifetime of a guarded address: not what silences a dead agent, but what clears away after it.
pub const BROOM: Duration = Duration::from_secs(30);

/// An address outlives the last advert that may keep it alive by this.
const AFTER_TIMEOUT: Duration = Duration::from_secs(10);

/// The fence forgets an address this long after its lifetime: it stands in nobody's way if the agent never comes back.
const AFTER_LIFETIME: Duration = Duration::from_secs(30);

/// How long after a failure it is tried again to set the fence up: all of it is written, and each of many renewals would try.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The interface that every network namespace has, to try things on.
const LOOPBACK: &str = "lo";

/// Whose adverts keep an address alive, and for how long. They leave by the interface that the address is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    /// Their family.
    pub family: Family,
    /// Their VRID.
    pub virtual_router_id: u8,
    /// For how long one advert keeps the address alive. The kernel counts in its ticks, of at most 10 ms.
    pub timeout: Duration,
    /// The same of an advert of priority 0, which says that its sender is leaving.
    pub release: Duration,
}

/// An address that is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The interface that it is on.
    pub interface: InterfaceIndex,
    /// The address.
    pub address: IpAddr,
    /// What keeps it alive.
    pub guard: Guard,
}

/// How often the fence was closed before the addresses of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Where it runs.
    pub interface: InterfaceIndex,
    /// Its family.
    pub family: Family,
    /// Its VRID.
    pub virtual_router_id: u8,
    /// Packets that were dropped since they were last told.
    pub packets: u64,
}

/// The fence of this agent.
pub struct Fence {
    connection: Connection,
    watch: Watch,
    table: String,
    contents: Contents,
    /// The table is as `contents` says. If not, there is none.
    stands: bool,
    restored: bool,
    /// When it could not be set up, and why.
    failure: Option<(Instant, Errno)>,
    pulses: Pulses,
    /// The counters of the table when last read.
    heard: HashMap<Key, u64>,
    /// Packets that were dropped, and of which nobody knows yet.
    untold: BTreeMap<Key, u64>,
}

impl Fence {
    /// Tries everything that it needs in one table, of which nothing stays. What an earlier run of the agent left under this
    /// name guards on until [`replace_leftover`](Self::replace_leftover).
    ///
    /// Errors: `EOPNOTSUPP` or `ENOENT` where the kernel lacks the hook or `nf_tables`, `EPERM` without `CAP_NET_ADMIN`.
    pub fn open(table: &str) -> io::Result<Self> {
        let mut connection = Connection::open()?;
        let watch = Watch::open(connection.port())?;
        let trial_table = format!("{table}-trial");
        let ruleset = Ruleset { table: &trial_table };
        let interface = if_nametoindex(LOOPBACK).map(InterfaceIndex::new)?;
        let key = Key { interface, family: Family::Ipv4, virtual_router_id: 1 };
        let mut trial = Contents::default();
        trial.interfaces.insert(interface, LOOPBACK.to_owned());
        let times = Times { advert: Duration::from_secs(1), release: Duration::from_secs(2) };
        trial.add((interface, Ipv4Addr::LOCALHOST.into()), key, times, Instant::now());
        let mut batch = Batch::new();
        trial.write(ruleset, |_, times| Some(times.advert), &mut batch);
        ruleset.delete(&mut batch);
        connection.commit(batch)?;
        Ok(Self {
            connection,
            watch,
            table: table.to_owned(),
            contents: Contents::default(),
            stands: false,
            restored: false,
            failure: None,
            pulses: Pulses::default(),
            heard: HashMap::new(),
            untold: BTreeMap::new(),
        })
    }

    /// What has to be told of every advert that leaves.
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// What an earlier run of the agent guarded: names of interfaces, and the addresses that it had there or was about to.
    ///
    /// Errors: whatever the kernel says, but that there is none.
    pub fn leftover(&mut self) -> Result<Vec<(String, IpAddr)>, Errno> {
        let mut found = Vec::new();
        for family in [Family::Ipv4, Family::Ipv6] {
            match self.connection.keys(self.ruleset().addresses(family)) {
                Ok(keys) => found.extend(keys.iter().filter_map(|key| place(key))),
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        let named = found.into_iter().filter_map(|(interface, address)| Some((name(interface)?, address)));
        Ok(named.collect())
    }

    /// Takes over from an earlier run of the agent: what it guarded, and this one does not, is guarded no more.
    pub fn replace_leftover(&mut self) -> Result<(), Errno> {
        self.rebuild()
    }

    /// From now on these addresses answer only while their guards allow it. To be called before they are on the interface,
    /// just after an advert. What is to be on an interface that is gone is left out.
    pub fn guard(&mut self, addresses: &[Guarded]) -> Result<(), Errno> {
        let mut next = self.remembered();
        for guarded in addresses {
            let key = guarded.key();
            if let Entry::Vacant(entry) = next.interfaces.entry(key.interface) {
                let Some(name) = name(key.interface) else { continue };
                entry.insert(name);
            }
            next.add((guarded.interface, guarded.address), key, guarded.guard.times(), Instant::now());
        }
        next.drop_unused_routers();
        self.change_to(next)
    }

    /// These addresses are not on the interface any more.
    pub fn release(&mut self, addresses: &[(InterfaceIndex, IpAddr)]) -> Result<(), Errno> {
        let mut next = self.remembered();
        for place in addresses {
            next.remove(place);
        }
        next.drop_unused_routers();
        self.change_to(next)
    }

    /// The lifetime that an address should have, if it is guarded.
    pub fn lifetime(&self, interface: InterfaceIndex, address: IpAddr) -> Option<Lifetime> {
        let key = self.contents.addresses.get(&(interface, address)).filter(|_| self.stands)?;
        self.contents.routers.get(key).map(|times| Lifetime::at_least(lifetime(times.longest())))
    }

    /// These addresses are still there: to be called whenever their lifetime begins anew.
    pub fn renew(&mut self, addresses: impl Iterator<Item = (InterfaceIndex, IpAddr)>) -> Result<(), Errno> {
        if !self.stands {
            return self.rebuild();
        }
        let mut batch = Batch::new();
        self.contents.expire(Instant::now());
        self.contents.renew(Ruleset { table: &self.table }, addresses, Instant::now(), &mut batch);
        self.connection.commit(batch).or_else(|_| self.repair(&self.contents.interfaces.clone()))
    }

    /// An interface is gone, and with it what was on it: should it come back, it begins with nothing.
    pub fn forget_interface(&mut self, interface: InterfaceIndex) -> Result<(), Errno> {
        if !self.contents.interfaces.contains_key(&interface) {
            return Ok(());
        }
        // Its counters go along.
        let _ = self.read_counters();
        let mut next = self.contents.clone();
        next.forget_interface(interface);
        self.change_to(next)
    }

    /// Interfaces have other names. What is attached to an interface is attached to its name: since Linux 6.16 it falls off
    /// when the name changes.
    pub fn follow_interfaces(&mut self) -> Result<(), Errno> {
        let mut next = self.contents.clone();
        next.follow_interfaces(name);
        self.change_to(next)
    }

    /// Interfaces may have been away, which nobody has seen.
    pub fn attach_anew(&mut self) -> Result<(), Errno> {
        if self.contents.interfaces.is_empty() { Ok(()) } else { self.rebuild() }
    }

    /// Puts the fence back if somebody has taken something of it away.
    pub fn restore(&mut self) -> Result<(), Errno> {
        let is_whole = match self.watch.look(&self.table) {
            Sight::Whole => true,
            Sight::Damaged => false,
            Sight::Unknown => !self.stands || self.is_whole().unwrap_or(false),
        };
        if is_whole {
            return Ok(());
        }
        let stood = self.stands;
        self.rebuild()?;
        self.restored |= stood;
        Ok(())
    }

    /// Whether it guards what it should.
    pub const fn stands(&self) -> bool {
        self.stands
    }

    /// Whether it was put back since the last call because somebody had taken something of it away.
    pub fn take_restored(&mut self) -> bool {
        std::mem::take(&mut self.restored)
    }

    /// What was dropped because a virtual router was not alive, as far as that is news. Also what an earlier run has left.
    pub fn closed(&mut self) -> Result<Vec<Closed>, Errno> {
        self.read_counters()?;
        let closed = std::mem::take(&mut self.untold).into_iter().map(|(key, packets)| {
            let Key { interface, family, virtual_router_id } = key;
            Closed { interface, family, virtual_router_id, packets }
        });
        Ok(closed.collect())
    }

    /// Removes it.
    pub fn remove(&mut self) -> Result<(), Errno> {
        self.stands = false;
        self.contents = Contents::default();
        self.delete()
    }

    const fn ruleset(&self) -> Ruleset<'_> {
        Ruleset { table: self.table.as_str() }
    }

    /// The contents without what the kernel has forgotten, which can be removed no more.
    fn remembered(&mut self) -> Contents {
        self.contents.expire(Instant::now());
        self.contents.clone()
    }

    fn change_to(&mut self, next: Contents) -> Result<(), Errno> {
        if self.stands && next == self.contents {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.contents, next);
        if !self.stands {
            return self.rebuild();
        }
        let mut batch = Batch::new();
        before.change_to(&self.contents, self.ruleset(), |key, times| self.pulses.rest(key, times), &mut batch);
        self.connection.commit(batch).or_else(|_| self.repair(&before.interfaces))
    }

    /// The table is not what it was thought to be. An interface may have taken its chains along; else somebody has changed it.
    fn repair(&mut self, before: &BTreeMap<InterfaceIndex, String>) -> Result<(), Errno> {
        self.rebuild()?;
        self.restored |= before.iter().all(|(interface, name)| self.contents.interfaces.get(interface) == Some(name));
        Ok(())
    }

    /// Makes the table anew. If that cannot be, there is none: what is left of it would drop what should pass.
    fn rebuild(&mut self) -> Result<(), Errno> {
        if let Some((failed, error)) = self.failure
            && failed.elapsed() < RETRY_AFTER
        {
            return Err(error);
        }
        let _ = self.read_counters();
        self.contents.expire(Instant::now());
        self.contents.follow_interfaces(name);
        let mut written = self.write();
        // An interface may go at any time, which is no reason to leave the others without a fence.
        while written.is_err() && self.contents.follow_interfaces(name) {
            written = self.write();
        }
        self.stands = written.is_ok();
        self.failure = written.err().map(|error| (Instant::now(), error));
        if !self.stands {
            let _ = self.delete();
        }
        written
    }

    fn write(&mut self) -> Result<(), Errno> {
        let mut batch = Batch::new();
        self.contents.write(self.ruleset(), |key, times| self.pulses.rest(key, times), &mut batch);
        self.connection.commit(batch)?;
        self.contents.remember_all(Instant::now());
        self.heard.clear();
        Ok(())
    }

    fn delete(&mut self) -> Result<(), Errno> {
        let mut batch = Batch::new();
        self.ruleset().delete(&mut batch);
        self.connection.commit(batch)
    }

    /// Whether the table has as much in it as it should.
    fn is_whole(&mut self) -> Result<bool, Errno> {
        if self.connection.count(self.ruleset().rules())? != self.contents.rules() {
            return Ok(false);
        }
        for family in [Family::Ipv4, Family::Ipv6] {
            let routers = self.contents.routers.keys().filter(|key| key.family == family).count();
            let addresses =
                self.contents.addresses.keys().filter(|(_, address)| Family::of(*address) == family).count();
            let [claims, releases] = self.ruleset().routers(family);
            for (request, expected) in
                [(claims, routers), (releases, routers), (self.ruleset().addresses(family), addresses)]
            {
                if self.connection.keys(request)?.len() != expected {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn read_counters(&mut self) -> Result<(), Errno> {
        let counters = self.connection.counters(self.ruleset().counters())?;
        let counters = counters.iter().filter_map(|(name, packets)| Some((Key::of_chain(name)?, *packets))).collect();
        let heard = std::mem::replace(&mut self.heard, counters);
        for (key, packets) in &self.heard {
            let before = heard.get(key).copied().unwrap_or_default();
            let more = packets.saturating_sub(before);
            if more > 0 {
                *self.untold.entry(*key).or_default() += more;
            }
        }
        Ok(())
    }
}

impl AsFd for Fence {
    /// Readable when [`restore`](Self::restore) has something to look at.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

impl Guard {
    /// The lifetime of an address that this keeps alive.
    pub fn lifetime(&self) -> Lifetime {
        Lifetime::at_least(lifetime(self.times().longest()))
    }

    const fn times(&self) -> Times {
        Times { advert: self.timeout, release: self.release }
    }
}

impl Guarded {
    const fn key(&self) -> Key {
        let Guard { family, virtual_router_id, .. } = self.guard;
        Key { interface: self.interface, family, virtual_router_id }
    }
}

fn lifetime(timeout: Duration) -> Duration {
    BROOM.max(timeout + AFTER_TIMEOUT)
}

/// The name that an interface has now; none if there is no such one, which `nix` takes for an empty name.
fn name(interface: InterfaceIndex) -> Option<String> {
    let name = if_indextoname(interface.get()).ok()?.to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}
