//! Tests of the tests' own Kubernetes: what stands on a server that is not what it says proves nothing.

mod api_server;
mod faults;
