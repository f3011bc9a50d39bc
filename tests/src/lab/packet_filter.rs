//! Which frames the kernel hands to a packet socket. On a LAN where thousands of frames pass each second, a watcher that reads
//! them all takes the processors from those whom it watches.
//!
//! A filter is a list of alternatives, each a list of fields that must all have a value; it becomes a program of the kernel's
//! classic packet filter (<https://www.kernel.org/doc/html/latest/networking/filter.html>).

use std::net::IpAddr;

use socket2::SockFilter;

use super::frame::{ARP, ICMPV6, IPV4, IPV6, VRRP};

/// Loads from a fixed offset: `BPF_LD | BPF_ABS` with a width of one, two or four bytes.
const LOAD: [(usize, u16); 3] = [(1, 0x30), (2, 0x28), (4, 0x20)];
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_RET | BPF_K`: hands over as many bytes as its constant says.
const RETURN: u16 = 0x06;
/// All bytes of a frame.
const WHOLE: u32 = 0x0004_0000;

/// Where in a frame a field lies, see [`super::frame`].
const ETHER_TYPE: usize = 12;
const IPV4_PROTOCOL: usize = 23;
const IPV4_SOURCE: usize = 26;
const IPV6_NEXT_HEADER: usize = 20;
const IPV6_SOURCE: usize = 22;
const ICMPV6_TYPE: usize = 54;

/// The `ICMPv6` types of neighbour discovery: solicitation and advertisement.
const NEIGHBOUR_DISCOVERY: [u8; 2] = [135, 136];

/// Frames that satisfy one alternative pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketFilter(Vec<Vec<Field>>);

/// Bytes at an offset of a frame, with the value that they must have: one, two or four of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    offset: usize,
    value: Vec<u8>,
}

impl PacketFilter {
    /// Packets whose source is `address`.
    pub fn from(address: IpAddr) -> Self {
        Self(vec![match address {
            IpAddr::V4(address) => vec![ether_type(IPV4), field(IPV4_SOURCE, &address.octets())],
            IpAddr::V6(address) => {
                let words = address.octets();
                let words = words.chunks(4).zip((IPV6_SOURCE..).step_by(4)).map(|(word, offset)| field(offset, word));
                std::iter::once(ether_type(IPV6)).chain(words).collect()
            }
        }])
    }

    /// ARP, or for an address of IPv6 neighbour discovery.
    pub fn resolution_of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => vec![vec![ether_type(ARP)]],
            IpAddr::V6(_) => NEIGHBOUR_DISCOVERY.map(neighbour_discovery).to_vec(),
        })
    }

    /// What an election is made of: VRRP, ARP and neighbour discovery.
    pub fn election() -> Self {
        let mut alternatives = vec![
            vec![ether_type(ARP)],
            vec![ether_type(IPV4), field(IPV4_PROTOCOL, &[VRRP])],
            vec![ether_type(IPV6), field(IPV6_NEXT_HEADER, &[VRRP])],
        ];
        alternatives.extend(NEIGHBOUR_DISCOVERY.map(neighbour_discovery));
        Self(alternatives)
    }

    /// The program: of each alternative the fields, each of which goes on to the next alternative if it differs.
    pub(super) fn program(&self) -> Vec<SockFilter> {
        let mut program = Vec::new();
        for fields in &self.0 {
            for (index, field) in fields.iter().enumerate() {
                // Of each later field two instructions, and the return.
                let skipped = (fields.len() - index - 1) * 2 + 1;
                program.extend(field.compare(u8::try_from(skipped).unwrap_or(u8::MAX)));
            }
            program.push(SockFilter::new(RETURN, 0, 0, WHOLE));
        }
        program.push(SockFilter::new(RETURN, 0, 0, 0));
        program
    }
}

impl Field {
    fn compare(&self, skip_if_other: u8) -> [SockFilter; 2] {
        let load = LOAD.iter().find(|(width, _)| *width == self.value.len()).map_or(0, |(_, code)| *code);
        let value = self.value.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        [SockFilter::new(load, 0, 0, offset), SockFilter::new(JUMP_IF_EQUAL, 0, skip_if_other, value)]
    }
}

fn field(offset: usize, value: &[u8]) -> Field {
    Field { offset, value: value.to_vec() }
}

fn ether_type(value: u16) -> Field {
    field(ETHER_TYPE, &value.to_be_bytes())
}

fn neighbour_discovery(kind: u8) -> Vec<Field> {
    vec![ether_type(IPV6), field(IPV6_NEXT_HEADER, &[ICMPV6]), field(ICMPV6_TYPE, &[kind])]
}
