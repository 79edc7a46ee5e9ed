//! The case of one silent address: what was tried, who answered on the way, who said what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnose::answers::{Said, Silence, last_answer, silence};
use crate::diagnose::facts::{Facts, distance_of, span};
use crate::model::observation::{HopAnswer, IcmpError, Method, ObsId, Refusal};
use crate::model::time::{Mono, Stamp};
use crate::model::window::TargetWindow;

/// Silent echoes that make a silent host: one may have been lost.
const ECHOES: u32 = 2;
/// Newest rounds in which a loop is looked for.
const LOOP_ROUNDS: usize = 24;

/// A routing loop.
pub(super) struct Loop {
    /// Where it begins.
    pub(super) hop: u8,
    /// The routers by first appearance.
    pub(super) routers: Vec<IpAddr>,
    /// The rounds that show it.
    pub(super) rounds: Vec<ObsId>,
}

impl Loop {
    /// Two rounds must show it: one can be a route that changed while the round was out.
    pub(super) fn is_sure(&self) -> bool {
        self.rounds.len() >= 2
    }
}

/// An address that has been silent for long enough to be judged.
pub(super) struct Case<'a> {
    pub(super) t: &'a TargetWindow,
    pub(super) addr: IpAddr,
    pub(super) silence: Silence,
    /// First attempt without an answer.
    pub(super) first: Stamp,
    /// Last hop that answered since the target fell silent.
    pub(super) last_hop: Option<(u8, IpAddr)>,
    /// Distance at which the target answered before.
    pub(super) known_distance: Option<u8>,
}

impl<'a> Case<'a> {
    /// The case of an address that is silent for long enough, else nothing.
    pub(super) fn of(f: &Facts, t: &'a TargetWindow, addr: IpAddr) -> Option<Self> {
        let after = last_answer(t, addr).map_or(Mono(0), |(at, _)| at.mono);
        // What was heard a moment ago can't have been silent for long.
        if f.now.mono.since(after) < f.thresholds.path_min_span {
            return None;
        }
        let silence = silence(t, addr, after);
        let (first, last) = (silence.first?, silence.last?);
        let th = f.thresholds;
        let long_enough = span(first.mono, last.mono) >= th.path_min_span
            && silence.rounds >= th.path_min_rounds
            && silence.attempts >= needed_attempts(t, addr, after);
        if !long_enough {
            return None;
        }
        let mut last_hop = None;
        for (_, path) in t.paths.iter().filter(|((a, _), _)| *a == addr) {
            for (_, _, round) in path.kept().filter(|(_, at, _)| at.mono > after) {
                for hop in &round.hops {
                    if let HopAnswer::TimeExceeded { from, .. } = hop.answer
                        && last_hop.is_none_or(|(ttl, _)| hop.ttl > ttl)
                    {
                        last_hop = Some((hop.ttl, from));
                    }
                }
            }
        }
        // Routers have one budget of answers for all that ask: what one traceroute was spared,
        // another one heard.
        if last_hop.is_none() {
            last_hop = heard_otherwise(f, t, addr, first.mono);
        }
        Some(Self {
            t,
            addr,
            silence,
            first,
            last_hop,
            known_distance: distance_of(t, addr),
        })
    }

    /// Who said something of that kind, newest words of everybody included.
    pub(super) fn said(&self, test: impl Fn(IcmpError) -> bool) -> Vec<(IpAddr, &Said)> {
        self.silence
            .refusals
            .iter()
            .filter(|s| matches!(s.why, Refusal::Icmp(e) if test(e)))
            .filter_map(|s| s.by.map(|by| (by, s)))
            .collect()
    }

    /// Whether only an ICMP echo, which was not sent, could tell a dead target from one that
    /// drops everything else.
    pub(super) fn needs_echo(&self) -> bool {
        self.silence.echoes < ECHOES && self.known_distance.is_none()
    }

    /// Whether the last resort had its chance: the host's own ping can't be used, or it would
    /// have answered by now.
    pub(super) fn echo_is_hopeless(&self, f: &Facts) -> bool {
        let cannot = self.t.pings.iter().any(|((a, method, _), s)| {
            *a == self.addr && *method == Method::SystemPing && s.cannot().is_some()
        });
        cannot || span(self.first.mono, f.now.mono) >= super::LAST_RESORT
    }

    /// Routers that answer again and again at rising distances.
    pub(super) fn looped(&self) -> Option<Loop> {
        let mut seen: BTreeMap<IpAddr, BTreeMap<u8, BTreeSet<ObsId>>> = BTreeMap::new();
        for (_, path) in self.t.paths.iter().filter(|((a, _), _)| *a == self.addr) {
            let newest = path.kept().rev().take(LOOP_ROUNDS);
            for (id, _, round) in newest.filter(|(_, at, _)| at.mono >= self.first.mono) {
                for hop in &round.hops {
                    if let HopAnswer::TimeExceeded { from, .. } = hop.answer {
                        let ttls = seen.entry(from).or_default();
                        ttls.entry(hop.ttl).or_default().insert(*id);
                    }
                }
            }
        }
        let ends = |ttls: &BTreeMap<u8, BTreeSet<ObsId>>| {
            Some((*ttls.keys().next()?, *ttls.keys().next_back()?))
        };
        let mut ids = BTreeSet::new();
        let mut turns = Vec::new();
        for ttls in seen.values().filter(|ttls| ttls.len() >= 3) {
            if let Some((first, last)) = ends(ttls).filter(|(f, l)| l - f >= 4) {
                turns.push(first..=last);
                let again = ttls.range(first.saturating_add(2)..);
                ids.extend(again.flat_map(|(_, ids)| ids.iter().copied()));
            }
        }
        // Whoever answers between two appearances of one router is on the way round, however
        // seldom it answers.
        let mut members: Vec<(u8, IpAddr)> = seen
            .iter()
            .filter(|(_, ttls)| ttls.keys().any(|t| turns.iter().any(|r| r.contains(t))))
            .filter_map(|(router, ttls)| Some((ends(ttls)?.0, *router)))
            .collect();
        members.sort_unstable();
        Some(Loop {
            hop: members.first()?.0,
            routers: members.into_iter().map(|(_, a)| a).collect(),
            rounds: ids.into_iter().collect(),
        })
    }

    /// The attempts in a sentence.
    pub(super) fn attempts(&self) -> String {
        let took = self
            .silence
            .last
            .map_or(0.0, |b| span(self.first.mono, b.mono).as_secs_f64());
        format!(
            "0 of {} attempts answered by the target over {took:.0} s, {} of them traceroute rounds",
            self.silence.attempts, self.silence.rounds
        )
    }
}

/// The more was lost before, the more silence it takes: the chance that loss alone explains it
/// stays below one in ten thousand.
fn needed_attempts(t: &TargetWindow, addr: IpAddr, before: Mono) -> u32 {
    let (sent, lost) = t.best_ping_of(addr).map_or((0, 0), |(_, s)| {
        s.points()
            .filter(|p| p.sent <= before)
            .fold((0u32, 0u32), |(n, l), p| {
                (n + 1, l + u32::from(p.rtt.is_none()))
            })
    });
    let p = (f64::from(lost) + 1.0) / (f64::from(sent) + 20.0);
    (1e-4_f64.ln() / p.clamp(0.05, 0.9).ln()).ceil().max(5.0) as u32
}

/// The farthest hop known to lie on the way to an address that answered somebody else since then:
/// pings of its own, or the traceroutes of other targets.
fn heard_otherwise(f: &Facts, t: &TargetWindow, addr: IpAddr, since: Mono) -> Option<(u8, IpAddr)> {
    let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
    let hops = paths.flat_map(|(_, p)| p.hops());
    // Who complains about what is beyond it answers for farther TTLs as well.
    let mut known: BTreeMap<IpAddr, u8> = BTreeMap::new();
    for (ttl, h) in hops {
        for who in h.addresses.iter().map(|(a, _)| *a).filter(|a| *a != addr) {
            let nearest = known.entry(who).or_insert(ttl);
            *nearest = ttl.min(*nearest);
        }
    }
    let heard = |who: IpAddr| {
        f.window.targets.values().any(|t| {
            let pinged = t
                .pings
                .iter()
                .filter(|((a, ..), _)| *a == who)
                .any(|(_, s)| {
                    let mut newest = s.points().rev().take_while(|p| p.sent > since);
                    newest.any(|p| p.rtt.is_some())
                });
            pinged
                || t.paths.values().any(|p| {
                    let newest = p.kept().rev().take_while(|(_, at, _)| at.mono > since);
                    newest.flat_map(|(_, _, r)| &r.hops).any(
                        |h| matches!(h.answer, HopAnswer::TimeExceeded { from, .. } if from == who),
                    )
                })
        })
    };
    let alive = known.into_iter().filter(|(who, _)| heard(*who));
    alive.map(|(who, ttl)| (ttl, who)).max()
}
