//! The codecs against bytes: frames captured from keepalived and FRR, a bad packet per receive check, the mistakes of
//! other implementations, and properties over arbitrary input.

#[cfg(test)]
mod announcements;
#[cfg(test)]
mod captured_adverts;
#[cfg(test)]
mod emit_checks;
#[cfg(test)]
mod ip_packets;
#[cfg(test)]
mod lessons;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod receive_checks;
#[cfg(test)]
mod support;
