//! How often each receive check has failed, under names that do not change.

use super::advert::ReceiveError;

/// A check that every received advert has to pass, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiveCheck {
    /// The datagram is of the virtual router's address family.
    Family,
    /// The hop limit proves that the sender is near enough.
    HopLimit,
    /// The version is the configured one.
    Version,
    /// The message is an advertisement.
    Type,
    /// The message is as long as it says, or longer.
    Truncated,
    /// Nothing follows the message.
    TrailingBytes,
    /// The message is intact.
    Checksum,
    /// The virtual router ID is not zero.
    VirtualRouterId,
    /// VRRPv2: the authentication type is the configured one.
    AuthenticationType,
    /// VRRPv2: the password is the configured one.
    AuthenticationData,
    /// VRRPv2: the interval is the configured one.
    IntervalMismatch,
    /// VRRPv3: the interval is not zero.
    IntervalZero,
    /// VRRPv3: there is an address.
    AddressCount,
}

/// Counts rejected adverts by the check that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReceiveCounters([u64; ReceiveCheck::ALL.len()]);

// === impl ReceiveCheck ===

impl ReceiveCheck {
    /// Every check, in the order in which they are made.
    pub const ALL: [Self; 13] = [
        Self::Family,
        Self::HopLimit,
        Self::Version,
        Self::Type,
        Self::Truncated,
        Self::TrailingBytes,
        Self::Checksum,
        Self::VirtualRouterId,
        Self::AuthenticationType,
        Self::AuthenticationData,
        Self::IntervalMismatch,
        Self::IntervalZero,
        Self::AddressCount,
    ];

    /// A stable name in `snake_case`, usable as the value of a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::HopLimit => "hop_limit",
            Self::Version => "version",
            Self::Type => "type",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing_bytes",
            Self::Checksum => "checksum",
            Self::VirtualRouterId => "virtual_router_id",
            Self::AuthenticationType => "authentication_type",
            Self::AuthenticationData => "authentication_data",
            Self::IntervalMismatch => "interval_mismatch",
            Self::IntervalZero => "interval_zero",
            Self::AddressCount => "address_count",
        }
    }
}

// === impl ReceiveCounters ===

impl ReceiveCounters {
    /// Counts a rejected advert.
    pub fn count(&mut self, error: &ReceiveError) {
        if let Some(counter) = self.0.get_mut(error.check() as usize) {
            *counter = counter.saturating_add(1);
        }
    }

    /// How many adverts failed this check.
    pub fn get(&self, check: ReceiveCheck) -> u64 {
        self.0.get(check as usize).copied().unwrap_or_default()
    }

    /// Every check's name and how many adverts failed it, zeros included, in the order of the checks.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ReceiveCheck::ALL.into_iter().map(ReceiveCheck::name).zip(self.0)
    }

    /// How many adverts were rejected, whatever the check.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
