//! Full queues: round-trip times that rise with the load of this host's own interface and fall
//! with it. The load is the one really seen; nothing is sent to make one.

use std::net::IpAddr;

use super::jitter::takes_turns;
use super::place;
use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, name_of, same_prefix};
use crate::diagnose::loss::best_path;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Severity};
use crate::model::local::Traffic;
use crate::model::observation::ObsId;
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt};
use crate::model::window::{PingSeries, TargetWindow};

/// Load below which no queue of today fills, in bits a second; also far above what the probes
/// themselves send.
const LEAST: f64 = 1e6;
/// Share of the greatest load seen up to which an interface counts as idle.
const IDLE: f64 = 0.3;
/// Spans of either sort before they are compared.
const SPANS: usize = 3;
/// Of the spans of either sort so many must be on their side of the middle.
const MOSTLY: f64 = 0.8;

/// Time between two looks at the counters.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Mono,
    to: Mono,
    at: jiff::Timestamp,
    /// Bits a second in the busier direction.
    load: f64,
    /// The same against the speed of the interface, where that is known.
    share: Option<f64>,
}

/// Spans and the round-trip time in each.
struct Timed {
    spans: Vec<(Span, Rtt)>,
    ids: Vec<ObsId>,
}

pub(super) fn judge(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    series: &PingSeries,
) -> Option<Finding> {
    let interface = way_out(f, addr)?;
    let spans = spans(f, &interface);
    let peak = spans.iter().map(|s| s.load).fold(0.0, f64::max);
    if peak < LEAST {
        return None;
    }
    let is_busy = |s: &Span| {
        s.load >= peak * f.thresholds.quality_busy
            || s.share.is_some_and(|x| x >= f.thresholds.quality_busy)
    };
    let part = |test: &dyn Fn(&Span) -> bool| {
        timed(series, spans.iter().filter(|s| test(s)).copied().collect())
    };
    let (idle, busy) = (part(&|s| s.load <= peak * IDLE), part(&is_busy));
    let (low, high) = (middle(&idle.spans)?, middle(&busy.spans)?);
    let rise = Rtt(high.0.saturating_sub(low.0));
    let between = Rtt(low.0 + rise.0 / 2);
    let share = |part: &Timed, test: &dyn Fn(Rtt) -> bool| {
        let good = part.spans.iter().filter(|(_, rtt)| test(*rtt)).count();
        good as f64 / part.spans.len().max(1) as f64
    };
    let goes_along =
        share(&idle, &|r| r < between) >= MOSTLY && share(&busy, &|r| r > between) >= MOSTLY;
    let enough = idle.spans.len().min(busy.spans.len()) >= SPANS;
    let high_enough = rise.duration() >= f.thresholds.latency_step
        && rise.0 as f64 >= low.0 as f64 * f.thresholds.latency_step_share;
    if !enough || !high_enough || !goes_along {
        return None;
    }
    let hops = place::hops(
        t,
        addr,
        |ttl, _| Some((hop(t, addr, ttl, &idle)?, hop(t, addr, ttl, &busy)?)),
        |(low, high)| high.0.saturating_sub(low.0) > rise.0 / 2,
    );
    let mut place = place::link(t, addr, &hops);
    if takes_turns(series) && !hops.iter().any(|h| h.shares) {
        // The clock of a handshake starts before this host's own queue, that of a traceroute's
        // probe behind it: the hops can't tell that queue from one at the target.
        (place.hop, place.address) = (None, None);
    }
    let begins = place.describe();
    let (first, _) = busy.spans.first()?;
    let mean = |part: &Timed| {
        let sum: f64 = part.spans.iter().map(|(s, _)| s.load).sum();
        sum / part.spans.len().max(1) as f64 / 1e6
    };
    let mut b = Build::new(
        code::BUFFERBLOAT,
        Severity::Warning,
        &t.target.id,
        place,
        first.at,
    )
    .which(addr)
    .confidence(if hops.is_empty() { 0.6 } else { 0.8 })
    .summary(format!(
        "RTT to {} rises from {low} to {high} when {interface} is busy: a queue that fills, \
         beginning {begins}",
        name_of(t, addr)
    ))
    .evidence(
        idle.ids.iter().copied(),
        format!(
            "{} spans of {interface} at {:.1} Mbit/s: median {low}",
            idle.spans.len(),
            mean(&idle)
        ),
    )
    .evidence(
        busy.ids.iter().copied(),
        format!(
            "{} spans of {interface} at {:.1} Mbit/s: median {high}",
            busy.spans.len(),
            mean(&busy)
        ),
    );
    for h in &hops {
        let (low, high) = h.numbers;
        b = b.evidence(
            [],
            format!("hop {} ({}): {low} idle, {high} busy", h.ttl, h.addr),
        );
    }
    Some(
        b.reproduce(reproduce::load(interface.as_str(), addr))
            .done(),
    )
}

/// The interface by which an address is reached: the one of its link, else of the default route.
fn way_out(f: &Facts, addr: IpAddr) -> Option<SafeText> {
    let local = &f.window.local.as_ref()?.value;
    let on_link = local.interfaces.iter().find(|i| {
        let mut own = i.addresses.iter();
        own.any(|(a, len)| same_prefix(*a, addr, *len))
    });
    let routes = local.default_routes.iter();
    let default = routes
        .filter(|r| r.v6 == addr.is_ipv6())
        .min_by_key(|r| r.metric);
    let name = on_link.map(|i| &i.name).or(default.map(|r| &r.interface));
    name.cloned()
}

fn spans(f: &Facts, interface: &SafeText) -> Vec<Span> {
    let looks: Vec<_> = f.window.locals.iter().collect();
    let of = |l: &[Traffic]| l.iter().find(|t| t.interface == *interface).cloned();
    looks
        .windows(2)
        .filter_map(|pair| {
            let [a, b] = pair else { return None };
            let (was, is) = (of(&a.value.traffic)?, of(&b.value.traffic)?);
            let seconds = b.at.mono.since(a.at.mono).as_secs_f64();
            // Counters that went back belong to an interface that was made anew.
            let received = is.received.checked_sub(was.received)?;
            let sent = is.sent.checked_sub(was.sent)?;
            let load = received.max(sent) as f64 * 8.0 / seconds;
            (seconds > 0.1).then(|| Span {
                from: a.at.mono,
                to: b.at.mono,
                at: a.at.wall,
                load,
                share: is.speed_mbit.map(|s| load / (f64::from(s) * 1e6)),
            })
        })
        .collect()
}

/// The spans in which pings were sent and answered, each with the median.
fn timed(series: &PingSeries, spans: Vec<Span>) -> Timed {
    let mut all = Timed {
        spans: Vec::new(),
        ids: Vec::new(),
    };
    for span in spans {
        let points = series.since(span.from).filter(|p| p.sent < span.to);
        let mut rtts: Vec<(Rtt, ObsId)> = points.filter_map(|p| Some((p.rtt?, p.id))).collect();
        rtts.sort_unstable();
        if let Some((rtt, id)) = rtts.get(rtts.len() / 2) {
            all.spans.push((span, *rtt));
            all.ids.push(*id);
        }
    }
    all
}

fn middle(spans: &[(Span, Rtt)]) -> Option<Rtt> {
    let mut rtts: Vec<Rtt> = spans.iter().map(|(_, rtt)| *rtt).collect();
    rtts.sort_unstable();
    rtts.get(rtts.len() / 2).copied()
}

/// Median of a hop's answers in these spans.
fn hop(t: &TargetWindow, dst: IpAddr, ttl: u8, part: &Timed) -> Option<Rtt> {
    let within = |at: Mono| part.spans.iter().any(|(s, _)| s.from <= at && at < s.to);
    let rounds = best_path(t, dst)?.kept();
    let rtts = rounds
        .filter(|(_, at, _)| within(at.mono))
        .filter_map(|(_, _, r)| r.hops.iter().find(|h| h.ttl == ttl))
        .filter_map(|h| h.answer.from().map(|(_, rtt)| rtt));
    let mut rtts: Vec<Rtt> = rtts.collect();
    rtts.sort_unstable();
    let half = rtts.get(rtts.len() / 2).copied();
    half.filter(|_| rtts.len() >= SPANS)
}
