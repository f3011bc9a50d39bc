//! What other threads may ask of the election thread, without waiting for it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use holdfast_vrrp::TrackState;
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::oneshot;

use super::raw_snapshot::RawSnapshot;
use crate::desired::Desired;
use crate::snapshot::Snapshot;

/// A wish.
pub(super) enum Command {
    Apply(Desired),
    Health(String, TrackState),
    Ask(Question),
    Drain,
    Abort,
}

/// A question. It is answered at the end of the round in which it was read, so the answer knows of every wish before it
/// and of every packet that waited.
pub(super) enum Question {
    Snapshot(oneshot::Sender<RawSnapshot>),
    IsThere(oneshot::Sender<()>),
    IsMaster(String, oneshot::Sender<bool>),
}

/// Speaks to the election thread. Nothing here blocks, and nothing fails: a thread that has ended does not answer.
#[derive(Clone)]
pub struct ElectionHandle {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
}

/// The election thread's end.
pub(super) struct Inbox {
    commands: Receiver<Command>,
    wake: Arc<EventFd>,
}

/// Makes both ends.
pub(super) fn inbox() -> nix::Result<(ElectionHandle, Inbox)> {
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
    let (sender, receiver) = channel();
    let handle = ElectionHandle { commands: sender, wake: Arc::clone(&wake) };
    Ok((handle, Inbox { commands: receiver, wake }))
}

impl ElectionHandle {
    /// Makes the node run these groups and no others. Groups that stay the same do not notice.
    pub fn apply(&self, desired: Desired) {
        self.send(Command::Apply(desired));
    }

    /// Reports the state of the health check with this name; also of one that no group uses yet.
    pub fn health(&self, check_name: &str, state: TrackState) {
        self.send(Command::Health(check_name.to_owned(), state));
    }

    /// The state of everything; `None` once the thread has ended.
    pub fn snapshot(&self) -> impl Future<Output = Option<Snapshot>> + Send + use<> {
        let (answer, question) = oneshot::channel();
        self.send(Command::Ask(Question::Snapshot(answer)));
        async move { question.await.ok().map(RawSnapshot::into_snapshot) }
    }

    /// Whether the thread answers; without limit, as long as it lives.
    pub fn answers(&self) -> impl Future<Output = bool> + Send + use<> {
        let (answer, question) = oneshot::channel();
        self.send(Command::Ask(Question::IsThere(answer)));
        async move { question.await.is_ok() }
    }

    /// Whether this node is master of all virtual routers of a `VirtualIP` now, and stays so; not once the thread has ended.
    pub fn is_master(&self, virtual_ip: &str) -> impl Future<Output = bool> + Send + use<> {
        let (answer, question) = oneshot::channel();
        self.send(Command::Ask(Question::IsMaster(virtual_ip.to_owned(), answer)));
        async move { question.await.unwrap_or(false) }
    }

    /// Leaves for good: masters release their addresses and hold them until their successors answer.
    pub fn drain(&self) {
        self.send(Command::Drain);
    }

    /// Leaves for good, now: all addresses go at once.
    pub fn abort(&self) {
        self.send(Command::Abort);
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // Fails only if 2^64 wishes are pending.
            let _ = self.wake.write(1);
        }
    }
}

impl Inbox {
    /// The next wish; does not wait for one.
    pub(super) fn take(&self) -> Option<Command> {
        self.commands.try_recv().ok()
    }

    /// Sleeps through wishes that have been taken.
    pub(super) fn acknowledge(&self) {
        let _ = self.wake.read();
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
