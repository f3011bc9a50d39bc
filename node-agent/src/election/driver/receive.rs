//! Stage: packets come in, and each goes to the virtual router that it is for.

use std::net::IpAddr;

use holdfast_vrrp::wire::{Advert, ArpPacket, Datagram, IpProtocol, MacAddress, NeighborAdvertisement};
use holdfast_vrrp::{Event, Family, Instant};

use super::Driver;
use super::counters::Counted;
use crate::election::demultiplex::{Demultiplexer, RouterKey};
use crate::election::engine::Engine;
use crate::network::interfaces::{InterfaceIndex, InterfaceTable};
use crate::network::packet_socket::Traffic;
use crate::system::BATCH;

impl Driver {
    /// Takes in what waits in the sockets that have something, in turns, until they are empty or `budget` packets are
    /// through. What is left comes at the next wake-up, which is at once.
    pub(super) fn receive(&mut self, budget: usize) {
        let mut left = budget;
        let mut ready = std::mem::take(&mut self.ready.receivers);
        while left > 0 && !ready.is_empty() {
            ready.retain(|number| {
                if left == 0 {
                    return true;
                }
                let received = self.receive_batch(*number);
                left = left.saturating_sub(received);
                // A batch that is not full was the last one.
                received == BATCH
            });
        }
        if !ready.is_empty() {
            self.counted.receive_budget_exhausted += 1;
        }
        self.ready.receivers = ready;
    }

    fn receive_batch(&mut self, number: usize) -> usize {
        let Some(source) = self.sockets.receiver(number) else { return 0 };
        // An error such as ENETDOWN empties the socket; netlink tells what it was.
        let Ok(received) = self.batch.receive(&source.socket) else { return 0 };
        let (interface, traffic) = (source.interface, source.traffic);
        let mut reader = Reader {
            now: self.now,
            interface,
            engine: &mut self.engine,
            demultiplexer: &self.demultiplexer,
            interfaces: &self.interfaces,
            counted: &mut self.counted,
        };
        for packet in self.batch.packets() {
            reader.read(traffic, packet);
        }
        received
    }
}

/// Everything that is needed to hand packets of one interface out.
struct Reader<'a> {
    now: Instant,
    interface: InterfaceIndex,
    engine: &'a mut Engine,
    demultiplexer: &'a Demultiplexer,
    interfaces: &'a InterfaceTable,
    counted: &'a mut Counted,
}

impl Reader<'_> {
    fn read(&mut self, traffic: Traffic, packet: &[u8]) {
        self.counted.interface(self.interface).packets_received += 1;
        match traffic {
            Traffic::Ipv4 => self.read_ip(Family::Ipv4, Datagram::parse_ipv4(packet)),
            Traffic::Ipv6 => self.read_ip(Family::Ipv6, Datagram::parse_ipv6(packet)),
            Traffic::Arp => match ArpPacket::parse(packet) {
                Ok(arp) => {
                    if let Some(address) = arp.claimed_address() {
                        self.hear_claim(address.into(), Some(arp.sender_mac));
                    }
                }
                Err(_) => self.count_malformed("arp"),
            },
        }
    }

    fn read_ip(&mut self, family: Family, parsed: Result<(IpProtocol, Datagram<'_>), holdfast_vrrp::wire::IpError>) {
        match parsed {
            Ok((IpProtocol::Vrrp, datagram)) => self.hear_advert(family, datagram),
            Ok((IpProtocol::Icmpv6, datagram)) => match NeighborAdvertisement::parse(&datagram) {
                Ok(neighbor) => self.hear_claim(neighbor.target.into(), neighbor.link_layer_address),
                Err(_) => self.count_malformed("neighbor_advertisement"),
            },
            Ok((IpProtocol::Other(_), _)) => {}
            Err(error) => self.count_malformed(error.name()),
        }
    }

    fn hear_advert(&mut self, family: Family, datagram: Datagram<'_>) {
        let key = Advert::peek(datagram.payload).map(|vrid| RouterKey { interface: self.interface, family, vrid });
        match key.and_then(|key| self.demultiplexer.router(key)) {
            Some(seat) => {
                self.engine.handle(self.now, seat.slot, Event::Packet { member: seat.member, datagram });
            }
            None => self.counted.interface(self.interface).unknown_virtual_router += 1,
        }
    }

    /// Somebody says that an address is its own. Our own interfaces may: weak hosts answer ARP for each other's.
    fn hear_claim(&mut self, address: IpAddr, mac: Option<MacAddress>) {
        let Some(seat) = self.demultiplexer.address(self.interface, address) else { return };
        if mac.is_some_and(|mac| self.interfaces.is_own_mac(mac)) {
            return;
        }
        self.counted.interface(self.interface).neighbor_claims += 1;
        self.engine.handle(self.now, seat.slot, Event::NeighborClaim { member: seat.member, address, by: mac });
    }

    fn count_malformed(&mut self, check: &'static str) {
        *self.counted.interface(self.interface).malformed.entry(check).or_default() += 1;
    }
}
