//! Speaking rtnetlink (`man 7 rtnetlink`), synchronously: the election thread waits for nothing else.
//!
//! | file | holds |
//! | --- | --- |
//! | `message.rs` | reading and writing messages (pure) |
//! | `monitor.rs` | hearing of changes of links and addresses |
//! | `commands.rs` | adding, renewing and removing addresses in batches; reading everything at once |

mod commands;
mod message;
mod monitor;

pub use commands::{AddressCommands, AddressRequest, Outcome};
pub use message::Lifetime;
pub use monitor::{Heard, Monitor};
