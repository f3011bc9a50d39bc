//! How many instructions the core takes, as callgrind counts them, compared with the figures that are committed.
//!
//! Timings differ from machine to machine and from run to run; these do not, so a core that has become slower fails a test.
//! They depend on the compiler (the one of `rust-toolchain.toml`), on the profile, and on the architecture, which has a
//! baseline each. They hardly depend on the processor: valgrind plays one of its own, and only how the C library copies bytes
//! differs between one with AVX2 and one without.
//!
//! ```text
//! cargo bench --bench instructions               compares; fails if a case has become more expensive
//! cargo bench --bench instructions -- --write    writes the baseline anew
//! ```

#[path = "../cases/mod.rs"]
mod cases;

mod baseline;
mod callgrind;
mod compare;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use self::cases::CASES;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match perform(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether every figure is as it should be.
fn perform(arguments: &[String]) -> Result<bool, Box<dyn Error>> {
    if cfg!(debug_assertions) {
        return Err("only optimized code is counted: cargo bench --bench instructions".into());
    }
    match *arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [] => {
            let expected = baseline::read()?;
            Ok(compare::report(&expected, &count_all()?))
        }
        ["--write"] => baseline::write(&count_all()?).map(|()| true),
        [callgrind::RUN, name] => {
            callgrind::run(CASES.iter().find(|case| case.name == name).ok_or("there is no such case")?);
            Ok(true)
        }
        _ => Err("usage: instructions [--write]".into()),
    }
}

/// By the name of the case, in the order of the cases.
type Figures = Vec<(String, u64)>;

fn count_all() -> Result<Figures, Box<dyn Error>> {
    CASES.iter().map(|case| Ok((case.name.to_owned(), callgrind::count(case)?))).collect()
}
