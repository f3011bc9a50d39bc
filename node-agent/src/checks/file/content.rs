//! What a file holds, as far as a check cares.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// The longest text that can be a number, in bytes; the rest of a longer file is not read.
const MAX_LENGTH: u64 = 64;

/// What was found under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing, or a symbolic link to nothing.
    Absent,
    /// Something that is not asked for, or holds no number.
    NoNumber,
    /// A file with a number.
    Number(i32),
}

impl Content {
    /// Looks at `path`, and into it if a number is asked for.
    pub(super) fn read(path: &Path, number: bool) -> io::Result<Self> {
        match Self::look(path, number) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Self::Absent),
            other => other,
        }
    }

    fn look(path: &Path, number: bool) -> io::Result<Self> {
        let is_file = fs::metadata(path)?.is_file();
        if !number || !is_file {
            return Ok(Self::NoNumber);
        }
        // Should it have become a pipe by now, opening it must not wait for a writer.
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let mut text = Vec::new();
        file.take(MAX_LENGTH).read_to_end(&mut text)?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Self {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
        number.map_or(Self::NoNumber, Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_read_and_anything_else_is_none() {
        for (text, content) in [
            ("0\n", Content::Number(0)),
            (" -20 \n", Content::Number(-20)),
            ("+5", Content::Number(5)),
            ("", Content::NoNumber),
            ("\n", Content::NoNumber),
            ("12 monkeys", Content::NoNumber),
            ("99999999999", Content::NoNumber),
            ("\u{0}\u{1}", Content::NoNumber),
        ] {
            assert_eq!(Content::parse(text.as_bytes()), content, "{text:?}");
        }
    }

    #[test]
    fn whatever_is_under_the_path_is_looked_at_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("number"), "7").unwrap();
        fs::write(path("long"), "1".repeat(100_000)).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        std::os::unix::fs::symlink("number", path("link")).unwrap();

        for (name, content) in [
            ("number", Content::Number(7)),
            ("link", Content::Number(7)),
            ("long", Content::NoNumber),
            ("pipe", Content::NoNumber),
            (".", Content::NoNumber),
            ("dangling", Content::Absent),
            ("missing", Content::Absent),
            ("number/below-a-file", Content::Absent),
        ] {
            assert_eq!(Content::read(&path(name), true).unwrap(), content, "{name}");
        }
        assert_eq!(Content::read(&path("number"), false).unwrap(), Content::NoNumber, "not asked for");
    }
}
