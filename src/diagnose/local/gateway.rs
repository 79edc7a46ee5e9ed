//! A gateway that is gone: by the kernel's neighbour table, or by its own silence.
//!
//! The table alone is slow where the gateway dies while traffic flows: an entry that was
//! confirmed lately stays good for half a minute (RFC 4861 7.3.3, and Linux does the same for
//! ARP). What the gateway does not answer, while nothing beyond it is heard either, says it in
//! seconds.

use std::net::IpAddr;
use std::time::Duration;

use super::{severity, sufferer, via};
use crate::diagnose::answers::last_answer;
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reach::heard_lately;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::local::{DefaultRoute, LocalState, NeighbourState};
use crate::model::observation::ObsId;
use crate::model::target::TargetId;
use crate::model::time::{Mono, Stamp};
use crate::model::window::{Dated, PingPoint};

/// Looks in a row with a failed gateway entry before it is believed.
const FAILED_LOOKS: usize = 3;
/// Time after which a look-up that goes on has failed before: three questions, a second apart
/// (`mcast_solicit` and `retrans_time_ms`, arp(7)).
const RESOLVES: Duration = Duration::from_millis(3500);
/// Pings in a row that a gateway which used to answer must miss, at least: the more it missed
/// before, the more.
const MISSED: usize = 3;
/// Chance that so many are lost on a link that loses some, below which it is the gateway.
const BY_CHANCE: f64 = 1e-4;

/// Why a gateway is thought to be gone.
struct Gone {
    since: Stamp,
    /// Below 1: how sure.
    confidence: f64,
    ids: Vec<ObsId>,
    /// "does not answer ARP".
    what: String,
    evidence: String,
}

pub(super) fn judge(
    f: &Facts,
    local: &Dated<LocalState>,
    route: &DefaultRoute,
    out: &mut Vec<Finding>,
) {
    let Some(gw) = route.gateway else { return };
    let down = out.iter().any(|x| {
        x.code == code::LOCAL_INTERFACE_DOWN && x.discriminator.as_str() == route.interface.as_str()
    });
    if down {
        return;
    }
    let Some(gone) = by_table(f, route, gw).or_else(|| by_silence(f, gw)) else {
        return;
    };
    let mut place = Location::at(PlaceKind::Hop, gw);
    place.hop = Some(1);
    let other_works = other_family_works(f, local, gw);
    let (severity, so) = match severity(&local.value, route) {
        Severity::Critical if other_works => (
            // Nobody who is watched goes that way, and there is another.
            match is_used(f, gw) {
                true => Severity::Critical,
                false => Severity::Warning,
            },
            match gw {
                IpAddr::V4(_) => "no IPv4 leaves this link",
                IpAddr::V6(_) => "no IPv6 leaves this link",
            },
        ),
        Severity::Critical => (Severity::Critical, "nothing leaves this link"),
        other => (other, "another default route is used instead of it"),
    };
    out.push(
        Build::new(
            code::GATEWAY_UNREACHABLE,
            severity,
            &sufferer(f, gw.is_ipv6()),
            place,
            gone.since.wall,
        )
        .which(gw)
        .confidence(gone.confidence)
        .summary(format!(
            "the gateway {gw} on {} {}: {so}",
            route.interface, gone.what
        ))
        .evidence(gone.ids, gone.evidence)
        .evidence([local.id], format!("default route via {}", via(route)))
        .reproduce([format!("ip neigh show {gw}"), format!("ping -n -c 3 {gw}")])
        .done(),
    );
}

/// Whether some target is the gateway, or has an address of its family beyond the own links that does
/// not answer, or none that is known yet.
fn is_used(f: &Facts, gw: IpAddr) -> bool {
    let beyond = |a: IpAddr| a == gw || !f.is_on_link(a);
    let targets = f.window.targets.iter();
    let mut others = targets.filter(|(id, _)| **id != TargetId::local());
    others.any(|(_, t)| {
        let mut all = t.addresses().iter().filter(|a| a.is_ipv6() == gw.is_ipv6());
        t.addresses().is_empty() || all.any(|a| beyond(*a) && !heard_lately(f, t, *a))
    })
}

/// Whether the other family has a default route, and its gateway or somebody behind it was heard
/// lately.
fn other_family_works(f: &Facts, local: &Dated<LocalState>, gw: IpAddr) -> bool {
    let v6 = !gw.is_ipv6();
    let lately = f.now.mono.minus(Duration::from_secs(5));
    let answers = |gw: IpAddr| pings(f, gw).any(|p| p.sent > lately && p.rtt.is_some());
    let mut routes = local.value.default_routes.iter().filter(|r| r.v6 == v6);
    routes.any(|r| r.gateway.is_some_and(answers) || heard_beyond(f, v6, lately))
}

fn by_table(f: &Facts, route: &DefaultRoute, gw: IpAddr) -> Option<Gone> {
    let state_in = |l: &LocalState| {
        l.neighbours
            .iter()
            .find(|n| n.addr == gw && n.interface == route.interface)
            .map_or(NeighbourState::Absent, |n| n.state)
    };
    let bad = |s: NeighbourState| matches!(s, NeighbourState::Failed | NeighbourState::Incomplete);
    let run: Vec<_> = f
        .window
        .locals
        .iter()
        .rev()
        .take_while(|d| bad(state_in(&d.value)))
        .collect();
    let ever_failed = run
        .iter()
        .any(|d| state_in(&d.value) == NeighbourState::Failed);
    let answered = pings(f, gw)
        .filter(|p| p.sent >= f.now.mono.minus(Duration::from_secs(3)))
        .any(|p| p.rtt.is_some());
    // While packets go on leaving, the kernel begins again as soon as it has failed: the entry is
    // incomplete at each look.
    let (newest, oldest) = (run.first()?, run.last()?);
    let in_vain = newest.at.mono.since(oldest.at.mono) >= RESOLVES;
    if run.len() < FAILED_LOOKS || !(ever_failed || in_vain) || answered {
        return None;
    }
    let what = if gw.is_ipv6() {
        "neighbour discovery"
    } else {
        "ARP"
    };
    Some(Gone {
        since: run.last()?.at,
        confidence: 0.95,
        ids: run.iter().map(|d| d.id).collect(),
        what: format!("does not answer {what}"),
        evidence: format!(
            "neighbour entry of {gw} failed or incomplete in {} looks in a row",
            run.len()
        ),
    })
}

/// A gateway that used to answer pings and ceased to, while nothing from beyond the own links
/// was heard either.
fn by_silence(f: &Facts, gw: IpAddr) -> Option<Gone> {
    let missed = missed(f, gw);
    let (newest, oldest) = (missed.first()?, missed.last()?);
    if missed.len() < needed(f, gw, missed.len()) || heard_beyond(f, gw.is_ipv6(), oldest.sent) {
        return None;
    }
    Some(Gone {
        since: oldest.at,
        confidence: 0.85,
        ids: missed.iter().map(|p| p.id).collect(),
        what: "has ceased to answer".into(),
        evidence: format!(
            "{} pings of {gw} in a row unanswered, which it answered before; nothing beyond it was heard for {} s",
            missed.len(),
            newest.at.mono.since(oldest.sent).as_secs().max(1)
        ),
    })
}

/// Whether the gateway has begun to miss pings while all is silent, too few to say so.
pub(in crate::diagnose) fn in_doubt(f: &Facts, gw: IpAddr) -> bool {
    let missed = missed(f, gw);
    missed.len() < needed(f, gw, missed.len())
        && missed
            .last()
            .is_some_and(|oldest| !heard_beyond(f, gw.is_ipv6(), oldest.sent))
}

/// How many pings in a row must be missed, where some were lost before the newest run of so many.
fn needed(f: &Facts, gw: IpAddr, run: usize) -> usize {
    let lost = pings(f, gw).filter(|p| p.rtt.is_none()).count();
    let answered = pings(f, gw).filter(|p| p.rtt.is_some()).count();
    let before = lost.saturating_sub(run);
    if before == 0 {
        return MISSED;
    }
    let share = (before + 1) as f64 / (before + answered + 2) as f64;
    MISSED.max((BY_CHANCE.ln() / share.ln()).ceil() as usize)
}

/// The newest pings of a gateway that once answered, as far as they were all missed; newest first.
fn missed<'a>(f: &'a Facts, gw: IpAddr) -> Vec<PingPoint<'a>> {
    let mut all: Vec<_> = pings(f, gw).collect();
    all.sort_by_key(|p| std::cmp::Reverse(p.sent));
    let run = all.iter().take_while(|p| p.rtt.is_none()).count();
    // Without an answer ever it may be one of those that ignore pings.
    if run == all.len() {
        return Vec::new();
    }
    all.truncate(run);
    all
}

/// Pings of the gateway, whoever asked for them.
fn pings<'a>(f: &'a Facts, gw: IpAddr) -> impl Iterator<Item = PingPoint<'a>> + 'a {
    f.window
        .targets
        .values()
        .flat_map(move |t| t.pings.iter().filter(move |((a, ..), _)| *a == gw))
        .flat_map(|(_, s)| s.points())
}

/// Whether anybody of that family who is not on an own link answered after `from`.
fn heard_beyond(f: &Facts, v6: bool, from: Mono) -> bool {
    let beyond = |a: IpAddr| a.is_ipv6() == v6 && !f.is_on_link(a) && !f.is_own(a);
    f.window.targets.values().any(|t| {
        let target = t
            .addresses()
            .iter()
            .filter(|a| beyond(**a))
            .any(|a| last_answer(t, *a).is_some_and(|(at, _)| at.mono > from));
        let hop = || {
            t.paths
                .values()
                .flat_map(|p| p.kept().rev().take_while(|(_, at, _)| at.mono > from))
                .flat_map(|(_, _, round)| &round.hops)
                .filter_map(|h| h.answer.from())
                .any(|(a, _)| a.is_ipv6() == v6 && !f.is_own(a))
        };
        target || hop()
    })
}
