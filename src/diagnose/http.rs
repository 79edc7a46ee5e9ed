//! HTTP: the service answers with its own failure, or cuts the connection.

pub(super) mod slow;

use std::net::SocketAddr;

use super::backend;
use super::build::Build;
use super::facts::{Facts, port_of};
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::{HttpSample, Outcome, Refusal};
use crate::model::service::RedirectEnd;
use crate::model::target::Target;
use crate::model::text::SafeText;
use crate::model::window::{Dated, Recent, TargetWindow};

/// Pushes `http-server-error`, `http-redirect-loop`, `connection-reset` and `http-slow`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.http {
        if !t.addresses().contains(&dst.ip()) || is_unreachable(out, t, dst.ip()) {
            continue;
        }
        out.extend(redirect_loop(f, t, *dst, recent));
        if backend::explains(out, t, *dst) {
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
        // What is sent again takes its time: loss makes every exchange slow.
        let by_loss = out
            .iter()
            .any(|x| x.code == code::PACKET_LOSS && x.subject == t.target.id);
        let hangs = out.iter().any(|x| {
            x.code == code::HTTP_SLOW
                && x.subject == t.target.id
                && x.discriminator.as_str() == port_of(*dst)
                && x.location.address == Some(dst.ip())
        });
        if !explained && !by_loss && !hangs {
            out.extend(slow::judge(f, t, *dst, recent));
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

/// A finding about a run of exchanges, with the command that makes the last one again.
fn start(
    t: &TargetWindow,
    dst: SocketAddr,
    code: Code,
    run: &[&Dated<HttpSample>],
) -> Option<Build> {
    let url = run.first()?.value.url.as_str();
    let again = reproduce::http(url, &host_of(t, dst), dst);
    Some(bare(t, dst, code, run)?.reproduce(again))
}

fn bare(
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
    Some(
        Build::new(
            code,
            severity,
            &t.target.id,
            Location::at(PlaceKind::Endpoint, dst.ip()),
            first.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.95),
    )
}

/// The host as it was asked for.
pub(super) fn host_of(t: &TargetWindow, dst: SocketAddr) -> String {
    t.target
        .host()
        .map_or_else(|| dst.ip().to_string(), ToString::to_string)
}

fn server_error(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_through(|s| {
            let bad = |(status, _): (u16, _)| (500..600).contains(&status);
            (!s.outcome.is_mute()).then(|| s.final_status().is_some_and(bad))
        })
        .collect();
    let response = run.first()?.value.outcome.ok()?;
    let (status, url) = run.first()?.value.final_status()?;
    let asked = &run.first()?.value.url;
    let led = match url == asked {
        true => String::new(),
        false => format!(", where {asked} redirects to"),
    };
    // Right after good ones it may be one backend of several: the next few say which.
    let first = run.last()?.at.mono;
    let before = recent.iter().rev().filter(|d| d.at.mono < first);
    let well = before
        .take(f.thresholds.share_well as usize)
        .any(|d| d.value.served() == Some(true));
    let enough = f.thresholds.repeat * if well { 2 } else { 1 };
    if run.len() < enough as usize {
        return None;
    }
    let server = response
        .server
        .as_ref()
        .map_or(String::new(), |s| format!(" (Server: {s})"));
    Some(
        start(t, dst, code::HTTP_SERVER_ERROR, &run)?
            .summary(format!("{url} answers HTTP {status}{server}{led}"))
            .evidence(
                run.iter().map(|d| d.id),
                format!(
                    "{} responses with status {status} in a row, {} to the first byte",
                    run.len(),
                    response.phases.first_byte
                ),
            )
            .done(),
    )
}

/// Redirects that lead back to where they came from. A loop that hands out a cookie may let go of
/// a client that keeps it, so it is only said to be likely.
fn redirect_loop(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<HttpSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_through(|s| (!s.outcome.is_mute()).then(|| members(s).is_some()))
        .collect();
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    let last = &run.first()?.value;
    let redirects = last.details.as_ref()?.redirects.as_ref()?;
    let RedirectEnd::Loop { cookies, .. } = redirects.end else {
        return None;
    };
    let all = members(last)?;
    let way = match all {
        [one] => format!("{one} redirects to itself"),
        [first, ..] => {
            let way: Vec<_> = all.iter().map(|u| u.as_str()).collect();
            format!("{} -> {first}", way.join(" -> "))
        }
        [] => return None,
    };
    let host = host_of(t, dst);
    let mut ports: Vec<u16> = Vec::new();
    for url in &redirects.urls {
        let target = Target::parse(url.as_str()).ok();
        let port = target.and_then(|t| t.tcp_port());
        ports.extend(port.filter(|p| !ports.contains(p)));
    }
    let but = if cookies {
        ", but sets a cookie on the way, which the probe does not keep: a browser may get through"
    } else {
        ""
    };
    let mut finding = bare(t, dst, code::HTTP_REDIRECT_LOOP, &run)?
        .summary(format!("{} redirects in a circle{but}: {way}", last.url))
        .evidence(
            run.iter().map(|d| d.id),
            format!(
                "{} requests in a row were led back to a URL asked before, within {} hops",
                run.len(),
                redirects.urls.len()
            ),
        )
        .reproduce(reproduce::redirects(
            last.url.as_str(),
            &host,
            dst.ip(),
            &ports,
        ));
    if cookies {
        finding = finding.confidence(0.5);
    }
    let mut finding = finding.done();
    if cookies {
        finding.severity = Severity::Warning;
    }
    Some(finding)
}

fn members(s: &HttpSample) -> Option<&[SafeText]> {
    s.details.as_ref()?.redirects.as_ref()?.members()
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
    let run: Vec<_> = recent
        .run_through(|s| (!s.outcome.is_mute()).then(|| cut(s)))
        .collect();
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
