//! The operator with many VirtualIPs: what it needs for itself, and what one change of one VirtualIP sets going.
//!
//! Every 250 have a rack of five nodes. The agents are played, since not one packet matters here.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_crds::{NodeConfig, VirtualIP};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::scene::{self, AT_ONCE};
use super::table::{Figure, count, size, time};
use super::{reporter, requests, watching};
use crate::cluster::{ApiServer, Operator};

const NODES_OF_A_RACK: usize = 5;

/// Who the operator is to the API server.
const USER: &str = "operator";

/// For anything here, on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);

/// Who has written nothing for so long has come to rest.
const QUIET: Duration = Duration::from_secs(3);

/// What it is changed to.
const NEW_ADDRESS: &str = "10.3.0.1";

pub(super) async fn measure(virtual_ips: usize) -> Result<Vec<Figure>> {
    let server = ApiServer::start()?;
    let client = server.client()?;
    scene::prepare(&client).await?;
    let nodes = virtual_ips.div_ceil(scene::OF_A_RACK) * NODES_OF_A_RACK;
    for number in 0..nodes {
        let (name, address) = (scene::node_name(number), scene::node_address(number));
        scene::create_node(&client, scene::node(&name, address, number / NODES_OF_A_RACK)?).await?;
    }
    let mut operator = Operator::start(&server.user(USER, Some("system:masters"))?, "operator-0")?;
    operator.hide_log();
    operator.wait_until_it_leads(LIMIT)?;
    let empty = operator.resident_memory()?;
    let mut reporters = Vec::new();
    for number in 0..nodes {
        reporters.push(reporter::start(&client, &scene::node_name(number)).await?);
    }

    let title = format!("{} VirtualIPs on {nodes} nodes, {} each", count(virtual_ips), scene::OF_A_RACK);
    let mut figures = applied_at_once(&server, &client, virtual_ips, &title).await?;
    figures.push(Figure::new(format!("{title}: memory of the operator (before the first: {})", size(empty)), {
        size(operator.resident_memory()?)
    }));
    figures.extend(one_changes(&server, &client, &title).await?);
    drop(reporters);
    Ok(figures)
}

async fn applied_at_once(server: &ApiServer, client: &Client, virtual_ips: usize, title: &str) -> Result<Vec<Figure>> {
    eprintln!("{title}: applied at once");
    let api: Api<VirtualIP> = Api::all(client.clone());
    let mark = server.audit().mark()?;
    let begun = Instant::now();
    let objects = stream::iter((0..virtual_ips).map(|number| scene::virtual_ip(number, &scene::for_its_rack(number))));
    objects.try_for_each_concurrent(AT_ONCE, |object| scene::create(&api, object)).await?;
    let applied = begun.elapsed();
    watching::until_all(&api, virtual_ips, LIMIT, |vip: &VirtualIP| is(vip, ConditionType::Ready)).await?;
    let ready = begun.elapsed();
    requests::settle(server.audit(), &[USER], QUIET, LIMIT).await?;
    let asked = requests::of_user(server.audit(), mark, USER)?;
    let writes = asked.iter().filter(|request| requests::is_write(request) && request.resource != "leases");
    Ok(vec![
        Figure::new(format!("{title}: creating all of them took"), time(applied)),
        Figure::new(format!("{title}: all are Ready after"), time(ready)),
        Figure::new(format!("{title}: writes of the operator meanwhile"), requests::by_kind(writes)),
    ])
}

async fn one_changes(server: &ApiServer, client: &Client, title: &str) -> Result<Vec<Figure>> {
    eprintln!("{title}: one changes");
    let (vips, configs): (Api<VirtualIP>, Api<NodeConfig>) = (Api::all(client.clone()), Api::all(client.clone()));
    let name = scene::virtual_ip_name(0);
    let mark = server.audit().mark()?;
    let patch = Patch::Merge(json!({ "spec": { "addresses": [NEW_ADDRESS] } }));
    let begun = Instant::now();
    let changed = vips.patch(&name, &PatchParams::default(), &patch).await.context("cannot change a VirtualIP")?;
    let generation = changed.metadata.generation;
    let written = async {
        watching::until_all(&configs, NODES_OF_A_RACK, LIMIT, has_new_address).await?;
        anyhow::Ok(begun.elapsed())
    };
    let programmed = async {
        let is_programmed = |vip: &VirtualIP| {
            let of_this = vip.status.as_ref().is_some_and(|status| status.observed_generation == generation);
            of_this && vip.metadata.generation == generation && is(vip, ConditionType::Programmed)
        };
        crate::cluster::wait::until(&vips, &name, "it is programmed", LIMIT, is_programmed).await?;
        anyhow::Ok(begun.elapsed())
    };
    let (written, programmed) = futures::future::try_join(written, programmed).await?;
    requests::settle(server.audit(), &[USER], QUIET, LIMIT).await?;
    let asked = requests::of_user(server.audit(), mark, USER)?;
    let (of_configs, others): (Vec<_>, Vec<_>) = asked
        .iter()
        .filter(|request| requests::is_write(request) && request.resource != "leases")
        .partition(|request| request.resource == "nodeconfigs");
    let bytes = bytes_of(&configs, &of_configs.iter().map(|request| request.name.as_str()).collect::<Vec<_>>()).await?;
    Ok(vec![
        Figure::new(format!("one of {title} changes: NodeConfigs written"), count(of_configs.len())),
        Figure::new(format!("one of {title} changes: bytes of their specs, as JSON"), size(bytes)),
        Figure::new(format!("one of {title} changes: other writes of the operator"), requests::by_kind(others)),
        Figure::new(format!("one of {title} changes: time until the last NodeConfig is written"), time(written)),
        Figure::new(format!("one of {title} changes: time until the status says Programmed"), time(programmed)),
    ])
}

fn is(vip: &VirtualIP, condition: ConditionType) -> bool {
    let found = vip.status.as_ref().and_then(|status| find_condition(&status.conditions, condition));
    found.is_some_and(|condition| condition.status == "True")
}

fn has_new_address(config: &NodeConfig) -> bool {
    config.spec.virtual_routers.iter().any(|router| router.addresses.iter().any(|one| one.starts_with(NEW_ADDRESS)))
}

async fn bytes_of(configs: &Api<NodeConfig>, names: &[&str]) -> Result<u64> {
    let sizes = stream::iter(names).then(async |name| {
        let config = configs.get(name).await?;
        anyhow::Ok(serde_json::to_vec(&config.spec)?.len())
    });
    let total: usize = sizes.try_fold(0, async |total, size| Ok(total + size)).await?;
    Ok(u64::try_from(total)?)
}
