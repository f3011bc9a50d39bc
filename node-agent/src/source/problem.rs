//! What is wrong with a manifest: where, and what is allowed there.

use std::fmt;

/// One thing that is wrong. Reads as `FILE: KIND/NAME: FIELD: MESSAGE`, as far as these are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// The name of the file in the folder.
    pub file: Option<String>,
    /// Kind and name of the object, such as `VirtualIP/web`.
    pub object: Option<String>,
    /// What is wrong, with the field in front if it is one field's fault.
    pub message: String,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), object: None, message: message.into() }
    }

    /// A problem of an object in a file.
    pub fn of_object(file: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), object: Some(object.into()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.file, &self.object].into_iter().flatten() {
            write!(formatter, "{part}: ")?;
        }
        formatter.write_str(&self.message)
    }
}
