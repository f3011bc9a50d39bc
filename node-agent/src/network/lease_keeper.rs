//! Renews the kernel lifetime of addresses on a thread of its own.
//!
//! Each renewal takes the kernel's one lock for network configuration, which others on a busy node hold for hundreds of
//! milliseconds. The election thread must not wait for it each second. It says what to renew, so nothing is renewed
//! once it is dead or stuck, and what to forget: an address that was forgotten is never renewed again, because a
//! renewal that comes after the removal would put the address back.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::interfaces::Placement;
use super::netlink::AddressCommands;
use crate::system;

/// How many addresses are renewed in one system call. As long as it takes, nothing can be forgotten.
const RENEWALS_AT_ONCE: usize = 16;

/// The election thread's side.
pub struct LeaseKeeper {
    renewals: Sender<Vec<Placement>>,
    shared: Arc<Shared>,
    port: u32,
}

struct Shared {
    /// What may be renewed. Locked while the kernel renews.
    held: Mutex<HashSet<Placement>>,
    refused: AtomicU64,
}

impl LeaseKeeper {
    /// Starts the thread, which ends with the value. It gets the real-time priority, if there is one: the election
    /// thread waits for it now and then.
    pub fn start(realtime_priority: Option<i32>) -> io::Result<Self> {
        let commands = AddressCommands::open()?;
        let port = commands.port();
        let shared = Arc::new(Shared { held: Mutex::default(), refused: AtomicU64::new(0) });
        let (renewals, orders) = channel();
        let for_thread = Arc::clone(&shared);
        thread::Builder::new().name("lease-keeper".to_owned()).spawn(move || {
            if let Some(priority) = realtime_priority {
                // The election thread tells when it is refused; one complaint is enough.
                let _ = system::schedule_in_real_time(priority);
            }
            keep(commands, &orders, &for_thread);
        })?;
        Ok(Self { renewals, shared, port })
    }

    /// The netlink port that renewals come from.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Allows an address to be renewed from now on.
    pub fn hold(&self, placements: impl IntoIterator<Item = Placement>) {
        self.shared.held().extend(placements);
    }

    /// Forbids it. When this returns, no renewal of these is under way any more.
    pub fn forget(&self, placements: impl IntoIterator<Item = Placement>) {
        let mut held = self.shared.held();
        for placement in placements {
            held.remove(&placement);
        }
    }

    /// Asks for renewals; does not wait for them.
    pub fn renew(&self, placements: Vec<Placement>) {
        // The thread ends only together with this value.
        let _ = self.renewals.send(placements);
    }

    /// How many renewals the kernel has refused.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// The set stays usable even if a thread died while it had it.
    fn held(&self) -> MutexGuard<'_, HashSet<Placement>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(mut commands: AddressCommands, orders: &Receiver<Vec<Placement>>, shared: &Shared) {
    let (mut allowed, mut refused) = (Vec::with_capacity(RENEWALS_AT_ONCE), Vec::new());
    for order in orders {
        for chunk in order.chunks(RENEWALS_AT_ONCE) {
            let held = shared.held();
            allowed.clear();
            allowed.extend(chunk.iter().filter(|placement| held.contains(placement)));
            if !allowed.is_empty() {
                commands.renew(&allowed, &mut refused);
            }
            drop(held);
            shared.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
            refused.clear();
        }
    }
}
