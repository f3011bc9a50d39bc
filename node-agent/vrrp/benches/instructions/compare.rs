//! What has become of each case since the baseline was written.

use crate::Figures;

/// In percent. A new patch release of the compiler, or code moved from here to there, stays within; one more pass over an
/// advert, or an allocation, does not.
const MARGIN: u64 = 15;

/// Prints a table, and tells whether every case keeps within the margin.
///
/// What has become cheaper by more than the margin is told, so that the baseline is written anew.
pub(crate) fn report(expected: &Figures, found: &Figures) -> bool {
    println!("{:<52} {:>9} {:>9}", "instructions of one run", "baseline", "now");
    let mut passed = true;
    for (name, now) in found {
        let before = expected.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure);
        let verdict = before.map_or(Verdict::Unknown, |before| judge(before, *now));
        let before = before.map_or("none".to_owned(), |before| before.to_string());
        println!("{}", format!("{name:<52} {before:>9} {now:>9}  {}", verdict.text()).trim_end());
        passed &= verdict.passes();
    }
    for (name, _) in expected.iter().filter(|(name, _)| !found.iter().any(|(known, _)| known == name)) {
        println!("{name:<52} is in the baseline, but is measured no more");
        passed = false;
    }
    if !passed {
        println!("If that is meant to be: `make instructions-baseline`, and say in the commit why.");
    }
    passed
}

enum Verdict {
    Same,
    Cheaper(u64),
    Dearer(u64),
    TooDear(u64),
    Unknown,
}

fn judge(before: u64, now: u64) -> Verdict {
    let percent = now.abs_diff(before) * 100 / before.max(1);
    match percent {
        0 => Verdict::Same,
        percent if now < before => Verdict::Cheaper(percent),
        percent if percent <= MARGIN => Verdict::Dearer(percent),
        percent => Verdict::TooDear(percent),
    }
}

impl Verdict {
    fn passes(&self) -> bool {
        !matches!(self, Self::TooDear(_) | Self::Unknown)
    }

    fn text(&self) -> String {
        match self {
            Self::Same => String::new(),
            Self::Cheaper(percent) if *percent > MARGIN => {
                format!("-{percent} %: cheaper; `make instructions-baseline` keeps it so")
            }
            Self::Cheaper(percent) => format!("-{percent} %"),
            Self::Dearer(percent) => format!("+{percent} %"),
            Self::TooDear(percent) => format!("+{percent} %: TOO MUCH, {MARGIN} % are allowed"),
            Self::Unknown => "NOT IN THE BASELINE".to_owned(),
        }
    }
}
