//! Bounded exhaustive search of two and three routers: prints how many states were visited, and fails at the first that
//! breaks a rule.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use holdfast_vrrp::search::{explore, scenarios};

fn main() -> ExitCode {
    for (name, scenario) in scenarios() {
        let began = Instant::now();
        match explore(&scenario) {
            Ok(outcome) => println!(
                "{name:36} {:>8} states {:>9} transitions {:>6} with two masters, {} ticks at most, {:.1} s",
                outcome.states,
                outcome.transitions,
                outcome.overlaps,
                outcome.longest_overlap,
                began.elapsed().as_secs_f64()
            ),
            Err(violation) => {
                println!("{name}: {violation}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
