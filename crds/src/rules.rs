//! CEL rules that several fields share. Each message says what to write instead.
//!
//! Rules stand in for `pattern` in the schema, because a failed pattern only tells the reader its regular expression.
//! Regular expressions avoid the backslash, whose meaning differs between Rust, YAML and CEL strings.

use kube::core::Rule;

/// What a duration looks like; see [`crate::duration`].
const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// A rule that a string matches a regular expression.
fn matches(pattern: &str, message: &str) -> Rule {
    Rule::new(format!("self.matches('{pattern}')")).message(message)
}

/// CEL: the duration in the field `field` (or `self`) is malformed, which is another rule's matter.
pub(crate) fn malformed_duration(field: &str) -> String {
    format!("!{field}.matches('{DURATION}')")
}

/// The form of every duration.
pub(crate) fn duration_form() -> Rule {
    matches(DURATION, "must be a duration in whole numbers with the units h, m, s or ms, such as 200ms, 1s or 1m30s")
}

/// A duration from `least` to `most`, both included.
pub(crate) fn duration_within(least: &str, most: &str) -> Rule {
    let malformed = malformed_duration("self");
    Rule::new(format!("{malformed} || (duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))"))
        .message(format!("must be a duration from {least} to {most}").as_str())
}

/// A duration from `least` to `most`, both included, or zero.
pub(crate) fn duration_within_or_zero(least: &str, most: &str) -> Rule {
    let malformed = malformed_duration("self");
    Rule::new(format!(
        "{malformed} || duration(self) == duration('0s') || \
         (duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))"
    ))
    .message(format!("must be a duration from {least} to {most}, or 0s to turn it off").as_str())
}

/// The name of a Kubernetes object.
pub(crate) fn object_name() -> Rule {
    matches(
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "must be the name of an object: lower case letters, digits, - and ., beginning and ending with a letter or digit",
    )
}

/// The name of a network interface, as the kernel allows it but for the rarest.
pub(crate) fn interface_name() -> Rule {
    matches("^[^ /:.][^ /:]*$", "must be the name of a network interface, such as eth0, without space, / and :")
}

/// A host to connect to: a name, or an address, with its zone if it is link-local (`fe80::1%eth0`).
pub(crate) fn host() -> Rule {
    Rule::new("self.matches('^[A-Za-z0-9._-]+$') || isIP(self.split('%')[0])")
        .message("must be an address or a DNS name without scheme and port, such as 127.0.0.1 or db.example.org")
}

/// The path of a file on the node.
pub(crate) fn absolute_path() -> Rule {
    Rule::new("self.startsWith('/')").message("must be an absolute path, such as /run/maintenance")
}

/// A program below the command folder, and its arguments.
pub(crate) fn program() -> Rule {
    Rule::new(
        "size(self) == 0 || (size(self[0]) > 0 && !self[0].startsWith('/') && \
         !self[0].split('/').exists(part, part == '..'))",
    )
    .message(
        "the first entry must be the path of a program below the command folder of the agent, such as check-nginx, \
         without a leading / and without ..",
    )
}

/// A user of the node.
pub(crate) fn user_name() -> Rule {
    Rule::new("self.matches('^[a-z_][a-z0-9_-]*$')").message("must be the name of a user, such as nobody")
}

/// Exactly one of several optional fields is given.
pub(crate) fn exactly_one_of(fields: &[&str]) -> Rule {
    Rule::new(format!("[{}].exists_one(given, given)", has_each(fields)))
        .message(format!("exactly one of {} must be given", fields.join(", ")).as_str())
}

/// At most one of several optional fields is given.
pub(crate) fn at_most_one_of(fields: &[&str]) -> Rule {
    Rule::new(format!("size([{}].filter(given, given)) <= 1", has_each(fields)))
        .message(format!("only one of {} may be given", fields.join(", ")).as_str())
}

fn has_each(fields: &[&str]) -> String {
    fields.iter().map(|field| format!("has(self.{field})")).collect::<Vec<_>>().join(", ")
}
