//! A node whose agent is dead or frozen falls silent: the kernel answers for an address only while adverts leave the node.

use std::net::IpAddr;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use holdfast_tests::lab::agent_status::VirtualRouterStatus;
use holdfast_tests::lab::holder_report::HolderReport;
use holdfast_tests::lab::process::Process;
use holdfast_tests::lab::{Holders, Host, ProbeReport, Prober, addresses, wait};
use nix::sys::signal::Signal;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::web;
use crate::support::mode::{Mode, in_modes};
use crate::support::timing::{INTERVAL, LONG, NOISE, master_down, noise_since};

/// What the kernel's ticks and the distance between two questions add.
const TOLERANCE: Duration = Duration::from_millis(50);

/// What the kernel gives a successor beyond four intervals.
const TAKEOVER: Duration = Duration::from_millis(40);

const STRICT: &str = "fencing: Strict\n";

in_modes!({over_ipv4, over_ipv6, by_unicast} [
    a_killed_agent_loses_nothing_and_two_nodes_answer_for_an_interval_at_most,
    a_frozen_agent_loses_nothing_and_two_nodes_answer_for_an_interval_at_most,
    with_strict_fencing_a_killed_agent_leaves_a_short_gap_and_never_two_that_answer,
    with_strict_fencing_a_frozen_agent_leaves_a_short_gap_and_never_two_that_answer,
]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accident {
    Killed,
    Frozen,
}

/// What is seen of an accident of the master's agent.
struct Seen {
    at: Instant,
    client: ProbeReport,
    /// Of a client that goes on asking the old node.
    stale: ProbeReport,
    holders: HolderReport,
    duo: Duo,
}

fn see(mode: Mode, accident: Accident, spec: &str) -> Result<Seen> {
    let mut duo = Duo::elected(&[mode.web(&format!("preemption: {{mode: Never}}\n{spec}"))])?;
    let stale = duo.lan.client("stale")?;
    never_ask_again(&stale, mode.vip(), &duo.a.host)?;
    let prober = mode.probe(&duo)?;
    let stale = Prober::start_at(&stale, mode.vip(), &duo.a.host, LONG)?;
    let watched = Instant::now();
    let holders = Holders::watch(&duo.observer, mode.vip())?;
    holders.wait_for(duo.a.host.mac(), watched, LONG)?;
    let at = match accident {
        Accident::Killed => duo.a.kill()?,
        Accident::Frozen => {
            let at = Instant::now();
            duo.a.agent()?.signal(Signal::SIGSTOP)?;
            at
        }
    };
    prober.wait_for_answer_of(&duo.b.host, at, LONG)?;
    holders.wait_for(duo.b.host.mac(), at, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    ensure!(duo.a.holds(mode.vip())?, "only the fence silences it: the address is on the interface yet");
    Ok(Seen { at, client: prober.stop()?, stale: stale.stop()?, holders: holders.stop()?, duo })
}

/// As a client whose neighbour entry is fresh, and whom no announcement reaches.
fn never_ask_again(client: &Host, address: IpAddr, node: &Host) -> Result<()> {
    let mac = node.mac();
    client.namespace().ip(&format!("neighbour replace {address} lladdr {mac} dev eth0 nud permanent")).map(drop)
}

fn loses_nothing(mode: Mode, what: Accident) -> Result<Seen> {
    let seen = see(mode, what, "")?;
    let (old, new) = (seen.duo.a.host.mac(), seen.duo.b.host.mac());
    assert_eq!(seen.client.lost(), 0, "{}", seen.client);
    assert!(seen.holders.moved(seen.at, old, new), "{}", seen.holders);
    let noise = noise_since(seen.at);
    assert!(seen.holders.longest_with_two() <= INTERVAL + TOLERANCE + noise, "{}", seen.holders);
    let answered = seen.stale.answered_until(seen.at, &seen.duo.a.host);
    assert!(answered <= INTERVAL * 4 + TAKEOVER + TOLERANCE, "{answered:?}");
    Ok(seen)
}

fn never_two(mode: Mode, what: Accident) -> Result<()> {
    let seen = see(mode, what, STRICT)?;
    let (old, new) = (seen.duo.a.host.mac(), seen.duo.b.host.mac());
    assert_eq!(seen.holders.longest_with_two(), Duration::ZERO, "{}", seen.holders);
    assert!(seen.holders.moved(seen.at, old, new), "{}", seen.holders);
    let answered = seen.stale.answered_until(seen.at, &seen.duo.a.host);
    assert!(answered <= INTERVAL * 5 / 2 + TOLERANCE, "{answered:?}");
    let longest = master_down(100).saturating_sub(INTERVAL * 5 / 2);
    assert!(seen.client.longest_gap() <= longest + noise_since(seen.at), "{}", seen.client);
    Ok(())
}

fn a_killed_agent_loses_nothing_and_two_nodes_answer_for_an_interval_at_most(mode: Mode) -> Result<()> {
    loses_nothing(mode, Accident::Killed).map(drop)
}

fn a_frozen_agent_loses_nothing_and_two_nodes_answer_for_an_interval_at_most(mode: Mode) -> Result<()> {
    let seen = loses_nothing(mode, Accident::Frozen)?;
    seen.duo.a.agent()?.signal(Signal::SIGCONT)?;
    seen.duo.a.wait_for("web", "BACKUP")?;
    wait::until("the address is taken off", LONG, || Ok(!seen.duo.a.holds(mode.vip())?))?;
    wait::until("what was dropped is told", LONG, || Ok(seen.duo.a.counter("fence_dropped_packets")? > 0))
}

fn with_strict_fencing_a_killed_agent_leaves_a_short_gap_and_never_two_that_answer(mode: Mode) -> Result<()> {
    never_two(mode, Accident::Killed)
}

fn with_strict_fencing_a_frozen_agent_leaves_a_short_gap_and_never_two_that_answer(mode: Mode) -> Result<()> {
    never_two(mode, Accident::Frozen)
}

/// The rules of the node's packet filter, as text.
fn rules(host: &Host) -> Result<String> {
    let mut command = Command::new("nft");
    command.args(["list", "ruleset"]);
    Ok(String::from_utf8(host.namespace().output(command)?.stdout)?)
}

#[test]
fn the_fence_goes_with_the_agent_that_leaves_and_stays_with_one_that_is_killed() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    assert!(rules(&duo.a.host)?.contains("holdfast-"));
    duo.a.terminate()?;
    assert_eq!(rules(&duo.a.host)?, "");
    duo.a.start_as("MASTER")?;
    duo.a.kill()?;
    assert!(rules(&duo.a.host)?.contains("holdfast-"));
    duo.a.start_as("MASTER")?;
    assert_eq!(rules(&duo.a.host)?.matches("table netdev").count(), 1, "the new one has taken it over");
    let prober = duo.probe()?;
    std::thread::sleep(INTERVAL * 5);
    assert_eq!(prober.stop()?.lost(), 0);
    Ok(())
}

#[test]
fn a_fence_that_somebody_removes_is_put_back_and_nothing_is_lost() -> Result<()> {
    let mut duo = Duo::elected(&[web("preemption: {mode: Never}\n")])?;
    let prober = duo.probe()?;
    duo.a.host.namespace().nft("flush ruleset")?;
    wait::until("it is back", LONG, || Ok(rules(&duo.a.host)?.contains("10.77.0.100")))?;
    std::thread::sleep(INTERVAL * 5);
    let holders = Holders::watch(&duo.observer, VIP)?;
    let event = duo.a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    assert_eq!(prober.stop()?.lost(), 0);
    let (two, noise) = (holders.stop()?.longest_with_two(), noise_since(event));
    assert!(two <= INTERVAL + TOLERANCE + noise, "{two:?}");
    Ok(())
}

#[test]
fn the_mode_is_shown_and_changed_while_the_address_is_held() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    assert_eq!(duo.a.router("web")?.fencing.as_deref(), Some("Overlap"));
    let prober = duo.probe()?;
    for mode in ["Strict", "None", "Overlap"] {
        duo.write_manifest("manifest.yaml", &web(&format!("fencing: {mode}\n")))?;
        let is_shown = |router: &VirtualRouterStatus| router.fencing.as_deref() == Some(mode);
        duo.a.wait_until("its mode is shown", LONG, |status| status.every("web", is_shown))?;
        let is_right = || Ok(rules(&duo.a.host)?.contains("10.77.0.100") == (mode != "None"));
        wait::until("the fence is as asked for", LONG, is_right)?;
        std::thread::sleep(INTERVAL * 5);
    }
    assert_eq!(prober.stop()?.lost(), 0);
    Ok(())
}

/// Programs that leave no processor to ordinary ones: real-time programs below the lab's probes and the other agents. They end
/// with their handle, and after two seconds of computing in any case.
struct Hogs {
    _processes: Vec<Process>,
}

impl Hogs {
    fn start(host: &Host) -> Result<Self> {
        let hog = |number| {
            let mut command = Command::new("chrt");
            command.args(["--rr", "5", "sh", "-c", "ulimit -t 2; while :; do :; done"]);
            host.spawn(&format!("hog {number}"), command)
        };
        let processes = (0..available_parallelism()?.get()).map(hog).collect::<Result<_>>()?;
        Ok(Self { _processes: processes })
    }
}

/// Starves the master's agent until its successor has been seen for a while.
fn starve(spec: &str) -> Result<Seen> {
    let mut duo = Duo::new(&[web(&format!("preemption: {{mode: Never}}\n{spec}"))])?;
    duo.a.home.add_argument("--realtime=off");
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    let stale = duo.lan.client("stale")?;
    never_ask_again(&stale, VIP, &duo.a.host)?;
    let (prober, stale) = (duo.probe()?, Prober::start_at(&stale, VIP, &duo.a.host, LONG)?);
    let watched = Instant::now();
    let holders = Holders::watch(&duo.observer, VIP)?;
    holders.wait_for(duo.a.host.mac(), watched, LONG)?;
    let at = Instant::now();
    let hogs = Hogs::start(&duo.client)?;
    holders.wait_for(duo.b.host.mac(), at, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    drop(hogs);
    duo.a.wait_for("web", "BACKUP")?;
    Ok(Seen { at, client: prober.stop()?, stale: stale.stop()?, holders: holders.stop()?, duo })
}

#[test]
fn an_agent_that_gets_no_processor_is_silenced_soon_after_its_successor_answers() -> Result<()> {
    let seen = starve("")?;
    assert!(seen.holders.moved(seen.at, seen.duo.a.host.mac(), seen.duo.b.host.mac()), "{}", seen.holders);
    assert!(seen.holders.longest_with_two() <= INTERVAL + TOLERANCE + NOISE, "{}", seen.holders);
    let answered = seen.stale.answered_until(seen.at, &seen.duo.a.host);
    assert!(answered <= INTERVAL * 4 + TAKEOVER + TOLERANCE + NOISE, "{answered:?}");
    wait::until("what was dropped is told", LONG, || Ok(seen.duo.a.counter("fence_dropped_packets")? > 0))
}

#[test]
fn with_strict_fencing_an_agent_that_gets_no_processor_is_silenced_before_its_successor_answers() -> Result<()> {
    let seen = starve(STRICT)?;
    assert!(seen.holders.moved(seen.at, seen.duo.a.host.mac(), seen.duo.b.host.mac()), "{}", seen.holders);
    assert_eq!(seen.holders.longest_with_two(), Duration::ZERO, "{}", seen.holders);
    let answered = seen.stale.answered_until(seen.at, &seen.duo.a.host);
    assert!(answered <= INTERVAL * 5 / 2 + TOLERANCE + NOISE, "{answered:?}");
    Ok(())
}

#[test]
fn the_interval_is_changed_while_the_address_is_held_and_nothing_is_lost() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let prober = duo.probe()?;
    for (interval, timeout) in [("1s", "4040ms"), ("100ms", "440ms"), ("2s", "8040ms"), ("500ms", "2040ms")] {
        duo.write_manifest("manifest.yaml", &web("").replace("100ms", interval))?;
        wait::until("the kernel waits for adverts that come as often", LONG, || {
            Ok(rules(&duo.a.host)?.contains(&format!("ipv4-for-{timeout}")))
        })?;
        std::thread::sleep(INTERVAL * 8);
    }
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.transitions, 1);
    Ok(())
}

/// Kills the master's agent. Its kernel must fall silent.
fn is_silenced(duo: &mut Duo, interface: &str) -> Result<()> {
    let stale = duo.lan.client("stale")?;
    never_ask_again(&stale, VIP, &duo.a.host)?;
    let (prober, stale) = (duo.probe()?, Prober::start_at(&stale, VIP, &duo.a.host, LONG)?);
    let event = duo.a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    ensure!(addresses::has(&duo.a.host, interface, VIP)?, "only the fence silences it");
    let answered = stale.stop()?.answered_until(event, &duo.a.host);
    assert!(answered <= INTERVAL * 4 + TAKEOVER + TOLERANCE + noise_since(event), "{answered:?}");
    Ok(())
}

#[test]
fn an_agent_is_silenced_on_an_interface_that_was_renamed_while_it_was_master() -> Result<()> {
    let mut duo = Duo::elected(&[web("preemption: {mode: Never}\n")])?;
    duo.a.host.namespace().ip("link set eth0 name uplink")?;
    let is_there = |router: &VirtualRouterStatus| router.interface.as_deref() == Some("uplink");
    duo.a.wait_until("it knows the new name", LONG, |status| status.every("web", is_there))?;
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    is_silenced(&mut duo, "uplink")
}

#[test]
fn an_agent_is_silenced_on_an_interface_that_took_the_place_of_another() -> Result<()> {
    let mut duo = Duo::elected(&[web("interface: eth0\n")])?;
    duo.a.host.namespace().ip("link delete eth0")?;
    duo.a.wait_for("web", "FAULT")?;
    duo.lan.attach(&duo.a.host, "eth0")?;
    duo.a.wait_for("web", "MASTER")?;
    duo.b.wait_for("web", "BACKUP")?;
    is_silenced(&mut duo, "eth0")
}
