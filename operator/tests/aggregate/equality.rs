//! What is worth writing.

use holdfast_crds::VirtualIPStatus;
use holdfast_operator::aggregate::equal_but_for_timestamps;

use crate::cluster::{Cluster, at};

#[test]
fn only_what_says_something_new_is_written() {
    type Change = fn(&mut VirtualIPStatus);
    let cases: [(&str, bool, Change); 13] = [
        ("nothing", true, |_| {}),
        ("when a condition changed", true, |status| status.conditions[0].last_transition_time = at(99)),
        ("the order of conditions", true, |status| status.conditions.reverse()),
        ("the order of nodes", true, |status| status.nodes.reverse()),
        ("what the agents write", true, |status| status.master = None),
        ("when the master became it", true, |status| status.master_since = Some(at(99))),
        ("the reason of a condition", false, |status| status.conditions[2].reason = "NoMaster".to_owned()),
        ("the message of a condition", false, |status| status.conditions[0].message.push('!')),
        ("the generation", false, |status| status.observed_generation = Some(9)),
        ("the count of transitions", false, |status| status.transitions = Some(9)),
        ("a node", false, |status| status.nodes.truncate(1)),
        ("since when a node is in its state", false, |status| status.nodes[0].since = Some(at(99))),
        ("the summary", false, |status| status.summary = None),
    ];
    let before = Cluster::settled().status("web").clone();
    for (what, same, change) in cases {
        let mut after = before.clone();
        change(&mut after);
        assert_eq!(equal_but_for_timestamps(&before, &after), same, "{what}");
    }
}
