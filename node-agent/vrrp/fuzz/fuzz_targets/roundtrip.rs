//! Feeds adverts of ours to `holdfast_vrrp::fuzz::roundtrip`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_vrrp::fuzz::roundtrip(data));
