//! `make demo`: a Kubernetes of three nodes, Holdfast installed with Helm, and everything that can happen to a virtual IP,
//! with what it cost.
//!
//! | file | holds |
//! | --- | --- |
//! | `guard` | the process around a demo that cleans up, however it ends |
//! | `outcome` | expected and measured, as a table |

pub mod guard;
pub(crate) mod outcome;
