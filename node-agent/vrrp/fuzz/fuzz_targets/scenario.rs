//! Feeds decisions of a simulated scenario to `holdfast_vrrp::fuzz::scenario`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| holdfast_vrrp::fuzz::scenario(data));
