//! The numbers of VRRP as types that cannot hold a wrong value. Parsed once at the border, trusted afterwards.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use thiserror::Error;

/// Identifies a virtual router on one LAN and in one address family: 1..=255 (RFC 9568 section 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualRouterId(NonZeroU8);

/// A priority of an election: 1..=255 (RFC 9568 section 5.2.4). Zero is no priority but a [`Claim::Release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(NonZeroU8);

/// What an advertisement says in its priority byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// Priority 0: the sender gives up being master (RFC 9568 section 5.2.4).
    Release,
    /// The sender is master, with this priority.
    Master(Priority),
}

/// The address family of a virtual router. One VRID may be used once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, group 224.0.0.18.
    Ipv4,
    /// IPv6, group `ff02::12`.
    Ipv6,
}

/// The time between two advertisements of a master, as the wire can carry it.
///
/// VRRPv2: whole seconds, 1 s..=255 s (RFC 3768 section 5.3.7). VRRPv3: centiseconds, 10 ms..=40.95 s (RFC 9568
/// section 5.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvertInterval(Duration);

/// The password of VRRPv2 simple text authentication (RFC 2338 section 5.3.10): eight bytes, zero-padded.
///
/// It travels in clear text and protects against accidents, not against attackers. `Debug` does not print it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Password([u8; 8]);

/// The form of a VRRPv3 checksum over IPv4. IPv6 always covers the pseudo-header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ipv4Checksum {
    /// Pseudo-header and message: RFC 5798 as keepalived and FRR read it. The default on the wire.
    #[default]
    PseudoHeader,
    /// The message alone: RFC 9568 section 5.2.8.
    MessageOnly,
}

/// The protocol version and what belongs to it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// VRRPv2 (RFC 3768), IPv4 only.
    V2 {
        /// Simple text authentication; `None` is authentication type 0.
        password: Option<Password>,
    },
    /// VRRPv3 (RFC 9568).
    V3 {
        /// The checksum form to send over IPv4; both are accepted.
        checksum: Ipv4Checksum,
    },
}

/// A number outside the range that the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutOfRange {
    /// Zero is not a virtual router ID.
    #[error("virtual router ID {0} is not within 1..=255")]
    VirtualRouterId(u8),
    /// Zero is not a priority.
    #[error("priority {0} is not within 1..=255")]
    Priority(u8),
    /// The interval cannot be written into a VRRPv2 advertisement.
    #[error("a VRRPv2 interval is a whole number of seconds within 1s..=255s, not {0:?}")]
    IntervalV2(Duration),
    /// The interval cannot be written into a VRRPv3 advertisement.
    #[error("a VRRPv3 interval is a multiple of 10ms within 10ms..=40.95s, not {0:?}")]
    IntervalV3(Duration),
    /// A password of simple text authentication has at most eight bytes.
    #[error("a VRRPv2 password has 1..=8 bytes, not {0}")]
    Password(usize),
}

// === impl VirtualRouterId ===

impl VirtualRouterId {
    /// The ID with this number.
    pub fn new(number: u8) -> Result<Self, OutOfRange> {
        NonZeroU8::new(number).map(Self).ok_or(OutOfRange::VirtualRouterId(number))
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for VirtualRouterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

// === impl Priority ===

impl Priority {
    /// The lowest priority of a router that takes part.
    pub const MIN: Self = Self(NonZeroU8::MIN);
    /// The highest priority of a router that does not own the addresses.
    pub const MAX_BACKUP: Self = Self(NonZeroU8::new(254).expect("254 is not zero"));
    /// The address owner: the addresses are the router's own (RFC 9568 section 5.2.4).
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// The priority with this number.
    pub fn new(number: u8) -> Result<Self, OutOfRange> {
        NonZeroU8::new(number).map(Self).ok_or(OutOfRange::Priority(number))
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the address owner.
    pub fn is_owner(self) -> bool {
        self == Self::OWNER
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

// === impl Family ===

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

// === impl Claim ===

impl Claim {
    /// Reads the priority byte of an advertisement.
    pub fn from_wire(byte: u8) -> Self {
        Priority::new(byte).map_or(Self::Release, Self::Master)
    }

    /// The priority byte of an advertisement.
    pub fn to_wire(self) -> u8 {
        match self {
            Self::Release => 0,
            Self::Master(priority) => priority.get(),
        }
    }
}

// === impl AdvertInterval ===

impl AdvertInterval {
    /// An interval that VRRPv2 can carry.
    pub fn v2(interval: Duration) -> Result<Self, OutOfRange> {
        let whole = interval.subsec_nanos() == 0 && (1..=255).contains(&interval.as_secs());
        whole.then_some(Self(interval)).ok_or(OutOfRange::IntervalV2(interval))
    }

    /// An interval that VRRPv3 can carry.
    pub fn v3(interval: Duration) -> Result<Self, OutOfRange> {
        let centiseconds = interval.as_nanos() / 10_000_000;
        let whole = interval.as_nanos().is_multiple_of(10_000_000) && (1..=4095).contains(&centiseconds);
        whole.then_some(Self(interval)).ok_or(OutOfRange::IntervalV3(interval))
    }

    /// The interval as a duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whole seconds, as VRRPv2 writes it; 255 at most.
    pub fn seconds(self) -> u8 {
        u8::try_from(self.0.as_secs()).unwrap_or(u8::MAX)
    }

    /// Centiseconds, as VRRPv3 writes it; 4095 at most.
    pub fn centiseconds(self) -> u16 {
        u16::try_from(self.0.as_millis() / 10).unwrap_or(4095).min(4095)
    }
}

// === impl Password ===

impl Password {
    /// A password of one to eight bytes.
    pub fn new(text: &[u8]) -> Result<Self, OutOfRange> {
        let mut bytes = [0; 8];
        match bytes.get_mut(..text.len()) {
            Some(slot) if !text.is_empty() => slot.copy_from_slice(text),
            _ => return Err(OutOfRange::Password(text.len())),
        }
        Ok(Self(bytes))
    }

    /// The eight bytes of the authentication data field.
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

// === impl Protocol ===

impl Protocol {
    /// The number in the version field of the message.
    pub const fn version(&self) -> u8 {
        match self {
            Self::V2 { .. } => 2,
            Self::V3 { .. } => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_neither_a_router_id_nor_a_priority() {
        assert_eq!(VirtualRouterId::new(0), Err(OutOfRange::VirtualRouterId(0)));
        assert_eq!(Priority::new(0), Err(OutOfRange::Priority(0)));
        assert_eq!(Claim::from_wire(0), Claim::Release);
    }

    #[test]
    fn every_priority_byte_survives_the_claim() {
        for byte in 0..=255 {
            assert_eq!(Claim::from_wire(byte).to_wire(), byte);
        }
    }

    #[test]
    fn an_interval_must_fit_the_field_of_its_version() {
        let cases: [(u64, bool, bool); 9] = [
            // milliseconds, fits v2, fits v3
            (0, false, false),
            (5, false, false),
            (10, false, true),
            (15, false, false),
            (200, false, true),
            (1_000, true, true),
            (40_950, false, true),
            (41_000, true, false),
            (256_000, false, false),
        ];
        for (milliseconds, v2, v3) in cases {
            let interval = Duration::from_millis(milliseconds);
            assert_eq!(AdvertInterval::v2(interval).is_ok(), v2, "v2 {milliseconds} ms");
            assert_eq!(AdvertInterval::v3(interval).is_ok(), v3, "v3 {milliseconds} ms");
        }
    }

    #[test]
    fn a_password_is_padded_and_never_printed() {
        let password = Password::new(b"secret").expect("six bytes");
        assert_eq!(password.bytes(), b"secret\0\0");
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert!(Password::new(b"").is_err());
        assert!(Password::new(b"ninebytes").is_err());
    }
}
