//! What there is to tell of a `VirtualIPGroup`. What happens to its members is told of them.

use holdfast_crds::VirtualIPGroupStatus;
use holdfast_crds::condition::{ConditionType, GroupAcceptedReason};

use super::{HasTransitions, Transition, accepted, message_of};

impl HasTransitions for VirtualIPGroupStatus {
    fn transitions_to(&self, new: &Self) -> Vec<Transition> {
        let accepted = accepted(&self.conditions, &new.conditions, GroupAcceptedReason::ALL);
        let message = message_of(&new.conditions, ConditionType::Ready);
        let master = match (self.master.as_deref(), new.master.as_deref()) {
            (Some(from), Some(to)) if from != to => {
                let note = format!("All members moved from node {from:?} to node {to:?}");
                Some(Transition::normal("MasterChanged", "Elect", note))
            }
            (None, Some(_)) => Some(Transition::normal("MasterElected", "Elect", message)),
            (Some(from), None) => {
                let note = format!("The members are not together on node {from:?} any more. {message}");
                Some(Transition::warning("MasterLost", "Elect", note))
            }
            _ => None,
        };
        accepted.into_iter().chain(master).collect()
    }
}
