//! An object of a kind that users write, parsed from a manifest: valid, with every default filled in.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::validate::{self, Violation};
use crate::{API_VERSION, HealthCheck, VirtualIP, VirtualIPGroup};

/// The kinds that users write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserKind {
    /// See [`VirtualIP`].
    VirtualIP,
    /// See [`HealthCheck`].
    HealthCheck,
    /// See [`VirtualIPGroup`].
    VirtualIPGroup,
}

/// An object of one of these kinds. It is written as what it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Manifest {
    /// See [`VirtualIP`].
    VirtualIP(Box<VirtualIP>),
    /// See [`HealthCheck`].
    HealthCheck(Box<HealthCheck>),
    /// See [`VirtualIPGroup`].
    VirtualIPGroup(Box<VirtualIPGroup>),
}

/// Why an object is none of these.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseManifestError {
    /// It is of another kind, or says none.
    #[error(
        "{kind} of {api_version} is not for Holdfast: write apiVersion: holdfast.dev/v1alpha1, and kind: VirtualIP, \
         HealthCheck or VirtualIPGroup"
    )]
    UnknownKind {
        /// The `apiVersion`, or a word for its absence.
        api_version: String,
        /// The `kind`, or a word for its absence.
        kind: String,
    },
    /// It breaks rules.
    #[error("{}", join(.0))]
    Invalid(Vec<Violation>),
}

impl UserKind {
    /// The kind of an object, by its `apiVersion` and `kind`.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |field| object.get(field).and_then(Value::as_str);
        match (text("apiVersion")?, text("kind")?) {
            (API_VERSION, "VirtualIP") => Some(Self::VirtualIP),
            (API_VERSION, "HealthCheck") => Some(Self::HealthCheck),
            (API_VERSION, "VirtualIPGroup") => Some(Self::VirtualIPGroup),
            _ => None,
        }
    }

    /// The word in `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VirtualIP => "VirtualIP",
            Self::HealthCheck => "HealthCheck",
            Self::VirtualIPGroup => "VirtualIPGroup",
        }
    }

    /// Everything that is wrong with an object of this kind.
    pub fn violations(self, object: &Value) -> Vec<Violation> {
        match self {
            Self::VirtualIP => validate::validate_virtual_ip(object),
            Self::HealthCheck => validate::validate_health_check(object),
            Self::VirtualIPGroup => validate::validate_virtual_ip_group(object),
        }
    }
}

impl fmt::Display for UserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Manifest {
    /// Parses an object. Every rule that it breaks is in the error.
    pub fn parse(mut object: Value) -> Result<Self, ParseManifestError> {
        let kind = UserKind::of(&object).ok_or_else(|| unknown_kind(&object))?;
        let violations = kind.violations(&object);
        if !violations.is_empty() {
            return Err(ParseManifestError::Invalid(violations));
        }
        match kind {
            UserKind::VirtualIP => {
                validate::default_virtual_ip(&mut object);
                typed(object).map(Self::VirtualIP)
            }
            UserKind::HealthCheck => {
                validate::default_health_check(&mut object);
                typed(object).map(Self::HealthCheck)
            }
            UserKind::VirtualIPGroup => {
                validate::default_virtual_ip_group(&mut object);
                typed(object).map(Self::VirtualIPGroup)
            }
        }
    }

    /// Reads back what was written of a valid object, by this version of Holdfast: no rule is applied again.
    pub fn restore(object: Value) -> Result<Self, ParseManifestError> {
        match UserKind::of(&object).ok_or_else(|| unknown_kind(&object))? {
            UserKind::VirtualIP => typed(object).map(Self::VirtualIP),
            UserKind::HealthCheck => typed(object).map(Self::HealthCheck),
            UserKind::VirtualIPGroup => typed(object).map(Self::VirtualIPGroup),
        }
    }

    /// The kind of the object.
    pub const fn kind(&self) -> UserKind {
        match self {
            Self::VirtualIP(_) => UserKind::VirtualIP,
            Self::HealthCheck(_) => UserKind::HealthCheck,
            Self::VirtualIPGroup(_) => UserKind::VirtualIPGroup,
        }
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        let name = match self {
            Self::VirtualIP(object) => &object.metadata.name,
            Self::HealthCheck(object) => &object.metadata.name,
            Self::VirtualIPGroup(object) => &object.metadata.name,
        };
        name.as_deref().unwrap_or_default()
    }
}

/// The status of a manifest says nothing about today, as on an API server: it is left out.
fn typed<T: DeserializeOwned>(mut object: Value) -> Result<Box<T>, ParseManifestError> {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    serde_json::from_value(object)
        .map(Box::new)
        .map_err(|error| ParseManifestError::Invalid(vec![Violation::new("", error.to_string())]))
}

fn unknown_kind(object: &Value) -> ParseManifestError {
    let word = |field, missing: &str| object.get(field).and_then(Value::as_str).unwrap_or(missing).to_owned();
    ParseManifestError::UnknownKind {
        api_version: word("apiVersion", "no apiVersion"),
        kind: word("kind", "an object without kind"),
    }
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
