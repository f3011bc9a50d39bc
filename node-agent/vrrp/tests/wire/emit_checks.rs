//! What no receiver would accept is not sent.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::wire::{AdvertRepr, EmitError};
use holdfast_vrrp::{Claim, Protocol};

use super::support::{V2, V3, interval, ip, vrid};

const BUFFER: usize = AdvertRepr::MAX_LENGTH;

fn advert(protocol: Protocol, addresses: &[IpAddr]) -> AdvertRepr<'_> {
    AdvertRepr { vrid: vrid(51), claim: Claim::from_wire(100), protocol, interval: interval(protocol, 1000), addresses }
}

fn emit(advert: AdvertRepr<'_>, source: &str, destination: &str, buffer: usize) -> Result<usize, EmitError> {
    advert.emit(ip(source), ip(destination), &mut vec![0; buffer])
}

#[test]
fn the_buffer_must_hold_the_whole_message() {
    let one = [ip("10.77.0.100")];

    for (protocol, needed) in [(V2, 20), (V3, 12)] {
        for available in 0..needed {
            let error = emit(advert(protocol, &one), "10.77.0.1", "224.0.0.18", available);
            assert_eq!(error, Err(EmitError::Buffer { needed, available }));
        }
        assert_eq!(emit(advert(protocol, &one), "10.77.0.1", "224.0.0.18", needed), Ok(needed));
    }
}

#[test]
fn an_advert_has_1_to_255_addresses() {
    for (address, source, destination, length) in [
        ("10.77.0.100", "10.77.0.1", "224.0.0.18", 8 + 255 * 4),
        ("fd77::100", "fe80::1", "ff02::12", AdvertRepr::MAX_LENGTH),
    ] {
        let addresses = vec![ip(address); 256];
        let emit = |count| emit(advert(V3, &addresses[..count]), source, destination, 8 + 256 * 16);

        assert_eq!(emit(0), Err(EmitError::AddressCount(0)));
        assert_eq!(emit(255), Ok(length));
        assert_eq!(emit(256), Err(EmitError::AddressCount(256)));
    }
}

#[test]
fn every_address_is_of_the_family_that_carries_the_advert() {
    let mixed = [ip("10.77.0.100"), ip("fd77::100")];
    let ipv4 = [ip("10.77.0.100")];

    let error = emit(advert(V3, &mixed), "10.77.0.1", "224.0.0.18", BUFFER);
    assert_eq!(error, Err(EmitError::Family(ip("fd77::100"))));
    let error = emit(advert(V3, &ipv4), "fe80::1", "ff02::12", BUFFER);
    assert_eq!(error, Err(EmitError::Family(ip("10.77.0.100"))));
    let error = emit(advert(V3, &ipv4), "10.77.0.1", "ff02::12", BUFFER);
    assert_eq!(error, Err(EmitError::Family(ip("ff02::12"))));
}

#[test]
fn version_2_is_not_sent_over_ipv6() {
    let error = emit(advert(V2, &[ip("fd77::100")]), "fe80::1", "ff02::12", BUFFER);

    assert_eq!(error, Err(EmitError::Version2OverIpv6));
}

#[test]
fn an_interval_that_does_not_fit_the_version_is_never_sent_as_another_one() {
    let one = [ip("10.77.0.100")];
    let short = AdvertRepr { interval: interval(V3, 200), ..advert(V2, &one) };
    let long = AdvertRepr { interval: interval(V2, 41_000), ..advert(V3, &one) };

    let refused = |advert| emit(advert, "10.77.0.1", "224.0.0.18", BUFFER);

    assert_eq!(refused(short), Err(EmitError::Interval(Duration::from_millis(200))));
    assert_eq!(refused(long), Err(EmitError::Interval(Duration::from_secs(41))));
}
