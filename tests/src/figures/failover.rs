//! The operator and three real agents on a LAN. What they ask of the API server while nothing happens; then the power of the
//! node that holds 250 VirtualIPs goes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{TryStreamExt, stream};
use holdfast_crds::VirtualIP;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::scene::{self, AT_ONCE};
use super::table::{Figure, size, time};
use super::{requests, watching};
use crate::cluster::{ApiServer, Member, NAMESPACE, Operator};
use crate::lab::{Lan, memory};

/// The nodes, the best first: name and priority.
const NODES: [(&str, u8); 3] = [("node-a", 200), ("node-b", 150), ("node-c", 100)];

/// Who the operator is to the API server. An agent is the user of its node's name.
const OPERATOR: &str = "operator";

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(60);

/// For anything here, on a slow machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Who has written nothing for so long has come to rest.
const QUIET: Duration = Duration::from_secs(3);

pub(super) async fn measure() -> Result<Vec<Figure>> {
    let mut lan = Lan::new()?;
    let server = ApiServer::start()?;
    let client = server.client()?;
    scene::prepare(&client).await?;
    let mut members = Vec::new();
    for (name, _) in NODES {
        let member = Member::new(&mut lan, name, &server)?;
        scene::create_node(&client, scene::node(name, member.host.ipv4().into(), 0)?).await?;
        members.push(member);
    }
    let mut operator = Operator::start(&server.user(OPERATOR, Some("system:masters"))?, "operator-0")?;
    operator.hide_log();
    operator.wait_until_it_leads(LIMIT)?;
    for member in &mut members {
        member.start_in(&server.user(member.host.name(), Some("system:masters"))?, NAMESPACE)?;
        member.agent()?.hide_log();
    }
    let vips: Api<VirtualIP> = Api::all(client.clone());
    hold_all(&vips).await?;
    let mut figures = idle(&server, &members).await?;
    figures.extend(power_off(&server, &client, &lan, &mut members).await?);
    Ok(figures)
}

/// Makes the VirtualIPs, and waits until the best node holds all of them.
async fn hold_all(vips: &Api<VirtualIP>) -> Result<()> {
    let count = scene::OF_A_RACK;
    eprintln!("{count} VirtualIPs on {} nodes", NODES.len());
    let objects = stream::iter((0..count).map(|number| scene::virtual_ip(number, &preferring_the_first(number))));
    objects.try_for_each_concurrent(AT_ONCE, |object| scene::create(vips, object)).await?;
    let [(best, _), ..] = NODES;
    watching::until_all(vips, count, LIMIT, |vip| master(vip) == Some(best)).await
}

/// Beside the nodes' network: what is measured does not depend on it, and a network of 254 has no room for 250 more.
fn preferring_the_first(number: usize) -> Value {
    let priorities = NODES.map(|(name, priority)| json!({ "nodeName": name, "priority": priority }));
    json!({ "addresses": [scene::address([10, 2], number)], "interface": "eth0", "nodePriorities": priorities })
}

fn master(vip: &VirtualIP) -> Option<&str> {
    vip.status.as_ref()?.master.as_deref()
}

async fn idle(server: &ApiServer, members: &[Member]) -> Result<Vec<Figure>> {
    let users: Vec<&str> = NODES.iter().map(|(name, _)| *name).chain([OPERATOR]).collect();
    requests::settle(server.audit(), &users, QUIET, LIMIT).await?;
    eprintln!("nothing happens for {} s", IDLE.as_secs());
    let mark = server.audit().mark()?;
    let before = memory_of_agents(members)?;
    sleep(IDLE).await;
    let asked = server.audit().since(mark)?;
    let title = format!("idle, {} VirtualIPs on {} nodes, in {} s", scene::OF_A_RACK, NODES.len(), IDLE.as_secs());
    let of_agents = asked.iter().filter(|request| is_agent(&request.user));
    Ok(vec![
        Figure::new(format!("{title}: requests of all {} agents together", NODES.len()), requests::by_kind(of_agents)),
        Figure::new(
            format!("{title}: requests of the operator"),
            requests::by_kind(asked.iter().filter(|request| request.user == OPERATOR)),
        ),
        Figure::new(format!("{title}: memory of the agents, the master first"), before),
        Figure::new(format!("{title}: the same afterwards"), memory_of_agents(members)?),
    ])
}

fn memory_of_agents(members: &[Member]) -> Result<String> {
    let resident = members.iter().map(|member| Ok(size(memory::resident(member.agent()?.pid())?)));
    Ok(resident.collect::<Result<Vec<_>>>()?.join(", "))
}

fn is_agent(user: &str) -> bool {
    NODES.iter().any(|(name, _)| *name == user)
}

async fn power_off(server: &ApiServer, client: &Client, lan: &Lan, members: &mut [Member]) -> Result<Vec<Figure>> {
    eprintln!("the node that holds all of them loses its power");
    let vips: Api<VirtualIP> = Api::all(client.clone());
    let [_, (next, _), ..] = NODES;
    let (first, others) = members.split_first_mut().context("a node")?;
    let mark = server.audit().mark()?;
    let begun = Instant::now();
    lan.unplug(&first.host)?;
    first.host.kill_everything();
    watching::until_all(&vips, scene::OF_A_RACK, LIMIT, |vip| master(vip) == Some(next)).await?;
    let visible = begun.elapsed();
    let asked = server.audit().since(mark)?;
    let elected = elections(others, begun)?;
    // The heartbeat of the dead node is late after 15 s.
    sleep(Duration::from_secs(20)).await;
    requests::settle(server.audit(), &[OPERATOR, next], QUIET, LIMIT).await?;
    let later = server.audit().since(mark)?;
    let by = |requests: &[crate::cluster::Request], user: &str| {
        let wanted = |request: &&crate::cluster::Request| request.user == user && request.resource != "leases";
        requests::by_kind(requests.iter().filter(wanted))
    };
    let title = format!("failover of {} VirtualIPs of one node", scene::OF_A_RACK);
    Ok(vec![
        Figure::new(format!("{title}: the last is elected after"), time(elected)),
        Figure::new(format!("{title}: the last status.master is right after"), time(visible)),
        Figure::new(format!("{title}: requests of the new master's agent until then"), by(&asked, next)),
        Figure::new(format!("{title}: requests of the operator until then"), by(&asked, OPERATOR)),
        Figure::new(format!("{title}: requests of the new master's agent until all is at rest"), by(&later, next)),
        Figure::new(format!("{title}: requests of the operator until all is at rest"), by(&later, OPERATOR)),
    ])
}

/// The time until the last virtual router became master somewhere.
fn elections(members: &[Member], since: Instant) -> Result<Duration> {
    let mut last = Duration::ZERO;
    for member in members {
        let lines = member.agent()?.log().lines();
        let is_election = |text: &str| text.contains("event=\"transition\"") && text.contains("to=\"MASTER\"");
        let times = lines.iter().filter(|line| line.at >= since && is_election(&line.text));
        last = last.max(times.map(|line| line.at - since).max().unwrap_or_default());
    }
    Ok(last)
}
