//! The state table: what may become of a group when something happens to it.
//!
//! It is written from RFC 9568 section 6.4, keepalived's behaviour and the project's design, not from the code: an
//! outcome that is not listed is a violation, and every outcome that is listed has to be seen.

/// Where a group stands. `Initialize` of the RFC is told apart by what is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// Built, not started.
    #[default]
    New,
    /// Started, waiting for a first result.
    Pending,
    /// Unfit.
    Fault,
    /// Listening.
    Backup,
    /// Holding the addresses.
    Master,
    /// Drained or aborted.
    Stopped,
}

/// What happened to a group, as far as the table tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// `Event::Start`.
    Start,
    /// `Event::Drain`.
    Drain,
    /// `Event::Abort`.
    Abort,
    /// `Event::Timer`.
    Timer,
    /// An advert of priority 0.
    Release,
    /// An advert of higher priority.
    HigherPriority,
    /// An advert of equal priority from a higher address.
    HigherAddress,
    /// An advert of equal priority from a lower address.
    LowerAddress,
    /// An advert of lower priority.
    LowerPriority,
    /// A valid advert from a router that is no peer.
    StrangerAdvert,
    /// An advert of our own that came back.
    OwnAdvert,
    /// A packet that fails a receive check.
    Junk,
    /// An interface works.
    LinkUp,
    /// An interface does not work.
    LinkDown,
    /// A tracker of weight zero reports that all is well.
    CheckPasses,
    /// A tracker of weight zero reports a failure.
    CheckFails,
    /// A tracker raises the priority.
    PriorityRises,
    /// A tracker lowers the priority.
    PriorityFalls,
    /// A tracker reports what changes nothing.
    NoNews,
    /// Another machine says that it has one of the addresses.
    NeighborClaim,
    /// An address vanished from the interface.
    AddressDeleted,
    /// The kernel refused an address, in the present state.
    AddressRefused,
    /// The kernel refused an address, in an earlier state.
    OutdatedRefusal,
    /// An advert could not be sent.
    SendRefused,
    /// A new configuration.
    Reconfigure,
}

use Situation::{Backup, Fault, Master, New, Pending, Stopped};

impl Situation {
    /// All of them.
    pub const ALL: [Self; 6] = [New, Pending, Fault, Backup, Master, Stopped];

    /// Whether the group takes part in the election.
    pub const fn is_electing(self) -> bool {
        matches!(self, Backup | Master)
    }

    /// Whether the group was started and not stopped.
    pub const fn is_running(self) -> bool {
        matches!(self, Pending | Fault | Backup | Master)
    }
}

impl Input {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Start,
        Self::Drain,
        Self::Abort,
        Self::Timer,
        Self::Release,
        Self::HigherPriority,
        Self::HigherAddress,
        Self::LowerAddress,
        Self::LowerPriority,
        Self::StrangerAdvert,
        Self::OwnAdvert,
        Self::Junk,
        Self::LinkUp,
        Self::LinkDown,
        Self::CheckPasses,
        Self::CheckFails,
        Self::PriorityRises,
        Self::PriorityFalls,
        Self::NoNews,
        Self::NeighborClaim,
        Self::AddressDeleted,
        Self::AddressRefused,
        Self::OutdatedRefusal,
        Self::SendRefused,
        Self::Reconfigure,
    ];

    /// Whether it is an advert of a peer that is master.
    pub const fn is_claim(self) -> bool {
        matches!(self, Self::HigherPriority | Self::HigherAddress | Self::LowerAddress | Self::LowerPriority)
    }

    /// Whether it is a packet of the VRRP protocol.
    pub const fn is_packet(self) -> bool {
        matches!(
            self,
            Self::Release
                | Self::HigherPriority
                | Self::HigherAddress
                | Self::LowerAddress
                | Self::LowerPriority
                | Self::StrangerAdvert
                | Self::OwnAdvert
                | Self::Junk
        )
    }
}

/// What may become of a group, stalls left aside: a master that slept too long becomes a backup first, and what
/// happened then happens to a backup.
#[expect(clippy::match_same_arms, reason = "a table: each row is a rule of its own")]
pub fn outcomes(situation: Situation, input: Input) -> &'static [Situation] {
    match (situation, input) {
        // Who was never master has asked for nothing that could be refused.
        // A refusal in an earlier state is outdated; only a master asks for addresses.
        (New | Pending, Input::OutdatedRefusal | Input::SendRefused)
        | (New | Pending | Fault | Backup | Stopped, Input::AddressRefused) => &[],

        (New, Input::Start) => &[Pending, Fault, Backup, Master],
        (New, Input::Drain | Input::Abort) => &[Stopped],
        (New, _) => &[New],

        (_, Input::Drain | Input::Abort) => &[Stopped],
        (Stopped, _) => &[Stopped],

        // Causes of faults, whatever the state. Leaving a fault passes through the state of a backup, but an owner of
        // the addresses waits for nobody; and a first result that is still missing may be another fault.
        (_, Input::LinkDown | Input::CheckFails) => &[Fault],
        (Pending, Input::LinkUp | Input::CheckPasses) => &[Pending, Backup, Master],
        (Pending, Input::Reconfigure) => &[Pending, Fault, Backup, Master],
        (Pending, _) => &[Pending],
        (Fault, Input::Timer | Input::LinkUp | Input::CheckPasses | Input::Reconfigure) => {
            &[Fault, Pending, Backup, Master]
        }
        (Fault, _) => &[Fault],

        (Backup, Input::Timer) => &[Backup, Master],
        (Backup, Input::Reconfigure) => &[Backup, Fault],
        (Backup, _) => &[Backup],

        // RFC 9568 section 6.4.3: yield to the better one, and to nobody else.
        (Master, Input::HigherPriority) => &[Backup],
        // A group has one answer to a tie, though its members may have several: see the rule `Tie`.
        (Master, Input::HigherAddress) => &[Backup, Master],
        (Master, Input::AddressRefused) => &[Fault],
        (Master, Input::SendRefused) => &[Master, Fault],
        // A claim that is lost by weight is given up at once.
        (Master, Input::PriorityFalls) => &[Master, Backup],
        (Master, Input::Reconfigure) => &[Master, Backup, Fault],
        (Master, _) => &[Master],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_becomes_master_by_its_timer_alone() {
        for input in Input::ALL {
            assert_eq!(outcomes(Backup, input).contains(&Master), input == Input::Timer, "{input:?}");
        }
    }

    #[test]
    fn nothing_comes_back_from_a_stop() {
        for input in Input::ALL {
            assert!(outcomes(Stopped, input).iter().all(|outcome| *outcome == Stopped), "{input:?}");
        }
    }
}
