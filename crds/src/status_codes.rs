//! HTTP status codes as the API writes them: `204` or `200-299`.

use std::fmt;
use std::str::FromStr;

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One HTTP status code, or a range with both ends included: 100 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StatusCodes {
    first: u16,
    last: u16,
}

/// A text that names no status codes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no status code: write one such as 204, or a range such as 200-299, within 100 to 599")]
pub struct ParseStatusCodesError {
    /// The text as it was given.
    pub text: String,
}

impl StatusCodes {
    /// What counts as success where nothing else is said.
    pub const SUCCESS_OR_REDIRECT: Self = Self { first: 200, last: 399 };

    /// Whether `code` is one of them.
    pub const fn contains(self, code: u16) -> bool {
        self.first <= code && code <= self.last
    }
}

impl FromStr for StatusCodes {
    type Err = ParseStatusCodesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (parse_code(first), parse_code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(ParseStatusCodesError { text: text.to_owned() }),
        }
    }
}

/// Three digits, as they stand in an answer.
fn parse_code(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|code| digits && (100..=599).contains(code))
}

impl fmt::Display for StatusCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl TryFrom<String> for StatusCodes {
    type Error = ParseStatusCodesError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StatusCodes> for String {
    fn from(codes: StatusCodes) -> Self {
        codes.to_string()
    }
}

impl JsonSchema for StatusCodes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusCodes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Codes have three digits each, so that their order as text is their order as numbers.
        let rule = Rule::new(
            "self.matches('^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$') && \
             (size(self) == 3 || self.substring(0, 3) <= self.substring(4))",
        )
        .message(
            "must be a status code such as \"204\", or a range from low to high such as \"200-299\", within 100 to 599",
        );
        json_schema!({ "type": "string", "maxLength": 7, "x-kubernetes-validations": [rule] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_both_its_ends() {
        let codes: StatusCodes = "200-299".parse().unwrap();
        assert!(codes.contains(200) && codes.contains(299));
        assert!(!codes.contains(199) && !codes.contains(300));
    }

    #[test]
    fn a_single_code_is_a_range_of_one() {
        let codes: StatusCodes = "204".parse().unwrap();
        assert!(codes.contains(204) && !codes.contains(203) && !codes.contains(205));
        assert_eq!(codes.to_string(), "204");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "20", "2000", "099", "600", "299-200", "200-", "-200", "200-299-300", "+20", "2xx"] {
            assert!(text.parse::<StatusCodes>().is_err(), "{text:?}");
        }
    }
}
