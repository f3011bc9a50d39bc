//! The machine that runs rules: what it can load, compare and look up, as far as the fence needs it. Pure.
//!
//! A rule is a list of expressions. One that does not match ends the rule; the next rule begins.

use std::time::Duration;

use super::message::Attributes;

const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// `NF_DROP`.
const DROP: u32 = 0;
/// `NFT_GOTO`, which is -4.
const GOTO: u32 = (-4_i32).cast_unsigned();

/// The register of the verdict.
const VERDICT: u32 = 0;
/// The first of sixteen registers of four bytes.
const FIRST_REGISTER: u32 = 8;

/// Where an offset counts from: `NFT_PAYLOAD_NETWORK_HEADER`.
const NETWORK_HEADER: u32 = 1;
/// `NFT_LOOKUP_F_INV`.
const INVERTED: u32 = 1;
/// `NFT_DYNSET_OP_UPDATE`.
const UPDATE: u32 = 1;
/// `NFT_OBJECT_COUNTER`.
pub(super) const COUNTER: u32 = 1;

/// A register of four bytes, by its number from 0. What is longer takes those that follow, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u32);

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Meta {
    /// The type of the packet, in network byte order.
    Protocol = 1,
    /// The index of the interface that it came in by.
    InputInterface = 4,
    /// The index of the interface that it leaves by.
    OutputInterface = 5,
}

/// One step of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expression<'a> {
    /// Load what is known of the packet.
    Meta { key: Meta, to: Register },
    /// Load bytes of the packet, from the beginning of its network header.
    Load { offset: u32, length: u32, to: Register },
    /// Go on if a register has this value.
    Equal { register: Register, value: &'a [u8] },
    /// Go on if a register has another value than this.
    Different { register: Register, value: &'a [u8] },
    /// Load a constant.
    Constant { value: &'a [u8], to: Register },
    /// Go on if a set does not have this key.
    Absent { set: &'a str, key: Register },
    /// Do what a map says of this key, if it has it.
    Dispatch { map: &'a str, key: Register },
    /// Put a key into a set, for so long from now.
    Update { set: &'a str, key: Register, timeout: Duration },
    /// Count the packet.
    Count { counter: &'a str },
    /// Drop it.
    Drop,
}

impl Expression<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Meta { .. } => "meta",
            Self::Load { .. } => "payload",
            Self::Equal { .. } | Self::Different { .. } => "cmp",
            Self::Absent { .. } | Self::Dispatch { .. } => "lookup",
            Self::Update { .. } => "dynset",
            Self::Count { .. } => "objref",
            Self::Constant { .. } | Self::Drop => "immediate",
        }
    }

    fn write(&self, data: &mut Attributes<'_>) {
        match *self {
            Self::Meta { key, to } => {
                data.number(1, number(to));
                data.number(2, key as u32);
            }
            Self::Load { offset, length, to } => {
                data.number(1, number(to));
                data.number(2, NETWORK_HEADER);
                data.number(3, offset);
                data.number(4, length);
            }
            Self::Equal { register, value } => compare(data, register, 0, value),
            Self::Different { register, value } => compare(data, register, 1, value),
            Self::Constant { value, to } => {
                data.number(1, number(to));
                write_value(2, data, value);
            }
            Self::Absent { set, key } => {
                data.text(1, set);
                data.number(2, number(key));
                data.number(5, INVERTED);
            }
            Self::Dispatch { map, key } => {
                data.text(1, map);
                data.number(2, number(key));
                data.number(3, VERDICT);
            }
            Self::Update { set, key, timeout } => {
                data.text(1, set);
                data.number(3, UPDATE);
                data.number(4, number(key));
                data.long_number(6, milliseconds(timeout));
            }
            Self::Count { counter } => {
                data.number(1, COUNTER);
                data.text(2, counter);
            }
            Self::Drop => {
                data.number(1, VERDICT);
                data.nested(2, |data| data.nested(DATA_VERDICT, |verdict| verdict.number(VERDICT_CODE, DROP)));
            }
        }
    }
}

/// Writes the expressions of a rule.
pub(super) fn write_rule(kind: u16, rule: &mut Attributes<'_>, expressions: &[Expression<'_>]) {
    rule.nested(kind, |list| {
        for expression in expressions {
            list.nested(LIST_ELEMENT, |element| {
                element.text(EXPRESSION_NAME, expression.name());
                element.nested(EXPRESSION_DATA, |data| expression.write(data));
            });
        }
    });
}

/// Writes a value, such as the key of an element.
pub(super) fn write_value(kind: u16, attributes: &mut Attributes<'_>, value: &[u8]) {
    attributes.nested(kind, |data| data.bytes(DATA_VALUE, value));
}

/// Writes the order to go on with another chain.
pub(super) fn write_goto(kind: u16, attributes: &mut Attributes<'_>, chain: &str) {
    attributes.nested(kind, |data| {
        data.nested(DATA_VERDICT, |verdict| {
            verdict.number(VERDICT_CODE, GOTO);
            verdict.text(VERDICT_CHAIN, chain);
        });
    });
}

/// Timeouts are in milliseconds; the kernel rounds them to its ticks.
pub(super) fn milliseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn compare(data: &mut Attributes<'_>, register: Register, operation: u32, value: &[u8]) {
    data.number(1, number(register));
    data.number(2, operation);
    write_value(3, data, value);
}

const fn number(register: Register) -> u32 {
    FIRST_REGISTER + register.0
}
