//! What the fence has to know, and what it tells.

use std::collections::HashMap;

use holdfast_vrrp::{Family, MemberIndex, timing};

use super::Driver;
use crate::desired::{DesiredRouter, Fencing, release_timeout};
use crate::election::leases::Period;
use crate::election::report::Report;
use crate::election::running::RunningGroup;
use crate::election::slot::Seat;
use crate::network::address_worker::FenceNews;
use crate::network::fence::{Closed, Guard};
use crate::network::interfaces::{InterfaceIndex, Placement};
use crate::network::netlink::Lifetime;

/// The packets that the fence has dropped before the addresses of a virtual router.
#[derive(Clone, Copy, Debug, Default)]
struct FenceDrops {
    /// The counter of the kernel, when last heard of.
    heard: u64,
    /// Since the thread started.
    total: u64,
}

/// What the thread knows of the fence.
#[derive(Debug)]
pub(super) struct FenceState {
    /// What was ordered for each address that is held.
    pub(super) guards: HashMap<Placement, Option<Guard>>,
    /// What a dead agent holds is silenced by the fence, and not only by lifetimes.
    pub(super) stands: bool,
    drops: HashMap<DropsKey, FenceDrops>,
}

/// A virtual router, by its VRID on an interface.
type DropsKey = (InterfaceIndex, Family, u8);

impl FenceState {
    pub(super) fn new(stands: bool) -> Self {
        Self { guards: HashMap::new(), stands, drops: HashMap::new() }
    }
}

impl Driver {
    /// What keeps the addresses of a virtual router alive; none if they are not to be fenced.
    pub(super) fn guard(&self, seat: Seat) -> Option<Guard> {
        let running = self.engine.get(seat.slot)?;
        let router: &DesiredRouter = running.router(seat.member)?;
        let members = running.desired.config.members();
        let config = members.get(usize::from(seat.member.0))?;
        // A group is taken over as a whole, so its slowest member decides.
        let interval = members.iter().map(|member| member.interval.get()).max()?;
        let bounds = members.iter().map(|member| timing::release_bound(&member.protocol, member.interval.get()));
        Some(Guard {
            family: config.family,
            virtual_router_id: config.virtual_router_id.get(),
            timeout: router.fencing.timeout(interval)?,
            release: release_timeout(bounds.max()?),
        })
    }

    /// What silences the addresses of a virtual router.
    pub(super) fn fencing_in_use(&self, router: &DesiredRouter) -> Fencing {
        if self.fence.stands { router.fencing } else { Fencing::None }
    }

    /// How many packets were dropped before the addresses of a virtual router.
    pub(super) fn fence_dropped_packets(&self, seat: Seat) -> u64 {
        let key = || {
            let running = self.engine.get(seat.slot)?;
            let config = running.desired.config.members().get(usize::from(seat.member.0))?;
            Some((running.binding(seat.member)?.interface, config.family, config.virtual_router_id.get()))
        };
        key().and_then(|key| self.fence.drops.get(&key)).map_or(0, |drops| drops.total)
    }

    /// How often an address with this guard is renewed.
    pub(super) fn period(&self, guard: Option<Guard>) -> Period {
        if guard.is_some() && self.fence.stands { Period::Long } else { Period::Short }
    }

    /// The kernel lifetime that an address has.
    pub(super) fn lifetime(&self, placement: &Placement) -> Lifetime {
        let guard = self.fence.guards.get(placement).copied().flatten().filter(|_| self.fence.stands);
        guard.map_or(Lifetime::SHORT, |guard| guard.lifetime())
    }

    /// Intervals and modes may have changed while addresses are held.
    pub(super) fn renew_guards(&mut self) {
        let now = self.holdings.iter().map(|(placement, owner)| (placement, self.guard(owner)));
        let changed: Vec<_> =
            now.filter(|(placement, guard)| self.fence.guards.get(placement) != Some(guard)).collect();
        if changed.is_empty() {
            return;
        }
        for (placement, guard) in &changed {
            self.fence.guards.insert(*placement, *guard);
            self.leases.begin(*placement, self.period(*guard), self.now);
        }
        // The lifetime of an address has to fit its guard.
        let placements = changed.iter().map(|(placement, _)| *placement).collect();
        self.worker.guard(changed);
        self.worker.renew(placements);
    }

    /// The fence has something to tell.
    pub(super) fn note_fence(&mut self, news: FenceNews) {
        match news {
            FenceNews::Restored => {
                self.counted.fence_restored += 1;
                self.report(Report::FenceRestored);
            }
            FenceNews::Lost(error) => {
                self.fence.stands = false;
                // Lifetimes are all that is left: they must be short, at once.
                self.leases.shorten();
                self.degraded(format!("the fence cannot be set up: {}", error.desc()));
            }
            FenceNews::Found => self.fence.stands = true,
            FenceNews::Closed(closed) => closed.into_iter().for_each(|closed| self.note_closed(closed)),
        }
    }

    fn note_closed(&mut self, closed: Closed) {
        let key = (closed.interface, closed.family, closed.virtual_router_id);
        let drops = self.fence.drops.entry(key).or_default();
        // It counts anew when the table is made anew.
        let more = closed.packets.checked_sub(drops.heard).unwrap_or(closed.packets);
        drops.heard = closed.packets;
        if more == 0 {
            return;
        }
        drops.total += more;
        self.counted.fence_dropped_packets += more;
        if let Some(router) = self.router_of(closed) {
            self.report(Report::FenceClosed { router, packets: more });
        }
    }

    fn router_of(&self, closed: Closed) -> Option<String> {
        let is_it = |running: &RunningGroup, member: MemberIndex| {
            let config = running.desired.config.members().get(usize::from(member.0));
            running.binding(member).is_some_and(|binding| binding.interface == closed.interface)
                && config.is_some_and(|config| {
                    config.family == closed.family && config.virtual_router_id.get() == closed.virtual_router_id
                })
        };
        self.engine.iter().find_map(|(_, running)| {
            let member = running.indices().find(|member| is_it(running, *member))?;
            running.router(member).map(|router| router.name.clone())
        })
    }
}
