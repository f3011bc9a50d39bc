//! What a node finds in its folder when it boots: the configuration of its programs, and who they are to the API server.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::access::Access;
use crate::cluster::authority::Authority;
use crate::lab::Host;

/// What all nodes have in common.
pub(in crate::cluster) struct Common<'a> {
    pub(in crate::cluster) authority: &'a Authority,
    /// The API server as nodes reach it; whose access it is does not matter.
    pub(in crate::cluster) api_server: &'a Access,
    /// The name of the image that holds a pod's namespaces.
    pub(in crate::cluster) pause: &'a str,
}

/// The IPv4 addresses of the ordinary pods of node number `number`: 10.78.number.0/24.
pub(in crate::cluster) fn pod_network(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, number, 0)
}

/// Writes everything into the folder `etc`.
pub(super) fn write(etc: &Path, host: &Host, common: &Common<'_>) -> Result<()> {
    fs::create_dir_all(etc).with_context(|| format!("cannot make {}", etc.display()))?;
    let addresses: [IpAddr; 2] = [host.ipv4().into(), host.ipv6().into()];
    let node_ip = addresses.map(|address| address.to_string()).join(",");
    write_file(&etc.join("node-ip"), &node_ip)?;
    write_file(&etc.join("kubelet.json"), &format!("{:#}", kubelet(host, common)?))?;
    write_file(&etc.join("containerd.toml"), &containerd(common.pause, &etc.join("cni")))?;
    write_file(&etc.join("cni/10-pods.conflist"), &format!("{:#}", pod_interfaces(host.number())))?;
    let user = format!("system:node:{}", host.name());
    write_kubeconfig(&etc.join("kubelet.kubeconfig"), common, &user, Some("system:nodes"))?;
    write_kubeconfig(&etc.join("kube-proxy.kubeconfig"), common, "system:kube-proxy", None)
}

fn write_file(path: &Path, content: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

fn write_kubeconfig(path: &Path, common: &Common<'_>, user: &str, group: Option<&str>) -> Result<()> {
    let credential = common.authority.credential(user, group)?;
    Access { credential, ..common.api_server.clone() }.write_kubeconfig(path)
}

fn kubelet(host: &Host, common: &Common<'_>) -> Result<Value> {
    let names = [host.name().to_owned(), host.ipv4().to_string(), host.ipv6().to_string()];
    let serving = common.authority.server(&format!("system:node:{}", host.name()), Some("system:nodes"), &names)?;
    // The machine's disk is shared with everything else on it, and is never a reason to evict.
    let never =
        ["memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"];
    let eviction: serde_json::Map<_, _> = never.into_iter().map(|signal| (signal.to_owned(), json!("0%"))).collect();
    Ok(json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": false,
        "failSwapOn": false,
        "evictionHard": eviction,
        "imageGCHighThresholdPercent": 100,
        // A node that is gone is noticed in seconds, not in minutes.
        "nodeStatusUpdateFrequency": "2s",
        "nodeLeaseDurationSeconds": 8,
        "makeIPTablesUtilChains": false,
        "resolvConf": "",
        "staticPodPath": "/var/lib/kubelet/manifests",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": false },
            "x509": { "clientCAFile": common.authority.path("ca.crt") },
        },
        "authorization": { "mode": "AlwaysAllow" },
        "tlsCertFile": serving.certificate,
        "tlsPrivateKeyFile": serving.key,
    }))
}

/// The configuration of containerd 2: <https://github.com/containerd/containerd/blob/main/docs/cri/config.md>.
fn containerd(pause: &str, cni: &Path) -> String {
    let snapshotter = if has_overlayfs() { "overlayfs" } else { "native" };
    let cni = cni.display();
    // `restrict_oom_score_adj`: what runs in a container of the machine's own may not make itself harder to kill.
    format!(
        "version = 3
[plugins.'io.containerd.internal.v1.opt']
path = '/var/lib/containerd/opt'
[plugins.'io.containerd.cri.v1.images']
snapshotter = '{snapshotter}'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '{cni}'
"
    )
}

fn has_overlayfs() -> bool {
    fs::read_to_string(PathBuf::from("/proc/filesystems")).is_ok_and(|list| list.contains("\toverlay\n"))
}

fn pod_interfaces(number: u8) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-addresses",
                "ranges": [[{ "subnet": format!("{}/24", pod_network(number)) }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    })
}
