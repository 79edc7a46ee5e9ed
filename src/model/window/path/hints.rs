//! What a hop's answers hint at. Hints, not findings: a router may have its own reasons.

use std::fmt;
use std::net::IpAddr;

use super::{FlowPath, HopStats};
use crate::model::observation::{HeaderChange, HopAnswer};

/// Differences of out and back that are worth a word; one more or less has many reasons.
const ASYMMETRY: u8 = 2;

/// One remarkable thing about a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The answer came back over another number of hops than the probe went out over.
    Asymmetric {
        /// Hops back, guessed from the TTL with which the answer arrived.
        back: u8,
    },
    /// The router of the TTL before answered this one as well.
    SameAsBefore,
    /// The router answered an earlier TTL, and others in between.
    Loop {
        /// The earlier TTL.
        since: u8,
    },
    /// An ICMP type and code that the answer's name does not tell apart.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
    /// An extension, in words.
    Extension(String),
    /// Our packet arrived there with a TTL that had not run out.
    TtlRewritten {
        /// As it arrived.
        arrived: u8,
    },
    /// Our packet arrived with this type of service, which is not what was sent.
    TosChanged {
        /// As it arrived.
        arrived: u8,
    },
    /// Our packet arrived with another source or destination.
    Translated {
        /// Source as it arrived, if that was not ours.
        src: Option<IpAddr>,
        /// Destination as it arrived, if that was not the one asked for.
        dst: Option<IpAddr>,
    },
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Asymmetric { back } => write!(f, "back over about {back} hops"),
            Hint::SameAsBefore => {
                f.write_str("same router as one hop before (NAT or TTL rewriting)")
            }
            Hint::Loop { since } => write!(f, "loop: the router of hop {since} again"),
            Hint::Icmp { kind, code } => write!(f, "ICMP type {kind} code {code}"),
            Hint::Extension(text) => f.write_str(text),
            Hint::TtlRewritten { arrived } => {
                write!(f, "arrived with TTL {arrived} (TTL rewriting or a tunnel)")
            }
            Hint::TosChanged { arrived } => {
                write!(f, "arrived with DSCP {} ECN {}", arrived >> 2, arrived & 3)
            }
            Hint::Translated { src, dst } => {
                f.write_str("arrived with")?;
                if let Some(src) = src {
                    write!(f, " source {src}")?;
                }
                if let Some(dst) = dst {
                    write!(f, " destination {dst}")?;
                }
                f.write_str(" (NAT)")
            }
        }
    }
}

/// Hops that an answer took, guessed from the TTL with which it arrived: senders start with 64,
/// 128 or 255.
pub fn return_hops(ttl: u8) -> u8 {
    let start: u8 = match ttl {
        0..=64 => 64,
        65..=128 => 128,
        _ => 255,
    };
    (start - ttl).saturating_add(1)
}

impl FlowPath {
    /// What is remarkable about a hop.
    pub fn hints(&self, ttl: u8) -> Vec<Hint> {
        let Some(hop) = self.hop(ttl) else {
            return Vec::new();
        };
        let mut hints = Vec::new();
        hints.extend(self.again(ttl, hop));
        let back = hop.return_ttl().map(return_hops);
        hints.extend(
            back.filter(|b| b.abs_diff(ttl) >= ASYMMETRY)
                .map(|back| Hint::Asymmetric { back }),
        );
        let Some(detail) = &hop.detail else {
            return hints;
        };
        hints.extend(detail.icmp.map(|(kind, code)| Hint::Icmp { kind, code }));
        let extensions = detail.extensions.iter();
        hints.extend(extensions.map(|e| Hint::Extension(e.to_string())));
        if let Some(header) = &detail.changed {
            hints.extend(self.changes(ttl, header));
        }
        hints
    }

    fn again(&self, ttl: u8, hop: &HopStats) -> Option<Hint> {
        // Whoever says "unreachable" says it of all TTLs beyond.
        if !matches!(
            hop.last,
            Some(HopAnswer::TimeExceeded { .. } | HopAnswer::Silent)
        ) {
            return None;
        }
        let who = hop.address()?;
        let before = |t: u8| self.hop(t).and_then(HopStats::address) == Some(who);
        if ttl > 1 && before(ttl - 1) {
            return Some(Hint::SameAsBefore);
        }
        let since = (1..ttl).find(|t| before(*t))?;
        Some(Hint::Loop { since })
    }

    /// What was changed before this hop, as far as an earlier hop did not see the same.
    fn changes(&self, ttl: u8, seen: &HeaderChange) -> Vec<Hint> {
        let earlier: Vec<&HeaderChange> = (1..ttl)
            .filter_map(|t| self.hop(t)?.detail.as_ref()?.changed.as_ref())
            .collect();
        let mut hints = Vec::new();
        hints.extend(seen.ttl.map(|arrived| Hint::TtlRewritten { arrived }));
        let fresh = seen
            .tos
            .filter(|_| !earlier.iter().any(|e| e.tos == seen.tos));
        hints.extend(fresh.map(|arrived| Hint::TosChanged { arrived }));
        let (src, dst) = (seen.src, seen.dst);
        let known = earlier.iter().any(|e| (e.src, e.dst) == (src, dst));
        if (src.is_some() || dst.is_some()) && !known {
            hints.push(Hint::Translated { src, dst });
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_guessed_from_usual_starts() {
        for (ttl, hops) in [
            (64, 1),
            (61, 4),
            (128, 1),
            (120, 9),
            (255, 1),
            (250, 6),
            (0, 65),
        ] {
            assert_eq!(return_hops(ttl), hops, "{ttl}");
        }
    }

    #[test]
    fn hints_read_well() {
        let translated = Hint::Translated {
            src: Some(IpAddr::from([192, 0, 2, 1])),
            dst: None,
        };
        assert_eq!(
            translated.to_string(),
            "arrived with source 192.0.2.1 (NAT)"
        );
        let tos = Hint::TosChanged { arrived: 0xb9 };
        assert_eq!(tos.to_string(), "arrived with DSCP 46 ECN 1");
    }
}
