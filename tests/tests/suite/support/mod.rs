//! What the suites share: manifests, nodes with agents, and the times that the protocol allows.

pub(crate) mod duo;
pub(crate) mod manifest;
pub(crate) mod member;
pub(crate) mod mode;
pub(crate) mod timing;
