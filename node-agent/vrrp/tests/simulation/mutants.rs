//! Mistakes planted around the core: rules that catch none of them would be worth nothing.

use holdfast_vrrp::sim::{Log, Mutant, Rule, Script, minimise};

/// Each mistake is caught by one of so many seeds.
const SEEDS: u64 = 2_500;

fn catching_seed(mutant: Mutant) -> Option<u64> {
    (0..SEEDS).find(|seed| Script::of_seed(*seed).play_with(Some(mutant), Log::default()).failure.is_some())
}

#[test]
fn every_planted_mistake_is_caught() {
    let survivors: Vec<Mutant> = Mutant::ALL.into_iter().filter(|mutant| catching_seed(*mutant).is_none()).collect();

    assert_eq!(survivors, [], "not caught within {SEEDS} seeds");
}

#[test]
fn a_mistake_is_found_by_its_name() {
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::named(&mutant.to_string()), Some(mutant));
    }
    assert_eq!(Mutant::named("Perfect"), None);
}

#[test]
fn a_failure_is_made_small_and_stays_the_same_failure() {
    let mutant = Mutant::HoldDownMissing;
    let broken =
        |script: &Script| script.play_with(Some(mutant), Log::default()).failure.map(|failure| failure.broken.rule);
    let script = Script::of_seed(catching_seed(mutant).unwrap());

    let smallest = minimise(&script, Some(mutant)).unwrap();

    assert_eq!(broken(&smallest), broken(&script));
    assert_eq!(broken(&smallest), Some(Rule::Patience));
    assert!(smallest.steps.len() <= 3, "a resignation and nothing else:\n{smallest}");
    assert_eq!(smallest.failure(), None, "without the mistake");
}

#[test]
fn what_does_not_fail_is_not_made_smaller() {
    assert_eq!(minimise(&Script::of_seed(0), None), None);
}
