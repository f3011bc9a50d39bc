//! Which addresses on the interfaces are ours, so that a restarted agent removes what it left behind and nothing else.
//!
//! Two signs must agree. A *record* of this agent's state folder says what this agent has added; it tells two agents on
//! one node apart. So does the fence of an earlier run, which is there before the address is and needs no disk. A *mark* on the address itself (`IFA_PROTO`, Linux 5.18) says that a program of this kind added it;
//! it tells our address from one that somebody added by hand after ours had gone. A kernel without marks leaves the
//! record alone.

use std::collections::HashSet;
use std::net::IpAddr;

use super::interfaces::InterfaceAddress;

/// The `IFA_PROTO` of every virtual address: `H`. The kernel itself uses 1 to 3; others are free for programs.
pub const MARK: u8 = 0x48;

/// An address that this agent has put on an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedAddress {
    /// The name of the interface: its index may be another after a reboot.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_length: u8,
}

/// Where the record is kept across restarts.
///
/// Called from the election thread, so neither function may block: an implementation that writes files hands them to a
/// thread of its own. A record that comes too late is harmless, because addresses that nobody renews expire.
pub trait OwnedAddresses: Send {
    /// The record of the last run; called once, before the first election.
    fn load(&mut self) -> Vec<OwnedAddress>;

    /// Replaces the record. Called whenever it changes, at most once per wake-up.
    fn record(&mut self, owned: &[OwnedAddress]);
}

/// Forgets everything: for an agent without a state folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRecord;

impl OwnedAddresses for NoRecord {
    fn load(&mut self) -> Vec<OwnedAddress> {
        Vec::new()
    }

    fn record(&mut self, _owned: &[OwnedAddress]) {}
}

/// Tells our addresses from those of others.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    recorded: HashSet<OwnedAddress>,
    fenced: HashSet<(String, IpAddr)>,
    kernel_marks: bool,
}

impl Ownership {
    /// What this agent has recorded, on a kernel that keeps marks or not.
    pub fn new(recorded: impl IntoIterator<Item = OwnedAddress>, kernel_marks: bool) -> Self {
        Self { recorded: recorded.into_iter().collect(), fenced: HashSet::new(), kernel_marks }
    }

    /// What an earlier run of this agent has fenced on which interfaces counts as recorded, where the kernel keeps marks: an
    /// address is fenced before it is added, and it may turn out to be somebody else's.
    #[must_use]
    pub fn and_fenced(self, fenced: impl IntoIterator<Item = (String, IpAddr)>) -> Self {
        Self { fenced: fenced.into_iter().filter(|_| self.kernel_marks).collect(), ..self }
    }

    /// Whether an address that is on an interface was put there by this agent.
    pub fn is_ours(&self, interface_name: &str, present: &InterfaceAddress) -> bool {
        let marked = !self.kernel_marks || present.protocol == Some(MARK);
        let interface = interface_name.to_owned();
        let (address, prefix_length) = (present.address, present.prefix_length);
        marked
            && (self.fenced.contains(&(interface.clone(), address))
                || self.recorded.contains(&OwnedAddress { interface, address, prefix_length }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(protocol: Option<u8>) -> InterfaceAddress {
        InterfaceAddress { protocol, ..InterfaceAddress::new("10.0.0.100".parse().expect("an address"), 32) }
    }

    fn recorded() -> OwnedAddress {
        OwnedAddress {
            interface: "eth0".to_owned(),
            address: "10.0.0.100".parse().expect("an address"),
            prefix_length: 32,
        }
    }

    #[test]
    fn an_address_is_ours_if_record_and_mark_agree() {
        let cases = [
            // recorded, kernel keeps marks, mark, ours
            (true, true, Some(MARK), true),
            (true, true, None, false),
            (true, true, Some(3), false),
            (false, true, Some(MARK), false),
            (true, false, None, true),
            (false, false, None, false),
        ];
        for (is_recorded, kernel_marks, mark, ours) in cases {
            let ownership = Ownership::new(is_recorded.then(recorded), kernel_marks);
            assert_eq!(ownership.is_ours("eth0", &present(mark)), ours, "{is_recorded} {kernel_marks} {mark:?}");
        }
    }

    #[test]
    fn what_was_fenced_is_ours_if_the_mark_agrees() {
        for (kernel_marks, mark, ours) in [(true, Some(MARK), true), (true, None, false), (false, None, false)] {
            let fenced = [("eth0".to_owned(), recorded().address)];
            let ownership = Ownership::new([], kernel_marks).and_fenced(fenced);
            assert_eq!(ownership.is_ours("eth0", &present(mark)), ours, "{kernel_marks} {mark:?}");
            assert!(!ownership.is_ours("eth1", &present(mark)));
        }
    }

    #[test]
    fn the_record_is_about_one_interface_and_one_prefix_length() {
        let ownership = Ownership::new([recorded()], true);
        assert!(!ownership.is_ours("eth1", &present(Some(MARK))));
        let wider = InterfaceAddress { prefix_length: 24, ..present(Some(MARK)) };
        assert!(!ownership.is_ours("eth0", &wider));
    }
}
