//! What the client hears: the gratuitous ARPs by which a node says that it has a VIP now.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use anyhow::Result;

use super::scene::Scene;
use crate::lab::{Capture, Mac};

/// A record on every LAN, from the moment that it is made.
#[derive(Debug)]
pub(super) struct Announcements(Vec<Capture>);

impl Announcements {
    /// Begins to record.
    pub(super) fn record(scene: &Scene) -> Result<Self> {
        let lans = (0..=u8::MAX).zip(&scene.lans);
        let captures = lans.map(|(lan, _)| Capture::of_arp(scene.client.namespace(), &format!("eth{lan}")));
        Ok(Self(captures.collect::<Result<_>>()?))
    }

    /// When node `b` announced each VIP for the first time after `since`.
    pub(super) fn of_b(&self, scene: &Scene, since: Instant) -> Result<BTreeMap<IpAddr, Instant>> {
        let mut first = BTreeMap::new();
        for (lan, capture) in (0..=u8::MAX).zip(&self.0) {
            let new = Mac::of_host(lan, scene.b.host.number());
            for frame in capture.matching(|frame| frame.at >= since && frame.source() == Some(new))? {
                if let Some(address) = frame.announced() {
                    let seen = first.entry(address).or_insert(frame.at);
                    *seen = frame.at.min(*seen);
                }
            }
        }
        Ok(first)
    }
}
