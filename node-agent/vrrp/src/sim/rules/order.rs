//! The order of things: phases within a call, deadlines ahead, outcomes of the state table, silence after a stop.

use super::{Case, Rule, Verdict};
use crate::action::{Action, Notice, Reason};
use crate::event::{Event, Link};
use crate::sim::table::{Situation, outcomes};
use crate::types::Claim;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    phases(case)?;
    table(case)?;
    stall(case)?;
    silence(case)?;
    deadline(case)
}

fn phases(case: &Case<'_>) -> Verdict {
    let ordered = case.actions.is_sorted_by_key(Action::phase);
    Rule::PhaseOrder.demand(ordered, || format!("{:?}", case.actions))
}

fn table(case: &Case<'_>) -> Verdict {
    let (situation, input) = (case.situation_before(), case.input);
    Rule::StateTable.demand(outcomes(situation, input).contains(&case.situation), || {
        format!("{situation:?} + {input:?} -> {:?}, because {:?}", case.situation, case.reason())
    })
}

/// Stepping down silently is for those who slept, and for all of them.
fn stall(case: &Case<'_>) -> Verdict {
    let stepped_down =
        |action: &Action| matches!(action, Action::Notify(Notice::StateChanged { reason: Reason::Stalled, .. }));
    let stepped_down = case.actions.iter().any(stepped_down);
    Rule::Stall.demand(stepped_down == case.stalled, || {
        format!("slept too long: {}, stepped down: {stepped_down}", case.stalled)
    })
}

fn silence(case: &Case<'_>) -> Verdict {
    let quiet = |action: &Action| match case.facts.situation {
        Situation::Stopped => matches!(action, Action::RemoveAddress { .. }),
        Situation::New if case.situation == Situation::New => {
            matches!(action, Action::Notify(Notice::PriorityChanged))
        }
        _ if case.situation == Situation::Stopped => matches!(
            action,
            Action::SendAdvert { claim: Claim::Release, .. } | Action::RemoveAddress { .. } | Action::Notify(_)
        ),
        _ => true,
    };
    match case.actions.iter().find(|action| !quiet(action)) {
        None => Ok(()),
        Some(action) => Rule::Silence.broken(format!("{action:?} in {:?}", case.facts.situation)),
    }
}

fn deadline(case: &Case<'_>) -> Verdict {
    let next = case.after.deadline;
    if matches!(case.event, Event::Timer) {
        let ahead = next.is_none_or(|next| next > case.now);
        Rule::Deadline.demand(ahead, || format!("due again at {next:?} after a timer event at {}", case.now))?;
    }
    match case.situation {
        // Without the interface of every member nobody takes over.
        Situation::Backup if case.facts.members.iter().any(|member| member.link == Link::Unknown) => Ok(()),
        Situation::Backup => Rule::Deadline.demand(next.is_some(), || "a backup waits for nothing".to_owned()),
        Situation::Master => {
            let intervals = case.config.members().iter().map(|config| config.interval.get());
            let latest = case.now.saturating_add(intervals.max().unwrap_or_default());
            Rule::Deadline.demand(next.is_some_and(|next| next <= latest), || {
                format!("a master has its next deadline at {next:?}, now is {}", case.now)
            })
        }
        _ => Ok(()),
    }
}
