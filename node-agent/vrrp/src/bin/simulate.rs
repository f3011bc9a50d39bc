//! Plays simulated networks: many for a while, or one again.
//!
//! ```text
//! simulate --seconds N     the suite: N seconds of seeds, and every planted mistake caught
//! simulate --soak N        N seconds of seeds that have not been played before
//! simulate --seed S        one seed again, with its script and its log
//! simulate --script FILE   one script again, with its log
//! simulate minimise --seed S [--mutant NAME]
//!                          the smallest script that fails as the seed does; to be kept in tests/scripts
//! ```

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use holdfast_vrrp::sim::{Log, Mutant, Probes, Script, minimise};

/// The seeds of the suite begin here, so that a failure of CI is a failure everywhere.
const FIRST_SEED: u64 = 0;

/// So many seeds are played at least, however slow the machine: fewer do not see everything.
const LEAST_SEEDS: u64 = 3_000;

/// Every mistake is caught by one of so many seeds.
const SEEDS_A_MUTANT: u64 = 2_500;

/// One seed in so many is played twice, to see that it runs in the same way.
const TWICE: u64 = 16;

/// Below this the simulator has become too slow to find anything.
const LEAST_SEEDS_PER_SECOND: f64 = 20.0;

const USAGE: &str =
    "usage: simulate --seconds N | --soak N | --seed S | --script FILE | minimise --seed S [--mutant NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["--seconds", seconds] => number(seconds).and_then(|seconds| suite(Duration::from_secs(seconds))),
        ["--soak", seconds] => number(seconds).and_then(|seconds| soak(Duration::from_secs(seconds))),
        ["--seed", seed] => number(seed).and_then(|seed| replay(&Script::of_seed(seed))),
        ["--script", file] => read(file).and_then(|script| replay(&script)),
        ["minimise", "--seed", seed] => number(seed).and_then(|seed| print_smallest(seed, None)),
        ["minimise", "--seed", seed, "--mutant", name] => number(seed).and_then(|seed| {
            let mutant = Mutant::named(name).ok_or_else(|| format!("there is no mistake {name}"))?;
            print_smallest(seed, Some(mutant))
        }),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number\n{USAGE}"))
}

fn read(file: &str) -> Result<Script, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    text.parse().map_err(|error| format!("{file}: {error}"))
}

fn suite(time: Duration) -> Result<(), String> {
    let probes = play(FIRST_SEED, time, LEAST_SEEDS)?;
    let unseen: Vec<String> = probes.missing().iter().map(ToString::to_string).collect();
    if !unseen.is_empty() {
        return Err(format!("never seen, so the scenarios have become too tame: {}", unseen.join("; ")));
    }
    println!("all required kinds of happenings were seen");
    catch_mutants()
}

fn soak(time: Duration) -> Result<(), String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    play(now.as_secs() << 20, time, 0).map(drop)
}

/// Plays seeds from `first` on for `time`, and at least `least` of them.
fn play(first: u64, time: Duration, least: u64) -> Result<Probes, String> {
    let (began, mut seed, mut happenings) = (Instant::now(), first, 0);
    let mut probes = Probes::default();
    while began.elapsed() < time || seed - first < least {
        let script = Script::of_seed(seed);
        let outcome = script.play();
        if let Some(failure) = outcome.failure {
            return Err(format!("seed {seed} fails: {failure:?}\nonce more, with its log: make replay SEED={seed}"));
        }
        if seed.is_multiple_of(TWICE) && script.play().log.fingerprint() != outcome.log.fingerprint() {
            return Err(format!("seed {seed} runs differently each time: make replay SEED={seed}"));
        }
        probes.add(&outcome.probes);
        happenings += outcome.happenings;
        seed += 1;
    }
    let (seeds, seconds) = (seed - first, began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = seeds as f64 / seconds;
    println!(
        "{seeds} seeds from {first} on, {happenings} happenings, {seconds:.1} s, {rate:.0} seeds/s: no rule broken"
    );
    if rate < LEAST_SEEDS_PER_SECOND {
        return Err(format!("fewer than {LEAST_SEEDS_PER_SECOND} seeds/s"));
    }
    Ok(probes)
}

/// Rules that catch nothing are worth nothing.
fn catch_mutants() -> Result<(), String> {
    let began = Instant::now();
    let caught_by = |mutant: Mutant| {
        let fails = |seed: &u64| Script::of_seed(*seed).play_with(Some(mutant), Log::default()).failure.is_some();
        (FIRST_SEED..FIRST_SEED + SEEDS_A_MUTANT).find(fails)
    };
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        match caught_by(mutant) {
            Some(seed) => println!("{mutant} is caught by seed {seed}"),
            None => survivors.push(mutant.to_string()),
        }
    }
    println!("{} planted mistakes, {:.1} s", Mutant::ALL.len(), began.elapsed().as_secs_f64());
    if survivors.is_empty() { Ok(()) } else { Err(format!("not caught: {}", survivors.join(", "))) }
}

fn replay(script: &Script) -> Result<(), String> {
    println!("{script}");
    let outcome = script.play_with(None, Log::with_lines());
    for line in outcome.log.lines() {
        println!("{line}");
    }
    match outcome.failure {
        Some(failure) => Err(format!("{failure:?}")),
        None => Ok(()),
    }
}

/// Tries some thousand simpler scenarios.
fn print_smallest(seed: u64, mutant: Option<Mutant>) -> Result<(), String> {
    let smallest = minimise(&Script::of_seed(seed), mutant).ok_or_else(|| format!("seed {seed} does not fail"))?;
    let failure = smallest.play_with(mutant, Log::default()).failure;
    let broken = failure.map(|failure| failure.broken.to_string()).unwrap_or_default();
    println!("# {}\n{smallest}", broken.lines().next().unwrap_or_default());
    Ok(())
}
