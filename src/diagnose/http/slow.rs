//! Answered, and slowly: the server's own time, without the ways there and back.

use std::net::SocketAddr;
use std::time::Duration;

use crate::diagnose::facts::Facts;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Severity};
use crate::model::observation::{HttpPhases, HttpSample};
use crate::model::thresholds::Thresholds;
use crate::model::time::Rtt;
use crate::model::window::{Dated, Recent, TargetWindow};

/// Slow answers in a row before it is said: the first may have had to wake something up.
const RUN: usize = 3;

/// The time of an exchange that is the server's: all phases but the name's resolution (which is the
/// resolver's), each without the ways there and back that it takes. A satellite link makes everything
/// slow and no server.
fn servers_own(p: HttpPhases) -> Duration {
    let way = p.connect.duration();
    // TLS 1.2 takes two turns; a body of more than the first window of TCP takes a few.
    let phases = [
        (p.proxy, 1),
        (p.tls, 2),
        (p.request, 1),
        (p.first_byte, 1),
        (p.body, 3),
    ];
    let own = phases.map(|(time, turns)| time.duration().saturating_sub(way * turns));
    own.into_iter().sum()
}

/// Whether an exchange was answered, and slowly. One whose SYN was lost waited for that.
fn is_slow(th: &Thresholds, s: &HttpSample) -> bool {
    let lost = s.details.as_ref().is_some_and(|d| d.syn_retransmits > 0);
    let answer = s
        .outcome
        .ok()
        .filter(|r| s.asked && !lost && r.status < 500);
    answer.is_some_and(|r| servers_own(r.phases) >= th.http_slow)
}

/// Whether the newest answers are slow, and too few of them to say so.
pub(in crate::diagnose) fn is_in_doubt(th: &Thresholds, recent: &Recent<HttpSample>) -> bool {
    (1..RUN).contains(&recent.run_of(|s| is_slow(th, s)).count())
}

/// `http-slow`, if so; names the phase.
pub(super) fn judge(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let run: Vec<&Dated<HttpSample>> = recent.run_of(|s| is_slow(f.thresholds, s)).collect();
    if run.len() < RUN {
        return None;
    }
    let mut own: Vec<(Duration, HttpPhases)> = run
        .iter()
        .filter_map(|d| d.value.outcome.ok())
        .map(|r| (servers_own(r.phases), r.phases))
        .collect();
    own.sort_by_key(|(own, _)| *own);
    // That of the exchange in the middle.
    let (time, phases) = *own.get(own.len() / 2)?;
    let parts = phases.parts();
    let (phase, took) = parts
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "name" | "connect"))
        .max_by_key(|(_, time)| *time)?;
    let url = &run.first()?.value.url;
    let time = Rtt::from_duration(time);
    let finding = super::start(t, dst, code::HTTP_SLOW, &run)?
        .confidence(0.9)
        .summary(format!(
            "{url} answers slowly: typically {} in all, {took} of it {}",
            phases.total(),
            meaning(phase)
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} answers in a row, {time} and more of each beside the way there and back ({}); limit {}",
                run.len(),
                phases.connect,
                Rtt::from_duration(f.thresholds.http_slow)
            ),
        );
    let mut finding = finding.done();
    finding.severity = Severity::Warning;
    Some(finding)
}

/// What a phase waits for.
fn meaning(phase: &str) -> String {
    match phase {
        "first byte" => "until the first byte of the response".into(),
        "body" => "for its body".into(),
        "TLS" | "tls" => "for the TLS handshake".into(),
        other => format!("for the phase \"{other}\""),
    }
}
