//! The virtual routers that are measured, and the packets that their peer sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use holdfast_vrrp::wire::{AdvertRepr, Checksum, IpProtocol, advert};
use holdfast_vrrp::{
    AdvertInterval, Announcements, Claim, Event, Family, Group, GroupConfig, Instant, Ipv4Checksum, Link, MemberConfig,
    MemberIndex, Password, Preemption, Priority, Protocol, State, Transport, VirtualRouterId,
};

pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Ours is between that of the peer as master and that of the peer as backup.
const OWN_PRIORITY: u8 = 150;
const HIGHER_PRIORITY: u8 = 200;

/// Every group has one virtual router.
pub(crate) const MEMBER: MemberIndex = MemberIndex(0);

/// Which protocol, and how many addresses.
pub(crate) struct Kind {
    pub(crate) family: Family,
    version: u8,
    addresses: u16,
}

pub(crate) const V3_IPV4: Kind = Kind { family: Family::Ipv4, version: 3, addresses: 1 };
pub(crate) const V3_IPV4_20: Kind = Kind { family: Family::Ipv4, version: 3, addresses: 20 };
pub(crate) const V3_IPV6: Kind = Kind { family: Family::Ipv6, version: 3, addresses: 2 };
pub(crate) const V2_PASSWORD: Kind = Kind { family: Family::Ipv4, version: 2, addresses: 1 };

impl Kind {
    pub(crate) fn protocol(&self) -> Protocol {
        match self.version {
            2 => Protocol::V2 { password: Some(Password::new(b"secret12").unwrap()) },
            _ => Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
        }
    }

    fn ip(&self, host: u16) -> IpAddr {
        match self.family {
            Family::Ipv4 => Ipv4Addr::from(0x0a4d_0000 + u32::from(host)).into(),
            Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host).into(),
        }
    }

    pub(crate) fn own_address(&self) -> IpAddr {
        self.ip(10)
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.ip(20)
    }

    pub(crate) fn destination(&self) -> IpAddr {
        advert::group(self.family)
    }

    fn virtual_addresses(&self) -> Vec<IpAddr> {
        (0..self.addresses).map(|number| self.ip(100 + number)).collect()
    }

    fn config(&self) -> GroupConfig {
        let member = MemberConfig {
            virtual_router_id: virtual_router_id(),
            family: self.family,
            protocol: self.protocol(),
            interval: interval(),
            priority: Priority::new(OWN_PRIORITY).unwrap(),
            addresses: self.virtual_addresses(),
            transport: Transport::Multicast,
            known_peers: Some(vec![self.peer()]),
            rival: None,
            // None is due again: a repetition now and then would spread the figures.
            announcements: Announcements { count: 1, delay: Duration::ZERO, refresh: None },
        };
        let preemption = Preemption::Preempt { delay: Duration::ZERO };
        GroupConfig::new(vec![member], preemption, Vec::new()).unwrap()
    }

    /// A group that has just started.
    pub(crate) fn backup(&self) -> Group {
        let mut group = Group::new(self.config(), &[]);
        let (mut actions, link) = (Vec::new(), Link::Up { source: self.own_address() });
        group.handle(Instant::ZERO, Event::Link { member: MEMBER, link }, &mut actions);
        group.handle(Instant::ZERO, Event::Start, &mut actions);
        assert_eq!(group.state(), State::Backup);
        group
    }

    /// A group that has just become master.
    pub(crate) fn master(&self) -> Group {
        let mut group = self.backup();
        group.handle(group.next_deadline().unwrap(), Event::Timer, &mut Vec::new());
        assert_eq!(group.state(), State::Master);
        group
    }

    /// The IP packet with an advert of the peer that is master by right.
    pub(crate) fn packet_of_master(&self) -> Vec<u8> {
        let addresses = self.virtual_addresses();
        let repr = AdvertRepr {
            vrid: virtual_router_id(),
            claim: Claim::Master(Priority::new(HIGHER_PRIORITY).unwrap()),
            protocol: self.protocol(),
            interval: interval(),
            addresses: &addresses,
        };
        let mut message = vec![0; repr.length()];
        repr.emit(self.peer(), self.destination(), &mut message).unwrap();
        let mut packet = match (self.peer(), self.destination()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4_header(source, destination, message.len()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6_header(source, destination, message.len()),
            _ => unreachable!("both are of the router's family"),
        };
        packet.extend(message);
        packet
    }
}

/// Whole seconds fit both versions.
pub(crate) fn interval() -> AdvertInterval {
    AdvertInterval::v2(INTERVAL).unwrap()
}

fn virtual_router_id() -> VirtualRouterId {
    VirtualRouterId::new(51).unwrap()
}

fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, payload: usize) -> Vec<u8> {
    let header = |checksum: u16| {
        let length = u16::try_from(20 + payload).unwrap();
        let mut header = vec![0x45, 0xc0];
        header.extend(length.to_be_bytes());
        header.extend([0, 0, 0x40, 0, advert::HOP_LIMIT, IpProtocol::VRRP]);
        header.extend(checksum.to_be_bytes());
        header.extend(source.octets());
        header.extend(destination.octets());
        header
    };
    header(Checksum::default().with(&header(0)).value())
}

fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, payload: usize) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(u16::try_from(payload).unwrap().to_be_bytes());
    header.extend([IpProtocol::VRRP, advert::HOP_LIMIT]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header
}
