//! Frames made by hand: questions, announcements of strangers, and adverts that no correct router would send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum;
use super::frame::{ARP, ICMPV6, IPV4, IPV6, VRRP};
use super::mac::Mac;

const ARP_REQUEST: u16 = 1;
const ARP_REPLY: u16 = 2;

/// An Ethernet frame.
pub fn ethernet(destination: Mac, source: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&destination.0[..], &source.0, &ether_type.to_be_bytes(), payload].concat()
}

/// "Who has `target`? Tell `sender`."
pub fn arp_request(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    ethernet(Mac::BROADCAST, mac, ARP, &arp(ARP_REQUEST, (mac, sender), (Mac::ZERO, target)))
}

/// "`address` is at `mac`", said to everybody.
pub fn gratuitous_arp(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    ethernet(Mac::BROADCAST, mac, ARP, &arp(ARP_REQUEST, (mac, address), (Mac::BROADCAST, address)))
}

/// The answer to [`arp_request`], sent to the one who asked.
pub fn arp_reply(mac: Mac, sender: Ipv4Addr, asker: (Mac, Ipv4Addr)) -> Vec<u8> {
    ethernet(asker.0, mac, ARP, &arp(ARP_REPLY, (mac, sender), asker))
}

fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    const IPV4_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
    [
        &IPV4_OVER_ETHERNET[..],
        &operation.to_be_bytes(),
        &sender.0.0,
        &sender.1.octets(),
        &target.0.0,
        &target.1.octets(),
    ]
    .concat()
}

/// "Who has `target`? Tell `sender`", of neighbour discovery (`ICMPv6` type 135), to the solicited-node group.
pub fn neighbour_solicitation(mac: Mac, sender: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let source_link_layer = [&[1, 1][..], &mac.0].concat();
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &source_link_layer].concat();
    icmpv6(mac, sender, group, message)
}

/// "`address` is at `mac`" of neighbour discovery (`ICMPv6` type 136, override), said to everybody.
pub fn unsolicited_neighbour_advertisement(mac: Mac, address: Ipv6Addr) -> Vec<u8> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let target_link_layer = [&[2, 1][..], &mac.0].concat();
    let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &address.octets(), &target_link_layer].concat();
    icmpv6(mac, address, ALL_NODES, message)
}

fn icmpv6(mac: Mac, source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum::internet(
        &[pseudo_header(source.into(), destination.into(), ICMPV6, message.len()), message.clone()].concat(),
    );
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&sum);
    }
    let header = IpHeader { protocol: ICMPV6, ..IpHeader::new(source.into(), destination.into()) };
    header.frame(mac, &message)
}

/// The IP layer of a crafted packet.
#[derive(Clone, Copy, Debug)]
pub struct IpHeader {
    /// Source address.
    pub source: IpAddr,
    /// Destination address; of the same family as the source.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub time_to_live: u8,
    /// Protocol number.
    pub protocol: u8,
}

impl IpHeader {
    /// A VRRP packet with TTL 255.
    pub fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self { source, destination, time_to_live: 255, protocol: VRRP }
    }

    /// An Ethernet frame with this header and `payload`, to the group's Ethernet address or to everybody.
    pub fn frame(&self, mac: Mac, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let packet = [ipv4_header(self, source, destination, length), payload.to_vec()].concat();
                ethernet(ipv4_group(destination), mac, IPV4, &packet)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let [l1, l2] = length.to_be_bytes();
                let start = [0x6c, 0, 0, 0, l1, l2, self.protocol, self.time_to_live];
                let packet = [&start[..], &source.octets(), &destination.octets(), payload].concat();
                ethernet(ipv6_group(destination), mac, IPV6, &packet)
            }
            _ => Vec::new(),
        }
    }
}

fn ipv4_header(header: &IpHeader, source: Ipv4Addr, destination: Ipv4Addr, payload: u16) -> Vec<u8> {
    let [l1, l2] = payload.saturating_add(20).to_be_bytes();
    let with_checksum = |[c1, c2]: [u8; 2]| {
        let start = [0x45, 0xc0, l1, l2, 0, 1, 0, 0, header.time_to_live, header.protocol, c1, c2];
        [&start[..], &source.octets(), &destination.octets()].concat()
    };
    with_checksum(checksum::internet(&with_checksum([0, 0])))
}

fn ipv4_group(destination: Ipv4Addr) -> Mac {
    let [_, b, c, d] = destination.octets();
    if destination.is_multicast() { Mac([0x01, 0, 0x5e, b & 0x7f, c, d]) } else { Mac::BROADCAST }
}

fn ipv6_group(destination: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = destination.octets();
    if destination.is_multicast() { Mac([0x33, 0x33, a, b, c, d]) } else { Mac::BROADCAST }
}

/// The pseudo-header that checksums of upper layers cover.
fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [_, _, l1, l2] = length;
            [&source.octets()[..], &destination.octets(), &[0, protocol, l1, l2]].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            [&source.octets()[..], &destination.octets(), &length, &[0, 0, 0, protocol]].concat()
        }
        _ => Vec::new(),
    }
}

/// A `VRRPv3` message with a correct checksum; change its bytes to make it wrong.
pub fn advert_v3(
    header: &IpHeader,
    virtual_router_id: u8,
    priority: u8,
    centiseconds: u16,
    addresses: &[IpAddr],
) -> Vec<u8> {
    let [i1, i2] = centiseconds.to_be_bytes();
    let message = message(0x31, virtual_router_id, priority, [i1, i2], addresses, &[]);
    let pseudo = pseudo_header(header.source, header.destination, VRRP, message.len());
    let sum = checksum::internet(&[pseudo, message.clone()].concat());
    with_sum(message, sum)
}

/// A `VRRPv2` message with a correct checksum, authentication type and data as given.
pub fn advert_v2(
    virtual_router_id: u8,
    priority: u8,
    seconds: u8,
    addresses: &[IpAddr],
    authentication: (u8, [u8; 8]),
) -> Vec<u8> {
    let (kind, data) = authentication;
    let message = message(0x21, virtual_router_id, priority, [kind, seconds], addresses, &data);
    let sum = checksum::internet(&message);
    with_sum(message, sum)
}

fn message(
    version_and_type: u8,
    virtual_router_id: u8,
    priority: u8,
    third: [u8; 2],
    addresses: &[IpAddr],
    trailer: &[u8],
) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let octets = addresses.iter().flat_map(|address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    });
    let [i1, i2] = third;
    let header = [version_and_type, virtual_router_id, priority, count, i1, i2, 0, 0];
    header.into_iter().chain(octets).chain(trailer.iter().copied()).collect()
}

/// The message with its checksum field (bytes 6 and 7) set.
fn with_sum(mut message: Vec<u8>, sum: [u8; 2]) -> Vec<u8> {
    if let Some(place) = message.get_mut(6..8) {
        place.copy_from_slice(&sum);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::frame::hex;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 100));
    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

    #[test]
    fn crafted_frames_equal_captured_ones() {
        let header = IpHeader::new(A, GROUP);
        let frame = header.frame(Mac::of_host(0, 1), &advert_v3(&header, 51, 200, 10, &[VIP]));
        let captured = "01005e00001202000000000a080045c0002000010000ff70d04c0a4d0001e00000123133c801000a11330a4d0064";
        assert_eq!(hex(&frame), captured);
        let v2 = advert_v2(51, 200, 1, &[VIP], (1, *b"secret12"));
        assert_eq!(hex(&v2), "2133c80101019d9a0a4d00647365637265743132");
        let arp = gratuitous_arp(Mac::of_host(0, 1), Ipv4Addr::new(10, 77, 0, 100));
        assert_eq!(hex(&arp), "ffffffffffff02000000000a0806000108000604000102000000000a0a4d0064ffffffffffff0a4d0064");
        let na = unsolicited_neighbour_advertisement(Mac::of_host(0, 1), "fd77::100".parse().unwrap());
        assert_eq!(hex(&na)[108..116], *"880057a6");
    }
}
