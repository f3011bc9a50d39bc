//! Who has no say moves nothing: routers that are no peers, own adverts that come back, packets that fail a check.

use super::{Case, Rule, Verdict};
use crate::action::{Action, Notice};
use crate::sim::table::Input;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let no_say = matches!(case.input, Input::StrangerAdvert | Input::OwnAdvert | Input::Junk);
    if !no_say || case.stalled {
        return Ok(());
    }
    let told = |action: &Action| {
        case.input == Input::StrangerAdvert && matches!(action, Action::Notify(Notice::ForeignRouter { .. }))
    };
    let same = case.before == case.after;
    Rule::Strangers.demand(same && case.actions.iter().all(told), || {
        format!("{:?}: {:?} from {:?} to {:?}", case.input, case.actions, case.before, case.after)
    })
}
