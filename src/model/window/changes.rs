//! What changed while we looked: another path, another certificate, another DNS answer, a restart,
//! an interface or session that went up or down. Noticed as observations come in, so that it does
//! not depend on how many of them are kept; judged by nobody here.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use super::{Dated, DeviceWindow, PathWindow, Recent};
use crate::model::device::{BgpPeer, BgpState, Restart, SnmpStatus};
use crate::model::local::LocalState;
use crate::model::observation::{DnsSample, HopAnswer, ObsId, TlsSample, TraceRound};
use crate::model::text::SafeText;
use crate::model::time::Stamp;

/// Changes kept of one target.
const KEPT: usize = 64;
/// Changes noticed in one poll of a device: one that restarts changes everywhere.
const AT_ONCE: usize = 8;
/// A hop must have answered so often before another address there is a change.
const SETTLED: u32 = 6;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Noticed {
    /// When it was seen: it happened since the observation before.
    pub at: Stamp,
    /// The observation that showed it.
    pub id: ObsId,
    /// One line: `certificate of 10.0.0.7:443 is another one`.
    pub text: SafeText,
}

/// The last changes, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    kept: VecDeque<Noticed>,
}

impl Changes {
    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Noticed> {
        self.kept.iter()
    }

    pub(super) fn notice(&mut self, at: Stamp, id: ObsId, texts: Vec<String>) {
        for text in texts.into_iter().take(AT_ONCE) {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            let text = SafeText::new(text);
            self.kept.push_back(Noticed { at, id, text });
        }
    }
}

/// Hops at which another router answers than before; `path` does not know the round yet. The
/// second sighting counts: an address that answers once is a stray.
pub(super) fn of_path(path: &PathWindow, round: &TraceRound) -> Vec<String> {
    let mut found = Vec::new();
    for hop in &round.hops {
        let HopAnswer::TimeExceeded { from, .. } = &hop.answer else {
            continue;
        };
        let Some(known) = path.hop(hop.ttl) else {
            continue;
        };
        let seen = known.addresses.iter().find(|(a, _)| a == from);
        let usual = known.address();
        if let (Some((_, 1)), Some(usual)) = (seen, usual)
            && known.answered > SETTLED
            && usual != *from
        {
            found.push(format!(
                "path to {}: hop {} is {from}, was {usual}",
                round.dst, hop.ttl
            ));
        }
    }
    found
}

/// Another leaf certificate than the server showed before.
pub(super) fn of_tls(before: &Recent<TlsSample>, now: &TlsSample) -> Vec<String> {
    let leaf = |s: &TlsSample| {
        let session = s.outcome.ok()?;
        session.chain.first().cloned()
    };
    let Some(new) = leaf(now) else {
        return Vec::new();
    };
    let mut known = before.iter().rev().filter_map(|d| leaf(&d.value));
    let Some(old) = known.next() else {
        return Vec::new();
    };
    // A farm of servers with several certificates changes nothing by answering in turn.
    if old.sha256 == new.sha256 || known.any(|c| c.sha256 == new.sha256) {
        return Vec::new();
    }
    let until = crate::model::time::date_time_utc(new.not_after);
    vec![format!(
        "certificate of {} is another one, valid until {until}",
        now.dst
    )]
}

/// Another answer to the same question: records without their TTL, in any order; or a new serial
/// of the zone.
pub(super) fn of_dns(before: &Recent<DnsSample>, now: &DnsSample) -> Vec<String> {
    let records = |s: &DnsSample| {
        let answer = s.outcome.ok()?;
        let all = answer.records.iter();
        let data: BTreeSet<String> = all.map(|r| format!("{} {}", r.rtype, r.data)).collect();
        Some((answer.rcode.clone(), data, answer.soa.clone()))
    };
    let mut found = Vec::new();
    let Some((rcode, data, soa)) = records(now) else {
        return found;
    };
    let known: Vec<_> = before
        .iter()
        .rev()
        .filter_map(|d| records(&d.value))
        .collect();
    let Some((old_rcode, old, old_soa)) = known.first() else {
        return found;
    };
    let question = format!("{} {} at {}", now.name, now.rtype, now.server);
    if rcode != *old_rcode {
        found.push(format!("{question}: {rcode}, was {old_rcode}"));
    } else if !known.iter().any(|(_, k, _)| *k == data) {
        // Names with many addresses answer with some of them: what was there before is no change.
        let words = |set: &BTreeSet<String>| {
            let first: Vec<_> = set.iter().take(3).cloned().collect();
            if set.len() > 3 {
                format!("{} and {} more", first.join(", "), set.len() - 3)
            } else if set.is_empty() {
                "nothing".to_owned()
            } else {
                first.join(", ")
            }
        };
        found.push(format!("{question}: {}, was {}", words(&data), words(old)));
    }
    if let (Some(new), Some(was)) = (&soa, old_soa)
        && new != was
    {
        found.push(format!("{question}: SOA is {new}, was {was}"));
    }
    found
}

/// Other addresses of a name.
pub(super) fn of_addresses(name: &SafeText, was: &[IpAddr], is: &[IpAddr]) -> Vec<String> {
    let set = |all: &[IpAddr]| all.iter().copied().collect::<BTreeSet<_>>();
    if was.is_empty() || set(was) == set(is) {
        return Vec::new();
    }
    let words = |all: &[IpAddr]| {
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        all.join(", ")
    };
    vec![format!("{name} is {}, was {}", words(is), words(was))]
}

/// Restarts, interfaces and sessions of a device, against its last answer.
pub(super) fn of_device(window: &DeviceWindow, name: &SafeText, now: &SnmpStatus) -> Vec<String> {
    let Some((before, _)) = window.status() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    match Restart::between(before, now) {
        Restart::None => {}
        Restart::Agent => found.push(format!("the SNMP agent of {name} restarted")),
        Restart::Device => found.push(format!("device {name} restarted")),
        Restart::Unknown => found.push(format!("device {name} or its SNMP agent restarted")),
    }
    for is in &now.interfaces {
        let Some(was) = before.same(is) else { continue };
        if was.admin_up != is.admin_up {
            let word = if is.admin_up { "enabled" } else { "shut down" };
            found.push(format!("interface {} of {name} was {word}", is.name));
        } else if was.oper_status != is.oper_status && (was.oper_status == 1 || is.oper_status == 1)
        {
            found.push(format!(
                "interface {} of {name} is {}, was {}",
                is.name,
                is.oper_label(),
                was.oper_label()
            ));
        }
    }
    for is in &now.peers {
        let peers = &before.peers;
        if let Some(was) = peers.iter().find(|p| p.address == is.address) {
            found.extend(of_session(name, was, is));
        }
    }
    found
}

fn of_session(name: &SafeText, was: &BgpPeer, is: &BgpPeer) -> Option<String> {
    let up = |p: &BgpPeer| p.state == BgpState::Established;
    let session = format!("BGP session of {name} with {}", is.address);
    if up(was) != up(is) {
        let (is, was) = (is.state.label(), was.state.label());
        return Some(format!("{session} is {is}, was {was}"));
    }
    let flapped = matches!((was.transitions, is.transitions), (Some(a), Some(b)) if b > a);
    (up(is) && flapped).then(|| format!("{session} went down and came back"))
}

/// Default routes, resolvers and carriers of this host.
pub(super) fn of_host(before: Option<&Dated<LocalState>>, now: &LocalState) -> Vec<String> {
    let Some(before) = before.map(|d| &d.value) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for v6 in [false, true] {
        let gateway = |s: &LocalState| {
            let mut all: Vec<_> = s.default_routes.iter().filter(|r| r.v6 == v6).collect();
            all.sort_by_key(|r| r.metric);
            all.first().map(|r| match r.gateway {
                Some(a) => format!("{a} on {}", r.interface),
                None => r.interface.to_string(),
            })
        };
        let (was, is) = (gateway(before), gateway(now));
        if was != is {
            let family = if v6 { "IPv6" } else { "IPv4" };
            let word = |g: Option<String>| g.unwrap_or_else(|| "none".into());
            found.push(format!(
                "{family} default route of this host is {}, was {}",
                word(is),
                word(was)
            ));
        }
    }
    if before.resolvers.servers != now.resolvers.servers {
        let words = |s: &LocalState| {
            let all: Vec<_> = s
                .resolvers
                .servers
                .iter()
                .map(ToString::to_string)
                .collect();
            all.join(", ")
        };
        found.push(format!(
            "resolvers of this host are {}, were {}",
            words(now),
            words(before)
        ));
    }
    for is in now.interfaces.iter().filter(|i| !i.loopback) {
        let was = before.interfaces.iter().find(|i| i.name == is.name);
        let on = |i: &crate::model::local::Interface| i.up && i.carrier;
        if let Some(was) = was.filter(|w| on(w) != on(is)) {
            let word = |up: bool| if up { "up" } else { "down" };
            found.push(format!(
                "interface {} of this host is {}, was {}",
                is.name,
                word(on(is)),
                word(on(was))
            ));
        }
    }
    found
}
