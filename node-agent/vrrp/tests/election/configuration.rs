//! What no group can be: refused where it is built, so that nothing later has to ask.

use std::time::Duration;

use holdfast_vrrp::{
    AdvertInterval, Announcements, ConfigError, GroupConfig, MemberConfig, OutOfRange, Protocol, Weight,
};

use crate::support::*;

fn build(member: MemberConfig) -> Result<GroupConfig, ConfigError> {
    GroupConfig::new(vec![member], PREEMPT, Vec::new())
}

#[test]
fn a_group_has_a_member_and_a_member_has_an_address() {
    assert_eq!(GroupConfig::new(Vec::new(), PREEMPT, Vec::new()), Err(ConfigError::Members(0)));
    assert_eq!(build(MemberConfig { addresses: Vec::new(), ..member() }), Err(ConfigError::Addresses(0)));
    let many = vec![ip(VIP); MemberConfig::MAX_ADDRESSES + 1];
    assert_eq!(build(MemberConfig { addresses: many, ..member() }), Err(ConfigError::Addresses(256)));
}

#[test]
fn addresses_are_of_the_members_family_and_version_2_knows_ipv4_only() {
    let mixed = vec![ip(VIP), ip(VIP_V6)];
    assert_eq!(build(MemberConfig { addresses: mixed, ..member() }), Err(ConfigError::Family(ip(VIP_V6))));
    assert_eq!(build(MemberConfig { protocol: V2, ..member_v6() }), Err(ConfigError::Version2OverIpv6));
}

#[test]
fn an_interval_fits_the_advert_of_its_version() {
    let with = |protocol: Protocol, interval: AdvertInterval| build(MemberConfig { protocol, interval, ..member() });
    let (tenth, minute) = (AdvertInterval::v3(ms(100)).unwrap(), AdvertInterval::v2(ms(60_000)).unwrap());

    assert_eq!(with(V2, tenth), Err(ConfigError::Interval(OutOfRange::IntervalV2(ms(100)))));
    assert_eq!(with(V3, minute), Err(ConfigError::Interval(OutOfRange::IntervalV3(ms(60_000)))));
    assert!(with(V3, tenth).is_ok());
    assert!(with(V2, minute).is_ok());
}

#[test]
fn a_repetition_every_zero_seconds_would_never_end() {
    let announcements = Announcements { refresh: Some(Duration::ZERO), ..Announcements::default() };

    assert_eq!(build(MemberConfig { announcements, ..member() }), Err(ConfigError::Refresh));
}

#[test]
fn a_weight_is_less_than_the_range_of_priorities() {
    for weight in [-253, 0, 253] {
        assert_eq!(Weight::new(weight).map(|weight| i32::from(weight.get())), Ok(weight));
    }
    for weight in [-254, 254, i32::MIN] {
        assert_eq!(Weight::new(weight), Err(ConfigError::Weight(weight)));
    }
}
