//! The cluster, Holdfast on it with its chart, a web server on every node, and how all of it is made whole again.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use holdfast_crds::VirtualIPStatus;
use serde_json::{Value, json};

use super::bounds::Promise;
use super::matrix::{Matrix, Part, Requests, Result as RowResult};
use super::record::Record;
use super::vips::{self, BACKUPS, FIRST, NODES, VIPS};
use super::watch::{Sights, Watch};
use super::{Plan, Row, leftovers, report};
use crate::cluster::{Cluster, Release, Sightings, Statuses, chart, is_whole};
use crate::demo::web_with;
use crate::lab::{Host, addresses, http, scratch, wait};

/// Long enough for whatever comes by itself, on a slow machine; every wait ends with its event. A conflict is told for two minutes.
pub(super) const PATIENCE: Duration = Duration::from_secs(200);

/// How long is watched before something is done.
pub(super) const BEFORE: Duration = Duration::from_millis(600);

/// How long is watched after it is done: long enough for two holders to become one, too short for an agent that starts again to take
/// over.
const AFTER: Duration = Duration::from_millis(250);

/// The short form is a test of what happens, on machines that do much else: times may be so much longer.
const SHORT_ALLOWANCE: Duration = Duration::from_millis(150);

/// The interface of every node.
pub(super) const INTERFACE: &str = "eth0";

/// Rules for one node: kube-proxy has translated the address of the Service by then.
const CUT_OFF: &str = "table inet chaos {
    chain own { type filter hook output priority 10; ip daddr 10.77.0.1 meta l4proto tcp drop; }
    chain pods { type filter hook forward priority 10; ip daddr 10.77.0.1 meta l4proto tcp drop; }
}";

/// Removes them, if they are there.
const RECONNECT: &str = "add table inet chaos; delete table inet chaos";

/// Where an agent of the chart serves, on its node.
const AGENT_PORT: u16 = 9112;

/// A pod that a drain of the first node evicts.
const EVICTABLE: &str = "evictable";

/// Everything that there is, and what has come of it so far.
pub(super) struct Stage {
    // Ends first.
    record: Option<Record>,
    pub(super) sightings: Sightings,
    pub(super) release: Release,
    /// A second host that asks who has the addresses.
    neighbour: Host,
    pub(super) cluster: Cluster,
    /// Each row as short as it can be.
    pub(super) short: bool,
    records: PathBuf,
    matrix: Matrix,
}

impl Stage {
    /// Starts everything, and waits until every address is held by the best node.
    pub(super) fn up(plan: &Plan) -> Result<Self> {
        println!("Starting a control plane and three nodes, and Holdfast on them ..");
        let mut cluster = Cluster::up()?;
        let neighbour = cluster.lan_mut().client("neighbour")?;
        let release = Release::install(&cluster, &json!({}))?;
        let image = cluster.import_web_image()?;
        let web =
            with_processor_time(serde_json::from_str(&web_with(&image)?).context("the web server is no object")?)?;
        let objects: Vec<Value> = [web, evictable(&image)].into_iter().chain(vips::manifests()).collect();
        chart::apply(cluster.api(), &objects, &[])?;
        let sightings = Sightings::start(cluster.api().admin());
        let (records, matrix) = (plan.records.clone(), Matrix::default());
        let stage = Self { record: None, sightings, release, neighbour, cluster, short: plan.short, records, matrix };
        stage.wait_until_whole(FIRST)?;
        Ok(stage)
    }

    /// Begins a row.
    pub(super) fn begin(&mut self, row: &Row) -> Result<()> {
        self.record = Some(Record::begin(&self.records, row.name, &self.cluster)?);
        self.matrix.rows.push(RowResult {
            name: row.name.to_owned(),
            fault: row.fault.to_owned(),
            parts: Vec::new(),
            failure: None,
        });
        Ok(())
    }

    /// Ends the row that was begun last.
    pub(super) fn end(&mut self, played: Result<()>) {
        self.record = None;
        if let (Err(error), Some(row)) = (played, self.matrix.rows.last_mut()) {
            println!("   FAILED: {error:#}");
            row.failure = Some(format!("{error:#}"));
        }
    }

    /// Uninstalls Holdfast, looks for what it left, and returns what has come of all rows.
    pub(super) fn finish(mut self) -> Result<Matrix> {
        self.kubectl("delete virtualips,healthchecks --all --timeout=60s")?;
        self.release.uninstall(&self.cluster)?;
        let left = leftovers::find(&self.cluster)?;
        println!("   left: {}", if left.is_empty() { "nothing".to_owned() } else { left.join(", ") });
        self.matrix.rows.push(leftovers::result(&left));
        Ok(self.matrix)
    }

    /// Packets of a node to the API server are lost from now on.
    pub(super) fn cut_off_from_api_server(&self, node: &str) -> Result<()> {
        self.cluster.node(node)?.host()?.namespace().nft(CUT_OFF)
    }

    /// They arrive again.
    pub(super) fn reconnect(&self, node: &str) -> Result<()> {
        self.cluster.node(node)?.host()?.namespace().nft(RECONNECT)
    }

    /// Does something while everybody looks on, and holds what came of it against a promise.
    pub(super) fn part(
        &mut self,
        what: &str,
        promise: Promise,
        act: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.part_with(what, promise, |stage| act(stage).map(|()| Vec::new())).map(drop)
    }

    /// The same for what yields further remarks: each with whether it was as promised.
    pub(super) fn part_with(
        &mut self,
        what: &str,
        promise: Promise,
        act: impl FnOnce(&mut Self) -> Result<Vec<Remark>>,
    ) -> Result<Sights> {
        println!("   {what}");
        let watch = Watch::start(&self.cluster, &self.neighbour)?;
        thread::sleep(BEFORE);
        let acted = act(self);
        thread::sleep(AFTER);
        let sights = watch.stop(&self.cluster, &self.sightings)?;
        let record = self.record.as_mut().context("a row has been begun")?;
        record.add(what, &sights)?;
        let remarks = acted.as_ref().map(Vec::as_slice).unwrap_or_default();
        let allowance = sights.noise + if self.short { SHORT_ALLOWANCE } else { Duration::ZERO };
        let part = judge(what, promise, &sights, allowance, remarks);
        println!("      {}", report::line(&part));
        self.matrix.rows.last_mut().context("a row has been begun")?.parts.push(part);
        acted.map(|_| sights)
    }

    /// Adds a remark to the part that was played last.
    pub(super) fn remark(&mut self, remark: Remark) {
        println!("      {}{}", if remark.kept { "" } else { "MISSED: " }, remark.text);
        let part = self.matrix.rows.last_mut().and_then(|row| row.parts.last_mut());
        if let Some(part) = part {
            if !remark.kept {
                part.misses.push(remark.text.clone());
            }
            part.notes.push(remark.text);
        }
    }

    /// Undoes every fault, and waits until the best node holds everything again.
    pub(super) fn restore(&mut self) -> Result<()> {
        self.cluster.mend()?;
        for (node, _) in NODES {
            self.reconnect(node)?;
            self.kubectl(&format!("uncordon {node}"))?;
        }
        for vip in VIPS {
            self.kubectl(&format!("annotate virtualip {} holdfast.dev/prefer-node-", vip.name))?;
        }
        self.wait_until_whole(FIRST)?;
        self.wait_for_pods()
    }

    /// Waits until the statuses say that `master` holds every address and that all is well.
    pub(super) fn wait_until_whole(&self, master: &str) -> Result<Instant> {
        self.wait_for_statuses(&format!("{master} holds everything, and all is well"), |statuses| {
            VIPS.iter().all(|vip| statuses.get(vip.name).is_some_and(|status| is_whole(status, master, BACKUPS)))
        })
    }

    /// Waits until the statuses are as wanted, from now on.
    pub(super) fn wait_for_statuses(&self, what: &str, wanted: impl Fn(&Statuses) -> bool) -> Result<Instant> {
        self.sightings.wait_for_all(what, Instant::now(), PATIENCE, wanted)
    }

    /// Waits until the kernel of `node` has every address, and no other node that has power and a link has one.
    pub(super) fn wait_for_holder(&self, node: &str, others_gone: bool) -> Result<()> {
        wait::until(&format!("{node} has every address"), PATIENCE, || {
            for (name, _) in NODES {
                let held = self.held_on(name)?;
                let is_as_wanted =
                    if name == node { held.len() == vips::targets().count() } else { !others_gone || held.is_empty() };
                if !is_as_wanted {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// The same, and until every status has named the node, if only for a moment: who was lost may be back soon.
    pub(super) fn wait_for_takeover(&self, node: &str, others_gone: bool) -> Result<()> {
        let since = Instant::now();
        self.wait_for_holder(node, others_gone)?;
        for vip in VIPS {
            let what = format!("{node} is named as master of {}", vip.name);
            let names_it = |status: &VirtualIPStatus| status.master.as_deref() == Some(node);
            self.sightings.wait_for(vip.name, &what, since, PATIENCE, names_it)?;
        }
        Ok(())
    }

    /// The addresses of the scene that the kernel of a node has; none without power.
    pub(super) fn held_on(&self, node: &str) -> Result<Vec<IpAddr>> {
        let Ok(host) = self.cluster.node(node)?.host() else { return Ok(Vec::new()) };
        let present = addresses::list(host, INTERFACE)?;
        Ok(vips::targets().map(|target| target.address).filter(|address| present.contains(address)).collect())
    }

    /// A node must hold every address now.
    pub(super) fn expect_held(&self, node: &str) -> Result<()> {
        let held = self.held_on(node)?;
        ensure!(held.len() == vips::targets().count(), "{node} holds {held:?} only");
        Ok(())
    }

    /// A node must hold none now.
    pub(super) fn expect_free(&self, node: &str) -> Result<()> {
        let held = self.held_on(node)?;
        ensure!(held.is_empty(), "{node} holds {held:?}");
        Ok(())
    }

    /// Waits until the agent of a node says itself that it is ready, whether or not there is an API server.
    pub(super) fn wait_for_ready_agent(&self, node: &str) -> Result<()> {
        wait::until(&format!("the agent on {node} is ready"), PATIENCE, || {
            // Nobody listens until it is.
            let answer = http::get(self.cluster.node(node)?.host()?, AGENT_PORT, "/readyz");
            Ok(answer.is_ok_and(|answer| answer.status == 200))
        })
    }

    /// Runs kubectl as whoever has this token, and returns what it says, whether or not it succeeds.
    pub(super) fn kubectl_with_token(&self, token: &str, arguments: &str) -> Result<String> {
        let folder = scratch::folder("token")?;
        let kubeconfig = folder.path().join("kubeconfig");
        self.cluster.api().token(token.to_owned()).write_kubeconfig(&kubeconfig)?;
        let mut kubectl = self.cluster.kubectl()?;
        kubectl.arg("--kubeconfig").arg(&kubeconfig).args(arguments.split_whitespace());
        let output = kubectl.output().context("cannot run kubectl")?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    /// Waits until every pod of Holdfast is ready, so that the next fault finds all of them.
    pub(super) fn wait_for_pods(&self) -> Result<()> {
        let namespace = self.release.namespace();
        for object in ["daemonset/holdfast-agent", "deployment/holdfast-operator"] {
            self.kubectl(&format!("--namespace {namespace} rollout status {object} --timeout=120s"))?;
        }
        self.kubectl("rollout status daemonset/web --timeout=120s").map(drop)
    }

    /// Runs kubectl, and returns what it says. It must succeed.
    pub(super) fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut kubectl = self.cluster.kubectl()?;
        kubectl.args(arguments.split_whitespace());
        let output = kubectl.output().context("cannot run kubectl")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {arguments}: {}", complaint.trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs a shell script on a node, and returns what it printed. It must succeed.
    pub(super) fn on_node(&self, node: &str, script: &str) -> Result<String> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", script]);
        let output = self.cluster.node(node)?.output(shell)?;
        if !output.status.success() {
            bail!("on {node}: {script}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The name of the pod of this component of Holdfast on a node.
    pub(super) fn pod(&self, component: &str, node: &str) -> Result<String> {
        let selector = format!("app.kubernetes.io/component={component}");
        let arguments = format!(
            "--namespace {} get pods --selector={selector} --field-selector=spec.nodeName={node} --output=name",
            self.release.namespace()
        );
        let name = self.kubectl(&arguments)?;
        ensure!(!name.is_empty() && !name.contains('\n'), "not one pod of the {component} on {node}: {name:?}");
        Ok(name)
    }
}

/// Something else that was measured.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    /// In words, with the figure.
    pub(super) text: String,
    /// Whether it is as promised.
    pub(super) kept: bool,
}

impl Remark {
    /// One that is as promised, or for which nothing is.
    pub(super) fn told(text: String) -> Self {
        Self { text, kept: true }
    }

    /// How long something took, and how long it may take.
    pub(super) fn within(what: &str, took: Duration, limit: Duration) -> Self {
        let text = format!("{what} after {} ms (promised: {} ms)", took.as_millis(), limit.as_millis());
        Self { text, kept: took <= limit }
    }
}

/// `allowance` is added to every limit of a time that is not zero.
fn judge(what: &str, promise: Promise, sights: &Sights, allowance: Duration, remarks: &[Remark]) -> Part {
    use holdfast_crds::Fencing::{Overlap, Strict};
    let worst = |fencing| {
        let of_it = sights.addresses.iter().filter(|seen| seen.target.vip.fencing == fencing);
        of_it.map(|seen| seen.figures).reduce(super::figures::Figures::worst).unwrap_or_default()
    };
    let mut misses = Vec::new();
    for seen in &sights.addresses {
        let found = promise(seen.target.vip.fencing).misses(&seen.figures, allowance);
        misses
            .extend(found.into_iter().map(|miss| format!("{} {}: {miss}", seen.target.vip.name, seen.target.address)));
    }
    misses.extend(remarks.iter().filter(|remark| !remark.kept).map(|remark| remark.text.clone()));
    let requests = &sights.requests;
    Part {
        what: what.to_owned(),
        promise: promise(Overlap).to_string(),
        took: sights.took,
        overlap: worst(Overlap),
        strict: worst(Strict),
        requests: Requests { sent: requests.sent(), failed: requests.failed().count(), gap: requests.longest_gap() },
        notes: remarks.iter().map(|remark| remark.text.clone()).collect(),
        misses,
    }
}

/// The web server's share of a busy node, as a careful administrator would give it.
fn with_processor_time(mut web: Value) -> Result<Value> {
    let container = web.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut);
    container
        .context("the web server has a container")?
        .insert("resources".into(), json!({ "requests": { "cpu": "100m" } }));
    Ok(web)
}

fn evictable(image: &str) -> Value {
    let labels = json!({ "app": EVICTABLE });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": EVICTABLE, "namespace": "default" },
        "spec": {
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "nodeSelector": { "kubernetes.io/hostname": FIRST },
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{ "name": "web", "image": image, "args": [":8080"] }],
                },
            },
        },
    })
}
