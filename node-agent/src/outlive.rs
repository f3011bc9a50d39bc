//! Work that goes on although it may panic: a fault in how a configuration is read must not take addresses away that are
//! in force.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::sleep;

/// Before work that has panicked is begun again: each time twice as long, up to a limit. After work that went well for
/// longer than the limit, it begins anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The pause after a panic in work that has gone well for so long.
    fn after(&mut self, went_well: Duration) -> Duration {
        if went_well > self.longest {
            self.next = self.first;
        }
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.longest);
        pause
    }
}

/// Does the work until it ends, and begins it again after each panic, of which it tells what was said and how long the
/// pause is.
///
/// What the work is done on must bear that it was left in the middle of it.
pub(crate) async fn outlive_panics<W>(
    work: &mut W,
    mut pauses: Pauses,
    mut run: impl for<'a> FnMut(&'a mut W) -> BoxFuture<'a, ()>,
    mut tell: impl FnMut(&str, Duration),
) {
    loop {
        let begin = Instant::now();
        let Err(panic) = AssertUnwindSafe(run(work)).catch_unwind().await else { return };
        let pause = pauses.after(begin.elapsed());
        tell(words(panic.as_ref()), pause);
        sleep(pause).await;
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn work_that_panics_is_begun_again_until_it_ends() {
        let mut begun = 0;
        let mut told = Vec::new();

        outlive_panics(
            &mut begun,
            Pauses::new(SHORT, SHORT * 8),
            |begun| {
                Box::pin(async move {
                    *begun += 1;
                    assert!(*begun != 1, "literally");
                    assert!(*begun != 2, "with the number {begun}");
                })
            },
            |panic, pause| told.push((panic.to_owned(), pause)),
        )
        .await;

        assert_eq!(begun, 3);
        assert_eq!(told, [("literally".to_owned(), SHORT), ("with the number 2".to_owned(), SHORT * 2)]);
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_anew_after_a_long_time_without_a_panic() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut after = |seconds| pauses.after(Duration::from_secs(seconds)).as_secs();
        let doubled: Vec<u64> = (0..8).map(|_| after(0)).collect();
        assert_eq!(doubled, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(after(60), 60);
        assert_eq!(after(61), 1);
    }
}
