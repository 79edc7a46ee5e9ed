//! Resolvers that leave some questions unanswered, or all of one type: every client that meets one
//! waits for its timeout, five seconds by default (resolv.conf(5)), and then asks again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Server, is_answer, waited};
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, Method};
use crate::model::stats::wilson;
use crate::model::time::Mono;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Questions after which it is known, while one was lost, that no more are.
const ENOUGH: usize = 12;
/// Questions before a share of unanswered ones is judged …
const FEWEST: usize = 8;
/// … and so many moments at which one was lost: a burst that is lost is one.
const MOMENTS: usize = 3;
/// Time between two such moments.
const MOMENT: Duration = Duration::from_millis(500);
/// Unanswered questions of one type in a row, and answered ones of another meanwhile.
const MUTE: usize = 4;
const SPEAKS: usize = 3;

/// Questions over UDP since then, those of one key, and of them the unanswered.
struct Tally<'a> {
    all: Vec<&'a Dated<DnsSample>>,
    lost: Vec<&'a Dated<DnsSample>>,
}

impl<'a> Tally<'a> {
    fn of(recent: &'a Recent<DnsSample>, since: Mono) -> Self {
        let mut all: Vec<_> = recent
            .iter()
            .filter(|d| d.at.mono >= since && d.how.method == Method::DnsUdp)
            .filter(|d| is_answer(d) || waited(d).is_some())
            .collect();
        all.sort_by_key(|d| d.at.mono);
        let lost = all.iter().copied().filter(|d| !is_answer(d)).collect();
        Self { all, lost }
    }
    /// Nothing but silence to this question.
    fn is_mute(&self) -> bool {
        self.lost.len() >= MUTE && self.lost.len() == self.all.len()
    }
    fn answered(&self) -> usize {
        self.all.len() - self.lost.len()
    }
}

/// The types of which no question for a name was ever answered, while others for it were.
fn mute_types<'a>(
    asked: &[(&'a DnsKey, &'a Recent<DnsSample>)],
    since: Mono,
) -> Vec<(&'a DnsKey, Tally<'a>)> {
    let tallies: Vec<_> = asked
        .iter()
        .map(|(k, r)| (*k, Tally::of(r, since)))
        .collect();
    let speaks = |key: &DnsKey| {
        let same = tallies
            .iter()
            .filter(|(k, _)| k.name == key.name && k.server == key.server && k.rtype != key.rtype);
        same.map(|(_, t)| t.answered()).max().unwrap_or(0) >= SPEAKS
    };
    let mute: BTreeSet<usize> = (0..tallies.len())
        .filter(|i| {
            tallies
                .get(*i)
                .is_some_and(|(k, t)| t.is_mute() && speaks(k))
        })
        .collect();
    let each = tallies.into_iter().enumerate();
    each.filter_map(|(i, t)| mute.contains(&i).then_some(t))
        .collect()
}

/// What is answered or not, of all questions but those of the mute types.
fn share<'a>(
    asked: &[(&'a DnsKey, &'a Recent<DnsSample>)],
    mute: &[(&'a DnsKey, Tally<'a>)],
    since: Mono,
) -> Tally<'a> {
    let mut sum = Tally {
        all: Vec::new(),
        lost: Vec::new(),
    };
    let rest = asked
        .iter()
        .filter(|(k, _)| !mute.iter().any(|(m, _)| m == k));
    for (_, recent) in rest {
        let tally = Tally::of(recent, since);
        sum.all.extend(tally.all);
        sum.lost.extend(tally.lost);
    }
    sum.all.sort_by_key(|d| d.at.mono);
    sum.lost.sort_by_key(|d| d.at.mono);
    sum
}

/// Moments at which a question was asked that was lost.
fn moments(lost: &[&Dated<DnsSample>]) -> usize {
    let asked = |d: &Dated<DnsSample>| d.at.mono.minus(waited(d).unwrap_or_default());
    let mut times: Vec<_> = lost.iter().map(|d| asked(d)).collect();
    times.sort_unstable();
    let mut last: Option<Mono> = None;
    let mut found = 0;
    for time in times {
        if last.is_none_or(|l| time.since(l) >= MOMENT) {
            found += 1;
            last = Some(time);
        }
    }
    found
}

/// Whether it is known what it means that a target's questions were answered in part.
pub(super) fn is_settled(f: &Facts, t: &TargetWindow, server: SocketAddr) -> bool {
    let asked: Vec<_> = t.dns.iter().filter(|(k, _)| k.server == server).collect();
    let silent = |r: &Recent<DnsSample>| {
        let tally = Tally::of(r, f.horizon());
        !tally.lost.is_empty() && tally.answered() == 0 && !tally.is_mute()
    };
    if asked.iter().any(|(_, r)| silent(r)) {
        return false;
    }
    let mute = mute_types(&asked, f.horizon());
    let rest = share(&asked, &mute, f.horizon());
    rest.lost.is_empty() || rest.all.len() >= ENOUGH
}

/// `resolver-slow`, if so: what is not answered is as slow as the client's timeout.
pub(super) fn judge(f: &Facts, server: SocketAddr, seen: &Server) -> Option<Finding> {
    let asked: Vec<_> = seen.asked.iter().map(|(_, k, r)| (*k, *r)).collect();
    let mute = mute_types(&asked, f.horizon());
    let start = |since| {
        Build::new(
            code::RESOLVER_SLOW,
            Severity::Warning,
            &seen.subject(),
            Location::at(PlaceKind::Resolver, server.ip()),
            since,
        )
        .which(server)
    };
    if let Some((key, tally)) = mute.first() {
        let names: BTreeSet<_> = mute.iter().map(|(k, _)| k.name.as_str()).collect();
        let what = match names.len() {
            0 | 1 => format!("{} {}", key.name, key.rtype),
            n => format!("{} of {n} names, {} among them", key.rtype, key.name),
        };
        let first = tally.lost.first()?;
        return Some(
            start(first.at.wall)
                .confidence(0.85)
                .summary(format!(
                    "resolver {} never answers questions for {what}, and answers others for the same name: \
                     whoever asks for both addresses waits for the timeout",
                    server.ip()
                ))
                .evidence(
                    tally.lost.iter().map(|d| d.id),
                    format!("0 of {} questions for {} {} answered", tally.all.len(), key.name, key.rtype),
                )
                .reproduce(reproduce::dns(server, key.name.as_str(), key.rtype.as_str()))
                .done(),
        );
    }
    let rest = share(&asked, &mute, f.horizon());
    let (lost, all) = (rest.lost.len(), rest.all.len());
    let low = wilson(lost as u32, all as u32).0;
    if all < FEWEST || low <= f.thresholds.loss_floor || moments(&rest.lost) < MOMENTS {
        return None;
    }
    let first = rest.lost.first()?;
    let (name, rtype) = (first.value.name.as_str(), first.value.rtype.as_str());
    Some(
        start(first.at.wall)
            .confidence(0.85)
            .summary(format!(
                "resolver {} leaves {lost} of {all} questions unanswered: whoever asks one of them \
                 waits for the timeout",
                server.ip()
            ))
            .evidence(
                rest.lost.iter().map(|d| d.id),
                format!(
                    "{lost} of {all} questions over UDP unanswered, between others that were answered"
                ),
            )
            .reproduce(reproduce::dns(server, name, rtype))
            .done(),
    )
}

/// Packets that are lost on the way to everything are lost on the way to the resolver.
pub(super) fn yield_to_loss(findings: &mut Vec<Finding>) {
    let lossy = findings
        .iter()
        .any(|x| x.code == code::PACKET_LOSS && x.severity > Severity::Info);
    findings.retain(|x| {
        let ours = x.code == code::RESOLVER_SLOW && x.summary.as_str().contains("unanswered: who");
        !(lossy && ours)
    });
}
