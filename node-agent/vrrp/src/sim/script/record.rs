//! One line of a script: a word, then fields that are written `key=value`, or `key` alone.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::sim::step::NodeSet;

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScriptError {
    /// No line starts with this word.
    #[error("line {line}: unknown word {word:?}")]
    Word {
        /// The line, from one.
        line: usize,
        /// Its first word.
        word: String,
    },
    /// A field is missing or malformed.
    #[error("line {line}: {key:?} is missing or not readable")]
    Field {
        /// The line, from one.
        line: usize,
        /// The name of the field.
        key: String,
    },
    /// There is no line that says how the script ends.
    #[error("the script has no line `end`")]
    NoEnd,
}

/// A line, split up.
#[derive(Clone, Debug)]
pub(super) struct Record<'a> {
    line: usize,
    pub(super) word: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
}

impl<'a> Record<'a> {
    /// Splits a line; `None` if it is empty or a comment.
    pub(super) fn split(line: usize, text: &'a str) -> Option<Self> {
        let mut words = text.split('#').next()?.split_whitespace();
        let word = words.next()?;
        let fields = words.map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
        Some(Self { line, word, fields })
    }

    /// The rest of a line that starts with a time: `at 1s crash ...`.
    pub(super) fn at(line: usize, text: &'a str) -> Result<(Duration, Self), ScriptError> {
        let error = || ScriptError::Field { line, key: "at".to_owned() };
        let (time, rest) = text.trim().split_once(' ').ok_or_else(error)?;
        let time = read_duration(time).ok_or_else(error)?;
        Ok((time, Self::split(line, rest).ok_or_else(error)?))
    }

    pub(super) fn unknown(&self) -> ScriptError {
        ScriptError::Word { line: self.line, word: self.word.to_owned() }
    }

    pub(super) fn error(&self, key: &str) -> ScriptError {
        ScriptError::Field { line: self.line, key: key.to_owned() }
    }

    /// Whether a field is there, with or without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, ScriptError> {
        self.fields.get(key).copied().ok_or_else(|| self.error(key))
    }

    pub(super) fn number<T: FromStr>(&self, key: &str) -> Result<T, ScriptError> {
        self.text(key)?.parse().map_err(|_| self.error(key))
    }

    /// A number, or its default if the field is not there.
    pub(super) fn number_or_default<T: FromStr + Default>(&self, key: &str) -> Result<T, ScriptError> {
        if self.has(key) { self.number(key) } else { Ok(T::default()) }
    }

    pub(super) fn duration(&self, key: &str) -> Result<Duration, ScriptError> {
        read_duration(self.text(key)?).ok_or_else(|| self.error(key))
    }

    pub(super) fn nodes(&self, key: &str) -> Result<NodeSet, ScriptError> {
        let numbers = self.text(key)?.split(',').filter(|number| !number.is_empty());
        numbers.map(|number| number.parse::<usize>().map_err(|_| self.error(key))).collect()
    }

    /// A list of values of one kind, separated by commas.
    pub(super) fn list<T>(&self, key: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ScriptError> {
        let values = self.text(key)?.split(',').filter(|value| !value.is_empty());
        values.map(|value| read(value).ok_or_else(|| self.error(key))).collect()
    }
}

/// A whole number with a unit.
pub(super) fn read_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ns" => Some(Duration::from_nanos(number)),
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

/// The shortest way to write a duration exactly.
pub(super) fn write_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let unit = units.into_iter().find(|(size, _)| nanoseconds.is_multiple_of(*size));
    unit.map_or_else(String::new, |(size, name)| format!("{}{name}", nanoseconds / size))
}

pub(super) fn write_list<T: Display>(values: impl Iterator<Item = T>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}
