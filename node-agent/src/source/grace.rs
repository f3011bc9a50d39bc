//! Files that are gone or empty, and may be back in a moment: a shell empties a file before it writes the output of a
//! slow command, and tools for configuration remove files before they write them anew. Until the grace is over such a
//! file counts as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::manifests::Files;

/// How long a file may be gone or empty before its objects go.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Since when files have been gone or empty that had something.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<String, Instant>);

impl Missing {
    /// Puts those that are missing for less than the grace back into `found`, as they were `before`. What `is_gone` says
    /// need not come back is not waited for.
    pub(super) fn hold(&mut self, now: Instant, before: &Files, found: &mut Files, is_gone: impl Fn(&str) -> bool) {
        self.0.retain(|file, _| before.contains_key(file) && is_missing(found, file));
        for (file, content) in before.iter().filter(|(_, content)| !is_blank(content)) {
            if !is_missing(found, file) || is_gone(file) {
                continue;
            }
            let since = *self.0.entry(file.clone()).or_insert(now);
            if now < since + GRACE {
                found.insert(file.clone(), content.clone());
            }
        }
    }

    /// When the next grace is over, of those that have begun.
    pub(super) fn next_end(&self, now: Instant) -> Option<Instant> {
        self.0.values().map(|since| *since + GRACE).filter(|end| *end > now).min()
    }
}

fn is_missing(found: &Files, file: &str) -> bool {
    found.get(file).is_none_or(is_blank)
}

fn is_blank(content: &Result<Arc<str>, String>) -> bool {
    content.as_ref().is_ok_and(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(file, text)| ((*file).to_owned(), Ok((*text).into()))).collect()
    }

    /// What counts if `found` is there `after` this time without `a`, which was there before.
    fn held(found: &[(&str, &str)], after: Duration, is_gone: bool) -> Files {
        let (mut missing, start) = (Missing::default(), Instant::now());
        let before = files(&[("a", "A"), ("b", "B")]);
        missing.hold(start, &before, &mut files(found), |_| is_gone);
        let mut found = files(found);
        missing.hold(start + after, &before, &mut found, |_| is_gone);
        found
    }

    #[test]
    fn a_file_that_is_gone_or_empty_counts_as_it_was_until_the_grace_is_over() {
        let just_before = GRACE.saturating_sub(Duration::from_millis(1));
        for found in [&[("b", "B")][..], &[("a", " \n"), ("b", "B")]] {
            assert_eq!(held(found, just_before, false), files(&[("a", "A"), ("b", "B")]));
            assert_eq!(held(found, GRACE, false), files(found));
        }
    }

    #[test]
    fn other_changes_do_not_wait() {
        assert_eq!(held(&[("b", "new")], Duration::ZERO, false), files(&[("a", "A"), ("b", "new")]));
    }

    #[test]
    fn what_need_not_come_back_goes_at_once() {
        assert_eq!(held(&[("b", "B")], Duration::ZERO, true), files(&[("b", "B")]));
    }

    #[test]
    fn a_file_that_was_back_has_its_whole_grace_again() {
        let (mut missing, start) = (Missing::default(), Instant::now());
        let before = files(&[("a", "A")]);
        let mut look = |after: Duration, found: &[(&str, &str)]| {
            let mut found = files(found);
            missing.hold(start + after, &before, &mut found, |_| false);
            found
        };
        look(Duration::ZERO, &[]);
        look(GRACE / 2, &[("a", "A")]);
        assert_eq!(look(GRACE, &[]), before);
        assert_eq!(look(GRACE * 2, &[]), files(&[]));
    }
}
