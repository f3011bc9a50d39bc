//! The table of the fence. Pure: orders for the kernel, as messages.
//!
//! ```text
//! an advert leaves                          a packet for an address comes in
//!   out-<interface>                           in-<interface>
//!   priority above 0?                         (interface, address) ── vip4/6 ─►
//!   (interface, VRID) ── class4/6 ─►
//!   priority 0?
//!   (interface, VRID) ── leave4/6 ─►
//!   for-<ms>: alive4/6 lasts <ms>             router-<interface>-<VRID>: not in alive4/6? count, drop
//! ```
//!
//! A chain for each virtual router could be a map to a key instead, followed by one more look-up; but nft 1.0 cannot show
//! that, and dies.
//!
//! Sets of both families are apart: a VRID may be in use once for each. An advert of priority 0 says that its sender is
//! leaving, and answers for as long as it waits for a successor: that may take longer than the fencing allows otherwise. It
//! is sent once.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Family;

use super::expression::{COUNTER, Expression, Meta, Register, milliseconds, write_goto, write_rule, write_value};
use super::message::{Attributes, Batch, Kind, dump};
use crate::network::interfaces::InterfaceIndex;

/// A virtual router on an interface: whose adverts keep its addresses alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) interface: InterfaceIndex,
    pub(super) family: Family,
    pub(super) virtual_router_id: u8,
}

/// For how long adverts keep a virtual router alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// One of a master.
    pub(super) advert: Duration,
    /// One of priority 0.
    pub(super) release: Duration,
}

/// An address of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressEntry {
    pub(super) interface: InterfaceIndex,
    pub(super) address: IpAddr,
    pub(super) key: Key,
    /// After this it is forgotten.
    pub(super) timeout: Duration,
}

/// Before everything else that looks at packets there.
const PRIORITY: i32 = -400;

const INGRESS: u32 = 0;
const EGRESS: u32 = 1;

const SET_IS_MAP: u32 = 0x08;
const SET_HAS_TIMEOUTS: u32 = 0x10;
const SET_IS_UPDATED_BY_RULES: u32 = 0x20;

/// How nft names types, so that it can show the table: an interface, an IPv4 or IPv6 address, a number of four bytes.
const TYPE_INTERFACE: u32 = 20;
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_NUMBER: u32 = 19;
const TYPE_VERDICT: u32 = 0xffff_ff00;
const TYPE_BITS: u32 = 6;

const KEY_LENGTH: u32 = 8;
const VERDICT_LENGTH: u32 = 16;

/// How many virtual routers can be alive: 255 on each of so many interfaces.
const ALIVE_SIZE: u32 = 65_536;

/// What [`Ruleset::add_interface`], [`Ruleset::add_guard`] and [`Ruleset::add_class`] make.
pub(super) const RULES_OF_AN_INTERFACE: usize = 8;
pub(super) const RULES_OF_A_GUARD: usize = 1;
pub(super) const RULES_OF_A_CLASS: usize = 1;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const VRRP: [u8; 1] = [112];
const ICMPV6: [u8; 1] = [58];
const NEIGHBOR_SOLICITATION: [u8; 1] = [135];
const ARP_REQUEST: [u8; 2] = [0, 1];

/// Offsets from the network header.
const ARP_OPERATION: u32 = 6;
const ARP_TARGET_ADDRESS: u32 = 24;
const IPV4_PROTOCOL: u32 = 9;
const IPV4_DESTINATION: u32 = 16;
const IPV4_PAYLOAD: u32 = 20;
const IPV6_NEXT_HEADER: u32 = 6;
const IPV6_DESTINATION: u32 = 24;
const IPV6_PAYLOAD: u32 = 40;
const SOLICITATION_TARGET: u32 = IPV6_PAYLOAD + 8;
/// Offsets in an advert (RFC 9568, section 5.1).
const VRID: u32 = 1;
const ADVERT_PRIORITY: u32 = 2;

const FIRST: Register = Register(0);
const SECOND: Register = Register(1);

/// Orders for one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruleset<'a> {
    /// Its name.
    pub(super) table: &'a str,
}

impl Ruleset<'_> {
    /// Makes the table anew, with nothing in it, whatever there was.
    pub(super) fn create(&self, batch: &mut Batch) {
        self.delete(batch);
        batch.push(Kind::NewTable, |table| table.text(1, self.table));
        for family in [Family::Ipv4, Family::Ipv6] {
            let names = Names::of(family);
            let alive = SET_HAS_TIMEOUTS | SET_IS_UPDATED_BY_RULES;
            let key = (concatenated(TYPE_INTERFACE, TYPE_NUMBER), KEY_LENGTH);
            self.new_set(batch, names.alive, alive, key, None, Some(ALIVE_SIZE));
            let verdict = Some((TYPE_VERDICT, VERDICT_LENGTH));
            self.new_set(batch, names.classes, SET_IS_MAP, key, verdict, None);
            self.new_set(batch, names.releases, SET_IS_MAP, key, verdict, None);
            let address = (concatenated(TYPE_INTERFACE, names.address_type), 4 + names.address_length);
            self.new_set(batch, names.addresses, SET_IS_MAP | SET_HAS_TIMEOUTS, address, verdict, None);
        }
    }

    /// Deletes the table. To delete what does not exist is an error, so it is made first.
    pub(super) fn delete(&self, batch: &mut Batch) {
        batch.push(Kind::NewTable, |table| table.text(1, self.table));
        batch.push(Kind::DeleteTable, |table| table.text(1, self.table));
    }

    fn new_set(
        &self,
        batch: &mut Batch,
        name: &str,
        flags: u32,
        (key_type, key_length): (u32, u32),
        data: Option<(u32, u32)>,
        size: Option<u32>,
    ) {
        batch.push(Kind::NewSet, |set| {
            set.text(1, self.table);
            set.text(2, name);
            set.number(3, flags);
            set.number(4, key_type);
            set.number(5, key_length);
            if let Some((data_type, length)) = data {
                set.number(6, data_type);
                set.number(7, length);
            }
            if let Some(size) = size {
                set.nested(9, |description| description.number(1, size));
            }
            // Only names sets within a batch, but the kernel insists.
            set.number(10, 1);
        });
    }

    /// Watches what leaves and enters by an interface.
    pub(super) fn add_interface(&self, batch: &mut Batch, interface: InterfaceIndex, name: &str) {
        let (input, output) = (format!("in-{interface}"), format!("out-{interface}"));
        self.new_base_chain(batch, &input, INGRESS, name);
        self.new_base_chain(batch, &output, EGRESS, name);
        for family in [Family::Ipv4, Family::Ipv6] {
            self.dispatch_adverts(batch, &output, &Names::of(family));
        }
        self.dispatch_packets(batch, &input, &Names::of(Family::Ipv4), ETHERTYPE_IPV4, &[], IPV4_DESTINATION);
        let request = [(ARP_OPERATION, ARP_REQUEST.as_slice())];
        self.dispatch_packets(batch, &input, &Names::of(Family::Ipv4), ETHERTYPE_ARP, &request, ARP_TARGET_ADDRESS);
        self.dispatch_packets(batch, &input, &Names::of(Family::Ipv6), ETHERTYPE_IPV6, &[], IPV6_DESTINATION);
        let solicitation = [(IPV6_NEXT_HEADER, ICMPV6.as_slice()), (IPV6_PAYLOAD, NEIGHBOR_SOLICITATION.as_slice())];
        let names = Names::of(Family::Ipv6);
        self.dispatch_packets(batch, &input, &names, ETHERTYPE_IPV6, &solicitation, SOLICITATION_TARGET);
    }

    /// Lets go of an interface, by whatever name it was watched.
    pub(super) fn remove_interface(&self, batch: &mut Batch, interface: InterfaceIndex) {
        self.remove_chain(batch, &format!("in-{interface}"));
        self.remove_chain(batch, &format!("out-{interface}"));
    }

    fn remove_chain(&self, batch: &mut Batch, chain: &str) {
        for (kind, name) in [(Kind::DeleteRule, 2), (Kind::DeleteChain, 3)] {
            batch.push(kind, |attributes| {
                attributes.text(1, self.table);
                attributes.text(name, chain);
            });
        }
    }

    fn new_base_chain(&self, batch: &mut Batch, chain: &str, hook: u32, device: &str) {
        batch.push(Kind::NewChain, |attributes| {
            attributes.text(1, self.table);
            attributes.text(3, chain);
            attributes.nested(4, |place| {
                place.number(1, hook);
                place.number(2, PRIORITY.cast_unsigned());
                place.text(3, device);
            });
            attributes.text(7, "filter");
        });
    }

    /// An advert that leaves goes to the chain of its virtual router, one of priority 0 to another.
    fn dispatch_adverts(&self, batch: &mut Batch, chain: &str, names: &Names) {
        let load = |offset, length, to| Expression::Load { offset, length, to };
        let is_release = Expression::Equal { register: FIRST, value: &[0] };
        let is_claim = Expression::Different { register: FIRST, value: &[0] };
        for (kind, map) in [(is_claim, names.classes), (is_release, names.releases)] {
            self.new_rule(
                batch,
                chain,
                &[
                    Expression::Meta { key: Meta::Protocol, to: FIRST },
                    Expression::Equal { register: FIRST, value: &names.ethertype },
                    load(names.protocol, 1, FIRST),
                    Expression::Equal { register: FIRST, value: &VRRP },
                    load(names.payload + ADVERT_PRIORITY, 1, FIRST),
                    kind,
                    Expression::Meta { key: Meta::OutputInterface, to: FIRST },
                    load(names.payload + VRID, 1, SECOND),
                    Expression::Dispatch { map, key: FIRST },
                ],
            );
        }
    }

    /// What is addressed to one of the addresses goes to the chain of its virtual router.
    fn dispatch_packets(
        &self,
        batch: &mut Batch,
        chain: &str,
        names: &Names,
        ethertype: [u8; 2],
        conditions: &[(u32, &[u8])],
        address: u32,
    ) {
        let mut rule = vec![
            Expression::Meta { key: Meta::Protocol, to: FIRST },
            Expression::Equal { register: FIRST, value: &ethertype },
        ];
        for &(offset, value) in conditions {
            let length = u32::try_from(value.len()).unwrap_or_default();
            rule.push(Expression::Load { offset, length, to: FIRST });
            rule.push(Expression::Equal { register: FIRST, value });
        }
        rule.extend([
            Expression::Meta { key: Meta::InputInterface, to: FIRST },
            Expression::Load { offset: address, length: names.address_length, to: SECOND },
            Expression::Dispatch { map: names.addresses, key: FIRST },
        ]);
        self.new_rule(batch, chain, &rule);
    }

    /// A virtual router can have addresses: packets for them pass while it is alive.
    pub(super) fn add_guard(&self, batch: &mut Batch, key: Key) {
        let chain = key.chain();
        batch.push(Kind::NewObject, |object| {
            object.text(1, self.table);
            object.text(2, &chain);
            object.number(3, COUNTER);
            object.nested(4, |_| {});
        });
        batch.push(Kind::NewChain, |attributes| {
            attributes.text(1, self.table);
            attributes.text(3, &chain);
        });
        self.new_rule(
            batch,
            &chain,
            &[
                Expression::Meta { key: Meta::InputInterface, to: FIRST },
                Expression::Constant { value: &[key.virtual_router_id, 0, 0, 0], to: SECOND },
                Expression::Absent { set: Names::of(key.family).alive, key: FIRST },
                Expression::Count { counter: &chain },
                Expression::Drop,
            ],
        );
    }

    /// A virtual router has no addresses any more, and never will.
    pub(super) fn remove_guard(&self, batch: &mut Batch, key: Key) {
        let chain = key.chain();
        self.remove_chain(batch, &chain);
        batch.push(Kind::DeleteObject, |object| {
            object.text(1, self.table);
            object.text(2, &chain);
            object.number(3, COUNTER);
        });
    }

    fn new_rule(&self, batch: &mut Batch, chain: &str, expressions: &[Expression<'_>]) {
        batch.push(Kind::NewRule, |rule| {
            rule.text(1, self.table);
            rule.text(2, chain);
            write_rule(4, rule, expressions);
        });
    }

    /// From now on adverts can keep a virtual router alive for this long.
    pub(super) fn add_class(&self, batch: &mut Batch, family: Family, timeout: Duration) {
        let (chain, names) = (class(family, timeout), Names::of(family));
        batch.push(Kind::NewChain, |attributes| {
            attributes.text(1, self.table);
            attributes.text(3, &chain);
        });
        self.new_rule(
            batch,
            &chain,
            &[
                Expression::Meta { key: Meta::OutputInterface, to: FIRST },
                Expression::Load { offset: names.payload + VRID, length: 1, to: SECOND },
                Expression::Update { set: names.alive, key: FIRST, timeout },
            ],
        );
    }

    /// Nothing is kept alive for this long any more.
    pub(super) fn remove_class(&self, batch: &mut Batch, family: Family, timeout: Duration) {
        self.remove_chain(batch, &class(family, timeout));
    }

    /// The adverts of a virtual router keep it alive, each for this long.
    pub(super) fn add_routers(&self, batch: &mut Batch, routers: &[(Key, Times)]) {
        self.dispatch_routers(batch, Kind::NewElements, routers);
    }

    /// For how long virtual routers are alive without another advert; none if they are not.
    pub(super) fn set_rests(&self, batch: &mut Batch, rests: &[(Key, Option<Duration>)]) {
        let alive: Vec<_> = rests.iter().filter_map(|(key, rest)| rest.map(|rest| (*key, Some(rest)))).collect();
        // One that is there from an earlier time would keep what is left of that, and to delete one that is not there is an
        // error.
        let steps = [(Kind::NewElements, rests), (Kind::DeleteElements, rests), (Kind::NewElements, alive.as_slice())];
        for (kind, rests) in steps {
            self.elements(
                batch,
                kind,
                rests,
                |(key, _)| Names::of(key.family).alive,
                |(key, rest), element| {
                    write_value(1, element, &key.bytes());
                    element.long_number(4, milliseconds(rest.unwrap_or_default()));
                },
            );
        }
    }

    /// Adverts of a virtual router mean nothing any more.
    pub(super) fn remove_routers(&self, batch: &mut Batch, routers: &[(Key, Times)]) {
        self.dispatch_routers(batch, Kind::DeleteElements, routers);
    }

    /// Where the adverts of a virtual router go.
    fn dispatch_routers(&self, batch: &mut Batch, kind: Kind, routers: &[(Key, Times)]) {
        type Choice = (fn(&Names) -> &'static str, fn(&Times) -> Duration);
        let maps: [Choice; 2] =
            [(|names| names.classes, |times| times.advert), (|names| names.releases, |times| times.release)];
        for (map, timeout) in maps {
            self.elements(
                batch,
                kind,
                routers,
                |(key, _)| map(&Names::of(key.family)),
                |(key, times), element| {
                    write_value(1, element, &key.bytes());
                    write_goto(2, element, &class(key.family, timeout(times)));
                },
            );
        }
    }

    /// Addresses answer only while their virtual router is alive.
    pub(super) fn add_addresses(&self, batch: &mut Batch, addresses: &[AddressEntry]) {
        let set = |entry: &AddressEntry| Names::of_address(entry.address).addresses;
        self.elements(batch, Kind::NewElements, addresses, set, |entry, element| {
            write_value(1, element, &address_bytes(entry.interface, entry.address));
            write_goto(2, element, &entry.key.chain());
            element.long_number(4, milliseconds(entry.timeout));
        });
    }

    /// Addresses are no concern any more.
    pub(super) fn remove_addresses(&self, batch: &mut Batch, addresses: &[(InterfaceIndex, IpAddr)]) {
        let set = |entry: &(InterfaceIndex, IpAddr)| Names::of_address(entry.1).addresses;
        self.elements(batch, Kind::DeleteElements, addresses, set, |entry, element| {
            write_value(1, element, &address_bytes(entry.0, entry.1));
        });
    }

    /// One message for each set that something goes into.
    fn elements<T>(
        &self,
        batch: &mut Batch,
        kind: Kind,
        all: &[T],
        set: impl Fn(&T) -> &'static str,
        write: impl Fn(&T, &mut Attributes<'_>),
    ) {
        for family in [Family::Ipv4, Family::Ipv6] {
            let names = Names::of(family);
            for name in [names.alive, names.classes, names.releases, names.addresses] {
                let here: Vec<&T> = all.iter().filter(|entry| set(entry) == name).collect();
                // The length of a list has 16 bits.
                for some in here.chunks(256) {
                    batch.push(kind, |message| {
                        message.text(1, self.table);
                        message.text(2, name);
                        message.nested(3, |list| {
                            for entry in some {
                                list.nested(1, |element| write(entry, element));
                            }
                        });
                    });
                }
            }
        }
    }

    /// Asks for the addresses of a family: their keys are for [`place`].
    pub(super) fn addresses(&self, family: Family) -> Vec<u8> {
        self.members(Names::of(family).addresses)
    }

    /// Asks for the virtual routers of a family, once for adverts of each kind.
    pub(super) fn routers(&self, family: Family) -> [Vec<u8>; 2] {
        let names = Names::of(family);
        [names.classes, names.releases].map(|map| self.members(map))
    }

    fn members(&self, set: &str) -> Vec<u8> {
        dump(Kind::GetElements, |request| {
            request.text(1, self.table);
            request.text(2, set);
        })
    }

    /// Asks for all rules.
    pub(super) fn rules(&self) -> Vec<u8> {
        dump(Kind::GetRules, |request| request.text(1, self.table))
    }

    /// Asks how often packets were dropped.
    pub(super) fn counters(&self) -> Vec<u8> {
        dump(Kind::GetObject, |request| {
            request.text(1, self.table);
            request.number(3, COUNTER);
        })
    }
}

/// The chain for all virtual routers that an advert keeps alive for this long.
fn class(family: Family, timeout: Duration) -> String {
    let family = if family == Family::Ipv4 { 4 } else { 6 };
    format!("ipv{family}-for-{}ms", milliseconds(timeout))
}

const fn concatenated(first: u32, second: u32) -> u32 {
    (first << TYPE_BITS) | second
}

impl Times {
    /// The longer of the two.
    pub(super) fn longest(&self) -> Duration {
        self.advert.max(self.release)
    }
}

impl Key {
    /// The name of its chain, and of its counter.
    pub(super) fn chain(self) -> String {
        let family = if self.family == Family::Ipv4 { 4 } else { 6 };
        format!("router-{}-ipv{family}-{}", self.interface, self.virtual_router_id)
    }

    /// Whose chain, and counter, has this name.
    pub(super) fn of_chain(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("router-")?.split('-');
        let interface = InterfaceIndex::new(parts.next()?.parse().ok()?);
        let family = match parts.next()? {
            "ipv4" => Family::Ipv4,
            "ipv6" => Family::Ipv6,
            _ => return None,
        };
        let virtual_router_id = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { interface, family, virtual_router_id })
    }

    /// As rules load it: the index of the interface, then the VRID in a register of its own.
    fn bytes(self) -> [u8; 8] {
        let [a, b, c, d] = self.interface.get().to_ne_bytes();
        [a, b, c, d, self.virtual_router_id, 0, 0, 0]
    }
}

fn address_bytes(interface: InterfaceIndex, address: IpAddr) -> Vec<u8> {
    let mut bytes = interface.get().to_ne_bytes().to_vec();
    match address {
        IpAddr::V4(address) => bytes.extend(address.octets()),
        IpAddr::V6(address) => bytes.extend(address.octets()),
    }
    bytes
}

/// The place that a key of the addresses is for.
pub(super) fn place(key: &[u8]) -> Option<(InterfaceIndex, IpAddr)> {
    let (index, address) = key.split_first_chunk()?;
    let interface = InterfaceIndex::new(u32::from_ne_bytes(*index));
    let ipv4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
    let address = ipv4.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from)).ok()?;
    Some((interface, address))
}

/// What differs between the families.
struct Names {
    alive: &'static str,
    classes: &'static str,
    releases: &'static str,
    addresses: &'static str,
    address_type: u32,
    address_length: u32,
    ethertype: [u8; 2],
    protocol: u32,
    payload: u32,
}

impl Names {
    const fn of(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self {
                alive: "alive4",
                classes: "class4",
                releases: "leave4",
                addresses: "vip4",
                address_type: TYPE_IPV4,
                address_length: 4,
                ethertype: ETHERTYPE_IPV4,
                protocol: IPV4_PROTOCOL,
                payload: IPV4_PAYLOAD,
            },
            Family::Ipv6 => Self {
                alive: "alive6",
                classes: "class6",
                releases: "leave6",
                addresses: "vip6",
                address_type: TYPE_IPV6,
                address_length: 16,
                ethertype: ETHERTYPE_IPV6,
                protocol: IPV6_NEXT_HEADER,
                payload: IPV6_PAYLOAD,
            },
        }
    }

    const fn of_address(address: IpAddr) -> Self {
        Self::of(if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_virtual_router_of_a_counter_is_told_by_its_name() {
        for family in [Family::Ipv4, Family::Ipv6] {
            let key = Key { interface: InterfaceIndex::new(17), family, virtual_router_id: 51 };
            assert_eq!(Key::of_chain(&key.chain()), Some(key));
        }
        for other in ["router-17-ipv4", "router-17-ipv5-51", "router-17-ipv4-256", "router-17-ipv4-51-1", "in-17"] {
            assert_eq!(Key::of_chain(other), None, "{other}");
        }
    }
}
