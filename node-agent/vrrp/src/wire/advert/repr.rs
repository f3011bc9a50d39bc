//! An advert to send: a value that writes itself.

use std::net::IpAddr;

use super::{EmitError, HEADER_LENGTH, TYPE_ADVERTISEMENT, v2, v3};
use crate::types::{AdvertInterval, Claim, Ipv4Checksum, Protocol, VirtualRouterId};
use crate::wire::{Checksum, IpProtocol};

/// What an advert to send says. Written by [`AdvertRepr::emit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdvertRepr<'a> {
    /// The virtual router that it speaks for.
    pub vrid: VirtualRouterId,
    /// Master with a priority, or not any more.
    pub claim: Claim,
    /// The version, with the password or the checksum form that belongs to it.
    pub protocol: Protocol,
    /// The time between two adverts of ours; must fit the version.
    pub interval: AdvertInterval,
    /// The virtual addresses, in the configured order: 1..=255, all of the family that carries the advert.
    pub addresses: &'a [IpAddr],
}

impl AdvertRepr<'_> {
    /// The length of the longest advert: 255 IPv6 addresses.
    pub const MAX_LENGTH: usize = HEADER_LENGTH + 255 * 16;

    /// The length of the message in bytes.
    pub fn length(&self) -> usize {
        let addresses: usize = self.addresses.iter().map(|address| if address.is_ipv4() { 4 } else { 16 }).sum();
        let trailer = match self.protocol {
            Protocol::V2 { .. } => v2::AUTHENTICATION_LENGTH,
            Protocol::V3 { .. } => 0,
        };
        HEADER_LENGTH + addresses + trailer
    }

    /// Writes the message to the start of `buffer` and returns its length.
    ///
    /// Source and destination are those of the IP packet that will carry it: the checksum may cover them, so each
    /// unicast peer needs a message of its own.
    pub fn emit(&self, source: IpAddr, destination: IpAddr, buffer: &mut [u8]) -> Result<usize, EmitError> {
        let count = self.check(source, destination)?;
        let (length, available) = (self.length(), buffer.len());
        let Some((header, body)) = buffer.get_mut(..length).and_then(<[u8]>::split_first_chunk_mut::<HEADER_LENGTH>)
        else {
            return Err(EmitError::Buffer { needed: length, available });
        };
        *header = self.header(count);
        self.fill_body(body);
        let sum = self.checksum_start(source, destination, length).with(header).with(body);
        let [.., high, low] = header;
        [*high, *low] = sum.value().to_be_bytes();
        Ok(length)
    }

    /// What every receiver would refuse is not sent. Returns the address count field.
    fn check(&self, source: IpAddr, destination: IpAddr) -> Result<u8, EmitError> {
        let mut addresses = std::iter::once(&destination).chain(self.addresses);
        if let Some(stranger) = addresses.find(|address| address.is_ipv4() != source.is_ipv4()) {
            return Err(EmitError::Family(*stranger));
        }
        let fitting = match self.protocol {
            Protocol::V2 { .. } if source.is_ipv6() => return Err(EmitError::Version2OverIpv6),
            Protocol::V2 { .. } => AdvertInterval::v2(self.interval.get()),
            Protocol::V3 { .. } => AdvertInterval::v3(self.interval.get()),
        };
        fitting.map_err(|_| EmitError::Interval(self.interval.get()))?;
        match u8::try_from(self.addresses.len()) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(EmitError::AddressCount(self.addresses.len())),
        }
    }

    /// The first eight bytes, with a checksum of zero.
    fn header(&self, count: u8) -> [u8; HEADER_LENGTH] {
        let [fourth, fifth] = match &self.protocol {
            Protocol::V2 { password } => v2::version_specific(password.as_ref(), self.interval),
            Protocol::V3 { .. } => v3::version_specific(self.interval),
        };
        let version_and_type = self.protocol.version() << 4 | TYPE_ADVERTISEMENT;
        [version_and_type, self.vrid.get(), self.claim.to_wire(), count, fourth, fifth, 0, 0]
    }

    /// The addresses, and the authentication data of VRRPv2. The body has the length of both.
    fn fill_body(&self, mut body: &mut [u8]) {
        let mut put = |bytes: &[u8]| {
            if let Some(slot) = body.split_off_mut(..bytes.len()) {
                slot.copy_from_slice(bytes);
            }
        };
        for address in self.addresses {
            match address {
                IpAddr::V4(address) => put(&address.octets()),
                IpAddr::V6(address) => put(&address.octets()),
            }
        }
        if let Protocol::V2 { password } = &self.protocol {
            put(&v2::authentication_data(password.as_ref()));
        }
    }

    /// The sum over what the checksum covers beside the message: nothing, or the pseudo-header.
    fn checksum_start(&self, source: IpAddr, destination: IpAddr, length: usize) -> Checksum {
        let pseudo_header = match self.protocol {
            Protocol::V2 { .. } => false,
            Protocol::V3 { checksum } => source.is_ipv6() || checksum == Ipv4Checksum::PseudoHeader,
        };
        if !pseudo_header {
            return Checksum::default();
        }
        Checksum::pseudo_header(source, destination, IpProtocol::VRRP, length).unwrap_or_default()
    }
}
