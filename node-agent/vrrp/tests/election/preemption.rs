//! Taking over from a live master of lower priority, or not (RFC 9568 section 6.1, `keepalived.md` section 4.3).

use holdfast_vrrp::{Preemption, State};

use crate::support::*;

#[test]
fn an_owner_of_the_addresses_preempts_whatever_is_configured() {
    for preemption in [Preemption::Never, Preemption::Preempt { delay: ms(60_000) }] {
        let mut router = Router::started(preempting(with_priority(255), preemption));
        // Only after it was silent for long does an owner listen at all.
        router.sleep(ms(10_000));
        router.hear(BELOW, 100);
        assert_eq!(router.state(), State::Backup, "it slept");

        for _ in 0..3 {
            router.pass(ms(1_000));
            router.hear(BELOW, 100);
        }
        router.pass(ms(1_000));

        assert_eq!(router.state(), State::Master, "{preemption:?}");
    }
}
