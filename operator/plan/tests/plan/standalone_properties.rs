//! What holds for agents that follow one folder without asking each other, whatever happens to the folder.

use std::collections::BTreeMap;

use holdfast_crds::{LabelSelector, VirtualIP};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::objects::{Agent, World, check, reference, vip_with};

/// How many `VirtualIPs` there may be: so few IDs and addresses are among them that they meet all the time.
const VIPS: u8 = 24;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The document of a `VirtualIP` is written, or removed.
    Toggle(u8),
    /// The check that some of them use is written, or removed.
    ToggleCheck,
    /// An agent starts with nothing but the folder. Whether its node has the label that some `VirtualIPs` select.
    Join { labelled: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..VIPS).prop_map(Step::Toggle),
        1 => Just(Step::ToggleCheck),
        2 => any::<bool>().prop_map(|labelled| Step::Join { labelled }),
    ]
}

fn labels() -> BTreeMap<String, String> {
    [("edge".to_owned(), "yes".to_owned())].into()
}

/// The same number always makes the same document.
fn numbered(number: u8) -> VirtualIP {
    vip_with(&format!("vip-{number}"), &format!("192.0.2.{}", number % 20), |spec| {
        // Some meet by an ID that they give, some meet an ID that follows from a name.
        spec.virtual_router_id = match number % 3 {
            0 => Some(number % 4 + 1),
            1 => Some(from_name((number + 1) % VIPS)),
            _ => None,
        };
        if number.is_multiple_of(5) {
            spec.node_selector = Some(LabelSelector { match_labels: labels(), ..LabelSelector::default() });
        }
        if number.is_multiple_of(7) {
            spec.health_checks = vec![reference("page")];
        }
    })
}

fn from_name(number: u8) -> u8 {
    let name = format!("vip-{number}");
    let alone = vip_with(&name, "192.0.2.1", |_| {});
    Agent::new("n").runs(&World { virtual_ips: vec![alone], ..World::default() })[&name]
}

/// What all agents run, with what each of them runs.
#[derive(Default)]
struct Fleet {
    agents: Vec<(Agent, BTreeMap<String, u8>)>,
}

impl Fleet {
    /// Everybody reads the folder. Returns what is wrong with what they run then.
    fn follow(&mut self, folder: &World) -> Result<(), String> {
        for (agent, running) in &mut self.agents {
            let now = agent.runs(folder);
            for (name, id) in running.iter() {
                let is_there = folder.virtual_ips.iter().any(|vip| vip.metadata.name.as_ref() == Some(name));
                if is_there && now.get(name) != Some(id) {
                    return Err(format!("{} ran {name} with {id}, and now with {:?}", agent.node, now.get(name)));
                }
            }
            *running = now;
        }
        self.agree(folder)
    }

    fn agree(&self, folder: &World) -> Result<(), String> {
        let (mut ids, mut names, mut owners) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (agent, running) in &self.agents {
            for (name, id) in running {
                let vip = folder.virtual_ips.iter().find(|vip| vip.metadata.name.as_ref() == Some(name));
                let address =
                    &vip.ok_or_else(|| format!("{} runs {name}, which is gone", agent.node))?.spec.addresses[0];
                let before = (
                    *ids.entry(name).or_insert(id),
                    *names.entry(id).or_insert(name),
                    *owners.entry(address).or_insert(name),
                );
                if before != (id, name, name) {
                    return Err(format!("{} runs {name} with {id} and {address}, another {before:?}", agent.node));
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_runs_keeps_its_id_and_no_two_agents_contradict_each_other(steps in vec(step(), 1..60)) {
        let mut fleet = Fleet::default();
        let mut folder = World::default();
        for step in steps {
            match step {
                Step::Toggle(number) => {
                    let vip = numbered(number);
                    let before = folder.virtual_ips.len();
                    folder.virtual_ips.retain(|other| other.metadata.name != vip.metadata.name);
                    if folder.virtual_ips.len() == before {
                        folder.virtual_ips.push(vip);
                    }
                }
                Step::ToggleCheck if folder.health_checks.is_empty() => {
                    folder.health_checks.push(check("page", "tcp: {port: 80}"));
                }
                Step::ToggleCheck => folder.health_checks.clear(),
                Step::Join { labelled } => {
                    let mut agent = Agent::new(&format!("node-{}", fleet.agents.len()));
                    if labelled {
                        agent.labels = labels();
                    }
                    fleet.agents.push((agent, BTreeMap::new()));
                }
            }
            let followed = fleet.follow(&folder);
            prop_assert!(followed.is_ok(), "{}", followed.unwrap_err());
        }
    }

    #[test]
    fn the_same_folder_and_memory_give_the_same_plan_in_any_order(numbers in vec(0..VIPS, 1..20), split in 0..20_usize) {
        let documents: BTreeMap<u8, VirtualIP> = numbers.iter().map(|number| (*number, numbered(*number))).collect();
        let mut folder = World { virtual_ips: documents.into_values().collect(), ..World::default() };
        let mut agent = Agent::new("n");
        let first = World { virtual_ips: folder.virtual_ips.iter().take(split).cloned().collect(), ..World::default() };
        agent.follow(&first);
        let mut twin = agent.clone();
        let plan = agent.follow(&folder);
        folder.virtual_ips.reverse();
        prop_assert_eq!(plan, twin.follow(&folder));
    }

    #[test]
    fn a_plan_is_its_own_successor(numbers in vec(0..VIPS, 1..20)) {
        let documents: BTreeMap<u8, VirtualIP> = numbers.iter().map(|number| (*number, numbered(*number))).collect();
        let folder = World { virtual_ips: documents.into_values().collect(), ..World::default() };
        let mut agent = Agent::new("n");
        let plan = agent.follow(&folder);
        prop_assert_eq!(plan, agent.follow(&folder));
    }
}
