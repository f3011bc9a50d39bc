//! The chart, without a cluster: what it renders, and what its linter says.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{ApiServer, Programs};

/// The folder of the chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/holdfast");

/// Helm, of the version that is pinned in `tests/cluster`. It needs no cluster for what is done here.
#[derive(Clone, Debug)]
pub struct Chart {
    helm: PathBuf,
}

impl Chart {
    /// Finds Helm.
    pub fn find() -> Result<Self> {
        Ok(Self { helm: Programs::find()?.built("helm")? })
    }

    /// Everything that an installation with these values consists of, in the order of the templates; custom resource
    /// definitions included.
    pub fn render(&self, release: &str, namespace: &str, values: &Value) -> Result<Vec<Value>> {
        let output = self.run(&["template", release, CHART, "--namespace", namespace], values)?;
        objects(&succeeded(&output)?)
    }

    /// What a user reads after the installation. It is not part of [`Chart::render`].
    pub fn notes(&self, release: &str, namespace: &str, values: &Value) -> Result<String> {
        let arguments = ["install", release, CHART, "--namespace", namespace, "--dry-run=client", "--create-namespace"];
        let text = succeeded(&self.run(&arguments, values)?)?;
        let (_, notes) = text.split_once("NOTES:\n").with_context(|| format!("no notes in {text}"))?;
        Ok(notes.to_owned())
    }

    /// Helm's own linter, which must have nothing to say.
    pub fn lint(&self, values: &Value) -> Result<()> {
        succeeded(&self.run(&["lint", CHART, "--strict", "--quiet"], values)?).map(drop)
    }

    fn run(&self, arguments: &[&str], values: &Value) -> Result<Output> {
        let mut helm = Command::new(&self.helm);
        // Neither the user's cluster nor the user's plug-ins have a say.
        helm.args(arguments).env("KUBECONFIG", "/dev/null").env("HELM_PLUGINS", "/dev/null");
        with_values(helm, values)
    }
}

/// Applies objects to an API server as somebody who may do everything, by server-side apply; with these further arguments of
/// `kubectl apply`. Returns what kubectl says: one line for each object. A field that the API server does not know is an
/// error.
pub fn apply(server: &ApiServer, objects: &[Value], arguments: &[&str]) -> Result<String> {
    let mut kubectl = server.kubectl()?;
    kubectl.args(["apply", "--server-side", "--validate=strict", "--filename=-"]).args(arguments);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    succeeded(&with_input(kubectl, &list)?)
}

/// Runs helm with values, which it reads from its standard input: JSON is YAML.
pub(super) fn with_values(mut helm: Command, values: &Value) -> Result<Output> {
    helm.args(["--values", "-"]);
    with_input(helm, values)
}

fn with_input(mut command: Command, input: &Value) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let mut stdin = running.stdin.take().context("the command listens")?;
    // Who refuses its arguments may not read on; what it says about them tells more than a broken pipe.
    let _ = stdin.write_all(input.to_string().as_bytes());
    drop(stdin);
    running.wait_with_output().with_context(|| format!("cannot wait for {command:?}"))
}

/// What a command has printed, if it has succeeded; else an error with everything it has said.
pub(super) fn succeeded(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{}:\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}

fn objects(yaml: &str) -> Result<Vec<Value>> {
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(yaml).context("helm has rendered no YAML")?;
    Ok(documents.into_iter().flatten().collect())
}
