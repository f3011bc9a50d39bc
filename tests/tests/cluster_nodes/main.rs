//! Tests of the tests' own three nodes: they are what they say, and they fail as they are told to.

mod faults;
mod pods;
