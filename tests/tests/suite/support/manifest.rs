//! Manifests as a user writes them. The texts given are the lines of `spec`, without indentation.

use holdfast_tests::lab::Host;

/// A `VirtualIP`.
pub(crate) fn virtual_ip(name: &str, spec: &str) -> String {
    object("VirtualIP", name, spec)
}

/// A `HealthCheck`.
pub(crate) fn health_check(name: &str, spec: &str) -> String {
    object("HealthCheck", name, spec)
}

/// A `VirtualIPGroup`.
pub(crate) fn group(name: &str, spec: &str) -> String {
    object("VirtualIPGroup", name, spec)
}

/// The `Node` of a host of LAN 0: with it, the agents know their peers, and obey nobody else.
pub(crate) fn node(host: &Host) -> String {
    format!(
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: {}\nstatus:\n  addresses:\n  \
         - {{type: InternalIP, address: {}}}\n  - {{type: InternalIP, address: \"{}\"}}\n",
        host.name(),
        host.ipv4(),
        host.ipv6()
    )
}

/// Several objects in one file.
pub(crate) fn file(objects: &[String]) -> String {
    objects.join("---\n")
}

/// The `VirtualIP` of most suites: `web`, 10.77.0.100, VRID 51, 100 ms, priority 200 on node `a` and 100 elsewhere. `more`
/// holds further lines of its `spec`.
pub(crate) fn web(more: &str) -> String {
    virtual_ip("web", &format!("{WEB}{more}"))
}

const WEB: &str = "\
addresses: [10.77.0.100]
virtualRouterID: 51
advertisementInterval: 100ms
priority: 100
nodePriorities: [{nodeName: a, priority: 200}]
";

fn object(kind: &str, name: &str, spec: &str) -> String {
    let spec = spec.lines().fold(String::new(), |text, line| text + "  " + line + "\n");
    format!("apiVersion: holdfast.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{spec}")
}
