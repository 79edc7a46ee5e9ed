//! This host's clock against what others say the time is. One voice may be wrong itself: two that
//! have nothing to do with each other must say the same, and nobody may agree with this host.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::build::Build;
use super::facts::Facts;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HttpSample, ObsId};
use crate::model::target::{Host, TargetId};
use crate::model::text::SafeText;
use crate::model::time::human;
use crate::model::tls::TlsFault;
use crate::model::window::{Dated, TargetWindow};

/// How the clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// What must be added to this host's time; the smallest that a source says.
    offset: SignedDuration,
}

impl Clock {
    /// Whether a fault of a certificate is this clock's and not the certificate's.
    pub fn explains(&self, fault: &TlsFault, now: Timestamp) -> bool {
        let theirs = self.theirs(now);
        match fault {
            TlsFault::Expired { not_after, .. } => theirs.is_some_and(|t| t <= *not_after),
            TlsFault::NotYetValid { not_before, .. } => theirs.is_some_and(|t| t >= *not_before),
            // The same said by one source.
            TlsFault::Clock { .. } => true,
            _ => false,
        }
    }

    /// The time as the others have it.
    pub fn theirs(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_add(self.offset).ok()
    }
}

/// One server's `Date`.
struct Voice<'a> {
    target: &'a TargetWindow,
    addr: IpAddr,
    /// Its clock minus ours.
    offset: SignedDuration,
    last: &'a Dated<HttpSample>,
    since: Timestamp,
}

impl Voice<'_> {
    /// Another machine, as far as can be told: another name and another address. A host given by
    /// its addresses of both families is one.
    fn is_apart_from(&self, other: &Voice<'_>) -> bool {
        let literal = |v: &Voice<'_>| matches!(v.target.target.host(), Some(Host::Addr(_)));
        let both_families =
            literal(self) && literal(other) && self.addr.is_ipv4() != other.addr.is_ipv4();
        self.addr != other.addr
            && self.target.target.host() != other.target.target.host()
            && !both_families
    }
}

/// A certificate that is good but for its dates.
struct Paper {
    name: SafeText,
    addr: IpAddr,
    /// By how much this host's clock is off at least, if it is the clock.
    at_least: SignedDuration,
    text: String,
    id: ObsId,
    since: Timestamp,
}

/// Pushes `local-clock-wrong`; the rules of certificates ask what it explains.
pub fn judge(f: &Facts, out: &mut Vec<Finding>) -> Option<Clock> {
    let voices = voices(f);
    let limit = SignedDuration::try_from(f.thresholds.clock_off).ok()?;
    let (wrong, right): (Vec<_>, Vec<_>) = voices.iter().partition(|v| v.offset.abs() > limit);
    // Who agrees with this host speaks against all the others.
    if !right.is_empty() {
        return None;
    }
    for (i, one) in wrong.iter().enumerate() {
        let behind = one.offset.is_positive();
        let mut others = wrong.iter().skip(i + 1);
        if let Some(other) =
            others.find(|o| o.offset.is_positive() == behind && one.is_apart_from(o))
        {
            let near = (one.offset - other.offset).abs() <= limit;
            let clock = Clock {
                offset: nearer(one.offset, other.offset),
            };
            let finding = said_by(start(one, clock), one);
            let finding = said_by(finding, other).confidence(if near { 0.95 } else { 0.7 });
            out.push(finding.done());
            return Some(clock);
        }
    }
    let papers = papers(f);
    for one in wrong {
        let clock = Clock { offset: one.offset };
        let fits = |p: &&Paper| {
            p.at_least.is_positive() == one.offset.is_positive()
                && p.at_least.abs() <= one.offset.abs()
                // A server with a wrong clock is just where a certificate is not renewed.
                && p.addr != one.addr
        };
        if let Some(paper) = papers.iter().find(fits) {
            let finding = said_by(start(one, clock), one)
                .evidence(
                    [paper.id],
                    format!("the certificate of {} {}", paper.name, paper.text),
                )
                .confidence(0.8)
                .done();
            out.push(Finding {
                since: finding.since.min(paper.since),
                ..finding
            });
            return Some(clock);
        }
    }
    None
}

fn nearer(a: SignedDuration, b: SignedDuration) -> SignedDuration {
    if a.abs() <= b.abs() { a } else { b }
}

/// `Date` headers, one for each address, where the newest few say the same. One that a cache kept
/// (`Age`, RFC 9111 5.1) is no clock.
fn voices<'a>(f: &'a Facts<'a>) -> Vec<Voice<'a>> {
    let offset = |s: &HttpSample| {
        let details = s.details.as_ref().filter(|d| !d.aged)?;
        Some(SignedDuration::from_millis(details.date_offset_ms?))
    };
    let mut voices = Vec::new();
    for t in f
        .window
        .order
        .iter()
        .filter_map(|id| f.window.targets.get(id))
    {
        for (dst, recent) in &t.http {
            let run: Vec<_> = recent.run_of(move |s| offset(s).is_some()).collect();
            let enough = f.thresholds.repeat as usize;
            let newest = run.iter().take(enough).filter_map(|d| offset(&d.value));
            let (Some(last), Some(first), Some(least)) =
                (run.first(), run.last(), newest.min_by_key(|o| o.abs()))
            else {
                continue;
            };
            if run.len() >= enough && t.addresses().contains(&dst.ip()) {
                voices.push(Voice {
                    target: t,
                    addr: dst.ip(),
                    offset: least,
                    last,
                    since: first.at.wall,
                });
            }
        }
    }
    voices
}

/// Certificates that nothing but their dates speaks against.
fn papers(f: &Facts) -> Vec<Paper> {
    let now = f.now.wall;
    let mut papers = Vec::new();
    for t in f
        .window
        .order
        .iter()
        .filter_map(|id| f.window.targets.get(id))
    {
        for (dst, recent) in &t.tls {
            let run: Vec<_> = recent.run_of(|s| s.outcome.ok().is_some()).collect();
            let (Some(last), Some(first)) = (run.first(), run.last()) else {
                continue;
            };
            let Some(session) = last.value.outcome.ok() else {
                continue;
            };
            let dated = |x: &TlsFault| {
                matches!(
                    x,
                    TlsFault::Expired { .. }
                        | TlsFault::NotYetValid { .. }
                        | TlsFault::Clock { .. }
                )
            };
            if run.len() < f.thresholds.repeat as usize || !session.faults.iter().all(dated) {
                continue;
            }
            let paper = |at_least, text| Paper {
                name: last.value.name.clone(),
                addr: dst.ip(),
                at_least,
                text,
                id: last.id,
                since: first.at.wall,
            };
            let day = |at: &Timestamp| crate::model::time::date_time_utc(*at);
            papers.extend(session.faults.iter().filter_map(|x| match x {
                TlsFault::Expired { not_after, .. } => Some(paper(
                    not_after.duration_since(now),
                    format!(
                        "expired at {}, and nothing else is wrong with it",
                        day(not_after)
                    ),
                )),
                TlsFault::NotYetValid { not_before, .. } => Some(paper(
                    not_before.duration_since(now),
                    format!(
                        "is not valid before {}, and nothing else is wrong with it",
                        day(not_before)
                    ),
                )),
                _ => None,
            }));
        }
    }
    papers
}

fn start(one: &Voice<'_>, clock: Clock) -> Build {
    let way = if clock.offset.is_positive() {
        "behind"
    } else {
        "ahead"
    };
    Build::new(
        code::LOCAL_CLOCK_WRONG,
        Severity::Warning,
        &TargetId::local(),
        Location::of(PlaceKind::Local),
        one.since,
    )
    .summary(format!(
        "the clock of this host is {} {way}, two independent sources say; certificates and logs are judged by it",
        human(clock.offset.unsigned_abs())
    ))
    .reproduce(["timedatectl".to_owned(), format!("date -u; curl -sI {} | grep -i '^date'", bare(one))])
}

/// What to ask for the time: the server alone, whatever was asked of it.
fn bare(one: &Voice<'_>) -> String {
    let scheme = if one.last.value.url.as_str().starts_with("https") {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}/", one.last.value.dst)
}

fn said_by(finding: Build, one: &Voice<'_>) -> Build {
    let way = if one.offset.is_positive() {
        "ahead of"
    } else {
        "behind"
    };
    finding.evidence(
        [one.last.id],
        format!(
            "Date of {} is {} {way} this host's clock, without Age",
            one.last.value.dst,
            human(one.offset.unsigned_abs())
        ),
    )
}
