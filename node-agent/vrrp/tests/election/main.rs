//! The election, rule by rule: written from RFC 9568, RFC 3768 and keepalived's behaviour, one file a subject.

#[cfg(test)]
mod announcements;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod master;
#[cfg(test)]
mod preemption;
#[cfg(test)]
mod regrouping;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod stall;
#[cfg(test)]
mod state_table;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod tracking;
#[cfg(test)]
mod transport;
