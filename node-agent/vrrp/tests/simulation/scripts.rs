//! Scripts: written and read without loss, and every failure that was once found stays mended.

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_vrrp::sim::{Script, ScriptError};

fn committed() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    scripts
}

#[test]
fn every_failure_that_was_found_stays_mended() {
    assert!(!committed().is_empty());
    for path in committed() {
        let text = fs::read_to_string(&path).unwrap();
        let script: Script = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(script.failure(), None, "{}", path.display());
    }
}

#[test]
fn every_script_says_what_had_gone_wrong() {
    for path in committed() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{} has no headline", path.display());
    }
}

#[test]
fn what_is_written_is_read_as_the_same_scenario() {
    for seed in 0..300 {
        let script = Script::of_seed(seed);
        assert_eq!(script.to_string().parse(), Ok(script), "seed {seed}");
    }
}

#[test]
fn comments_and_empty_lines_are_for_people() {
    let script = Script::of_seed(3);
    let with_comments = format!("# a story\n\n{}\n  # the end\n", script.to_string().replace('\n', "  # so\n"));

    assert_eq!(with_comments.parse(), Ok(script));
}

#[test]
fn a_script_without_an_end_is_refused() {
    assert_eq!("seed number=1\n".parse::<Script>(), Err(ScriptError::NoEnd));
}
