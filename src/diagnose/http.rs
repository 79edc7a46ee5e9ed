//! HTTP: the service answers with its own failure, or cuts the connection.

use std::net::SocketAddr;

use super::build::Build;
use super::facts::{Facts, port_of};
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HttpSample, Outcome, Refusal};
use crate::model::window::{Dated, Recent, TargetWindow};

/// Pushes `http-server-error`, `connection-reset` and `http-slow`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.http {
        if !t.addresses().contains(&dst.ip()) || is_unreachable(out, t, dst.ip()) {
            continue;
        }
        out.extend(server_error(f, t, *dst, recent));
        // A handshake that is cut or a path that swallows large packets is told already.
        let told = |which: &[Code], by: &str| {
            out.iter().any(|x| {
                which.contains(&x.code)
                    && x.subject == t.target.id
                    && x.discriminator.as_str() == by
            })
        };
        let tls = [code::CONNECTION_RESET, code::TLS_HANDSHAKE_REFUSED];
        let explained =
            told(&tls, &port_of(*dst)) || told(&[code::PMTU_BLACK_HOLE], &dst.ip().to_string());
        if !explained {
            out.extend(reset(f, t, *dst, recent).or_else(|| unanswered(f, t, *dst, recent)));
        }
    }
}

/// The newest attempt at the port found it open, and after the run of failures began: a RST to
/// the SYN itself is a closed port, and no HTTP.
fn is_open(t: &TargetWindow, dst: SocketAddr, run: &[&Dated<HttpSample>]) -> bool {
    let tcp = t.tcp.get(&dst).and_then(|r| r.last());
    tcp.zip(run.last())
        .is_some_and(|(d, first)| d.value.outcome.ok().is_some() && d.at.mono >= first.at.mono)
}

fn start(
    t: &TargetWindow,
    dst: SocketAddr,
    code: Code,
    run: &[&Dated<HttpSample>],
) -> Option<Build> {
    let (last, first) = (run.first()?, run.last()?);
    // What was only tried on a bare host is not what its users use.
    let severity = if last.value.asked {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let host = t
        .target
        .host()
        .map_or_else(|| dst.ip().to_string(), ToString::to_string);
    Some(
        Build::new(
            code,
            severity,
            &t.target.id,
            Location::at(PlaceKind::Endpoint, dst.ip()),
            first.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.95)
        .reproduce(reproduce::http(last.value.url.as_str(), &host, dst)),
    )
}

fn server_error(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let bad = |s: &HttpSample| {
        s.outcome
            .ok()
            .is_some_and(|r| (500..600).contains(&r.status))
    };
    let run: Vec<_> = recent.run_of(bad).collect();
    let response = run.first()?.value.outcome.ok()?;
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let server = response
        .server
        .as_ref()
        .map_or(String::new(), |s| format!(" (Server: {s})"));
    Some(
        start(t, dst, code::HTTP_SERVER_ERROR, &run)?
            .summary(format!(
                "{} answers HTTP {}{server}",
                run.first()?.value.url,
                response.status
            ))
            .evidence(
                run.iter().map(|d| d.id),
                format!(
                    "{} responses with status {} in a row, {} to the first byte",
                    run.len(),
                    response.status,
                    response.phases.first_byte
                ),
            )
            .done(),
    )
}

fn reset(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let cut = |s: &HttpSample| {
        matches!(
            s.outcome,
            Outcome::Refused {
                why: Refusal::TcpReset,
                ..
            }
        )
    };
    let run: Vec<_> = recent.run_of(cut).collect();
    if run.len() < f.thresholds.repeat as usize || !is_open(t, dst, &run) {
        return None;
    }
    Some(
        start(t, dst, code::CONNECTION_RESET, &run)?
            .summary(format!(
                "{} accepts connections and then resets them",
                run.first()?.value.url
            ))
            .evidence(
                run.iter().map(|d| d.id),
                format!(
                    "{} requests in a row ended by a RST after the handshake",
                    run.len()
                ),
            )
            .done(),
    )
}

/// The connection stands, the request is sent, and no whole response comes.
fn unanswered(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_of(|s| s.asked && matches!(s.outcome, Outcome::Timeout { .. }))
        .collect();
    let last = run.first()?;
    let Outcome::Timeout { after } = &last.value.outcome else {
        return None;
    };
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let finding = start(t, dst, code::HTTP_SLOW, &run)?
        .summary(format!(
            "{} takes the request and gives no whole response within {after}",
            last.value.url
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} requests in a row without a whole response; the time goes by after the connection was made",
                run.len()
            ),
        );
    let mut finding = finding.done();
    finding.severity = Severity::Warning;
    Some(finding)
}
