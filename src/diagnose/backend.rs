//! Some requests fail while others succeed: a server behind the address, or one address of several,
//! is down and still gets its share.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::build::Build;
use super::facts::{Facts, port_of};
use super::http::host_of;
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HttpSample, Outcome};
use crate::model::thresholds::Thresholds;
use crate::model::window::{Dated, Recent, TargetWindow};

/// Header fields by which a backend or what stands before it gives its name.
const NAMING: [&str; 5] = [
    "via",
    "x-served-by",
    "x-backend",
    "x-backend-server",
    "x-upstream",
];
/// Where something is settled soon, more requests than this are not waited for.
pub const ENOUGH: u32 = 12;

/// Pushes `backend-down`; before the rules of single responses, which leave to it what it explains.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.http {
        if !t.addresses().contains(&dst.ip()) || is_unreachable(out, t, dst.ip()) {
            continue;
        }
        out.extend(share(f, t, *dst, recent).or_else(|| one_address(f, t, *dst, recent)));
    }
}

/// Whether the failures of an address are explained by this.
pub fn explains(out: &[Finding], t: &TargetWindow, dst: SocketAddr) -> bool {
    out.iter().any(|x| {
        x.code == code::BACKEND_DOWN
            && x.subject == t.target.id
            && x.location.address == Some(dst.ip())
            && x.discriminator.as_str() == port_of(dst)
    })
}

/// Whether some requests failed and others did not, and it is not clear yet what that is.
pub fn undecided(recent: &Recent<HttpSample>, limits: &Thresholds) -> bool {
    let mix = Mix::of(recent, limits);
    recent.total() < ENOUGH && !mix.good.is_empty() && !mix.bad.is_empty() && !mix.is_share()
}

/// Exchanges that went one way or the other since the service last was steady, newest first.
#[derive(Default)]
struct Mix<'a> {
    good: Vec<&'a Dated<HttpSample>>,
    bad: Vec<&'a Dated<HttpSample>>,
    /// Stretches of failures with a success between them.
    failures: u32,
    /// The newest are all of a kind, so many that the other kind is over.
    settled: bool,
}

impl<'a> Mix<'a> {
    fn of(recent: &'a Recent<HttpSample>, limits: &Thresholds) -> Self {
        let mut mix = Self::default();
        let mut run = (None, 0);
        for d in recent.iter().rev().take(limits.share_window as usize) {
            let Some(served) = d.value.served() else {
                continue;
            };
            let newest = mix.good.is_empty() || mix.bad.is_empty();
            if run.0 != Some(served) {
                mix.failures += u32::from(!served);
                run = (Some(served), 0);
            }
            run.1 += 1;
            let enough = if served {
                limits.share_well
            } else {
                limits.share_lost
            };
            let steady = run.1 >= enough;
            if steady && newest {
                mix.settled = true;
                return mix;
            }
            if steady && served {
                // What was before that long good time is another story.
                break;
            }
            if served {
                mix.good.push(d);
            } else {
                mix.bad.push(d);
            }
        }
        mix
    }

    /// Failure, success, failure: neither the begin nor the end of an outage, and not one failure.
    fn is_share(&self) -> bool {
        !self.settled && self.failures >= 2 && self.good.len() >= 2
    }
}

/// One address that answers some requests well and others not.
fn share(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let mix = Mix::of(recent, f.thresholds);
    // A RST to the SYN itself is a closed port, and no backend.
    let open = t.tcp.get(&dst).and_then(Recent::last);
    let open = open.is_none_or(|d| d.value.outcome.ok().is_some());
    if !mix.is_share() || !open {
        return None;
    }
    let all = mix.good.len() + mix.bad.len();
    let url = &mix.bad.first()?.value.url;
    let counts = format!(
        "{} of {all} requests {}, {} {}",
        mix.bad.len(),
        told(&mix.bad),
        mix.good.len(),
        told(&mix.good)
    );
    let finding = start(t, dst, &mix.bad)?
        .summary(format!(
            "a backend behind {url} ({dst}) is down and still gets requests: {counts}"
        ))
        .evidence(mix.bad.iter().map(|d| d.id), counts)
        .evidence(
            mix.good.iter().map(|d| d.id),
            format!(
                "{} times requests failed after others had succeeded or before they did, so it is no outage of the whole service",
                mix.failures
            ),
        )
        .reproduce(reproduce::http_often(url.as_str(), &host_of(t, dst), dst));
    Some(named(finding, &mix.bad, &mix.good).done())
}

/// One address of several that fails every request, while another one serves them.
fn one_address(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let repeat = f.thresholds.repeat as usize;
    let bad: Vec<_> = recent.run_of(|s| is_broken(t, dst, s)).collect();
    let begun = bad.last()?.at.mono;
    if bad.len() < repeat {
        return None;
    }
    let others = t.http.iter().filter(|(a, _)| {
        a.port() == dst.port() && a.ip() != dst.ip() && t.addresses().contains(&a.ip())
    });
    let (other, good) = others
        .map(|(a, r)| {
            (
                a,
                r.run_of(|s| s.served() == Some(true)).collect::<Vec<_>>(),
            )
        })
        // Good at the same time, not before.
        .filter(|(_, good)| good.first().is_some_and(|d| d.at.mono >= begun))
        .find(|(_, good)| good.len() >= repeat)?;
    let url = &bad.first()?.value.url;
    let finding = start(t, dst, &bad)?
        .summary(format!(
            "{dst}, one of {} addresses of {url}, fails its requests ({}), while {} serves them",
            t.addresses().len(),
            told(&bad),
            other.ip()
        ))
        .evidence(
            bad.iter().map(|d| d.id),
            format!("{0} of {0} requests to {dst} {1}", bad.len(), told(&bad)),
        )
        .evidence(
            good.iter().map(|d| d.id),
            format!(
                "{0} of {0} requests to {other} {1}",
                good.len(),
                told(&good)
            ),
        )
        .reproduce(reproduce::http(url.as_str(), &host_of(t, dst), dst));
    Some(named(finding, &bad, &good).done())
}

/// Connected, and then any failure that is the server's own.
fn is_broken(t: &TargetWindow, dst: SocketAddr, s: &HttpSample) -> bool {
    let open = || {
        t.tcp
            .get(&dst)
            .and_then(Recent::last)
            .is_some_and(|d| d.value.outcome.ok().is_some())
    };
    match &s.outcome {
        Outcome::Ok(r) => (500..600).contains(&r.status),
        Outcome::Timeout { .. } => s.asked && open(),
        Outcome::Refused { .. } => s.served() == Some(false) && open(),
        Outcome::CannotTry { .. } => false,
    }
}

fn start(t: &TargetWindow, dst: SocketAddr, bad: &[&Dated<HttpSample>]) -> Option<Build> {
    Some(
        Build::new(
            code::BACKEND_DOWN,
            Severity::Warning,
            &t.target.id,
            Location::at(PlaceKind::Backend, dst.ip()),
            bad.last()?.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.95),
    )
}

/// What came of them, the most frequent first: `answered 502` or `answered 502 (3), cut by a RST (1)`.
fn told(exchanges: &[&Dated<HttpSample>]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for d in exchanges {
        let kind = match &d.value.outcome {
            Outcome::Ok(r) => format!("answered {}", r.status),
            Outcome::Timeout { .. } => "got no whole response".to_owned(),
            Outcome::Refused { .. } | Outcome::CannotTry { .. } => "were cut by a RST".to_owned(),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    match kinds.as_slice() {
        [(one, _)] => one.clone(),
        all => {
            let parts: Vec<_> = all.iter().map(|(k, n)| format!("{k} ({n})")).collect();
            parts.join(", ")
        }
    }
}

/// Who says so, where failures and successes have other words for themselves.
fn named(finding: Build, bad: &[&Dated<HttpSample>], good: &[&Dated<HttpSample>]) -> Build {
    let (of_bad, of_good) = (names(bad), names(good));
    if of_bad == of_good {
        return finding;
    }
    let said = |names: &[String]| match names {
        [] => "no name".to_owned(),
        all => all.join(", "),
    };
    finding.evidence(
        [],
        format!(
            "failures come from {}; successes from {}",
            said(&of_bad),
            said(&of_good)
        ),
    )
}

fn names(exchanges: &[&Dated<HttpSample>]) -> Vec<String> {
    let mut names = Vec::new();
    for d in exchanges {
        let server = d.value.outcome.ok().and_then(|r| r.server.as_ref());
        let headers = d.value.details.iter().flat_map(|d| &d.headers);
        let telling = headers.filter(|(n, _)| {
            NAMING
                .iter()
                .any(|known| n.as_str().eq_ignore_ascii_case(known))
        });
        let all = server
            .map(|s| format!("Server: {s}"))
            .into_iter()
            .chain(telling.map(|(n, v)| format!("{n}: {v}")));
        for name in all {
            if names.len() < 6 && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    names
}
