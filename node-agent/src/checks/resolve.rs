//! From what a check names to addresses: literals, /etc/hosts, and the name servers of /etc/resolv.conf.
//!
//! Asked without the C library: the agent is linked statically, and the C library would look for plug-ins that its image
//! does not have. Files and name servers are read anew for each lookup, so that a node which moves is followed.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use nix::net::if_::if_nametoindex;
use thiserror::Error;

/// Why a host has no address.
#[derive(Debug, Error)]
pub(super) enum ResolveError {
    #[error("there is no interface {zone}: {source}")]
    Zone { zone: String, source: nix::Error },
    // Boxed: it is large, and rare.
    #[error("cannot resolve {host}: {source}")]
    Lookup { host: String, source: Box<NetError> },
}

/// The addresses of a host, IPv6 first, as RFC 6724 has it. The caller bounds the time.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Some(literal) = literal(host, port)? {
        return Ok(vec![literal]);
    }
    let failed = |source| ResolveError::Lookup { host: host.to_owned(), source: Box::new(source) };
    let found = resolver().map_err(failed)?.lookup_ip(host).await.map_err(failed)?;
    let mut addresses: Vec<SocketAddr> = found.iter().map(|address| SocketAddr::new(address, port)).collect();
    addresses.sort_by_key(SocketAddr::is_ipv4);
    Ok(addresses)
}

/// An address as it stands; for one of a link with its zone, such as `fe80::1%eth0` (RFC 6874).
fn literal(host: &str, port: u16) -> Result<Option<SocketAddr>, ResolveError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(address, port)));
    }
    let Some((address, zone)) = host.split_once('%') else { return Ok(None) };
    let Ok(address) = address.parse() else { return Ok(None) };
    let scope = match zone.parse() {
        Ok(number) => number,
        Err(_) => if_nametoindex(zone).map_err(|source| ResolveError::Zone { zone: zone.to_owned(), source })?,
    };
    Ok(Some(SocketAddrV6::new(address, port, 0, scope).into()))
}

/// Without a usable /etc/resolv.conf there is still /etc/hosts.
fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        let nobody = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        TokioResolver::builder_with_config(nobody, TokioRuntimeProvider::default())
    });
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // It lives for one lookup.
    options.cache_size = 0;
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolved(host: &str) -> Vec<String> {
        resolve(host, 80).await.expect("addresses").iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn addresses_stand_for_themselves() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("fe80::1%7", "[fe80::1%7]:80")] {
            assert_eq!(resolved(host).await, [expected]);
        }
    }

    #[tokio::test]
    async fn the_zone_of_an_address_may_be_an_interface() {
        let loopback = if_nametoindex("lo").expect("every network namespace has one");
        assert_eq!(resolved("fe80::1%lo").await, [format!("[fe80::1%{loopback}]:80")]);
        let error = resolve("fe80::1%nowhere", 80).await.expect_err("there is none");
        assert!(error.to_string().starts_with("there is no interface nowhere"), "{error}");
    }

    #[tokio::test]
    async fn names_of_this_machine_need_no_name_server() {
        assert!(resolved("localhost").await.contains(&"127.0.0.1:80".to_owned()));
    }
}
