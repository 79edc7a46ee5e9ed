//! Certificates and handshakes. All faults of a chain are named, each by its own finding.

use std::net::SocketAddr;

use super::build::Build;
use super::clock::Clock;
use super::facts::{Facts, port_of};
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, Location, PlaceKind, Severity};
use crate::model::observation::{Outcome, Refusal, TlsSample};
use crate::model::time::human;
use crate::model::tls::{TlsFault, TlsSession};
use crate::model::window::{Dated, Recent, TargetWindow};

/// Certificates that live no longer are renewed by machines every few days.
const SHORT_LIVED: std::time::Duration = std::time::Duration::from_secs(7 * 86_400 + 3600);

/// Pushes what is wrong with the chain, or with the handshake.
pub fn judge(f: &Facts, t: &TargetWindow, clock: Option<Clock>, out: &mut Vec<Finding>) {
    for (dst, recent) in &t.tls {
        if !t.addresses().contains(&dst.ip()) || is_unreachable(out, t, dst.ip()) {
            continue;
        }
        let run: Vec<_> = recent
            .run_through(|s| (!s.outcome.is_mute()).then(|| s.outcome.ok().is_some()))
            .collect();
        if let Some(last) = run.first()
            && let Some(session) = last.value.outcome.ok()
        {
            // What was only tried, on a host given by address, has no name to be judged against.
            let judged = last.value.asked || t.target.host().is_some_and(|h| h.name().is_some());
            if judged && run.len() >= f.thresholds.repeat as usize {
                // What is wrong only by this host's clock is not the certificate's fault.
                let real = |x: &&TlsFault| !clock.is_some_and(|c| c.explains(x, f.now.wall));
                for fault in session.faults.iter().filter(real) {
                    // Several servers may share the address: only those that showed the fault.
                    let shown: Vec<_> = run.iter().copied().filter(|d| shows(d, fault)).collect();
                    if shown.len() >= f.thresholds.repeat as usize {
                        out.push(of_fault(f, t, *dst, last, &shown, fault, session));
                    }
                }
                let now = clock.and_then(|c| c.theirs(f.now.wall));
                out.extend(expiring(
                    f,
                    t,
                    *dst,
                    last,
                    session,
                    now.unwrap_or(f.now.wall),
                ));
            }
            if recent.last().is_some_and(|d| !d.value.outcome.is_mute()) {
                continue;
            }
        }
        if recent.last().is_some_and(|d| d.value.asked) {
            out.extend(refused(f, t, *dst, recent));
            out.extend(reset(f, t, *dst, recent));
            out.extend(stalled(f, t, *dst, recent, out));
        }
    }
}

fn shows(d: &Dated<TlsSample>, fault: &TlsFault) -> bool {
    d.value
        .outcome
        .ok()
        .is_some_and(|s| s.faults.contains(fault))
}

/// Of one code the leaf's fault comes first; those of its issuers are told apart.
pub(super) fn which(dst: SocketAddr, index: usize) -> String {
    match index {
        0 => port_of(dst),
        i => format!("{} certificate {i}", port_of(dst)),
    }
}

fn start(
    t: &TargetWindow,
    dst: SocketAddr,
    code: Code,
    last: &Dated<TlsSample>,
    since: jiff::Timestamp,
) -> Build {
    let mut place = Location::at(PlaceKind::Endpoint, dst.ip());
    place.name = Some(last.value.name.clone());
    Build::new(code, Severity::Critical, &t.target.id, place, since)
        .which(port_of(dst))
        .confidence(0.97)
        .reproduce(reproduce::tls(dst, last.value.name.as_str()))
}

fn of_fault(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    last: &Dated<TlsSample>,
    run: &[&Dated<TlsSample>],
    fault: &TlsFault,
    session: &TlsSession,
) -> Finding {
    let since = run.last().map_or(last.at.wall, |d| d.at.wall);
    let who = |i: usize| match (i, session.chain.get(i)) {
        (0, _) => "the certificate".to_owned(),
        (_, Some(c)) => format!("the issuing certificate {}", c.subject),
        (_, None) => "a certificate of the chain".to_owned(),
    };
    let name = &last.value.name;
    let ids: Vec<_> = run.iter().map(|d| d.id).collect();
    let day = |ts: &jiff::Timestamp| crate::model::time::date_time_utc(*ts);
    match fault {
        TlsFault::Expired { index, not_after } => {
            let ago = std::time::Duration::try_from(f.now.wall.duration_since(*not_after)).unwrap_or_default();
            start(t, dst, code::TLS_EXPIRED, last, since)
                .which(which(dst, *index))
                .summary(format!("{} of {name} ({dst}) expired {} ago, at {}", who(*index), human(ago), day(not_after)))
                .evidence(ids, format!("notAfter {} of certificate {index} in the presented chain", day(not_after)))
        }
        TlsFault::NotYetValid { index, not_before } => start(t, dst, code::TLS_NOT_YET_VALID, last, since)
            .which(which(dst, *index))
            .summary(format!("{} of {name} ({dst}) is not valid before {}", who(*index), day(not_before)))
            .evidence(ids, format!("notBefore {} of certificate {index} in the presented chain", day(not_before))),
        TlsFault::NameMismatch { wanted, presented } => {
            let names: Vec<_> = presented.iter().take(5).map(|n| n.as_str()).collect();
            let more = presented.len().saturating_sub(5);
            let list = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            let list = if more > 0 { format!("{list} and {more} more") } else { list };
            start(t, dst, code::TLS_NAME_MISMATCH, last, since)
                .summary(format!("the certificate at {dst} is not for {wanted} but for {list}"))
                .evidence(ids, format!("subjectAltName of the presented leaf: {list}"))
        }
        TlsFault::SelfSigned => start(t, dst, code::TLS_SELF_SIGNED, last, since)
            .summary(format!("the certificate of {name} ({dst}) is signed by itself"))
            .evidence(ids, "issuer and subject of the leaf are equal and it verifies with its own key"),
        TlsFault::UntrustedIssuer { issuer } => start(t, dst, code::TLS_UNTRUSTED_ISSUER, last, since)
            .confidence(0.9)
            .summary(format!("the chain of {name} ({dst}) leads to no trusted root: issuer {issuer} is not known here"))
            .evidence(ids, format!("{} certificates presented; judged against {}", session.chain.len(), session.roots))
            .evidence([], "a private CA that only clients know, or a missing intermediate certificate, look the same; --ca FILE decides the first"),
        TlsFault::ChainIncomplete { index, issuer, why } => start(t, dst, code::TLS_CHAIN_INCOMPLETE, last, since)
            .confidence(0.9)
            .summary(format!("{name} ({dst}) does not send the intermediate {issuer} that issued {}: {why}", who(*index)))
            .evidence(ids, format!("{} certificates presented; judged against {}", session.chain.len(), session.roots))
            .evidence([], "a private root that signs servers directly would look the same; --ca FILE decides it"),
        TlsFault::OldProtocol { version } => start(t, dst, code::TLS_PROTOCOL_OLD, last, since)
            .summary(format!("{name} ({dst}) speaks nothing newer than {version}, which current clients refuse"))
            .evidence(ids, format!("TLS 1.2 and 1.3 were refused, a ClientHello of {version} was answered")),
        TlsFault::OldCiphers { cipher } => start(t, dst, code::TLS_PROTOCOL_OLD, last, since)
            .severity(Severity::Warning)
            .summary(format!("{name} ({dst}) speaks TLS 1.2 with old cipher suites only ({cipher}): current clients refuse, some others still agree"))
            .evidence(ids, format!("the suites of current clients were refused, a ClientHello with old ones was answered with {cipher}")),
        TlsFault::Clock { why } => clock(t, dst, last, since, why).evidence(ids, why.clone()),
        other => start(t, dst, other.finding(), last, since)
            .which(match other.index() {
                Some(i) => which(dst, i),
                None => port_of(dst),
            } + " " + other.code())
            .severity(other.severity())
            .summary(format!("the chain of {name} ({dst}): {}", other.detail()))
            .evidence(ids, other.detail()),
    }
    .done()
}

/// The clock is this host's, wherever it was noticed.
fn clock(
    t: &TargetWindow,
    dst: SocketAddr,
    last: &Dated<TlsSample>,
    since: jiff::Timestamp,
    why: &crate::model::text::SafeText,
) -> Build {
    let place = Location::of(PlaceKind::Local);
    Build::new(
        code::TLS_CLOCK,
        Severity::Warning,
        &t.target.id,
        place,
        since,
    )
    .confidence(0.8)
    .summary(format!("the clock of this host is probably wrong: {why}"))
    .evidence(
        [],
        format!("seen in the certificates of {} ({dst})", last.value.name),
    )
}

fn expiring(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    last: &Dated<TlsSample>,
    session: &TlsSession,
    now: jiff::Timestamp,
) -> Option<Finding> {
    let leaf = session.chain.first()?;
    let left = std::time::Duration::try_from(leaf.not_after.duration_since(now))
        .ok()
        .filter(|d| !d.is_zero())?;
    let life = std::time::Duration::try_from(leaf.not_after.duration_since(leaf.not_before))
        .unwrap_or_default();
    // What lives a week at most is renewed by machines: parts of its life count.
    let (soon, urgent) = if life <= SHORT_LIVED {
        (life / 3, life / 10)
    } else {
        let t = &f.thresholds;
        (t.tls_expiring_warning, t.tls_expiring_critical)
    };
    let severity = match left {
        l if l < urgent => Severity::Critical,
        l if l < soon => Severity::Warning,
        _ => return None,
    };
    let mut place = Location::at(PlaceKind::Endpoint, dst.ip());
    place.name = Some(last.value.name.clone());
    // A short-lived certificate is renewed late by design: judge by its own lifetime too.
    let life =
        std::time::Duration::try_from(leaf.not_after.duration_since(leaf.not_before)).ok()?;
    if left > life / 3 {
        return None;
    }
    Some(
        Build::new(
            code::TLS_EXPIRING,
            severity,
            &t.target.id,
            place,
            last.at.wall,
        )
        .which(port_of(dst))
        .confidence(0.97)
        .summary(format!(
            "the certificate of {} ({dst}) expires in {}",
            last.value.name,
            human(left)
        ))
        .evidence(
            [last.id],
            format!(
                "notAfter {}",
                crate::model::time::date_time_utc(leaf.not_after)
            ),
        )
        .reproduce(reproduce::tls(dst, last.value.name.as_str()))
        .done(),
    )
}

fn refused(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TlsSample>,
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_through(|s| {
            let refused = matches!(
                &s.outcome,
                Outcome::Refused {
                    why: Refusal::Protocol(_),
                    ..
                }
            );
            (!s.outcome.is_mute()).then_some(refused)
        })
        .collect();
    let last = run.first()?;
    let Outcome::Refused {
        why: Refusal::Protocol(words),
        ..
    } = &last.value.outcome
    else {
        return None;
    };
    if run.len() < f.thresholds.repeat as usize {
        return None;
    }
    Some(
        start(
            t,
            dst,
            code::TLS_HANDSHAKE_REFUSED,
            last,
            run.last()?.at.wall,
        )
        .confidence(0.9)
        .summary(format!(
            "the TLS handshake with {} ({dst}) is refused: {words}",
            last.value.name
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} handshakes in a row ended by {words}", run.len()),
        )
        .done(),
    )
}

/// TCP connects, and the handshake is cut by a RST: by the server, or by something on the way
/// that does not like the name.
fn reset(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TlsSample>,
) -> Option<Finding> {
    let cut = |s: &TlsSample| {
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
    let (last, first) = (run.first()?, run.last()?);
    // A RST to the SYN itself is a closed port.
    let open = t
        .tcp
        .get(&dst)
        .and_then(|r| r.last())
        .is_some_and(|d| d.value.outcome.ok().is_some() && d.at.mono >= first.at.mono);
    if run.len() < f.thresholds.repeat as usize || !open {
        return None;
    }
    Some(
        start(t, dst, code::CONNECTION_RESET, last, first.at.wall)
            .confidence(0.9)
            .summary(format!(
                "{} ({dst}) accepts connections and resets them during the TLS handshake",
                last.value.name
            ))
            .evidence(
                run.iter().map(|d| d.id),
                format!("{} TLS handshakes in a row ended by a RST", run.len()),
            )
            .done(),
    )
}

/// TCP connects, the handshake hangs; a path MTU black hole explains it better.
fn stalled(
    f: &Facts,
    t: &TargetWindow,
    dst: SocketAddr,
    recent: &Recent<TlsSample>,
    so_far: &[Finding],
) -> Option<Finding> {
    let run: Vec<_> = recent
        .run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }))
        .collect();
    let last = run.first()?;
    let connects = t
        .tcp
        .get(&dst)
        .and_then(|r| r.last())
        .is_some_and(|d| d.value.outcome.ok().is_some());
    let explained = so_far
        .iter()
        .any(|x| x.code == code::PMTU_BLACK_HOLE && x.subject == t.target.id);
    if !connects || explained || run.len() < f.thresholds.repeat as usize {
        return None;
    }
    Some(
        start(t, dst, code::TLS_HANDSHAKE_STALL, last, run.last()?.at.wall)
            .confidence(0.85)
            .summary(format!(
                "TCP connects to {} ({dst}), then the TLS handshake hangs",
                last.value.name
            ))
            .evidence(
                run.iter().map(|d| d.id),
                format!(
                    "{} handshakes in a row timed out after the connection was made",
                    run.len()
                ),
            )
            .done(),
    )
}
