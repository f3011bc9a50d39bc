//! Interfaces that are missing, vanish, lose their address, and come back.

use std::net::IpAddr;

use anyhow::Result;
use holdfast_tests::lab::{Lan, addresses};

use crate::support::duo::Duo;
use crate::support::manifest::{virtual_ip, web};
use crate::support::timing::LONG;

const VIP_ON_ETH1: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 100));

fn on_eth1() -> String {
    virtual_ip(
        "second",
        "addresses: [10.77.1.100]\ninterface: eth1\nvirtualRouterID: 61\nadvertisementInterval: 100ms\n",
    )
}

#[test]
fn an_interface_that_is_missing_at_the_start_is_awaited() -> Result<()> {
    let mut duo = Duo::new(&[web(""), on_eth1()])?;
    duo.a.start_as("MASTER")?;
    duo.a.wait_for("second", "FAULT")?;
    assert_eq!(duo.a.router("second")?.reason, Some("InterfaceDown".to_owned()));
    let second = Lan::with_index(1)?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.wait_for("second", "MASTER")?;
    assert!(addresses::has(&duo.a.host, "eth1", VIP_ON_ETH1)?);
    Ok(())
}

#[test]
fn an_interface_that_vanishes_is_a_fault_and_a_new_one_of_its_name_ends_it() -> Result<()> {
    let mut duo = Duo::new(&[web(""), on_eth1()])?;
    let second = Lan::with_index(1)?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.start_as("MASTER")?;
    duo.a.wait_for("second", "MASTER")?;
    let before = duo.a.router("web")?.transitions;
    duo.a.host.namespace().ip("link del eth1")?;
    duo.a.wait_for("second", "FAULT")?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.wait_for("second", "MASTER")?;
    assert!(addresses::has(&duo.a.host, "eth1", VIP_ON_ETH1)?);
    assert_eq!(duo.a.router("web")?.transitions, before, "the other interface is not touched");
    Ok(())
}

#[test]
fn a_renamed_interface_is_a_fault_until_it_has_its_name_back() -> Result<()> {
    let mut duo = Duo::new(&[web(""), on_eth1()])?;
    let second = Lan::with_index(1)?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.start_as("MASTER")?;
    duo.a.wait_for("second", "MASTER")?;
    duo.a.host.namespace().ip("link set eth1 name other0")?;
    duo.a.wait_for("second", "FAULT")?;
    assert!(!addresses::has(&duo.a.host, "other0", VIP_ON_ETH1)?, "the address does not stay behind");
    duo.a.host.namespace().ip("link set other0 name eth1")?;
    duo.a.wait_for("second", "MASTER")?;
    Ok(())
}

#[test]
fn an_interface_without_an_address_of_its_own_is_a_fault() -> Result<()> {
    let mut duo = Duo::new(&[web("interface: eth0\n")])?;
    duo.a.start_as("MASTER")?;
    let own = duo.a.host.ipv4();
    duo.a.host.namespace().ip(&format!("addr del {own}/24 dev eth0"))?;
    duo.a.wait_for("web", "FAULT")?;
    duo.a.host.namespace().ip(&format!("addr add {own}/24 dev eth0"))?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn without_a_name_the_interface_of_the_subnet_is_chosen() -> Result<()> {
    let manifest = virtual_ip("second", "addresses: [10.77.1.100]\nadvertisementInterval: 100ms\n");
    let mut duo = Duo::new(&[manifest])?;
    let second = Lan::with_index(1)?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.start()?;
    let status = duo.a.wait_until("second is master", LONG, |status| status.is_in_state("second", "MASTER"))?;
    assert_eq!(status.router("second")?.interface.as_deref(), Some("eth1"));
    Ok(())
}

#[test]
fn a_tracked_interface_with_a_weight_lowers_the_priority_only() -> Result<()> {
    let mut duo = Duo::new(&[web("trackInterfaces: [{name: eth1, weight: -30}]\n")])?;
    let second = Lan::with_index(1)?;
    second.attach(&duo.a.host, "eth1")?;
    duo.a.start_as("MASTER")?;
    assert_eq!(duo.a.router("web")?.priority, 200);
    second.cut_carrier(&duo.a.host)?;
    duo.a.wait_for_priority(170)?;
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    Ok(())
}
