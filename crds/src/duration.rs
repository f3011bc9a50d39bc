//! Durations as the API writes them: `200ms`, `1s`, `1m30s`.
//!
//! The form is that of the Gateway API (GEP-2257): one to four numbers of up to five digits, each with a unit of
//! `h`, `m`, `s` or `ms`. It is a subset of what Go and CEL read, so the same text works in rules.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rules;

/// The longest text of a duration; it also bounds the cost of CEL rules.
pub(crate) const MAX_LENGTH: usize = 28;
const MAX_COMPONENTS: usize = 4;
const MAX_DIGITS: usize = 5;
/// Units and their length in milliseconds, longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration in whole milliseconds, written as `200ms`, `1s` or `1m30s`.
///
/// Two texts of the same length in time are equal (`60s` and `1m`); it is written back in the shortest form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DurationString {
    milliseconds: u64,
}

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a duration: write numbers with the units h, m, s or ms, such as 200ms, 1s or 1m30s")]
pub struct ParseDurationError {
    /// The text as it was given.
    pub text: String,
}

impl DurationString {
    /// No time at all, `0s`.
    pub const ZERO: Self = Self::from_millis(0);

    /// A duration of whole milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self { milliseconds }
    }

    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self { milliseconds: seconds.saturating_mul(1_000) }
    }

    /// The duration as the standard library has it.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// The number of whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.milliseconds
    }

    /// Whether this is `0s`.
    pub const fn is_zero(self) -> bool {
        self.milliseconds == 0
    }
}

impl From<DurationString> for Duration {
    fn from(duration: DurationString) -> Self {
        duration.as_duration()
    }
}

impl FromStr for DurationString {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError { text: text.to_owned() };
        let mut rest = text;
        let mut milliseconds = 0;
        for _ in 0..MAX_COMPONENTS {
            let (component, remainder) = split_component(rest).ok_or_else(error)?;
            milliseconds += component;
            rest = remainder;
            if rest.is_empty() {
                return Ok(Self { milliseconds });
            }
        }
        Err(error())
    }
}

/// Takes one number and its unit from the front of `text`: its milliseconds, and what follows.
fn split_component(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|&count| (1..=MAX_DIGITS).contains(&count))?;
    let (number, rest) = text.split_at_checked(digits)?;
    // "ms" begins like "m": the longer unit is tried first.
    let (unit, length) = ["ms", "h", "m", "s"]
        .into_iter()
        .find(|unit| rest.starts_with(unit))
        .and_then(|unit| UNITS.into_iter().find(|(name, _)| *name == unit))?;
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(length)?;
    Some((milliseconds, rest.strip_prefix(unit)?))
}

impl fmt::Display for DurationString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut rest = self.milliseconds;
        for (unit, length) in UNITS {
            let count = rest / length;
            rest %= length;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for DurationString {
    type Error = ParseDurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DurationString> for String {
    fn from(duration: DurationString) -> Self {
        duration.to_string()
    }
}

impl JsonSchema for DurationString {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_LENGTH, "x-kubernetes-validations": [rules::duration_form()] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("10ms", 10),
            ("200ms", 200),
            ("1s", 1_000),
            ("1s500ms", 1_500),
            ("1m30s", 90_000),
            ("60s", 60_000),
            ("1h", 3_600_000),
            ("99999h99999m99999s99999ms", 366_096_438_999),
        ] {
            assert_eq!(text.parse(), Ok(DurationString::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "s", "1.5s", "-1s", " 1s", "1s ", "1d", "100000s", "1s1s1s1s1s", "1µs", "１s"] {
            assert!(text.parse::<DurationString>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_written_form_is_the_shortest_and_reads_back_as_the_same() {
        for (text, written) in [
            ("60s", "1m"),
            ("90s", "1m30s"),
            ("1500ms", "1s500ms"),
            ("0ms", "0s"),
            ("25h", "25h"),
            ("40950ms", "40s950ms"),
        ] {
            let duration: DurationString = text.parse().unwrap();
            assert_eq!(duration.to_string(), written);
            assert_eq!(written.parse(), Ok(duration));
        }
    }
}
