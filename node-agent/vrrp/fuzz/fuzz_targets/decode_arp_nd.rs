//! Feeds ARP and neighbour discovery to `holdfast_vrrp::fuzz::decode_arp_nd`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_vrrp::fuzz::decode_arp_nd(data));
