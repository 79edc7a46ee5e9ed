//! HTTP: the service answers with its own failure, or cuts the connection.

use std::net::SocketAddr;

use super::build::Build;
use super::facts::Facts;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HttpSample, Outcome, Refusal};
use crate::model::window::{Dated, Recent, TargetWindow};

/// Pushes `http-server-error` and `connection-reset`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.http {
        out.extend(server_error(f, t, *dst, recent));
        out.extend(reset(f, t, *dst, recent));
    }
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
        .which(dst)
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
    // A RST to the SYN itself is a closed port; here the port is open.
    let open = t
        .tcp
        .get(&dst)
        .and_then(|r| r.last())
        .is_some_and(|d| d.value.outcome.ok().is_some());
    if run.len() < f.thresholds.repeat as usize || !open {
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
