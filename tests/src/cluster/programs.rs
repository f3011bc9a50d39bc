//! Where the programs of Kubernetes lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lab::program;

/// Builds the programs, and knows where it puts them.
const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/build");

/// Names a folder with etcd, kube-apiserver and kubectl, as the tools of other Kubernetes projects set it.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// Folders of programs.
#[derive(Clone, Debug)]
pub struct Programs {
    api: PathBuf,
    built: PathBuf,
}

impl Programs {
    /// Finds the folders: `$KUBEBUILDER_ASSETS` for etcd, kube-apiserver and kubectl where it is set, and what
    /// `make kubernetes` has built.
    pub fn find() -> Result<Self> {
        let built = PathBuf::from(program::run(BUILD, &["--folder"])?.trim_end());
        let api = std::env::var_os(ASSETS).map_or_else(|| built.clone(), PathBuf::from);
        Ok(Self { api, built })
    }

    /// etcd, kube-apiserver or kubectl.
    pub fn api(&self, name: &str) -> Result<PathBuf> {
        existing(&self.api, name)
    }

    /// Any program, of the version that is pinned in `tests/cluster`.
    pub fn built(&self, name: &str) -> Result<PathBuf> {
        existing(&self.built, name)
    }

    /// The folder that holds all programs, of the versions that are pinned in `tests/cluster`.
    pub fn folder(&self) -> Result<&Path> {
        existing(&self.built, "kubelet").map(|_| self.built.as_path())
    }

    /// kubectl as whoever `kubeconfig` names, whatever the user's own kubectl and its configuration may be. What it keeps
    /// of its own is beside that file.
    pub fn kubectl(&self, kubeconfig: &Path) -> Result<Command> {
        let mut command = Command::new(self.api("kubectl")?);
        let real = kubeconfig.canonicalize().with_context(|| format!("cannot follow {}", kubeconfig.display()))?;
        command.env("KUBECONFIG", &real).env("KUBERC", "off").env("KUBECACHEDIR", real.with_file_name("kubectl-cache"));
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(variable);
        }
        Ok(command)
    }
}

fn existing(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: run `make kubernetes`, or set {ASSETS} rightly", path.display());
    Ok(path)
}
