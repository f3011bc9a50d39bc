//! Holdfast on a cluster, installed with its chart as a user does it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Cluster;
use super::chart::{CHART, succeeded, with_values};
use crate::images::IMAGES;

/// Where the images are, if not in the target folder.
const FOLDER: &str = "HOLDFAST_IMAGES";

/// How long everything may take to be ready, or to be gone, on a busy machine.
const TIMEOUT: &str = "120s";

/// An installed chart. It stays until [`Release::uninstall`], or until the cluster ends.
#[derive(Debug)]
pub struct Release {
    namespace: String,
}

impl Release {
    /// The name of the release.
    pub const NAME: &str = "holdfast";

    /// The namespace, if a test asks for no other.
    pub const NAMESPACE: &str = "holdfast";

    /// Loads the images into the nodes that have power and installs the chart with these values (`json!({})` for none).
    /// Operator and agents are ready when this returns.
    pub fn install(cluster: &Cluster, values: &Value) -> Result<Self> {
        Self::install_in(cluster, Self::NAMESPACE, values)
    }

    /// The same in another namespace, which is made.
    pub fn install_in(cluster: &Cluster, namespace: &str, values: &Value) -> Result<Self> {
        for archive in archives()? {
            cluster.import_image(&archive)?;
        }
        let release = Self { namespace: namespace.to_owned() };
        release.apply(cluster, &["install", "--create-namespace"], values)?;
        Ok(release)
    }

    /// Upgrades to the chart as it is now, with these values and no earlier ones. Returns when all is rolled out.
    pub fn upgrade(&self, cluster: &Cluster, values: &Value) -> Result<()> {
        self.apply(cluster, &["upgrade"], values)
    }

    /// Uninstalls it. Its pods are gone when this returns: Helm itself does not wait for them.
    pub fn uninstall(self, cluster: &Cluster) -> Result<()> {
        let mut helm = self.helm(cluster)?;
        helm.args(["uninstall", Self::NAME, "--timeout", TIMEOUT]);
        succeeded(&helm.output().context("cannot run helm")?)?;
        let mut kubectl = cluster.kubectl()?;
        kubectl.args(["--namespace", &self.namespace, "wait", "--for=delete", "pods", "--timeout", TIMEOUT]);
        kubectl.arg("--selector=app.kubernetes.io/part-of=holdfast");
        succeeded(&kubectl.output().context("cannot run kubectl")?).map(drop)
    }

    /// The namespace of the installation.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn apply(&self, cluster: &Cluster, verb: &[&str], values: &Value) -> Result<()> {
        let mut helm = self.helm(cluster)?;
        helm.args(verb).args([Self::NAME, CHART, "--wait", "--timeout", TIMEOUT]);
        // No registry has the images: whatever the values say, a node uses those it has.
        helm.args(["--set", "image.pullPolicy=Never"]);
        succeeded(&with_values(helm, values)?).map(drop).with_context(|| self.pods(cluster))
    }

    fn helm(&self, cluster: &Cluster) -> Result<Command> {
        let mut helm = cluster.helm()?;
        helm.args(["--namespace", &self.namespace]);
        Ok(helm)
    }

    /// What the pods are up to, for the message of an error.
    fn pods(&self, cluster: &Cluster) -> String {
        let ask = |arguments: &str| -> Result<String> {
            let mut kubectl = cluster.kubectl()?;
            let output = kubectl.args(["--namespace", &self.namespace]).args(arguments.split(' ')).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let questions = [
            "get pods --output=wide",
            "events --types=Warning",
            "logs --selector=app.kubernetes.io/part-of=holdfast --prefix --tail=20",
        ];
        questions.map(|question| ask(question).unwrap_or_else(|error| format!("{error:#}\n"))).concat()
    }
}

/// The archives of all images: in `$HOLDFAST_IMAGES`, else in `images` in the target folder, where `make images` puts them.
fn archives() -> Result<Vec<PathBuf>> {
    let folder = match std::env::var_os(FOLDER) {
        Some(folder) => PathBuf::from(folder),
        None => target_folder()?.join("images"),
    };
    let archives: Vec<PathBuf> = IMAGES.iter().map(|image| folder.join(format!("{}.oci.tar", image.program))).collect();
    for archive in &archives {
        ensure!(archive.is_file(), "{} is missing: run `make images PROFILE=dev`, or set {FOLDER}", archive.display());
    }
    Ok(archives)
}

/// The target folder that cargo has built this program in.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    // target/debug/program, or target/debug/deps/program.
    match program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()) {
        Some(folder) => Ok(folder.to_owned()),
        None => bail!("{} is in no target folder of cargo: set {FOLDER}", program.display()),
    }
}
