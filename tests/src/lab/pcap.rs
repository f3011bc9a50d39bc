//! Frames as a file that Wireshark and tcpdump read: <https://wiki.wireshark.org/Development/LibpcapFileFormat>.
//!
//! ```text
//! +----------+-------+------+-------+------+---------------+------+
//! | a1b2c3d4 | major | minor| zone 0|  0   | longest frame | link |   file, 24 bytes
//! +---------+--------------+--------+--------+---------+----------+
//! | seconds | microseconds | length | length | bytes ..           |   each frame
//! +---------+--------------+--------+--------+--------------------+
//! ```

use std::time::{Duration, Instant, SystemTime};

use super::frame::Frame;

/// Written in the order of this machine's bytes, by which readers learn it.
const MAGIC: u32 = 0xa1b2_c3d4;
const MAJOR: u16 = 2;
const MINOR: u16 = 4;
const LONGEST_FRAME: u32 = 0x0004_0000;
const ETHERNET: u32 = 1;

/// The whole file. Times of the monotonic clock become those of the wall clock as it is now.
pub fn file(frames: &[Frame]) -> Vec<u8> {
    let now = (Instant::now(), SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
    let mut file = Vec::new();
    file.extend(MAGIC.to_ne_bytes());
    file.extend([MAJOR, MINOR].map(u16::to_ne_bytes).as_flattened());
    file.extend([0, 0, LONGEST_FRAME, ETHERNET].map(u32::to_ne_bytes).as_flattened());
    for frame in frames {
        let at = now.1.saturating_sub(now.0.saturating_duration_since(frame.at));
        file.extend(header(at, frame.bytes.len()).map(u32::to_ne_bytes).as_flattened());
        file.extend(&frame.bytes);
    }
    file
}

fn header(at: Duration, length: usize) -> [u32; 4] {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    [u32::try_from(at.as_secs()).unwrap_or(u32::MAX), at.subsec_micros(), length, length]
}
