//! Which packets the kernel hands to the receive sockets: classic BPF programs (`Documentation/networking/filter.rst`).
//!
//! A packet socket sees every packet of its Ethernet type. All but a handful are thrown away here, in the kernel, so
//! that traffic of the node costs the agent nothing. Offsets count from the network header.

use std::net::Ipv4Addr;

use socket2::SockFilter;

/// The most addresses that an ARP filter compares with; with more, all claims come through and are sorted out later.
///
/// Two instructions each, and a program has at most 4096.
pub const MAXIMUM_ARP_ADDRESSES: usize = 1024;

const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_GREATER: u16 = 0x25;
const RETURN: u16 = 0x06;

/// Where the kernel keeps the packet type: `SKF_AD_OFF + SKF_AD_PKTTYPE`.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
/// To us, broadcast and multicast are types 0..=2. Others' packets (3), our own on their way out (4) and looped back
/// (5) are not for us.
const LAST_INCOMING_TYPE: u32 = 2;

const IPV4_PROTOCOL: u32 = 9;
const IPV6_NEXT_HEADER: u32 = 6;
const IPV6_PAYLOAD: u32 = 40;
const ARP_SENDER_ADDRESS: u32 = 14;

const VRRP: u32 = 112;
const ICMPV6: u32 = 58;
const NEIGHBOR_ADVERTISEMENT: u32 = 136;

const WHOLE_PACKET: u32 = u32::MAX;

/// Nothing at all: for a socket that only sends.
pub fn nothing() -> Vec<SockFilter> {
    vec![SockFilter::new(RETURN, 0, 0, 0)]
}

/// IPv4 packets of the VRRP protocol that come in.
pub fn ipv4() -> Vec<SockFilter> {
    vec![
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_GREATER, 3, 0, LAST_INCOMING_TYPE),
        SockFilter::new(LOAD_BYTE, 0, 0, IPV4_PROTOCOL),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, VRRP),
        SockFilter::new(RETURN, 0, 0, WHOLE_PACKET),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// IPv6 packets of the VRRP protocol and neighbour advertisements that come in, both without extension headers.
pub fn ipv6() -> Vec<SockFilter> {
    vec![
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_GREATER, 6, 0, LAST_INCOMING_TYPE),
        SockFilter::new(LOAD_BYTE, 0, 0, IPV6_NEXT_HEADER),
        SockFilter::new(JUMP_IF_EQUAL, 3, 0, VRRP),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, ICMPV6),
        SockFilter::new(LOAD_BYTE, 0, 0, IPV6_PAYLOAD),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, NEIGHBOR_ADVERTISEMENT),
        SockFilter::new(RETURN, 0, 0, WHOLE_PACKET),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// ARP packets that come in and whose sender says that it has one of these addresses.
pub fn arp(addresses: &[Ipv4Addr]) -> Vec<SockFilter> {
    let mut program = vec![
        SockFilter::new(LOAD_WORD, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_GREATER, 0, 1, LAST_INCOMING_TYPE),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(LOAD_WORD, 0, 0, ARP_SENDER_ADDRESS),
    ];
    if addresses.len() > MAXIMUM_ARP_ADDRESSES {
        program.push(SockFilter::new(RETURN, 0, 0, WHOLE_PACKET));
        return program;
    }
    for address in addresses {
        program.push(SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(*address)));
        program.push(SockFilter::new(RETURN, 0, 0, WHOLE_PACKET));
    }
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program
}
