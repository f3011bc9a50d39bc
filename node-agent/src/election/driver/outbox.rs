//! Sending many packets by one socket.

use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::system::{Outgoing, send_batch};

/// Sends every packet, in order, and tells for each whether the kernel took it.
///
/// A packet that fails does not hold the others back.
pub(super) fn send_all<'a, P>(
    socket: &impl AsFd,
    packets: &'a [P],
    outgoing: impl Fn(&'a P) -> Outgoing<'a>,
    mut told: impl FnMut(&'a P, Result<(), Errno>),
) {
    let mut rest = packets;
    while let Some((first, others)) = rest.split_first() {
        match send_batch(socket, rest.iter().map(&outgoing)) {
            Ok(sent) if sent > 0 => {
                let (done, left) = rest.split_at_checked(sent).unwrap_or((rest, &[]));
                for packet in done {
                    told(packet, Ok(()));
                }
                rest = left;
            }
            Ok(_) => {
                told(first, Err(Errno::EAGAIN));
                rest = others;
            }
            Err(error) => {
                told(first, Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)));
                rest = others;
            }
        }
    }
}
