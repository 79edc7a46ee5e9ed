//! Several flows of one path: who balances loads, and how; which flow ends where others go on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{FlowPath, PathWindow};
use crate::model::observation::HopAnswer;

/// How traffic is spread over several routers at one TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// One router as far as seen.
    Single,
    /// Several; each flow keeps to one.
    PerFlow,
    /// Several, and one flow goes back and forth between them.
    PerPacket,
    /// Several within one flow, one after the other: the route changed, or there are too few
    /// answers to call it per packet.
    Changed,
}

impl Balance {
    /// In words; `None` for a single router.
    pub const fn label(self) -> Option<&'static str> {
        match self {
            Balance::Single => None,
            Balance::PerFlow => Some("balanced per flow"),
            Balance::PerPacket => Some("balanced per packet"),
            Balance::Changed => Some("changed within a flow"),
        }
    }
}

/// A flow that does not arrive where others do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadFlow {
    /// The flow.
    pub flow: u16,
    /// TTL and address of the last hop that answered it.
    pub last: Option<(u8, IpAddr)>,
    /// Whether flows that arrive pass that hop as well.
    pub shared: bool,
    /// Where the flows that arrive go at the next TTL.
    pub living: Vec<IpAddr>,
}

impl FlowPath {
    /// Who answered a TTL, in order of time.
    fn answers(&self, ttl: u8) -> impl Iterator<Item = IpAddr> {
        self.kept().filter_map(move |(_, _, r)| {
            let hop = r.hops.iter().find(|h| h.ttl == ttl)?;
            match hop.answer {
                HopAnswer::TimeExceeded { from, .. } | HopAnswer::Reached { from, .. } => {
                    Some(from)
                }
                // Who says "unreachable" may sit anywhere before.
                HopAnswer::Unreachable { .. } | HopAnswer::Silent => None,
            }
        })
    }

    /// How often somebody at that distance or beyond was asked.
    pub fn sought(&self, ttl: u8) -> u32 {
        let beyond = self.hops.range(ttl..).map(|(_, h)| h.sent);
        // A path that is asked only up to where it ends is asked for its end.
        beyond.max().unwrap_or(0)
    }

    fn balance(&self, ttl: u8) -> Balance {
        let mut seen: Vec<IpAddr> = Vec::new();
        for addr in self.answers(ttl) {
            match seen.last() {
                Some(last) if *last == addr => {}
                // Back to one that had been left.
                _ if seen.contains(&addr) => return Balance::PerPacket,
                _ => seen.push(addr),
            }
        }
        if seen.len() > 1 {
            Balance::Changed
        } else {
            Balance::Single
        }
    }
}

impl PathWindow {
    /// How traffic is spread at a TTL, as far as the flows asked show it.
    pub fn balance(&self, ttl: u8) -> Balance {
        let within = |kind| self.flows().any(|(_, f)| f.balance(ttl) == kind);
        if within(Balance::PerPacket) {
            return Balance::PerPacket;
        }
        if within(Balance::Changed) {
            return Balance::Changed;
        }
        let owners: BTreeSet<IpAddr> = self.flows().flat_map(|(_, f)| f.answers(ttl)).collect();
        if owners.len() > 1 {
            Balance::PerFlow
        } else {
            Balance::Single
        }
    }

    /// Flows that never arrive while others do, and were asked for the target's place so often:
    /// where answers are rationed one silence proves nothing.
    pub fn dead_flows(&self, least: u32) -> Vec<DeadFlow> {
        let living: Vec<&FlowPath> = self
            .flows()
            .filter(|(_, f)| f.reached_ttl().is_some())
            .map(|(_, f)| f)
            .collect();
        if living.is_empty() {
            return Vec::new();
        }
        let at = |ttl: u8| -> BTreeSet<IpAddr> {
            let owners = living.iter().filter_map(|f| f.hop(ttl)?.address());
            owners.collect()
        };
        let end = living.iter().filter_map(|f| f.reached_ttl()).max();
        let dead = self.flows().filter(|(_, f)| {
            f.rounds() > 0 && f.reached_ttl().is_none() && f.sought(end.unwrap_or(0)) >= least
        });
        dead.map(|(flow, f)| {
            let answering = |ttl: &u8| f.answers(*ttl).next().is_some();
            let ttl = f.hops.keys().rev().copied().find(answering);
            let last = ttl.and_then(|ttl| Some((ttl, f.answers(ttl).last()?)));
            DeadFlow {
                flow,
                last,
                shared: last.is_none_or(|(ttl, addr)| at(ttl).contains(&addr)),
                living: at(ttl.unwrap_or(0).saturating_add(1)).into_iter().collect(),
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Body, HopSample, How, Method, ObsId, Observation, TraceRound};
    use crate::model::target::TargetId;
    use crate::model::time::{Rtt, Stamp};

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    /// Rounds of flows: for each the last byte of who answered, 0 for silence, 99 for the target.
    fn path(rounds: &[(u16, &[u8])]) -> PathWindow {
        let mut path = PathWindow::default();
        for (n, (flow, hops)) in rounds.iter().enumerate() {
            let hops = (1..).zip(hops.iter()).map(|(ttl, who)| {
                let (from, rtt, return_ttl) = (ip(*who), Rtt(1000), None);
                let answer = match who {
                    0 => HopAnswer::Silent,
                    99 => HopAnswer::Reached {
                        from,
                        rtt,
                        return_ttl,
                    },
                    _ => HopAnswer::TimeExceeded {
                        from,
                        rtt,
                        return_ttl,
                    },
                };
                HopSample { ttl, answer }
            });
            let mut round = TraceRound::new(ip(99), n as u32, hops.collect());
            round.flow = *flow;
            let obs = Observation {
                id: ObsId(n as u64),
                at: Stamp::at_millis(n as u64),
                target: TargetId::local(),
                how: How::best(Method::UdpErrorQueue),
                body: Body::Trace(round.clone()),
            };
            path.take(&obs, &round);
        }
        path
    }

    #[test]
    fn balancing_is_told_by_flow_and_by_packet() {
        let flows = path(&[
            (0, &[1, 2, 99]),
            (1, &[1, 3, 99]),
            (0, &[1, 2, 99]),
            (1, &[1, 3, 99]),
        ]);
        assert_eq!(flows.balance(1), Balance::Single);
        assert_eq!(flows.balance(2), Balance::PerFlow);
        let packets = path(&[(0, &[2]), (0, &[3]), (0, &[0]), (0, &[2])]);
        assert_eq!(packets.balance(1), Balance::PerPacket);
        let changed = path(&[(0, &[2]), (0, &[2]), (0, &[3]), (0, &[3])]);
        assert_eq!(changed.balance(1), Balance::Changed);
        assert_eq!(changed.balance(7), Balance::Single);
    }

    #[test]
    fn flows_do_not_mix() {
        let flows = path(&[(0, &[1, 2, 99]), (5, &[1, 3, 0, 0])]);
        assert_eq!(
            flows.hop(2).map(|h| h.addresses.clone()),
            Some(vec![(ip(2), 1)])
        );
        assert_eq!((flows.rounds(), flows.reached_ttl()), (1, Some(3)));
        let (_, other) = flows.flows().nth(1).unwrap();
        assert_eq!((other.reached_ttl(), other.farthest()), (None, Some(2)));
    }

    #[test]
    fn a_dead_member_is_placed() {
        // It answers itself and forwards nothing: no living flow goes through it.
        let dead = path(&[(0, &[1, 2, 99]), (1, &[1, 3, 0])]).dead_flows(1);
        let want = DeadFlow {
            flow: 1,
            last: Some((2, ip(3))),
            shared: false,
            living: vec![ip(99)],
        };
        assert_eq!(dead, [want]);
        // It is silent: the last hop is one that all share.
        let dead = path(&[(0, &[1, 2, 99]), (1, &[1, 0, 0])]).dead_flows(1);
        let want = DeadFlow {
            flow: 1,
            last: Some((1, ip(1))),
            shared: true,
            living: vec![ip(2)],
        };
        assert_eq!(dead, [want]);
        // Nobody arrives, or everybody does: no flow is worse than another.
        assert_eq!(path(&[(0, &[1, 0]), (1, &[1, 0])]).dead_flows(1), []);
        assert_eq!(path(&[(0, &[1, 99]), (1, &[2, 99])]).dead_flows(1), []);
    }

    #[test]
    fn a_flow_is_dead_only_after_so_many_questions_at_the_targets_place() {
        let once: &[(u16, &[u8])] = &[(0, &[1, 2, 99]), (1, &[1, 3, 0])];
        assert_eq!(path(once).dead_flows(3), []);
        // Its hops are known, but it was never asked where the target is.
        let short: &[(u16, &[u8])] = &[(0, &[1, 2, 99]), (1, &[1, 3]), (1, &[1, 3]), (1, &[1, 3])];
        assert_eq!(path(short).dead_flows(1), []);
        let thrice = [once, once, once].concat();
        assert_eq!(path(&thrice).dead_flows(3).len(), 1);
    }
}
