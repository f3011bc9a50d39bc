//! The classic example of `docs/examples`, as it stands there or with another interval.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::bounds::{Bounds, Version};

const WEB: &str = include_str!("../../../docs/examples/classic/web.yaml");
const NODES: &str = include_str!("../../../docs/examples/classic/nodes.yaml");

/// The manifests that every node gets.
pub(super) struct Manifests {
    /// `VirtualIP` and `HealthCheck`.
    pub(super) web: String,
    /// The three nodes.
    pub(super) nodes: &'static str,
    /// The intervals that follow from them.
    pub(super) bounds: Bounds,
}

impl Manifests {
    /// The one that the client probes.
    pub(super) const ADDRESS: IpAddr = Self::address(100);
    /// The name of the `VirtualIP`.
    pub(super) const NAME: &str = "web";
    /// The key and the text of the password.
    pub(super) const PASSWORD: (&str, &str) = ("web", "secret12");
    /// The priorities of the three nodes.
    pub(super) const PRIORITIES: [u8; 3] = [100, 99, 98];

    const fn address(host: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, host))
    }

    /// The example with an advert every `interval`: as it is for whole seconds, else with VRRPv3, which has no password.
    pub(super) fn classic(interval: Duration) -> Result<Self> {
        ensure!(
            interval >= Duration::from_millis(10) && interval <= Duration::from_secs(10),
            "--interval must be within 10ms..=10s"
        );
        let version = if interval.subsec_nanos() == 0 { Version::V2 } else { Version::V3 };
        let bounds = Bounds { version, interval };
        let web = if interval == Duration::from_secs(1) { WEB.to_owned() } else { adapted(bounds)? };
        Ok(Self { web, nodes: NODES, bounds })
    }
}

fn adapted(bounds: Bounds) -> Result<String> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(WEB).context("the example is no YAML")?;
    let vip = documents.iter_mut().find(|document| document.get("kind") == Some(&json!("VirtualIP")));
    let spec = vip.and_then(|vip| vip.get_mut("spec")).and_then(Value::as_object_mut);
    let spec = spec.context("the example has no VirtualIP")?;
    spec.insert("advertisementInterval".into(), json!(format!("{}ms", bounds.interval.as_millis())));
    if bounds.version == Version::V3 {
        spec.insert("protocolVersion".into(), json!(3));
        spec.remove("authentication");
    }
    // JSON is YAML, and needs no second opinion about quoting.
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    Ok(texts.join("\n---\n"))
}
