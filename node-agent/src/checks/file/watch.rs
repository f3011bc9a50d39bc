//! Notices of changes to one file, by watching its folder: a file that does not exist cannot be watched itself, and one
//! that is replaced by renaming is another file afterwards.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask, Watches};

use crate::readable::Readable;

/// The folder itself has gone, moved, or been lost sight of.
const FOLDER_CHANGED: EventMask = EventMask::DELETE_SELF
    .union(EventMask::MOVE_SELF)
    .union(EventMask::UNMOUNT)
    .union(EventMask::IGNORED)
    .union(EventMask::Q_OVERFLOW);

/// The link through which a mounted `ConfigMap` or `Secret` replaces all of its files at once.
const KUBERNETES_DATA_LINK: &str = "..data";

pub(super) struct Watch {
    inotify: Inotify,
    news: Readable,
    file: OsString,
    current: Arc<Mutex<Option<WatchDescriptor>>>,
}

/// Points the watch at a folder. It may block, so it can be sent to where that is no harm.
pub(super) struct Follower {
    watches: Watches,
    current: Arc<Mutex<Option<WatchDescriptor>>>,
}

impl Watch {
    /// A watch for the file of this name, wherever the follower finds it. Must be called on the runtime.
    pub(super) fn new(file: &OsStr) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let news = Readable::new(inotify.as_fd().try_clone_to_owned()?)?;
        Ok(Self { inotify, news, file: file.to_owned(), current: Arc::new(Mutex::new(None)) })
    }

    pub(super) fn follower(&self) -> Follower {
        Follower { watches: self.inotify.watches(), current: self.current.clone() }
    }

    /// Waits until the file may have changed. May be dropped at any point.
    pub(super) async fn changed(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let concern = self.news.read(|| {
                let mut events = self.inotify.read_events(&mut buffer)?;
                Ok(events.any(|event| concerns(&event, &self.file)))
            });
            match concern.await {
                Ok(true) => return,
                Ok(false) => {}
                // Without notices the interval has to do.
                Err(_) => return std::future::pending().await,
            }
        }
    }
}

impl Follower {
    /// Watches `folder` from now on, and nothing else. One that cannot be watched (it does not exist) is left for the
    /// next time.
    pub(super) fn watch(mut self, folder: &Path) {
        // A file that is being written is not of interest before its writer has finished.
        let changes = WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::CLOSE_WRITE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        let new = self.watches.add(folder, changes).ok();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != new
            && let Some(old) = std::mem::replace(&mut *current, new)
        {
            // It fails if the folder is gone, and then the watch is gone as well.
            let _ = self.watches.remove(old);
        }
    }
}

fn concerns(event: &Event<&OsStr>, file: &OsStr) -> bool {
    event.mask.intersects(FOLDER_CHANGED) || event.name.is_some_and(|name| name == file || name == KUBERNETES_DATA_LINK)
}
