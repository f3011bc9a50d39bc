//! Mistakes planted between a group and its driver, to see that the rules catch them.
//!
//! The core is not touched: a mutant bends what goes in or what comes out, so that the whole behaves as if the core,
//! or a driver, had made that mistake. Most are mistakes that other implementations of VRRP have made.

use std::fmt;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// All backups take over at the same time.
    SkewIgnored,
    /// Of two masters of equal priority the one with the lower address stays.
    TieBreakFlipped,
    /// A report about an earlier state counts for the present one.
    OutdatedReportBelieved,
    /// Priority 0 is not heard.
    ReleaseIgnored,
    /// Nobody says that it leaves.
    ReleaseNotSent,
    /// `Never` takes over from a live master.
    NeverPreempts,
    /// The preemption delay is not served.
    DelayIgnored,
    /// A router that resigned takes the addresses back from a lower master at once.
    HoldDownMissing,
    /// A master keeps its claim when it falls below its rival.
    ResignationMissing,
    /// A master that was not told of a rival keeps its claim whatever its weights do.
    UnknownRivalDisregarded,
    /// A backup waits for its own interval instead of the master's.
    IntervalNotLearned,
    /// Addresses stay when the group fails.
    RemovalForgottenAtFault,
    /// Addresses go at once when the agent is asked to leave.
    NoHandover,
    /// Expired timers are handled before the packets that wait in the socket.
    TimersBeforePackets,
    /// After a stall, what was missed is made up for, in the time of the past.
    StallUnnoticed,
    /// Adverts with another list of addresses are dropped.
    ListMismatchDropped,
    /// Adverts of peers that still use the other transport are dropped.
    OtherTransportDropped,
    /// Routers that are no peers are obeyed.
    StrangersObeyed,
    /// Own adverts that come back are taken for another router's.
    OwnAdvertsObeyed,
    /// Broken adverts are accepted.
    ChecksumIgnored,
    /// Weights of trackers do not count.
    PriorityNotTracked,
    /// `reverse` is not applied.
    ReverseIgnored,
    /// A value other than zero counts as one failure.
    ValueCountsOnce,
    /// A failed check of weight zero is not noticed.
    FaultIgnored,
    /// A check without a first result counts as passed.
    FirstResultNotAwaited,
    /// An interface that goes down is not noticed.
    LinkLossIgnored,
    /// The driver does not report that the kernel refused an address.
    RefusalNotReported,
    /// The driver does not report that an address vanished.
    DeletionNotReported,
    /// The driver does not report that adverts cannot be sent.
    SendFailureNotReported,
    /// A takeover is not announced.
    TakeoverNotAnnounced,
    /// Every lower advert is answered with announcements.
    AnnouncementStorm,
    /// Actions come in the opposite order.
    PhasesReversed,
    /// A group whose members change is stopped, and another one starts.
    RegroupingRestarts,
    /// A master goes on after it was stopped.
    TalksAfterStop,
    /// The configured interval is taken for another unit.
    WrongUnit,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 35] = [
        Self::SkewIgnored,
        Self::TieBreakFlipped,
        Self::OutdatedReportBelieved,
        Self::ReleaseIgnored,
        Self::ReleaseNotSent,
        Self::NeverPreempts,
        Self::DelayIgnored,
        Self::HoldDownMissing,
        Self::ResignationMissing,
        Self::UnknownRivalDisregarded,
        Self::IntervalNotLearned,
        Self::RemovalForgottenAtFault,
        Self::NoHandover,
        Self::TimersBeforePackets,
        Self::StallUnnoticed,
        Self::ListMismatchDropped,
        Self::OtherTransportDropped,
        Self::StrangersObeyed,
        Self::OwnAdvertsObeyed,
        Self::ChecksumIgnored,
        Self::PriorityNotTracked,
        Self::ReverseIgnored,
        Self::ValueCountsOnce,
        Self::FaultIgnored,
        Self::FirstResultNotAwaited,
        Self::LinkLossIgnored,
        Self::RefusalNotReported,
        Self::DeletionNotReported,
        Self::SendFailureNotReported,
        Self::TakeoverNotAnnounced,
        Self::AnnouncementStorm,
        Self::PhasesReversed,
        Self::RegroupingRestarts,
        Self::TalksAfterStop,
        Self::WrongUnit,
    ];

    /// The mistake with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.to_string() == name)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
