//! What a stretch of time measured of a target.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::compare::{Figures, Measure, Middle};
use crate::model::observation::{DnsSample, HttpPhases, HttpSample, Outcome};
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt};
use crate::model::window::{Dated, PingKey, PingSeries, TargetWindow};

/// Of what was sent this shortly before the end of a stretch only the answers are known yet, not
/// the losses: none of it is counted.
const PING_SETTLES: Duration = Duration::from_millis(2500);
/// The same of a service.
const SERVICE_SETTLES: Duration = Duration::from_secs(4);

/// From when to when. What began before, or had not ended, belongs to no side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From.
    pub from: Mono,
    /// To.
    pub to: Mono,
}

impl Stretch {
    fn holds(self, begun: Mono, settles: Duration) -> bool {
        begun >= self.from && begun < self.to.minus(settles)
    }
}

/// One thing that was tried: when it began, and its time if it worked.
type Try = (Mono, Option<Rtt>);

/// All measures of a target over a stretch. Where figures of another stretch are given, the same
/// way of pinging is looked for.
pub fn figures(t: &TargetWindow, stretch: Stretch, like: &[Figures]) -> Vec<Figures> {
    let mut out = Vec::new();
    let wanted = like.iter().find(|f| f.measure == Measure::Ping);
    if let Some((key, series)) = series(t, stretch, wanted.map(|f| &f.how)) {
        let points = series.points();
        let points = points.filter(|p| stretch.holds(p.sent, PING_SETTLES));
        let mut pings = of(t, Measure::Ping, way(key), points.map(|p| p.rtt));
        if key.1.answers_are_rationed() {
            pings.failed = None;
        }
        out.push(pings);
    }
    let mut servers: BTreeMap<String, Vec<Try>> = BTreeMap::new();
    for (key, recent) in t.dns.iter().filter(|(_, r)| r.total() > 0) {
        let server = match key.server.port() {
            53 => key.server.ip().to_string(),
            _ => key.server.to_string(),
        };
        let tries = recent.iter().filter_map(question);
        servers.entry(server).or_default().extend(tries);
    }
    for (server, tries) in servers {
        let within = tries
            .into_iter()
            .filter(|(begun, _)| stretch.holds(*begun, SERVICE_SETTLES));
        let server = SafeText::new(server);
        let times = within.map(|(_, time)| time);
        out.push(of(t, Measure::Dns(server.clone()), server, times));
    }
    http(t, stretch, &mut out);
    out.retain(|f| f.asked > 0);
    out
}

fn http(t: &TargetWindow, stretch: Stretch, out: &mut Vec<Figures>) {
    let asked = t.http.values().flat_map(|r| r.iter());
    let within: Vec<&Dated<HttpSample>> = asked
        .filter(|d| d.value.asked && !matches!(d.value.outcome, Outcome::CannotTry { .. }))
        .filter(|d| {
            stretch.holds(
                begun(d.at.mono, &d.value.outcome, total(d)),
                SERVICE_SETTLES,
            )
        })
        .collect();
    let Some(last) = within.last() else { return };
    let way = SafeText::new(last.value.dst.to_string());
    let all = within.iter().map(|d| total(d).filter(|_| served(&d.value)));
    out.push(of(t, Measure::Http, way.clone(), all));
    let well = within.iter().filter(|d| served(&d.value));
    let phases: Vec<_> = well
        .filter_map(|d| d.value.outcome.ok().map(|r| r.phases.parts()))
        .collect();
    for (n, (name, _)) in HttpPhases::default().parts().iter().enumerate() {
        let times = phases.iter().map(|p| p.get(n).map(|(_, time)| *time));
        let phase = of(t, Measure::Phase(SafeText::new(*name)), way.clone(), times);
        if phase.time.is_some_and(|m| m.mid > Rtt(0)) {
            out.push(phase);
        }
    }
}

fn total(d: &Dated<HttpSample>) -> Option<Rtt> {
    d.value.outcome.ok().map(|r| r.phases.total())
}

/// Whether an exchange gave its user what was asked for.
fn served(sample: &HttpSample) -> bool {
    sample.outcome.ok().is_some_and(|r| r.status < 500)
}

/// A question to a DNS server; `None` for one that could not be asked.
fn question(d: &Dated<DnsSample>) -> Option<Try> {
    let s = &d.value;
    if matches!(s.outcome, Outcome::CannotTry { .. }) {
        return None;
    }
    let answer = s.outcome.ok();
    let time = answer.map(|a| a.rtt);
    // A name that does not exist is an answer as good as any.
    let good = |rcode: &str| s.liveness_only || matches!(rcode, "NOERROR" | "NXDOMAIN");
    Some((
        begun(d.at.mono, &s.outcome, time),
        answer.filter(|a| good(a.rcode.as_str())).map(|a| a.rtt),
    ))
}

/// When an attempt began whose end is known.
fn begun<T>(ended: Mono, outcome: &Outcome<T>, took: Option<Rtt>) -> Mono {
    let took = match outcome {
        Outcome::Ok(_) => took.unwrap_or_default(),
        Outcome::Refused { after, .. } | Outcome::Timeout { after } => *after,
        Outcome::CannotTry { .. } => Rtt::default(),
    };
    ended.minus(took.duration())
}

/// The series that was looked at before, if it goes on; else the one to judge by.
fn series<'a>(
    t: &'a TargetWindow,
    stretch: Stretch,
    wanted: Option<&SafeText>,
) -> Option<(&'a PingKey, &'a PingSeries)> {
    let goes_on = |s: &PingSeries| s.points().any(|p| stretch.holds(p.sent, PING_SETTLES));
    let all = t.pings.iter().map(|(key, s)| (key, s.as_ref()));
    let same = all
        .filter(|(key, _)| wanted.is_some_and(|w| *w == way(key)))
        .find(|(key, s)| goes_on(s) && t.addresses().contains(&key.0));
    same.or_else(|| t.best_ping())
}

/// `10.0.5.2 by ICMP raw`.
fn way((addr, method, port): &PingKey) -> SafeText {
    let to = match port {
        Some(port) => std::net::SocketAddr::new(*addr, *port).to_string(),
        None => addr.to_string(),
    };
    SafeText::new(format!("{to} by {}", method.label()))
}

fn of(
    t: &TargetWindow,
    measure: Measure,
    how: SafeText,
    times: impl Iterator<Item = Option<Rtt>>,
) -> Figures {
    let times: Vec<Option<Rtt>> = times.collect();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Figures {
        target: t.target.id.clone(),
        measure,
        how,
        asked: count(times.len()),
        failed: Some(count(times.iter().filter(|x| x.is_none()).count())),
        time: Middle::of(times.into_iter().flatten()),
    }
}
