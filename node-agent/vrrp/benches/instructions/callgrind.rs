//! One case at a time under valgrind: this program starts itself again, and only what `counted_by_callgrind` does is counted.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::{env, fs, process};

use crate::cases::{Case, Operation};

/// The argument that makes this program run one case.
pub(crate) const RUN: &str = "--run";

/// What each operation is run at least: some do more every fourth time.
const LEAST_RUNS: u32 = 4;

/// How many adverts make a figure: next to a thousand, what is around them is rounded off.
const ADVERTS: u32 = 1_000;

/// Runs a case; meant to happen under valgrind.
pub(crate) fn run(case: &Case) {
    let mut operation = (case.prepare)();
    counted_by_callgrind(&mut operation, runs(case));
}

/// The instructions of one run of the case.
pub(crate) fn count(case: &Case) -> Result<u64, Box<dyn Error>> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{}", process::id()));
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=*counted_by_callgrind*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .args([RUN, case.name])
        .output()
        .map_err(|error| format!("valgrind cannot be started, `make setup` installs it: {error}"))?;
    let profile = fs::read_to_string(&file);
    // It may be absent.
    let _ = fs::remove_file(&file);
    if !output.status.success() {
        return Err(format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)).into());
    }
    match total(&profile?) {
        Some(total) if total > 0 => Ok(total / u64::from(runs(case))),
        _ => Err(format!("{}: callgrind has counted nothing", case.name).into()),
    }
}

fn runs(case: &Case) -> u32 {
    (ADVERTS / case.adverts).max(LEAST_RUNS)
}

/// Found by callgrind by its name, wherever the optimizer puts it.
#[inline(never)]
fn counted_by_callgrind(operation: &mut Operation, runs: u32) {
    for _ in 0..runs {
        black_box(operation());
    }
}

/// What a profile says that was counted in all.
fn total(profile: &str) -> Option<u64> {
    profile.lines().find_map(|line| line.strip_prefix("totals: ")).and_then(|total| total.trim().parse().ok())
}
