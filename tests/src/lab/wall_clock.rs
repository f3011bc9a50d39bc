//! The wall clock that a process sees, moved while it runs. Its monotonic clock goes on as it was, as on a machine whose time
//! somebody sets.
//!
//! The kernel has no wall clocks for namespaces. But programs ask for the time in the vDSO, a small library that the kernel maps into
//! every process, and what is written there changes one process only:
//!
//! ```text
//! clock_gettime(clock in edi, result in rsi):
//!     b8 e4 00 00 00        mov  eax, 228            ; the system call clock_gettime
//!     0f 05                 syscall
//!     85 ff                 test edi, edi            ; CLOCK_REALTIME is 0
//!     75 0d                 jne  end
//!     48 b9 <8 bytes>       mov  rcx, seconds
//!     48 01 0e              add  [rsi], rcx
//! end:
//!     c3                    ret
//! ```

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSymbol};

use super::wait;

const BEFORE_SECONDS: &[u8] = b"\xb8\xe4\x00\x00\x00\x0f\x05\x85\xff\x75\x0d\x48\xb9";
const AFTER_SECONDS: &[u8] = b"\x48\x01\x0e\xc3";

/// What every program calls, whatever it is written in.
const FUNCTION: &str = "__vdso_clock_gettime";

/// How long a process may take to be at rest outside of the function.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sets the wall clock that a process sees, as a distance from the true time in seconds. The process is stopped meanwhile, for less
/// than a millisecond. What it starts afterwards sees the true time.
///
/// # Errors
///
/// On other architectures than x86-64; if the process ends, or its memory cannot be written.
pub fn set(process: Pid, seconds: i64) -> Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "the wall clock of a process can be moved on x86-64 only");
    let memory = File::options().read(true).write(true).open(format!("/proc/{process}/mem"));
    let memory = memory.with_context(|| format!("cannot open the memory of process {process}"))?;
    let function = find_function(process, &memory)?;
    let code = [BEFORE_SECONDS, &seconds.to_le_bytes(), AFTER_SECONDS].concat();
    let end = function + u64::try_from(code.len())?;
    wait::until(&format!("process {process} can be stopped outside of {FUNCTION}"), PATIENCE, || {
        let _stopped = Stopped::new(process)?;
        if !is_at_rest_outside(process, function, end)? {
            return Ok(false);
        }
        memory.write_all_at(&code, function).with_context(|| format!("cannot write to process {process}"))?;
        Ok(true)
    })
}

/// Where the function is in the process.
fn find_function(process: Pid, memory: &File) -> Result<u64> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).context("cannot read the maps of a process")?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).context("the process has no vDSO")?;
    let (start, end) = line.split(' ').next().and_then(|range| range.split_once('-')).context("a map has a range")?;
    let (start, end) = (u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?);
    let mut image = vec![0; usize::try_from(end - start)?];
    memory.read_exact_at(&mut image, start).context("cannot read the vDSO")?;
    let library = ElfFile64::<object::Endianness>::parse(image.as_slice()).context("the vDSO is not a library")?;
    let mut symbols = library.dynamic_symbols();
    let symbol = symbols.find(|symbol| symbol.name() == Ok(FUNCTION)).with_context(|| format!("no {FUNCTION}"))?;
    Ok(start + symbol.address())
}

/// A process that does nothing until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn new(process: Pid) -> Result<Self> {
        kill(process, Signal::SIGSTOP).with_context(|| format!("cannot stop process {process}"))?;
        Ok(Self(process))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// Whether every thread is stopped, and none of them between these addresses.
fn is_at_rest_outside(process: Pid, start: u64, end: u64) -> Result<bool> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // "running", or what it called with its arguments, its stack pointer and at last the address at which it goes on.
        let call = fs::read_to_string(thread?.path().join("syscall")).context("a thread ended")?;
        let address = call.split_whitespace().last().and_then(|word| word.strip_prefix("0x"));
        let Some(address) = address else { return Ok(false) };
        if (start..end).contains(&u64::from_str_radix(address, 16)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    /// Ends with the test.
    struct Clock(Child);

    impl Drop for Clock {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn the_wall_clock_of_a_process_jumps_and_its_monotonic_clock_does_not() {
        let script = "import time\nwhile True:\n print(time.time(), time.monotonic(), flush=True); time.sleep(0.02)";
        let child = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut clock = Clock(child);
        let pid = Pid::from_raw(clock.0.id().try_into().unwrap());
        let mut lines = BufReader::new(clock.0.stdout.take().unwrap()).lines();
        let mut read = || {
            let line = lines.next().unwrap().unwrap();
            let (wall, monotonic) = line.split_once(' ').unwrap();
            (wall.parse::<f64>().unwrap(), monotonic.parse::<f64>().unwrap())
        };

        let (_, before) = read();
        for seconds in [3600, -3600, 0] {
            set(pid, seconds).unwrap();
            // What it had printed before.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "an hour is exact")]
            let expected = now + seconds as f64;
            let jumped = (0..1000).map(|_| read()).find(|(wall, _)| (wall - expected).abs() < 30.0);
            let (_, monotonic) = jumped.expect("the wall clock jumps");
            assert!((monotonic - before).abs() < 60.0, "the monotonic clock went from {before} to {monotonic}");
        }
    }
}
