//! Ethernet addresses.

use std::fmt;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All stations.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// Unknown, as in the target field of an ARP request.
    pub const ZERO: Self = Self([0; 6]);

    /// The lab's address of host `number` on the LAN with the given index: the captured reference frames were sent from
    /// `02:00:00:00:00:0a`, so host 1 on LAN 0 has that address.
    pub const fn of_host(lan: u8, number: u8) -> Self {
        Self([0x02, 0, 0, 0, lan, number.wrapping_add(9)])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(out, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
