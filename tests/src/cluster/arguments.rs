//! The command lines of the servers of a control plane.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::api_server::Settings;
use super::audit;
use super::authority::Authority;

pub(super) fn etcd(folder: &Path, [clients, members]: [SocketAddr; 2]) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls=http://{clients}"),
        format!("--advertise-client-urls=http://{clients}"),
        format!("--listen-peer-urls=http://{members}"),
        format!("--initial-advertise-peer-urls=http://{members}"),
        format!("--initial-cluster=default=http://{members}"),
        // What a power failure would lose is lost anyway.
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ]
}

pub(super) fn api_server(folder: &Path, authority: &Authority, settings: &Settings) -> Result<Vec<String>> {
    let addresses = [settings.listen.ip().to_string(), settings.address.ip().to_string()];
    let names = [addresses.as_slice(), settings.names.as_slice()].concat();
    let serving = authority.server("kube-apiserver", Some("system:masters"), &names)?;
    let policy = folder.join("audit-policy.yaml");
    fs::write(&policy, audit::POLICY).with_context(|| format!("cannot write {}", policy.display()))?;
    let file = |flag: &str, path: PathBuf| format!("--{flag}={}", path.display());
    let mut arguments = vec![
        format!("--etcd-servers=http://{}", settings.etcd[0]),
        format!("--bind-address={}", settings.listen.ip()),
        format!("--advertise-address={}", settings.listen.ip()),
        format!("--secure-port={}", settings.listen.port()),
        file("tls-cert-file", serving.certificate.clone()),
        file("tls-private-key-file", serving.key.clone()),
        file("kubelet-client-certificate", serving.certificate),
        file("kubelet-client-key", serving.key),
        file("client-ca-file", authority.path("ca.crt")),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        file("service-account-key-file", authority.path("service-accounts.pub")),
        file("service-account-signing-key-file", authority.path("service-accounts.key")),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged=true".into(),
        file("audit-policy-file", policy),
        file("audit-log-path", folder.join("audit.log")),
        // Megabytes: one file, whose positions stay what they are.
        "--audit-log-maxsize=100000".into(),
    ];
    arguments.extend(settings.arguments.iter().cloned());
    Ok(arguments)
}

/// Of kube-apiserver, where there are nodes and controllers.
pub(super) fn of_whole_cluster() -> Vec<String> {
    [
        "--service-cluster-ip-range=10.96.0.0/16",
        "--kubelet-preferred-address-types=InternalIP",
        // Pods of a node that is gone are moved in seconds, not in minutes.
        "--default-not-ready-toleration-seconds=10",
        "--default-unreachable-toleration-seconds=10",
        "--enable-aggregator-routing=true",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(super) fn controller_manager(kubeconfig: &Path, authority: &Authority) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--root-ca-file={}", authority.path("ca.crt").display()),
        format!("--service-account-private-key-file={}", authority.path("service-accounts.key").display()),
        // Each controller has a service account of its own, and only the rights of that.
        "--use-service-account-credentials=true".into(),
        "--leader-elect=false".into(),
        "--secure-port=0".into(),
        // Its own limits would double the time until all nodes are ready.
        "--kube-api-qps=1000".into(),
        "--kube-api-burst=1000".into(),
        "--node-monitor-period=1s".into(),
        "--node-monitor-grace-period=10s".into(),
    ]
}

pub(super) fn scheduler(kubeconfig: &Path) -> Vec<String> {
    vec![format!("--kubeconfig={}", kubeconfig.display()), "--leader-elect=false".into(), "--secure-port=0".into()]
}
