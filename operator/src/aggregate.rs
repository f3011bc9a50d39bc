//! What the nodes report, put together: one truth per object, as a pure function.
//!
//! No clock, no client: how fresh each node's report is, and when two masters were first seen, come in as values, and
//! the caller is told when to look again.
