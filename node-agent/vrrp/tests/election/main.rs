//! The election, rule by rule: written from RFC 9568, RFC 3768 and keepalived's behaviour, one file a subject.

#[cfg(test)]
mod announcements;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod preemption;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod support;
#[cfg(test)]
mod takeover;
