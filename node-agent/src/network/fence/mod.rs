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
//! | `connection.rs` | the sockets |
//!
//! Decides nothing about who holds an address. Has one table, by its name; never touches another.

mod connection;
mod contents;
mod expression;
mod message;
mod ruleset;

use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use holdfast_vrrp::Family;
use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};

use self::connection::{Connection, Watch};
use self::contents::Contents;
use self::message::Batch;
use self::ruleset::{Key, Ruleset, Times, place};
use super::interfaces::InterfaceIndex;
use super::netlink::Lifetime;

/// The shortest kernel lifetime of a guarded address: not what silences a dead agent, but what clears away after it.
pub const BROOM: Duration = Duration::from_secs(30);

/// An address outlives the last advert that may keep it alive by this.
const AFTER_TIMEOUT: Duration = Duration::from_secs(10);

/// The fence forgets an address this long after its lifetime: it stands in nobody's way if the agent never comes back.
const AFTER_LIFETIME: Duration = Duration::from_secs(30);

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
    /// Packets that were dropped since the table was made.
    pub packets: u64,
}

/// The fence of this agent.
pub struct Fence {
    connection: Connection,
    watch: Watch,
    table: String,
    contents: Contents,
    /// The table is as `contents` says.
    stands: bool,
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
        trial.known.insert(key);
        trial.routers.insert(key, Times { advert: Duration::from_secs(1), release: Duration::from_secs(2) });
        trial.addresses.insert((interface, Ipv4Addr::LOCALHOST.into()), key);
        let mut batch = Batch::new();
        trial.write(ruleset, &mut batch);
        ruleset.delete(&mut batch);
        connection.commit(batch)?;
        Ok(Self { connection, watch, table: table.to_owned(), contents: Contents::default(), stands: false })
    }

    /// What an earlier run of the agent guarded: names of interfaces, and the addresses that it had there or was about to.
    ///
    /// Errors: whatever the kernel says, but that there is none.
    pub fn leftover(&mut self) -> Result<Vec<(String, IpAddr)>, Errno> {
        let mut found = Vec::new();
        for family in [Family::Ipv4, Family::Ipv6] {
            match self.connection.keys(&Ruleset { table: &self.table }.addresses(family)) {
                Ok(keys) => found.extend(keys.iter().filter_map(|key| place(key))),
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        let named = found.into_iter().filter_map(|(interface, address)| Some((name(interface).ok()?, address)));
        Ok(named.collect())
    }

    /// Takes over from an earlier run of the agent: what it guarded, and this one does not, is guarded no more.
    pub fn replace_leftover(&mut self) -> Result<(), Errno> {
        self.rebuild()
    }

    /// From now on these addresses answer only while their guards allow it. To be called before they are on the interface,
    /// just after an advert, which counts.
    pub fn guard(&mut self, addresses: &[Guarded]) -> Result<(), Errno> {
        let mut next = self.contents.clone();
        for guarded in addresses {
            let key = guarded.key();
            if let Entry::Vacant(entry) = next.interfaces.entry(key.interface) {
                entry.insert(name(key.interface)?);
            }
            next.known.insert(key);
            next.routers.insert(key, guarded.guard.times());
            next.addresses.insert((guarded.interface, guarded.address), key);
        }
        next.drop_unused_routers();
        self.change_to(next)
    }

    /// These addresses are not on the interface any more.
    pub fn release(&mut self, addresses: &[(InterfaceIndex, IpAddr)]) -> Result<(), Errno> {
        let mut next = self.contents.clone();
        for place in addresses {
            next.addresses.remove(place);
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
        let ruleset = Ruleset { table: &self.table };
        let mut batch = Batch::new();
        self.contents.renew(ruleset, addresses, &mut batch);
        self.connection.commit(batch).or_else(|_| self.rebuild())
    }

    /// Puts the fence back if somebody has taken something of it away. Returns whether that was so.
    pub fn restore(&mut self) -> Result<bool, Errno> {
        if !self.watch.was_damaged(&self.table) {
            return Ok(false);
        }
        self.rebuild().map(|()| true)
    }

    /// How many packets were dropped because a virtual router was not alive.
    pub fn closed(&mut self) -> Result<Vec<Closed>, Errno> {
        let request = Ruleset { table: &self.table }.counters();
        let counters = self.connection.counters(&request)?;
        let of = |key: &Key| {
            let Key { interface, family, virtual_router_id } = *key;
            Some(Closed { interface, family, virtual_router_id, packets: *counters.get(&key.chain())? })
        };
        Ok(self.contents.known.iter().filter_map(of).collect())
    }

    /// Removes it.
    pub fn remove(&mut self) -> Result<(), Errno> {
        let mut batch = Batch::new();
        Ruleset { table: &self.table }.delete(&mut batch);
        self.stands = false;
        self.contents = Contents::default();
        self.connection.commit(batch)
    }

    fn change_to(&mut self, next: Contents) -> Result<(), Errno> {
        if self.stands && next == self.contents {
            return Ok(());
        }
        let renamed = next.interfaces.iter().any(|(index, name)| {
            let same_name = self.contents.interfaces.iter().find(|(_, other)| *other == name);
            same_name.is_some_and(|(other, _)| other != index)
        });
        let before = std::mem::replace(&mut self.contents, next);
        if renamed || !self.stands {
            return self.rebuild();
        }
        let mut batch = Batch::new();
        before.change_to(&self.contents, Ruleset { table: &self.table }, &mut batch);
        // Somebody may have changed it, or an interface may have taken its chains along.
        self.connection.commit(batch).or_else(|_| self.rebuild())
    }

    fn rebuild(&mut self) -> Result<(), Errno> {
        self.contents.forget_missing_interfaces(|interface, known| name(interface).is_ok_and(|name| name == known));
        let mut batch = Batch::new();
        self.contents.write(Ruleset { table: &self.table }, &mut batch);
        let committed = self.connection.commit(batch);
        self.stands = committed.is_ok();
        committed
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

fn name(interface: InterfaceIndex) -> Result<String, Errno> {
    if_indextoname(interface.get()).map(|name| name.to_string_lossy().into_owned())
}
