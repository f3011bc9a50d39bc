//! Feeds VRRPv3 adverts to `holdfast_vrrp::fuzz::decode_v3`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_vrrp::fuzz::decode_v3(data));
