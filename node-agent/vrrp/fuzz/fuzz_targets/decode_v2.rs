//! Feeds VRRPv2 adverts to `holdfast_vrrp::fuzz::decode_v2`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_vrrp::fuzz::decode_v2(data));
