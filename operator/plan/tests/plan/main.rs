//! The rules of the plan, one file each.

mod acceptance;
mod allocation;
mod compilation;
mod groups;
mod objects;
mod peers;
mod priorities;
mod properties;
