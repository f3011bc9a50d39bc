//! Probes of the node itself: processes, files and commands.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Passes while the node runs enough processes that match. In a container, it needs the node's PID namespace (hostPID).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.name) || has(self.commandLine)")
        .message("say which process is meant: give name, commandLine or both"),
    validation = Rule::new("!has(self.maximum) || self.maximum >= self.minimum")
        .message("must not be less than minimum")
        .field_path(".maximum")
)]
pub struct ProcessProbe {
    /// The name of the process as the kernel has it (`ps -o comm`): at most 15 characters, longer names are cut there.
    /// Example: `nginx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub name: Option<String>,
    /// The whole command line with single spaces between the arguments (`ps -o args`), compared exactly. With `name`,
    /// both must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub command_line: Option<String>,
    /// How many matching processes there must be at least: 1 to 65535, default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 65535))]
    pub minimum: u16,
    /// How many there may be at most: 1 to 65535. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub maximum: Option<u16>,
}

/// Passes by a file on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileProbe {
    /// The absolute path of the file.
    #[schemars(length(min = 2, max = 4096))]
    #[x_kube(validation = rules::absolute_path())]
    pub path: String,
    /// `Exists` (default): passes while the file is there. `Absent`: passes while it is not there, so that creating it
    /// fails the check by hand. `Value`: takes the number in the file, as `track_file` of keepalived does. With weight 0,
    /// any number but 0 is a failure. With another weight, the number times the weight is added to the priority, at most
    /// 253; a product of -254 or less is a FAULT. A file that is missing, empty or no number counts as 0. `rise` and
    /// `fall` delay no number.
    #[serde(default)]
    pub mode: FileMode,
}

/// What a file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FileMode {
    /// Passes while the file is there.
    #[default]
    Exists,
    /// Passes while the file is not there: create it to fail the check by hand.
    Absent,
    /// Takes the number in the file, which is multiplied with the weight; with weight 0 any but 0 fails the check.
    Value,
}

/// Passes when a command exits with 0 within the timeout; after it, its whole process group is killed.
///
/// It runs as an unprivileged user, and only if the agent was started with a command folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandProbe {
    /// The program, by its path below the command folder of the agent, and its arguments; no shell is involved.
    /// Example: `[check-postgres, --primary]`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic, validation = rules::program())]
    pub command: Vec<String>,
    /// The user of the node to run it as. Default: the user that the agent names for commands, an unprivileged one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::user_name())]
    pub user: Option<String>,
}

const fn one() -> u16 {
    1
}
