//! Kernel settings that matter for announcements, read from `/proc/sys/net`.

use std::fs;

/// Whether this node forwards IPv6 on the interface: its neighbour advertisements must say so, or clients that use it
/// as a router drop their default route.
pub fn forwards_ipv6(interface_name: &str) -> bool {
    is_set(&format!("/proc/sys/net/ipv6/conf/{interface_name}/forwarding"))
}

/// Whether this node answers ARP on the interface for addresses that it does not have: also for a virtual address
/// while another node is master.
pub fn proxies_arp(interface_name: &str) -> bool {
    is_set(&format!("/proc/sys/net/ipv4/conf/{interface_name}/proxy_arp"))
        || is_set(&format!("/proc/sys/net/ipv4/conf/{interface_name}/proxy_arp_pvlan"))
}

/// A missing setting is an unset one: the protocol is not there at all.
fn is_set(path: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|value| !matches!(value.trim(), "" | "0"))
}
