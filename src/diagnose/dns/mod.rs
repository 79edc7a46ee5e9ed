//! Resolvers: dead, failing, refusing; names that do not exist.
//!
//! A resolver's fault is one finding however many names were asked; a name's fault needs all
//! resolvers that answered to agree.

mod bogus;
mod differ;
mod fails;
mod lame;
mod names;
mod partly;
mod slow;
mod tcp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::build::Build;
use super::facts::Facts;
use super::{reach, reproduce};
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsSample, IcmpError, Outcome, Refusal, ServerRole};
use crate::model::target::TargetId;
use crate::model::thresholds::Thresholds;
use crate::model::time::Mono;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Unanswered questions in a row before a resolver is called down.
const UNANSWERED: usize = 5;
/// The same where its host says that nothing listens.
const TURNED_AWAY: usize = 3;
/// Chance that so many are lost on the way, below which it is the resolver.
const BY_CHANCE: f64 = 1e-4;

/// Time over which those questions must be spread: with many targets several go out at once, and
/// one lost burst is not a dead server.
const UNANSWERED_SPAN: Duration = Duration::from_secs(1);

/// Pushes findings about resolvers and names.
pub fn judge(f: &Facts, out: &mut Vec<Finding>) {
    let servers = by_server(f);
    let configured = || servers.iter().filter(|(_, s)| s.configured);
    let down: BTreeMap<SocketAddr, Vec<&Dated<DnsSample>>> = servers
        .iter()
        .filter_map(|(a, s)| Some((*a, s.unanswered()?)))
        .collect();
    for id in &f.window.order {
        if let Some(t) = f.window.targets.get(id) {
            bogus::judge(f, t, out);
            lame::judge(f, t, out);
        }
    }
    let nobody_left = configured().all(|(a, _)| down.contains_key(a));
    let single = configured().count() == 1;
    for (server, seen) in &servers {
        let only_one = !seen.configured || single || nobody_left;
        if let Some(run) = down.get(server) {
            // Without a way out of this host a silent resolver is a consequence; so is a stub on
            // it that has nobody to ask, but not one that is not there.
            let explained = if server.ip().is_loopback() {
                !is_closed(run) && out.iter().any(is_local_root)
            } else {
                reach::explaining(f, server.ip(), out).is_some()
            };
            if !explained {
                out.push(resolver_down(*server, seen, run, only_one));
            }
            continue;
        }
        // A stub on this host that can't get out says SERVFAIL to everything.
        if server.ip().is_loopback() && out.iter().any(is_local_root) {
            continue;
        }
        out.extend(tcp::judge(f, *server, seen, &servers));
        let slow = slow::judge(f, *server, seen, &servers);
        out.extend(slow.or_else(|| partly::judge(f, *server, seen)));
        for (rcode, which) in [
            ("SERVFAIL", code::RESOLVER_SERVFAIL),
            ("REFUSED", code::RESOLVER_REFUSED),
        ] {
            if let Some(finding) = fails::judge(f, *server, seen, rcode, which, only_one, out) {
                out.push(finding);
            }
        }
    }
    differ::judge(f, out);
    for id in &f.window.order {
        if let Some(t) = f.window.targets.get(id) {
            names::judge(f, t, out);
        }
    }
}

fn is_local_root(x: &Finding) -> bool {
    let root = [
        code::NO_DEFAULT_ROUTE,
        code::GATEWAY_UNREACHABLE,
        code::LOCAL_INTERFACE_DOWN,
    ];
    x.severity == Severity::Critical && root.contains(&x.code)
}

struct Server<'a> {
    configured: bool,
    asked: Vec<(&'a TargetId, &'a DnsKey, &'a Recent<DnsSample>)>,
}

impl<'a> Server<'a> {
    /// The questions asked since the server last answered anything, newest first, if it left
    /// enough of them unanswered to be called down.
    fn unanswered(&self) -> Option<Vec<&'a Dated<DnsSample>>> {
        let all = || self.asked.iter().flat_map(|(_, _, r)| r.iter());
        let answered = all().filter(|d| is_answer(d)).map(|d| d.at.mono).max();
        // By the time of asking: of a burst those that were lost are known last.
        let mut run: Vec<_> = all()
            .filter_map(|d| Some((d.at.mono.minus(waited(d)?), d)))
            .filter(|(asked, _)| answered.is_none_or(|a| *asked >= a))
            .collect();
        run.sort_by_key(|(asked, _)| std::cmp::Reverse(*asked));
        let (last, first) = (run.first()?.0, run.last()?.0);
        let run: Vec<_> = run.into_iter().map(|(_, d)| d).collect();
        let needed = match is_closed(&run) {
            true => TURNED_AWAY,
            false => UNANSWERED.max(self.lost_by_chance(run.len())),
        };
        (run.len() >= needed && last.since(first) >= UNANSWERED_SPAN).then_some(run)
    }

    /// How many questions may be lost in a row without meaning anything, where some were lost
    /// before the newest run of so many.
    fn lost_by_chance(&self, run: usize) -> usize {
        let all = || self.asked.iter().flat_map(|(_, _, r)| r.iter());
        let lost = all().filter(|d| waited(d).is_some()).count() - run;
        let answered = all().filter(|d| is_answer(d)).count();
        if lost == 0 {
            return 0;
        }
        let share = (lost + 1) as f64 / (lost + answered + 2) as f64;
        (BY_CHANCE.ln() / share.ln()).ceil() as usize
    }

    fn subject(&self) -> TargetId {
        let ids: BTreeSet<_> = self.asked.iter().map(|(id, ..)| *id).collect();
        subject_of(&ids)
    }
}

/// Of one target that target, of several this host.
fn subject_of(ids: &BTreeSet<&TargetId>) -> TargetId {
    match (ids.len(), ids.first()) {
        (1, Some(id)) => (*id).clone(),
        _ => TargetId::local(),
    }
}

fn by_server<'a>(f: &Facts<'a>) -> BTreeMap<SocketAddr, Server<'a>> {
    let mut servers: BTreeMap<SocketAddr, Server> = BTreeMap::new();
    for id in &f.window.order {
        let Some(t) = f.window.targets.get(id) else {
            continue;
        };
        for (key, recent) in &t.dns {
            let Some(last) = recent.last() else { continue };
            if !f.is_asked(key.server, last.value.role) {
                continue;
            }
            let s = servers.entry(key.server).or_insert(Server {
                configured: false,
                asked: Vec::new(),
            });
            s.configured |= last.value.role == ServerRole::Configured;
            s.asked.push((id, key, recent));
        }
    }
    servers
}

/// Whether the server said something over UDP; that the rest did not come over TCP is another
/// matter.
fn is_answer(d: &Dated<DnsSample>) -> bool {
    match &d.value.outcome {
        Outcome::Ok(_) => true,
        Outcome::Refused {
            why: Refusal::Protocol(_),
            ..
        } => true,
        Outcome::Refused { .. } | Outcome::Timeout { .. } => d.value.is_cut_off(d.how.method),
        Outcome::CannotTry { .. } => false,
    }
}

/// How long an unanswered question waited.
fn waited(d: &Dated<DnsSample>) -> Option<Duration> {
    match &d.value.outcome {
        _ if is_answer(d) => None,
        Outcome::Timeout { after } | Outcome::Refused { after, .. } => Some(after.duration()),
        _ => None,
    }
}

/// Whether all that was to be learned of a server that answers is known: whether it takes
/// questions over TCP, and whether it is as slow as it seems.
pub fn is_settled(f: &Facts, t: &TargetWindow, server: SocketAddr) -> bool {
    tcp::is_settled(f, server)
        && !tcp::awaits_size(f, t, server)
        && lame::is_settled(t)
        && slow::is_settled(f, t, server)
        && partly::is_settled(f, t, server)
        && differ::is_settled(f, t)
}

/// Whether the servers of the zone that the target's name lies in should be asked, and its name:
/// where the user asks for a name, and where a resolver fails one for another reason than its
/// signatures.
pub fn authorities_wanted(t: &TargetWindow) -> Option<(&str, &str)> {
    lame::wanted(t)
}

/// Resolvers whose answers to this target differ so that the serial of the zone should be asked
/// of them: server, why it is asked, name.
pub fn serials_wanted(t: &TargetWindow, now: Mono) -> Vec<(SocketAddr, ServerRole, String)> {
    differ::doubtful(t, now.minus(Thresholds::default().window))
}

/// Whether a server seems slow to one of these targets, so that the way to it should be measured.
pub fn seems_slow<'a>(
    targets: impl IntoIterator<Item = &'a TargetWindow>,
    server: SocketAddr,
    now: Mono,
) -> bool {
    let limits = Thresholds::default();
    let since = now.minus(limits.window);
    targets
        .into_iter()
        .any(|t| slow::seems(t, server, since, limits.dns_slow))
}

/// A black hole for large packets explains a connection over which no answer comes, and packet loss
/// explains questions that are lost.
pub fn yield_to_the_way(findings: &mut Vec<Finding>) {
    tcp::yield_to_black_holes(findings);
    partly::yield_to_loss(findings);
}

/// The finding that explains why no resolver helps this target, if none does.
pub fn explaining<'a>(f: &Facts, t: &TargetWindow, findings: &'a [Finding]) -> Option<&'a Finding> {
    let mut servers: BTreeMap<SocketAddr, bool> = BTreeMap::new();
    for (key, recent) in &t.dns {
        let Some(last) = recent.last() else { continue };
        if !f.is_asked(key.server, last.value.role) {
            continue;
        }
        let told = last
            .value
            .outcome
            .ok()
            .is_some_and(|a| !matches!(a.rcode.as_str(), "SERVFAIL" | "REFUSED"));
        if told {
            return None;
        }
        let silent = waited(last).is_some();
        *servers.entry(key.server).or_insert(silent) &= silent;
    }
    let mut why = findings
        .iter()
        .find(|x| x.code == code::RESOLVER_CONFIG_BROKEN);
    for (server, silent) in servers {
        let which = server.to_string();
        let own = findings.iter().find(|x| {
            x.discriminator.as_str() == which
                && [
                    code::RESOLVER_DOWN,
                    code::RESOLVER_SERVFAIL,
                    code::RESOLVER_REFUSED,
                    code::RESOLVER_CONFIG_BROKEN,
                    code::DNS_TCP_BLOCKED,
                ]
                .contains(&x.code)
        });
        let way = || {
            let beyond = reach::explaining(f, server.ip(), findings).filter(|_| silent);
            beyond.or_else(|| {
                let root = findings.iter().find(|x| is_local_root(x));
                root.filter(|_| server.ip().is_loopback())
            })
        };
        why = Some(own.or_else(way)?);
    }
    why
}

/// Whether the host of the server says that nothing listens there.
fn is_closed(run: &[&Dated<DnsSample>]) -> bool {
    run.iter().any(|d| {
        matches!(
            d.value.outcome,
            Outcome::Refused {
                why: Refusal::Icmp(IcmpError::PortUnreachable),
                ..
            }
        )
    })
}

fn resolver_down(
    server: SocketAddr,
    seen: &Server,
    run: &[&Dated<DnsSample>],
    only_one: bool,
) -> Finding {
    let closed = is_closed(run);
    let since = run
        .last()
        .map_or(jiff::Timestamp::UNIX_EPOCH, |d| d.at.wall);
    let subject = seen.subject();
    // A closed stub on this very host is a broken configuration, not a dead server elsewhere.
    if closed && server.ip().is_loopback() && seen.configured {
        return Build::new(
            code::RESOLVER_CONFIG_BROKEN,
            Severity::Critical,
            &subject,
            Location::at(PlaceKind::Local, server.ip()),
            since,
        )
        .which(server)
        .confidence(0.97)
        .summary(format!(
            "the configured resolver {server} is a stub on this host, and nothing listens there"
        ))
        .evidence(
            run.iter().map(|d| d.id),
            format!("{} questions answered by port unreachable", run.len()),
        )
        .reproduce([
            "cat /etc/resolv.conf".to_owned(),
            "ss -lun 'sport = :53'".to_owned(),
        ])
        .done();
    }
    let severity = if only_one {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let how = if closed {
        "its port 53 is closed"
    } else {
        "no answer at all"
    };
    let (name, rtype) = run.first().map_or(("", ""), |d| {
        (d.value.name.as_str(), d.value.rtype.as_str())
    });
    let others = if only_one {
        ""
    } else {
        "; another resolver answers"
    };
    Build::new(
        code::RESOLVER_DOWN,
        severity,
        &subject,
        Location::at(PlaceKind::Resolver, server.ip()),
        since,
    )
    .which(server)
    .confidence(0.9)
    .summary(format!(
        "resolver {} is down: {how} to the last {} questions{others}",
        server.ip(),
        run.len()
    ))
    .evidence(
        run.iter().map(|d| d.id),
        format!("0 of the last {} questions answered ({how})", run.len()),
    )
    .reproduce(reproduce::dns(server, name, rtype))
    .done()
}
