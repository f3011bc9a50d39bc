//! The `file` probe: passes by what a file on the node says, or takes a number from it.
//!
//! The folder of the file is watched with inotify, so a change is seen when it happens; the interval is only for what
//! gives no notice (a network mount, a folder that did not exist, a parent that was replaced). What is read is the
//! answer: a file that fails the check does so for certain, and `fall` does not delay it. A number counts at once.

mod content;
mod watch;

use std::io;
use std::path::{Path, PathBuf};

use holdfast_crds::probe::{FileMode, FileProbe};
use thiserror::Error;

use super::blocking::OneAtATime;
use super::finding::Finding;
use content::Content;
use watch::Watch;

pub(super) struct FileProber {
    path: PathBuf,
    folder: PathBuf,
    mode: FileMode,
    watch: Option<Watch>,
    readings: OneAtATime<io::Result<Content>>,
}

#[derive(Debug, Error)]
pub(super) enum FileError {
    #[error("{0} is no path of a file")]
    NotAFile(String),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
}

impl FileProber {
    /// Must be called on the runtime.
    pub(super) fn new(probe: &FileProbe) -> Result<Self, FileError> {
        let path = Path::new(&probe.path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(FileError::NotAFile(probe.path.clone()));
        };
        let watch = Watch::new(name).inspect_err(|error| {
            tracing::warn!(path = probe.path, %error, "no notice of changes, looking at the interval only");
        });
        Ok(Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
            mode: probe.mode,
            watch: watch.ok(),
            readings: OneAtATime::new(),
        })
    }

    pub(super) async fn probe(&mut self) -> Result<Finding, FileError> {
        let follow = self.watch.as_ref().map(Watch::follower);
        let (path, folder, mode) = (self.path.clone(), self.folder.clone(), self.mode);
        let reading = self.readings.run(move || {
            // First watch, then look: what changes after the look gives a notice.
            if let Some(follow) = follow {
                follow.watch(&folder);
            }
            Content::read(&path, mode == FileMode::Value)
        });
        let read = |source| FileError::Read { path: self.path.clone(), source };
        let content = reading.await.flatten().map_err(read)?;
        Ok(judge(self.mode, content, &self.path.display().to_string()))
    }

    /// Waits for a change of the file; for ever if changes give no notice.
    pub(super) async fn notice(&mut self) {
        match &mut self.watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    }
}

fn judge(mode: FileMode, content: Content, path: &str) -> Finding {
    match (mode, content) {
        (FileMode::Exists, Content::Absent) => Finding::failed_for_certain(format!("{path} does not exist")),
        (FileMode::Exists, _) => Finding::passed(format!("{path} exists")),
        (FileMode::Absent, Content::Absent) => Finding::passed(format!("{path} does not exist")),
        (FileMode::Absent, _) => Finding::failed_for_certain(format!("{path} exists")),
        (FileMode::Value, Content::Absent) => Finding::measured(0, format!("{path} does not exist, which counts as 0")),
        (FileMode::Value, Content::NoNumber) => {
            Finding::measured(0, format!("{path} holds no number, which counts as 0"))
        }
        (FileMode::Value, Content::Number(number)) => Finding::measured(number, format!("{path} holds {number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::finding::Outcome::{FailedForCertain, Measured, Passed};

    #[test]
    fn each_mode_reads_a_file_in_its_own_way() {
        let cases = [
            // content, Exists, Absent, Value
            (Content::Absent, FailedForCertain, Passed, Measured(0)),
            (Content::NoNumber, Passed, FailedForCertain, Measured(0)),
            (Content::Number(0), Passed, FailedForCertain, Measured(0)),
            (Content::Number(1), Passed, FailedForCertain, Measured(1)),
            (Content::Number(-7), Passed, FailedForCertain, Measured(-7)),
        ];
        for (content, exists, absent, value) in cases {
            let seen = [FileMode::Exists, FileMode::Absent, FileMode::Value]
                .map(|mode| judge(mode, content, "/run/maintenance").outcome);
            assert_eq!(seen, [exists, absent, value], "{content:?}");
        }
    }
}
