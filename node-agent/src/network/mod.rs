//! The edge to the kernel's network: what interfaces there are, packets in and out, addresses on and off.
//!
//! | file | holds |
//! | --- | --- |
//! | `interfaces.rs` | the table of interfaces, and which one a virtual router runs on (pure) |
//! | `packet_filter.rs` | which packets the kernel hands over |
//! | `packet_socket.rs` | receiving adverts, ARP and neighbour advertisements |
//! | `advert_socket.rs` | membership of the VRRP group, and sending adverts |
//! | `announce_socket.rs` | sending gratuitous ARP, neighbour advertisements and probes |
//! | `sockets.rs` | the sockets in use, shared by all virtual routers of an interface |
//! | `netlink/` | hearing about and changing links and addresses |
//! | `address_worker.rs` | programming addresses on a thread of its own |
//! | `fence/` | the kernel answers for an address only while adverts leave |
//! | `ownership.rs` | which addresses on the interfaces are ours |
//! | `sysctl.rs` | kernel settings that matter for announcements |
//!
//! Nothing here knows the election; `election/` decides, this carries out.

pub mod address_worker;
pub mod advert_socket;
pub mod announce_socket;
pub mod fence;
pub mod interfaces;
mod local_route;
pub mod netlink;
pub mod ownership;
pub mod packet_filter;
pub mod packet_socket;
pub mod sockets;
pub mod sysctl;
