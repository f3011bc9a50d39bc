//! Condition types and reasons as enums, and how a condition is set.
//!
//! A reason belongs to one type and implies its status, so a condition that contradicts itself cannot be written.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The types of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The spec makes sense and its references exist.
    Accepted,
    /// The nodes carry the spec out.
    Programmed,
    /// Exactly one node holds the addresses.
    Ready,
    /// Something is wrong although the addresses may be served. True is bad.
    Degraded,
}

/// The status of a condition.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub enum ConditionStatus {
    /// It holds.
    #[default]
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}

/// A reason of a condition: it knows its type and implies its status.
pub trait ConditionReason: Copy {
    /// The type of condition that it is a reason of.
    const TYPE: ConditionType;

    /// The word in the condition, such as `MasterElected`.
    fn as_str(self) -> &'static str;

    /// The status that it implies.
    fn status(self) -> ConditionStatus;

    /// What it means, in one sentence.
    fn meaning(self) -> &'static str;
}

/// Writes an enum of reasons once: variant, documentation and status. The documentation of a variant is its meaning.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident of $type:ident {
        $($(#[doc = $meaning:literal])+ $variant:ident => $status:ident,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $name {
            /// Every reason, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl ConditionReason for $name {
            const TYPE: ConditionType = ConditionType::$type;

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            fn status(self) -> ConditionStatus {
                match self {
                    $(Self::$variant => ConditionStatus::$status,)+
                }
            }

            fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a VirtualIP is accepted or not.
    AcceptedReason of Accepted {
        /// Nothing is wrong with the spec.
        Accepted => True,
        /// A rule that the schema cannot express is broken.
        InvalidSpec => False,
        /// It refers to a HealthCheck that does not exist.
        UnknownHealthCheck => False,
        /// Another VirtualIP has one of its addresses.
        AddressInUse => False,
        /// Another VirtualIP has its virtual router ID on the same interface and family.
        VirtualRouterIDInUse => False,
        /// All 255 virtual router IDs of the interface are taken.
        VirtualRouterIDsExhausted => False,
        /// No node is selected.
        NoMatchingNodes => False,
    }
}

reasons! {
    /// Why a VirtualIPGroup is accepted or not.
    GroupAcceptedReason of Accepted {
        /// Nothing is wrong with the spec.
        Accepted => True,
        /// A rule that the schema cannot express is broken.
        InvalidSpec => False,
        /// A member does not exist.
        UnknownVirtualIP => False,
        /// A member is in another group already.
        VirtualIPInOtherGroup => False,
        /// A member is not accepted itself.
        MemberNotAccepted => False,
        /// It refers to a HealthCheck that does not exist.
        UnknownHealthCheck => False,
        /// Its members have no node in common.
        NoMatchingNodes => False,
    }
}

reasons! {
    /// Why a HealthCheck is accepted or not.
    HealthCheckAcceptedReason of Accepted {
        /// Nothing is wrong with the spec.
        Accepted => True,
        /// A rule that the schema cannot express is broken.
        InvalidSpec => False,
    }
}

reasons! {
    /// Whether the nodes carry a VirtualIP out.
    ProgrammedReason of Programmed {
        /// Every selected node carries the spec out.
        Programmed => True,
        /// Nodes have not yet answered to the newest spec.
        Pending => False,
        /// A node does not have the interface.
        InterfaceNotFound => False,
        /// A node does not have the password.
        PasswordKeyNotFound => False,
        /// A node refused the configuration.
        NodeRejected => False,
        /// The agent of a node is not heard of.
        AgentUnreachable => Unknown,
    }
}

reasons! {
    /// Whether exactly one node holds the addresses.
    ReadyReason of Ready {
        /// Exactly one node holds the addresses.
        MasterElected => True,
        /// No node holds the addresses.
        NoMaster => False,
        /// More than one node holds the addresses.
        SplitBrain => False,
        /// The reports of the nodes are too old to tell.
        Stale => Unknown,
    }
}

reasons! {
    /// What is wrong although the addresses may be served.
    DegradedReason of Degraded {
        /// No other node could take over.
        NoBackup => True,
        /// A health check fails on a node.
        HealthCheckFailing => True,
        /// The kernel of a node cannot fence the addresses as strictly as asked for.
        FencingUnavailable => True,
        /// An unknown router advertises the same virtual router ID.
        ForeignRouter => True,
        /// Another host claims one of the addresses.
        AddressConflict => True,
        /// More than one node holds the addresses.
        SplitBrain => True,
        /// Nothing is wrong.
        AsExpected => False,
    }
}

impl ConditionType {
    /// The word in the condition, such as `Ready`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Programmed => "Programmed",
            Self::Ready => "Ready",
            Self::Degraded => "Degraded",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ConditionStatus {
    /// The word in the condition, such as `True`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A condition with the type and status that its reason implies, as of `now`.
pub fn condition<R: ConditionReason>(
    reason: R,
    message: impl Into<String>,
    observed_generation: Option<i64>,
    now: Time,
) -> Condition {
    Condition {
        type_: R::TYPE.as_str().to_owned(),
        status: reason.status().as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.into(),
        observed_generation,
        last_transition_time: now,
    }
}

/// Puts a condition into a list: replaces the one of its type, whose transition time stays if the status is the same.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|existing| existing.type_ == condition.type_) {
        Some(existing) => {
            if existing.status == condition.status {
                condition.last_transition_time = existing.last_transition_time.clone();
            }
            *existing = condition;
        }
        None => conditions.push(condition),
    }
}

/// The condition of a type, if it is set.
pub fn find_condition(conditions: &[Condition], condition_type: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == condition_type.as_str())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    /// The reasons of a type that imply a status, in order.
    fn reasons<R: ConditionReason>(all: &[R], status: ConditionStatus) -> Vec<&'static str> {
        all.iter().filter(|reason| reason.status() == status).map(|reason| reason.as_str()).collect()
    }

    #[test]
    fn a_reason_implies_the_status_of_its_condition() {
        use ConditionStatus::{False, True, Unknown};
        assert_eq!(reasons(AcceptedReason::ALL, True), ["Accepted"]);
        assert_eq!(
            reasons(AcceptedReason::ALL, False),
            [
                "InvalidSpec",
                "UnknownHealthCheck",
                "AddressInUse",
                "VirtualRouterIDInUse",
                "VirtualRouterIDsExhausted",
                "NoMatchingNodes",
            ]
        );
        assert_eq!(reasons(ProgrammedReason::ALL, True), ["Programmed"]);
        assert_eq!(
            reasons(ProgrammedReason::ALL, False),
            ["Pending", "InterfaceNotFound", "PasswordKeyNotFound", "NodeRejected"]
        );
        assert_eq!(reasons(ProgrammedReason::ALL, Unknown), ["AgentUnreachable"]);
        assert_eq!(reasons(ReadyReason::ALL, True), ["MasterElected"]);
        assert_eq!(reasons(ReadyReason::ALL, False), ["NoMaster", "SplitBrain"]);
        assert_eq!(reasons(ReadyReason::ALL, Unknown), ["Stale"]);
        assert_eq!(
            reasons(DegradedReason::ALL, True),
            ["NoBackup", "HealthCheckFailing", "FencingUnavailable", "ForeignRouter", "AddressConflict", "SplitBrain"]
        );
        assert_eq!(reasons(DegradedReason::ALL, False), ["AsExpected"]);
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        for (reason, second, expected) in [
            (ReadyReason::NoMaster, 1, 1),
            (ReadyReason::SplitBrain, 2, 1),
            (ReadyReason::MasterElected, 3, 3),
            (ReadyReason::MasterElected, 4, 3),
            (ReadyReason::Stale, 5, 5),
        ] {
            set_condition(&mut conditions, condition(reason, "", None, at(second)));
            let found = find_condition(&conditions, ConditionType::Ready).unwrap();
            assert_eq!(found.reason, reason.as_str());
            assert_eq!(found.last_transition_time, at(expected), "{reason}");
        }
    }

    #[test]
    fn each_type_has_one_condition() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, condition(AcceptedReason::Accepted, "", Some(1), at(1)));
        set_condition(&mut conditions, condition(ReadyReason::NoMaster, "", Some(1), at(1)));
        set_condition(&mut conditions, condition(AcceptedReason::AddressInUse, "by web", Some(2), at(2)));
        assert_eq!(conditions.len(), 2);
        let accepted = find_condition(&conditions, ConditionType::Accepted).unwrap();
        assert_eq!((accepted.status.as_str(), accepted.message.as_str()), ("False", "by web"));
        assert_eq!(accepted.observed_generation, Some(2));
        assert_eq!(find_condition(&conditions, ConditionType::Degraded), None);
    }
}
