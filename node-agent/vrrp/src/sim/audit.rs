//! Compares, after each wake-up of an agent, what its kernel has with what its groups believe.

use std::net::IpAddr;

use super::instance::Instance;
use super::process::{Process, Surroundings};
use super::rules::Rule;
use super::table::Situation;
use crate::event::Link;

/// After so many silent intervals a peer takes over.
const ADVERTS_OF_PATIENCE: u32 = 3;

impl Process {
    /// What the kernel has is what the groups believe.
    pub(super) fn audit(&self, around: &mut Surroundings<'_>) {
        for instance in self.instances.values() {
            if instance.situation() == Situation::Master {
                self.check_master(instance, around);
            }
        }
        let is_held = |address: IpAddr| self.instances.values().any(|instance| instance.holds(address));
        let kept = around.kernel.addresses().find(|address| !is_held(*address) && !around.kernel.is_stuck(*address));
        if let Some(address) = kept {
            let how = format!("{address} is on the interface, and nobody wants it there");
            around.fail(0, Rule::OthersLetGo.broken::<()>(how).err());
        }
    }

    fn check_master(&self, instance: &Instance, around: &mut Surroundings<'_>) {
        let election = instance.election();
        // A member whose interface is not known has not joined yet.
        let joined = instance.facts().parts().filter(|(_, _, member)| member.link != Link::Unknown);
        let mut addresses = joined.flat_map(|(_, config, _)| &config.addresses);
        let missing = addresses.find(|address| !around.kernel.holds(**address) && !self.awaits_report_about(**address));
        if let Some(address) = missing {
            let how = format!("{address} is not on the interface");
            around.fail(election, Rule::MasterHolds.broken::<()>(how).err());
        }
        let refused = instance.adverts_refused_in_a_row();
        if refused >= ADVERTS_OF_PATIENCE {
            let how = format!("master although the last {refused} adverts could not be sent");
            around.fail(election, Rule::FaultNoticed.broken::<()>(how).err());
        }
    }
}
