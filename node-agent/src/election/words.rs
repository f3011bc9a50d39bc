//! Words for people and for the API.

use std::time::SystemTime;

use holdfast_vrrp::Reason;

/// A reason as one word of the API: in CamelCase, and never changed.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotStarted => "NotStarted",
        Reason::Started => "Started",
        Reason::AddressOwner => "AddressOwner",
        Reason::MasterSilent => "MasterSilent",
        Reason::MasterReleased => "MasterReleased",
        Reason::Preempting => "Preempting",
        Reason::HigherPriority => "HigherPriority",
        Reason::HigherAddress => "HigherAddress",
        Reason::Resigned => "Resigned",
        Reason::InterfaceDown => "InterfaceDown",
        Reason::CheckFailed => "CheckFailed",
        Reason::AddressFailed => "AddressFailed",
        Reason::SendFailed => "SendFailed",
        Reason::Recovered => "Recovered",
        Reason::Stalled => "Stalled",
        Reason::Stopped => "Stopped",
    }
}

/// A time as RFC 3339 writes it, in UTC with milliseconds.
pub(super) fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20.123Z");
    }
}
