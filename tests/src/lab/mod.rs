//! A laboratory of network namespaces: nodes on a LAN, faults, captures, probes, and the programs that run on the nodes.
//!
//! | file | holds |
//! | --- | --- |
//! | `requirements` | what the machine must offer; says what is missing and how to get it |
//! | `namespace`, `init` | network namespaces, with PID and mount namespaces on demand |
//! | `scratch`, `sweep` | temporary folders; nothing is left behind, also by a killed run |
//! | `lan`, `fault`, `host` | a bridge, the hosts attached to it, and everything that can go wrong between them |
//! | `process`, `log` | a program in a namespace, its signals, its exit and what it printed |
//! | `mac`, `frame`, `checksum`, `craft` | Ethernet frames: read and written |
//! | `packet_socket`, `packet_filter`, `capture`, `pcap` | frames as they were on the wire, with the kernel's timestamps; as a file |
//! | `pace`, `echo`, `probe`, `probe_report` | the client that asks a VIP every millisecond, and what it lost |
//! | `echo_sweep` | a client that asks many VIPs in turn |
//! | `holders`, `holder_report` | who answers for a VIP, as a second host sees it |
//! | `wall_clock` | the wall clock of a process, moved |
//! | `stall` | how long the machine itself holds everybody up |
//! | `addresses`, `address_message` | addresses of a node's interface, and the moment at which they come and go |
//! | `http_probe` | a client that asks a web server many times a second |
//! | `http` | a client and a server that answers as a test wants |
//! | `keepalived`, `nginx`, `agent`, `agent_status` | the programs |
//!
//! Everything is named after the process that made it and is removed on drop, so tests run side by side. Nothing touches
//! the machine's own interfaces.

pub mod address_message;
pub mod addresses;
pub mod agent;
pub mod agent_status;
pub mod capture;
pub mod checksum;
pub mod craft;
pub mod echo;
pub mod echo_sweep;
pub mod fault;
pub mod frame;
pub mod holder_report;
pub mod holders;
pub mod host;
pub mod http;
pub mod http_probe;
mod init;
pub mod keepalived;
pub mod lan;
pub mod log;
pub mod mac;
pub mod memory;
pub mod namespace;
pub mod nginx;
pub mod pace;
pub mod packet_filter;
pub mod packet_socket;
pub mod pcap;
pub mod probe;
pub mod probe_report;
pub mod process;
pub mod program;
pub mod requirements;
pub mod scratch;
pub mod stall;
pub mod sweep;
pub mod wait;
pub mod wall_clock;

pub use agent::{Agent, AgentHome};
pub use agent_status::AgentStatus;
pub use capture::Capture;
pub use fault::Partition;
pub use frame::Frame;
pub use holders::Holders;
pub use host::Host;
pub use http::WebServer;
pub use keepalived::{Keepalived, KeepalivedInstance};
pub use lan::Lan;
pub use mac::Mac;
pub use namespace::Namespace;
pub use nginx::Nginx;
pub use probe::Prober;
pub use probe_report::ProbeReport;
pub use process::Process;
