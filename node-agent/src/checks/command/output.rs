//! The output of a command: all of it is read, so that the command never waits, and only its end is kept.

use std::collections::VecDeque;

/// How much is kept, in bytes.
const KEPT: usize = 4096;
/// How much of the last line is shown, in characters.
const SHOWN: usize = 200;

/// The last few KiB of what a command wrote to its standard output and standard error.
#[derive(Debug, Default)]
pub(super) struct Output {
    tail: VecDeque<u8>,
}

impl Output {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let new = bytes.len().min(KEPT);
        let too_many = (self.tail.len() + new).saturating_sub(KEPT);
        self.tail.drain(..too_many);
        self.tail.extend(bytes.iter().skip(bytes.len() - new));
    }

    /// The last line with something on it, fit to be shown: shortened, without control characters.
    pub(super) fn last_line(&self) -> Option<String> {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        let mut shown: String =
            line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN).collect();
        if line.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_is_not_empty_is_shown() {
        for (text, line) in [
            ("", None),
            ("\n \n", None),
            ("one\ntwo\n\n", Some("two")),
            ("tab\there\u{1b}[31m", Some("tab here [31m")),
            ("caf\u{e9}", Some("café")),
        ] {
            let mut output = Output::default();
            output.push(text.as_bytes());
            assert_eq!(output.last_line().as_deref(), line, "{text:?}");
        }
    }

    #[test]
    fn only_the_end_is_kept_however_much_comes() {
        let mut output = Output::default();
        for _ in 0..100 {
            output.push(&vec![b'x'; 100_000]);
        }
        output.push(b"\nthe end");
        assert!(output.tail.len() <= KEPT);
        assert!(output.tail.capacity() <= 2 * KEPT, "{}", output.tail.capacity());
        assert_eq!(output.last_line().as_deref(), Some("the end"));
    }

    #[test]
    fn a_long_line_is_shortened() {
        let mut output = Output::default();
        output.push("é".repeat(1_000).as_bytes());
        assert_eq!(output.last_line(), Some(format!("{}…", "é".repeat(SHOWN))));
    }
}
