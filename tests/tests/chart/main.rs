//! The chart: what it renders is what an API server takes, what it refuses is wrong, and an installation of it works, is
//! upgraded without a loss and leaves nothing behind.
#![allow(clippy::indexing_slicing)]

mod installation;
mod objects;
mod support;
mod values;
