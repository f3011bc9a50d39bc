//! How the routers of `web` talk to each other, for rules that hold whatever it is.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::Result;
use holdfast_tests::lab::Prober;

use super::duo::{Duo, VIP};
use super::manifest;
use super::timing::LONG;

/// The family of the address and of the adverts, and whom the adverts go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// IPv4 by multicast, as [`manifest::web`] has it.
    Ipv4,
    /// IPv6 by multicast.
    Ipv6,
    /// IPv4 by unicast.
    Unicast,
}

impl Mode {
    /// The address of `web`.
    pub(crate) const fn vip(self) -> IpAddr {
        match self {
            Self::Ipv4 | Self::Unicast => VIP,
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x100)),
        }
    }

    /// [`manifest::web`] in this mode.
    pub(crate) fn web(self, more: &str) -> String {
        match self {
            Self::Ipv4 => manifest::web(more),
            Self::Ipv6 => manifest::web(more).replace("[10.77.0.100]", "[\"fd77::100\"]"),
            Self::Unicast => manifest::web(&format!("transport: Unicast\n{more}")),
        }
    }

    /// Probes `web`, which `a` answers.
    pub(crate) fn probe(self, duo: &Duo) -> Result<Prober> {
        Prober::start_at(&duo.client, self.vip(), &duo.a.host, LONG)
    }
}

/// Makes tests of functions that take a [`Mode`], in a module for each mode.
macro_rules! in_modes {
    ({$($module:ident),+} $rules:tt) => { $(in_modes!(@mode $module $rules);)+ };
    (@mode over_ipv4 $rules:tt) => { in_modes!(@tests over_ipv4 Ipv4 $rules); };
    (@mode over_ipv6 $rules:tt) => { in_modes!(@tests over_ipv6 Ipv6 $rules); };
    (@mode by_unicast $rules:tt) => { in_modes!(@tests by_unicast Unicast $rules); };
    (@tests $module:ident $mode:ident [$($rule:ident),+ $(,)?]) => {
        mod $module {
            use crate::support::mode::Mode;

            $(
                #[test]
                fn $rule() -> anyhow::Result<()> {
                    super::$rule(Mode::$mode)
                }
            )+
        }
    };
}

pub(crate) use in_modes;
