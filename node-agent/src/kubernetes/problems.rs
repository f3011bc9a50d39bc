//! What is wrong with a virtual router on this node, in the words of the API (pure).

use std::time::Instant;

use holdfast_crds::{Fencing, RouterProblem, RouterProblemReason, VirtualRouter};

use super::sightings::{Claim, Sightings};
use crate::snapshot::{Obstacle, ObstacleKind, RouterSnapshot};
use crate::translate::{Refusal, RefusalKind};

/// In characters. A message of the system may be of any length.
const LONGEST_MESSAGE: usize = 512;

/// The problems of a virtual router that runs: at most one of each reason.
pub(super) fn of_running(
    router: &RouterSnapshot,
    spec: Option<&VirtualRouter>,
    sightings: &Sightings,
    now: Instant,
) -> Vec<RouterProblem> {
    let mut problems: Vec<RouterProblem> = router.obstacle.as_ref().and_then(of_obstacle).into_iter().collect();
    let interval = spec.map(|spec| spec.advertisement_interval.as_duration()).unwrap_or_default();
    if sightings.has_foreign_router(&router.name, interval, now) {
        problems.push(problem(RouterProblemReason::ForeignRouter, &foreign_router(router)));
    }
    problems.extend(conflict(router, sightings.claim(&router.name, now)));
    problems.extend(no_fence(router, spec));
    problems
}

/// The problem of a virtual router whose group cannot run.
pub(super) fn of_refused(refusal: &Refusal) -> RouterProblem {
    let reason = match refusal.kind {
        RefusalKind::PasswordMissing => RouterProblemReason::PasswordKeyNotFound,
        RefusalKind::Configuration => RouterProblemReason::NodeRejected,
    };
    problem(reason, &refusal.to_string())
}

/// That an interface is down is no problem of the configuration: the state FAULT says it.
fn of_obstacle(obstacle: &Obstacle) -> Option<RouterProblem> {
    let message = &obstacle.message;
    match obstacle.kind {
        ObstacleKind::InterfaceDown => None,
        ObstacleKind::InterfaceMissing => Some(problem(
            RouterProblemReason::InterfaceNotFound,
            &format!(
                "{message}; name the interface of this node in nodeInterfaces, or keep the node out with nodeSelector"
            ),
        )),
        ObstacleKind::Refused => Some(problem(RouterProblemReason::NodeRejected, message)),
    }
}

/// Whoever asks for anything else loses little without.
fn no_fence(router: &RouterSnapshot, spec: Option<&VirtualRouter>) -> Option<RouterProblem> {
    let is_missing = spec.is_some_and(|spec| spec.fencing == Fencing::Strict) && router.fence_unavailable;
    is_missing.then(|| {
        let message =
            "fencing is Strict, and the kernel cannot fence addresses: it takes Linux 5.16 or later with nf_tables";
        problem(RouterProblemReason::FencingUnavailable, message)
    })
}

fn foreign_router(router: &RouterSnapshot) -> String {
    let sender = router.foreign_router.map_or_else(|| "a router".to_owned(), |sender| sender.to_string());
    let interface = router.interface.as_deref().unwrap_or("its interface");
    let vrid = router.virtual_router_id;
    format!(
        "{sender} advertises virtual router ID {vrid} on {interface} and is no known peer; it is not obeyed. Set another \
         virtualRouterID, or list it in externalPeers"
    )
}

fn conflict(router: &RouterSnapshot, claim: Option<Claim>) -> Option<RouterProblem> {
    let interface = router.interface.as_deref().unwrap_or("its interface");
    let message = match (router.occupied.first(), claim) {
        (Some(address), _) => {
            format!(
                "{address} was on {interface} already and is not Holdfast's; remove it there, or choose another address"
            )
        }
        (None, Some(Claim { address, by })) => {
            let whose = by.map_or_else(|| "another machine".to_owned(), |mac| mac.to_string());
            format!("{whose} claims {address} on {interface}; find that machine, or choose another address")
        }
        (None, None) => return None,
    };
    Some(problem(RouterProblemReason::AddressConflict, &message))
}

fn problem(reason: RouterProblemReason, message: &str) -> RouterProblem {
    RouterProblem { reason, message: shortened(message) }
}

/// The beginning of a message, if it is too long.
pub(super) fn shortened(message: &str) -> String {
    if message.chars().count() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let beginning: String = message.chars().take(LONGEST_MESSAGE - 1).collect();
    format!("{beginning}…")
}

#[cfg(test)]
mod tests {
    use RouterProblemReason::{AddressConflict, ForeignRouter, InterfaceNotFound, NodeRejected, PasswordKeyNotFound};

    use super::super::test_snapshots::router;
    use super::*;

    fn problems(router: &RouterSnapshot, sightings: &Sightings) -> Vec<(RouterProblemReason, String)> {
        let found = of_running(router, None, sightings, Instant::now());
        found.into_iter().map(|problem| (problem.reason, problem.message)).collect()
    }

    #[test]
    fn only_what_another_configuration_mends_is_a_problem() {
        let cases = [
            (ObstacleKind::InterfaceMissing, Some(InterfaceNotFound)),
            (ObstacleKind::InterfaceDown, None),
            (ObstacleKind::Refused, Some(NodeRejected)),
        ];
        for (kind, expected) in cases {
            let obstacle = Some(Obstacle { kind, message: "there is no interface eth7".to_owned() });
            let found = problems(&RouterSnapshot { obstacle, ..router("web") }, &Sightings::default());
            assert_eq!(found.first().map(|(reason, _)| *reason), expected, "{kind:?}");
            assert!(found.iter().all(|(_, message)| message.starts_with("there is no interface eth7")));
        }
    }

    #[test]
    fn a_foreign_router_is_named_with_what_to_do() {
        let mut stranger = router("web");
        stranger.foreign_router = Some("192.0.2.99".parse().expect("an address"));
        assert_eq!(problems(&stranger, &Sightings::default()), [], "it was here once");
        stranger.counters.insert("foreign_adverts".into(), 3);
        let mut sightings = Sightings::default();
        sightings.look(std::slice::from_ref(&stranger), Instant::now());
        let found = problems(&stranger, &sightings);
        assert_eq!(found[0].0, ForeignRouter);
        assert!(found[0].1.starts_with("192.0.2.99 advertises virtual router ID 51 on eth0"), "{found:?}");
    }

    #[test]
    fn an_address_that_was_there_before_is_a_conflict() {
        let occupied = RouterSnapshot { occupied: router("web").addresses, ..router("web") };
        let found = problems(&occupied, &Sightings::default());
        assert_eq!(found[0].0, AddressConflict);
        assert!(found[0].1.starts_with("192.0.2.1 was on eth0 already"), "{found:?}");
    }

    #[test]
    fn a_refused_group_says_why() {
        for (kind, reason) in
            [(RefusalKind::PasswordMissing, PasswordKeyNotFound), (RefusalKind::Configuration, NodeRejected)]
        {
            let refusal = Refusal { group: "web".to_owned(), reason: "no".to_owned(), kind };
            assert_eq!(of_refused(&refusal), RouterProblem { reason, message: "group \"web\": no".to_owned() });
        }
    }

    #[test]
    fn messages_are_bounded() {
        let long = "ä".repeat(LONGEST_MESSAGE + 1);
        assert_eq!(shortened(&long).chars().count(), LONGEST_MESSAGE);
        let fitting = "ä".repeat(LONGEST_MESSAGE);
        assert_eq!(shortened(&fitting), fitting);
    }
}
