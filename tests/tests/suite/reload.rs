//! A changed folder changes only the VirtualIPs that changed: nothing is lost on the others.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::addresses::{AddressWatch, Change};
use holdfast_tests::lab::agent_status::AgentStatus;
use nix::sys::signal::Signal;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{virtual_ip, web};
use crate::support::timing::{INTERVAL, LONG, NOISE};

const API: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 101));

fn api(more: &str) -> String {
    let spec = "virtualRouterID: 52\npriority: 100\nnodePriorities: [{nodeName: a, priority: 200}]\n";
    virtual_ip("api", &format!("{spec}{more}"))
}

#[test]
fn adding_changing_and_removing_a_vip_disturbs_no_other() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let transitions =
        |duo: &Duo| Ok::<_, anyhow::Error>((duo.a.router("web")?.transitions, duo.b.router("web")?.transitions));
    let before = transitions(&duo)?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    let prober = duo.probe()?;

    // Added.
    let added = Instant::now();
    duo.write_manifest("api.yaml", &api("addresses: [10.77.0.101]\nadvertisementInterval: 100ms\n"))?;
    duo.a.wait_for("api", "MASTER")?;
    addresses.wait_for(API, Change::Set, added, LONG)?;
    // Changed: the interval, then the priorities, then the address.
    duo.write_manifest("api.yaml", &api("addresses: [10.77.0.101]\nadvertisementInterval: 200ms\n"))?;
    let swapped = "addresses: [10.77.0.101]\nadvertisementInterval: 200ms\n".to_owned();
    duo.write_manifest("api.yaml", &api(&swapped).replace("nodeName: a", "nodeName: b"))?;
    duo.b.wait_for("api", "MASTER")?;
    duo.write_manifest("api.yaml", &api("addresses: [10.77.0.102]\nadvertisementInterval: 200ms\n"))?;
    duo.a.wait_until("the new address is held", LONG, |status| {
        status.of("api").any(|router| router.held.contains(&[10, 77, 0, 102].into()))
    })?;
    assert!(!duo.a.holds(API)?);
    // Removed.
    duo.remove_manifest("api.yaml")?;
    // A node that has not yet seen the change may take over from the one that has, and leave a moment later.
    for member in [&duo.a, &duo.b] {
        member.wait_until("api is gone", LONG, |status| status.of("api").next().is_none())?;
    }
    std::thread::sleep(INTERVAL * 3);

    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(transitions(&duo)?, before);
    assert!(addresses.events(VIP).iter().all(|event| event.change == Change::Set), "only renewals");
    assert!(!duo.a.holds([10, 77, 0, 102])? && !duo.b.holds([10, 77, 0, 102])?);
    Ok(())
}

#[test]
fn a_second_address_of_a_vip_is_added_and_removed_without_touching_the_first() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    let before = duo.a.router("web")?.transitions;
    let prober = duo.probe()?;
    let change = Instant::now();
    duo.write_manifest("manifest.yaml", &web("").replace("[10.77.0.100]", "[10.77.0.100, 10.77.0.101]"))?;
    addresses.wait_for(API, Change::Set, change, LONG)?;
    let back = Instant::now();
    duo.write_manifest("manifest.yaml", &web(""))?;
    addresses.wait_for(API, Change::Removed, back, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.transitions, before);
    assert!(addresses.events(VIP).iter().all(|event| event.change == Change::Set));
    Ok(())
}

#[test]
fn another_virtual_router_id_is_another_election_in_which_the_address_answers_all_the_time() -> Result<()> {
    let spec = |id: u8| {
        let spec =
            "addresses: [10.77.0.100]\nadvertisementInterval: 1s\nnodePriorities: [{nodeName: a, priority: 101}]\n";
        virtual_ip("web", &format!("{spec}virtualRouterID: {id}\n"))
    };
    let duo = Duo::elected(&[spec(51)])?;
    let prober = duo.probe()?;
    // The last advert is to be old already: it is what keeps the address alive.
    std::thread::sleep(Duration::from_millis(700));
    duo.write_manifest("manifest.yaml", &spec(53))?;
    let is_elected = |status: &AgentStatus| {
        status.of("web").all(|router| router.virtual_router_id == 53 && router.state == "MASTER")
    };
    duo.a.wait_until("it is master of the other", LONG, is_elected)?;
    std::thread::sleep(Duration::from_secs(1));
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    Ok(())
}

#[test]
fn swapped_priorities_move_the_master_without_a_loss() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let prober = duo.probe()?;
    let change = Instant::now();
    duo.write_manifest("manifest.yaml", &web("").replace("nodeName: a", "nodeName: b"))?;
    prober.wait_for_answer_of(&duo.b.host, change, LONG)?;
    duo.a.wait_for("web", "BACKUP")?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    Ok(())
}

#[test]
fn a_folder_swapped_as_kubernetes_swaps_a_configmap_is_followed() -> Result<()> {
    // `..data` is a symbolic link to a dated folder, and each file a link through it; an update replaces `..data`.
    let mut duo = Duo::new(&[web("")])?;
    let folder = duo.a.home.manifests();
    duo.a.home.remove_manifest("manifest.yaml")?;
    duo.a.home.remove_manifest("nodes.yaml")?;
    let publish = |version: &str, yaml: &str| -> Result<()> {
        std::fs::create_dir(folder.join(version))?;
        std::fs::write(folder.join(version).join("web.yaml"), yaml)?;
        std::os::unix::fs::symlink(version, folder.join("..data_tmp"))?;
        Ok(std::fs::rename(folder.join("..data_tmp"), folder.join("..data"))?)
    };
    publish("..2026_01", &web(""))?;
    std::os::unix::fs::symlink("..data/web.yaml", folder.join("web.yaml"))?;
    duo.a.start_as("MASTER")?;
    publish("..2026_02", &web("").replace("[10.77.0.100]", "[10.77.0.101]"))?;
    duo.a.wait_until("the new address is held", LONG, |status| status.of("web").any(|router| router.held == [API]))?;
    Ok(())
}

#[test]
fn a_manifest_that_is_removed_and_written_anew_disturbs_nothing() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let before = duo.a.router("web")?.transitions;
    let prober = duo.probe()?;
    duo.remove_manifest("manifest.yaml")?;
    // As slow as a tool that writes other files in between.
    std::thread::sleep(Duration::from_secs(1));
    duo.write_manifest("manifest.yaml", &web(""))?;
    std::thread::sleep(Duration::from_secs(1) + NOISE);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.transitions, before);
    Ok(())
}

#[test]
fn a_thousand_rewrites_without_a_change_disturb_nothing() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let before = duo.a.router("web")?.transitions;
    let prober = duo.probe()?;
    for _ in 0..1000 {
        duo.a.home.write_manifest("manifest.yaml", &web(""))?;
    }
    std::thread::sleep(Duration::from_secs(1) + NOISE);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.transitions, before);
    Ok(())
}

#[test]
fn sighup_changes_nothing() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let before = duo.a.router("web")?.transitions;
    let (prober, sent) = (duo.probe()?, Instant::now());
    duo.a.agent()?.signal(Signal::SIGHUP)?;
    duo.a.agent()?.wait_for_log(sent, LONG, |line| line.contains("SIGHUP is ignored"))?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}
