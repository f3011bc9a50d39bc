//! Bounded exhaustive search: every behaviour of two or three routers within a budget of faults.
//!
//! Where the simulator tries many long stories, this tries all short ones. Time goes in ticks of a quarter of the advert
//! interval. At each tick every frame may arrive sooner or later or be lost, a router may crash, and one may be
//! started again, as long as the budget lasts. States that will behave alike are visited once.
//!
//! In each state the rules of safety must hold, and from each state, if nothing more goes wrong, exactly one master must
//! come about in time: the best router that is alive, holding the address, and nobody else holding it.

mod explore;
mod world;

pub use explore::{Outcome, Violation, explore};
pub use world::{Budget, Scenario};

/// The scenarios of the suite: names, and what is searched.
pub fn scenarios() -> Vec<(&'static str, Scenario)> {
    let two = Budget { delay: 2, losses: 2, crashes: 1, boots: 1 };
    let three = Budget { delay: 1, losses: 2, crashes: 1, boots: 1 };
    vec![
        ("two routers, different priorities", Scenario { priorities: &[200, 100], preempts: true, budget: two }),
        ("two routers, equal priorities", Scenario { priorities: &[100, 100], preempts: true, budget: two }),
        ("two routers without preemption", Scenario { priorities: &[200, 100], preempts: false, budget: two }),
        ("two routers, one owns the address", Scenario { priorities: &[255, 100], preempts: true, budget: two }),
        (
            "three routers, different priorities",
            Scenario { priorities: &[200, 150, 100], preempts: true, budget: three },
        ),
        ("three routers, equal priorities", Scenario { priorities: &[100, 100, 100], preempts: true, budget: three }),
        ("three routers without preemption", Scenario { priorities: &[200, 150, 100], preempts: false, budget: three }),
    ]
}
