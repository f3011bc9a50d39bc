//! Descriptors of the kernel that become readable when there is news: pidfds, inotify.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that the runtime waits for.
pub(crate) struct Readable(AsyncFd<OwnedFd>);

impl Readable {
    /// Must be called on the runtime.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe for the sake of types that may close or change their descriptor; \
                      an OwnedFd does neither"
        )]
        AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self)
    }

    /// Waits until it is readable, and leaves it so. May be dropped at any point.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }

    /// As [`Self::wait`], for one among several. An error counts as news: whoever looks will find it.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_read_ready(context).map(drop)
    }

    /// Waits until `read`, which must not block, has read something. May be dropped at any point: nothing is lost.
    pub(crate) async fn read<T>(&self, mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(result) = ready.try_io(|_| read()) {
                return result;
            }
        }
    }
}
