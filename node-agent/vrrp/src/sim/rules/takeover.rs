//! What becoming master and ceasing to be consists of.

use std::net::IpAddr;

use super::facts::effective;
use super::{Case, Rule, Verdict};
use crate::action::{Action, Reason};
use crate::event::{Event, Link, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::types::Claim;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    takeover(case)?;
    if case.facts.situation == Situation::Master && !case.stalled {
        farewell(case)?;
        resignation(case)?;
    }
    Ok(())
}

/// Advert, addresses, announcements: for every member (RFC 9568 section 6.4.2, keepalived's promotion), or for one that
/// joins a master.
fn takeover(case: &Case<'_>) -> Verdict {
    for ((index, config), member) in (0..).map(MemberIndex).zip(case.config.members()).zip(&case.facts.members) {
        if !case.became(Situation::Master) && !case.joins(index) {
            continue;
        }
        let adverts = count(case, |action| is_advert(action, index, false));
        Rule::Takeover.demand(adverts == 1, || format!("{index:?} sends {adverts} adverts"))?;
        for address in &config.addresses {
            let added = count(case, |action| is_add(action, index, *address)) == 1;
            Rule::Takeover.demand(added || member.held.contains(address), || format!("{address} is not added"))?;
            let announced = count(case, |action| *action == Action::Announce { member: index, address: *address });
            Rule::Takeover.demand(announced == 1, || format!("{address} is announced {announced} times"))?;
        }
    }
    Ok(())
}

/// Priority 0 from every member that can send it, whenever a master leaves by itself; never when it yields.
fn farewell(case: &Case<'_>) -> Verdict {
    let leaves = matches!(case.situation, Situation::Stopped | Situation::Fault)
        || (case.situation == Situation::Backup && case.reason() == Some(Reason::Resigned));
    for (index, _, member) in case.facts.parts() {
        let can_speak = match case.event {
            Event::Link { member, link } if *member == index => matches!(link, Link::Up { .. }),
            _ => matches!(member.link, Link::Up { .. }),
        };
        let releases = count(case, |action| is_advert(action, index, true));
        let expected = usize::from(leaves && can_speak && member.master);
        Rule::Farewell.demand(releases == expected, || {
            format!("{index:?} says farewell {releases} times, not {expected}, on {:?}", case.input)
        })?;
    }
    Ok(())
}

/// A master that falls from the best of the others' priority or more to below it gives up at once, and only then.
///
/// Where nobody has said what that is, it is the best that was heard; if that was better than the master or nothing, what
/// the master is configured to have.
fn resignation(case: &Case<'_>) -> Verdict {
    if !matches!(case.input, Input::PriorityFalls | Input::Reconfigure) || case.situation == Situation::Fault {
        return Ok(());
    }
    let mut members = case.facts.parts();
    let lost = members.any(|(index, before, member)| {
        if !member.master {
            return false;
        }
        let after = case.config.members().get(usize::from(index.0));
        let was = case.facts.priority(before);
        let rival = after.map_or(0, |config| match config.rival {
            Some(rival) => rival.get(),
            None => member.best_heard.filter(|heard| *heard <= was).unwrap_or(config.priority.get()),
        });
        was >= rival && priority_after(case, index) < rival
    });
    // Nobody is master of some members only.
    let divided = case.facts.parts().any(|(_, _, member)| matches!(member.link, Link::Up { .. }) && !member.master);
    let resigned = case.situation == Situation::Backup;
    Rule::Resignation.demand((lost || divided) == resigned, || format!("claim lost: {lost}, resigned: {resigned}"))
}

/// The effective priority once the event has been taken in.
pub(super) fn priority_after(case: &Case<'_>, index: MemberIndex) -> u8 {
    let Some(config) = case.config.members().get(usize::from(index.0)) else { return 0 };
    match case.event {
        Event::Track { tracker, state } => case.facts.priority_if(config, *tracker, *state),
        Event::Reconfigure { config: new, trackers } => effective(config.priority.get(), &new.trackers, trackers),
        _ => case.facts.priority(config),
    }
}

fn count(case: &Case<'_>, wanted: impl Fn(&Action) -> bool) -> usize {
    case.actions.iter().filter(|action| wanted(action)).count()
}

fn is_advert(action: &Action, index: MemberIndex, release: bool) -> bool {
    matches!(action, Action::SendAdvert { member, claim } if *member == index && (*claim == Claim::Release) == release)
}

fn is_add(action: &Action, index: MemberIndex, wanted: IpAddr) -> bool {
    matches!(action, Action::AddAddress { member, address, .. } if *member == index && *address == wanted)
}
