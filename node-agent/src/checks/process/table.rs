//! The processes of the node, as `/proc` shows them.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};

use rustix::io::Errno;
use rustix::process::Pid;

/// How long a name can be, in bytes; the kernel cuts it there (`TASK_COMM_LEN` without its end mark).
const NAME_LENGTH: usize = 15;

/// Which processes are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    name: Option<String>,
    command_line: Option<String>,
}

impl Pattern {
    /// Everything that is given must match. A name is cut as the kernel cuts it.
    pub(super) fn new(name: Option<&str>, command_line: Option<&str>) -> Self {
        let cut = |name: &str| name.get(..NAME_LENGTH).unwrap_or(name).to_owned();
        Self { name: name.map(cut), command_line: command_line.map(str::to_owned) }
    }

    /// Whether `stat` is of a living process with the right name.
    fn has_name(&self, stat: &Stat<'_>) -> bool {
        stat.is_alive() && self.name.as_deref().is_none_or(|name| name.as_bytes() == stat.name)
    }
}

/// Reads on after "no process", "3 processes".
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.command_line) {
            (Some(name), None) => write!(f, "named {name}"),
            (Some(name), Some(line)) => write!(f, "named {name} with command line {line:?}"),
            (None, Some(line)) => write!(f, "with command line {line:?}"),
            (None, None) => f.write_str("of any name"),
        }
    }
}

/// All processes that match, by number: a master process usually has a lower one than its workers.
pub(super) fn matching(pattern: &Pattern) -> io::Result<Vec<Pid>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else { continue };
        if matches(pid, pattern)? {
            pids.push(pid);
        }
    }
    pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    Ok(pids)
}

/// Whether the process lives and matches.
///
/// Fails only if that cannot be told, as with too many open files: then the process may live as well as not.
pub(super) fn matches(pid: Pid, pattern: &Pattern) -> io::Result<bool> {
    let Some(stat) = read(pid, "stat")? else { return Ok(false) };
    if !Stat::parse(&stat).is_some_and(|stat| pattern.has_name(&stat)) {
        return Ok(false);
    }
    let Some(expected) = &pattern.command_line else { return Ok(true) };
    Ok(read(pid, "cmdline")?.is_some_and(|arguments| command_line(&arguments) == expected.as_bytes()))
}

/// A file of the process; none if the process has ended, or is none of our business.
fn read(pid: Pid, file: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())) {
        Ok(content) => Ok(Some(content)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => Ok(None),
        // It ended between opening the file and reading it.
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The beginning of `/proc/PID/stat` (`man 5 proc_pid_stat`): `PID (name) state ...`.
#[derive(Debug, PartialEq, Eq)]
struct Stat<'a> {
    name: &'a [u8],
    state: u8,
}

impl<'a> Stat<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let open = line.iter().position(|&byte| byte == b'(')?;
        // The name may hold parentheses and spaces; nothing after it does.
        let close = line.iter().rposition(|&byte| byte == b')')?;
        let name = line.get(open + 1..close)?;
        let state = line.get(close + 1..)?.iter().find(|byte| !byte.is_ascii_whitespace())?;
        Some(Self { name, state: *state })
    }

    /// A zombie has ended: it only waits for its parent to ask how.
    fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The content of `/proc/PID/cmdline` as `ps -o args` shows it: arguments end with NUL there, and daemons that rewrite
/// theirs leave a row of NULs at the end.
fn command_line(arguments: &[u8]) -> Vec<u8> {
    let end = arguments.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    arguments.iter().take(end).map(|&byte| if byte == 0 { b' ' } else { byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_state_are_read_whatever_the_name_holds() {
        let cases: [(&[u8], &[u8], u8, bool); 5] = [
            (b"812 (nginx) S 1 812 812 0 -1", b"nginx", b'S', true),
            (b"7 (a) b (c)) R 1 7", b"a) b (c)", b'R', true),
            (b"7 () S 1", b"", b'S', true),
            (b"9 (sh) Z 1 9 9", b"sh", b'Z', false),
            (b"9 (sh) X 1 9 9", b"sh", b'X', false),
        ];
        for (line, name, state, alive) in cases {
            let stat = Stat::parse(line).unwrap();
            assert_eq!((stat.name, stat.state, stat.is_alive()), (name, state, alive));
        }
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_process() {
        for line in [&b""[..], b"812", b"812 (nginx", b"812 (nginx)", b"812 )(", b"812 (nginx) "] {
            assert_eq!(Stat::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn arguments_are_joined_as_ps_shows_them() {
        for (arguments, line) in [
            (&b"nginx\0-g\0daemon off;\0"[..], &b"nginx -g daemon off;"[..]),
            (b"nginx: master process nginx\0\0\0\0", b"nginx: master process nginx"),
            (b"a\0\0b\0", b"a  b"),
            (b"", b""),
        ] {
            assert_eq!(command_line(arguments), line);
        }
    }

    #[test]
    fn a_name_is_cut_as_the_kernel_cuts_it() {
        assert_eq!(Pattern::new(Some("a-name-that-is-too-long"), None), Pattern::new(Some("a-name-that-is-"), None));
    }

    #[test]
    fn this_process_is_found_by_name_and_by_command_line() {
        let this = Pid::from_raw(std::process::id().cast_signed()).unwrap();
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        let line = String::from_utf8(command_line(&fs::read("/proc/self/cmdline").unwrap())).unwrap();
        // The name of a thread may differ from that of its process, so the main thread's is what counts.
        let main = fs::read_to_string(format!("/proc/{}/comm", std::process::id())).unwrap();
        assert!(!name.is_empty());

        assert!(matching(&Pattern::new(Some(main.trim_end()), Some(&line))).unwrap().contains(&this));
        assert!(!matching(&Pattern::new(Some(main.trim_end()), Some("something else"))).unwrap().contains(&this));
        assert!(!matching(&Pattern::new(Some("no-such-name"), Some(&line))).unwrap().contains(&this));
    }
}
