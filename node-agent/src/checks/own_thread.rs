//! Calls that must all be made on one thread, which lives as long as whoever makes them.
//!
//! The kernel ties what a thread asks for to the thread: programs that are to die with their parent die with the thread
//! that started them. The runtime's threads for blocking calls end when they are idle.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Call = Box<dyn FnOnce() + Send>;

/// Makes calls that may block, one at a time, on a thread of its own. The thread begins with the first call, and ends when
/// this is dropped and the call that it makes has returned.
///
/// A blocking call cannot be cancelled: when somebody gives up on it, the next call waits for its end.
pub(super) struct OwnThread<T> {
    name: &'static str,
    calls: Option<Sender<Call>>,
    running: Option<oneshot::Receiver<T>>,
}

impl<T: Send + 'static> OwnThread<T> {
    /// A thread of this name, of up to 15 bytes.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, calls: None, running: None }
    }

    /// Waits for a call that was given up earlier, if there is one, then makes `call`. It runs within the runtime.
    ///
    /// May be dropped at any point. Fails if the thread cannot be started, or if the call panics.
    pub(super) async fn run(&mut self, call: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        if let Some(earlier) = &mut self.running {
            let outdated = earlier.await;
            self.running = None;
            drop(outdated);
        }
        let (answer, result) = oneshot::channel();
        // Whoever asked may be gone by then: the result is dropped.
        self.send(Box::new(move || drop(answer.send(call()))))?;
        let result = self.running.insert(result).await;
        self.running = None;
        result.map_err(|_| io::Error::other("the call did not end well"))
    }

    fn send(&mut self, call: Call) -> io::Result<()> {
        let calls = match &mut self.calls {
            Some(calls) => calls,
            none => none.insert(start(self.name)?),
        };
        calls.send(call).map_err(|_| io::Error::other("the thread has ended"))
    }
}

fn start(name: &str) -> io::Result<Sender<Call>> {
    let (calls, inbox) = channel();
    let runtime = Handle::current();
    thread::Builder::new().name(name.to_owned()).spawn(move || make_calls(&runtime, &inbox))?;
    Ok(calls)
}

fn make_calls(runtime: &Handle, calls: &Receiver<Call>) {
    let _within = runtime.enter();
    while let Ok(call) = calls.recv() {
        // Whoever asked hears of it: there is no result.
        let _ = catch_unwind(AssertUnwindSafe(call));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::ThreadId;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn id(thread: &mut OwnThread<ThreadId>) -> ThreadId {
        thread.run(|| thread::current().id()).await.expect("a thread")
    }

    #[tokio::test]
    async fn all_calls_are_made_on_one_thread_which_ends_with_its_owner() {
        let mut thread = OwnThread::new("test");
        let first = id(&mut thread).await;
        assert_eq!(id(&mut thread).await, first);
        assert_ne!(first, thread::current().id());

        let (alive, ended) = mpsc::channel::<()>();
        let mut thread = OwnThread::new("test");
        let on_end = move || {
            thread_local!(static ALIVE: std::cell::RefCell<Option<mpsc::Sender<()>>> = const { std::cell::RefCell::new(None) });
            ALIVE.set(Some(alive));
        };
        thread.run(on_end).await.expect("a thread");
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(thread);
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_is_waited_for_before_the_next_one_is_made() {
        let mut thread = OwnThread::new("test");
        let (release, released) = mpsc::channel::<()>();
        let first = thread.run(move || released.recv().map(|()| 1));
        assert!(timeout(Duration::from_millis(20), first).await.is_err());
        assert!(timeout(Duration::from_millis(20), thread.run(|| Ok(2))).await.is_err(), "the first still runs");

        release.send(()).expect("it waits");
        assert_eq!(thread.run(|| Ok(3)).await.expect("a thread"), Ok(3));
    }

    #[tokio::test]
    async fn a_call_that_panics_fails_and_the_next_one_is_made() {
        let mut thread = OwnThread::new("test");
        assert!(thread.run(|| assert_eq!(1, 2, "planted")).await.is_err());
        assert!(thread.run(|| ()).await.is_ok());
    }
}
