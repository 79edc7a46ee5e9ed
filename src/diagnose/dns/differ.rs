//! Resolvers that answer one question differently, where that matters.
//!
//! Different addresses are mostly no fault: names of content networks have others at every
//! resolver, and sets rotate. What matters: one says that there is no such name, or no address, or
//! the null address of a block list; one has private addresses and another public ones; or one
//! holds an older version of the zone, whose addresses are quite others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::subject_of;
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsAnswer, DnsSample, ServerRole};
use crate::model::target::{TargetId, TargetKind};
use crate::model::time::Mono;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// Time to live from which addresses are not chosen anew for each who asks, in seconds.
const KEPT_LONG: u32 = 3600;

/// What a resolver says, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    NoName,
    NoAddress,
    /// Only addresses that lead nowhere.
    Null,
    Private,
    Public,
    /// Of both kinds: nothing to compare by.
    Mixed,
}

/// A resolver with what it said last about a question.
struct Voice<'a> {
    key: &'a DnsKey,
    role: ServerRole,
    asked: &'a Recent<DnsSample>,
    seen: &'a Dated<DnsSample>,
    answer: &'a DnsAnswer,
    says: Says,
}

/// One resolver that differs, and from whom.
struct Odd<'a> {
    id: &'a TargetId,
    odd: &'a Voice<'a>,
    other: &'a Voice<'a>,
    severity: Severity,
    how: String,
}

/// Pushes `resolvers-disagree`, one for each resolver that differs.
pub(super) fn judge(f: &Facts, out: &mut Vec<Finding>) {
    let all: Vec<(&TargetWindow, Vec<Vec<Voice>>)> = f
        .window
        .order
        .iter()
        .filter_map(|id| f.window.targets.get(id))
        .map(|t| (t, questions(f, t)))
        .collect();
    let mut odd: BTreeMap<SocketAddr, Vec<Odd>> = BTreeMap::new();
    for (t, questions) in &all {
        for voices in questions {
            let elsewhere = elsewhere(&all, voices);
            if let Some(found) = compare(t, voices, &elsewhere) {
                odd.entry(found.odd.key.server).or_default().push(found);
            }
        }
    }
    out.extend(odd.values().filter_map(|found| disagreement(found)));
}

/// Whether a resolver is known to differ about a name that it says does not exist.
pub(super) fn is_said(so_far: &[Finding], server: SocketAddr) -> bool {
    let which = server.to_string();
    so_far
        .iter()
        .any(|x| x.code == code::RESOLVERS_DISAGREE && x.discriminator.as_str() == which)
}

/// Resolvers whose zone serials would tell which of them is behind, and the name to ask for.
pub(super) fn doubtful(t: &TargetWindow, since: Mono) -> Vec<(SocketAddr, ServerRole, String)> {
    let mut found = Vec::new();
    for voices in by_question(t, |_, _| true, since, 1) {
        let differ = voices.iter().any(|a| {
            voices
                .iter()
                .any(|b| a.says != b.says || (is_fixed(a) && is_fixed(b) && are_others(a, b)))
        });
        let named = voices.iter().any(|v| v.role == ServerRole::Named);
        if !differ || named || voices.len() < 2 {
            continue;
        }
        for v in &voices {
            let wanted = (v.key.server, v.role, v.key.name.to_string());
            if !found.contains(&wanted) {
                found.push(wanted);
            }
        }
    }
    found
}

/// Whether serials that are wanted have come, or will not.
pub(super) fn is_settled(f: &Facts, t: &TargetWindow) -> bool {
    let asked = |server: SocketAddr, name: &str| {
        let mut all = t.beside.serials.iter();
        all.any(|(k, r)| k.server == server && k.name.as_str() == name && r.total() > 0)
    };
    doubtful(t, f.horizon())
        .iter()
        .all(|(server, _, name)| asked(*server, name))
}

fn questions<'a>(f: &Facts, t: &'a TargetWindow) -> Vec<Vec<Voice<'a>>> {
    let relevant = |server, role| f.is_asked(server, role);
    by_question(t, relevant, f.horizon(), f.thresholds.repeat as usize)
}

/// The voices to each question of a target. A resolver has one if it said the same so many times
/// in a row.
fn by_question<'a>(
    t: &'a TargetWindow,
    relevant: impl Fn(SocketAddr, ServerRole) -> bool,
    since: Mono,
    repeat: usize,
) -> Vec<Vec<Voice<'a>>> {
    let mut all: BTreeMap<(&str, &str), Vec<Voice>> = BTreeMap::new();
    let by_name = matches!(t.target.kind, TargetKind::Dns { .. });
    for (key, asked) in &t.dns {
        // A single word is completed by the search list before it is looked up.
        let whole = by_name || key.name.as_str().trim_end_matches('.').contains('.');
        let is_address = matches!(key.rtype.as_str(), "A" | "AAAA");
        let role = asked.last().map(|d| d.value.role);
        let Some(role) = role.filter(|r| whole && is_address && relevant(key.server, *r)) else {
            continue;
        };
        let mut answers = asked
            .iter()
            .rev()
            .take_while(|d| d.at.mono >= since && !d.value.liveness_only)
            .filter_map(|d| Some((d, d.value.outcome.ok()?)));
        let Some((seen, answer)) = answers.next() else {
            continue;
        };
        let Some(says) = says(answer) else { continue };
        let more = answers.take_while(|(_, a)| self::says(a) == Some(says));
        if 1 + more.count() >= repeat {
            let question = (key.name.as_str(), key.rtype.as_str());
            all.entry(question).or_default().push(Voice {
                key,
                role,
                asked,
                seen,
                answer,
                says,
            });
        }
    }
    all.into_values().collect()
}

fn says(a: &DnsAnswer) -> Option<Says> {
    let addresses = addresses(a);
    Some(match a.rcode.as_str() {
        "NXDOMAIN" => Says::NoName,
        "NOERROR" if addresses.is_empty() => Says::NoAddress,
        "NOERROR" if addresses.iter().all(is_null) => Says::Null,
        "NOERROR" if addresses.iter().all(is_private) => Says::Private,
        "NOERROR" if !addresses.iter().any(is_private) => Says::Public,
        "NOERROR" => Says::Mixed,
        _ => return None,
    })
}

fn addresses(a: &DnsAnswer) -> BTreeSet<IpAddr> {
    let of_address = a
        .records
        .iter()
        .filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA"));
    of_address
        .filter_map(|r| r.data.as_str().parse().ok())
        .collect()
}

fn is_null(a: &IpAddr) -> bool {
    a.is_unspecified() || a.is_loopback()
}

fn is_private(a: &IpAddr) -> bool {
    match a {
        // RFC 1918, RFC 6598, RFC 3927.
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64;
            a.is_private() || a.is_link_local() || a.is_loopback() || shared
        }
        // RFC 4193, RFC 4291.
        IpAddr::V6(a) => {
            a.segments()[0] & 0xfe00 == 0xfc00
                || a.segments()[0] & 0xffc0 == 0xfe80
                || a.is_loopback()
        }
    }
}

/// What resolvers of other targets say to a question that a named resolver denies.
fn elsewhere<'v, 'a>(
    all: &'v [(&TargetWindow, Vec<Vec<Voice<'a>>>)],
    voices: &[Voice],
) -> Vec<&'v Voice<'a>> {
    let denied = |v: &&Voice| v.role == ServerRole::Named && v.says == Says::NoName;
    let Some(denied) = voices.iter().find(denied) else {
        return Vec::new();
    };
    let others = all.iter().flat_map(|(_, questions)| questions).flatten();
    let same = |v: &&Voice| {
        v.key.name == denied.key.name
            && v.key.rtype == denied.key.rtype
            && !voices.iter().any(|own| own.key.server == v.key.server)
    };
    others.filter(same).collect()
}

fn compare<'v>(
    t: &'v TargetWindow,
    voices: &'v [Voice<'v>],
    elsewhere: &[&'v Voice<'v>],
) -> Option<Odd<'v>> {
    use Says::{Mixed, NoAddress, NoName, Null, Private, Public};
    let all: Vec<&'v Voice<'v>> = voices.iter().chain(elsewhere.iter().copied()).collect();
    let of = |kinds: &[Says]| -> Vec<&'v Voice<'v>> {
        let fitting = all.iter().filter(|v| kinds.contains(&v.says));
        fitting.copied().collect()
    };
    let rtype = voices.first()?.key.rtype.as_str();
    // Who is fewer differs; of as many, who has less to offer.
    let pick = |less: Vec<&'v Voice<'v>>, more: Vec<&'v Voice<'v>>| {
        let (a, b) = (*less.first()?, *more.first()?);
        Some(if less.len() <= more.len() {
            (a, b)
        } else {
            (b, a)
        })
    };
    let cases = [
        (of(&[NoName]), of(&[Null, Private, Public, Mixed])),
        (of(&[Null]), of(&[Private, Public, Mixed])),
        (of(&[NoAddress]), of(&[Private, Public, Mixed])),
        (of(&[Public]), of(&[Private])),
    ];
    for (less, more) in cases {
        let Some((odd, other)) = pick(less, more) else {
            continue;
        };
        // Only resolvers of this target are its trouble.
        if !voices.iter().any(|v| v.key.server == odd.key.server) {
            continue;
        }
        let missing = odd.says == NoAddress || other.says == NoAddress;
        if missing && rtype == "AAAA" && made_up(t, if odd.says == NoAddress { other } else { odd })
        {
            continue;
        }
        let severity = match (odd.role, odd.says) {
            // A resolver that leaves AAAA out makes nobody suffer.
            _ if missing && rtype == "AAAA" => Severity::Info,
            (ServerRole::Named, NoName) => Severity::Critical,
            _ => Severity::Warning,
        };
        let how = how(odd, other).to_owned();
        return Some(Odd {
            id: &t.target.id,
            odd,
            other,
            severity,
            how,
        });
    }
    behind(t, voices)
}

/// In what the one differs from the other.
fn how(odd: &Voice, other: &Voice) -> &'static str {
    match (odd.says, other.says) {
        (Says::NoName, _) => "says that there is no such name",
        (Says::NoAddress, _) => "has no address for it",
        (Says::Null, _) => "answers with an address that leads nowhere",
        (Says::Public, Says::Private) => "has public addresses for it",
        (Says::Private, Says::Public) => "has private addresses for it",
        _ => "resolves it",
    }
}

/// Whether AAAA records are made out of A records (DNS64, RFC 6147): the last 32 bits are those of
/// an address of the other family.
fn made_up(t: &TargetWindow, v: &Voice) -> bool {
    let of_a = t
        .dns
        .iter()
        .filter(|(k, _)| k.name == v.key.name && k.rtype.as_str() == "A")
        .flat_map(|(_, r)| r.iter().filter_map(|d| d.value.outcome.ok()))
        .flat_map(addresses)
        .filter_map(|a| match a {
            IpAddr::V4(a) => Some(u32::from(a)),
            IpAddr::V6(_) => None,
        })
        .collect::<BTreeSet<u32>>();
    let all = addresses(v.answer);
    !all.is_empty()
        && all.iter().all(|a| match a {
            IpAddr::V6(a) => of_a.contains(&((u128::from(*a) & 0xffff_ffff) as u32)),
            IpAddr::V4(_) => false,
        })
}

/// Two resolvers with addresses of their own that never change, of a zone of which one has an
/// older version.
fn behind<'v>(t: &'v TargetWindow, voices: &'v [Voice<'v>]) -> Option<Odd<'v>> {
    for odd in voices {
        for other in voices {
            let (Some(old), Some(new)) = (serial(t, odd), serial(t, other)) else {
                continue;
            };
            // RFC 1982: the newer is ahead by less than half of all numbers.
            let ahead = new.1.wrapping_sub(old.1);
            let older = old.0.eq_ignore_ascii_case(&new.0) && ahead != 0 && ahead < 1 << 31;
            if older && is_fixed(odd) && is_fixed(other) && are_others(odd, other) {
                let how = format!(
                    "has other addresses for it, of an older version of the zone {} (serial {}, elsewhere {})",
                    old.0, old.1, new.1
                );
                return Some(Odd {
                    id: &t.target.id,
                    odd,
                    other,
                    severity: Severity::Warning,
                    how,
                });
            }
        }
    }
    None
}

/// Whether a resolver says the same all the time, and by itself, not by an alias of somebody who
/// chooses addresses for each who asks.
fn is_fixed(v: &Voice) -> bool {
    let mut answers = v.asked.iter().filter_map(|d| d.value.outcome.ok());
    let same = answers.all(|a| addresses(a) == addresses(v.answer));
    let alias = v.answer.records.iter().any(|r| r.rtype.as_str() == "CNAME");
    same && !alias && matches!(v.says, Says::Private | Says::Public)
}

fn are_others(a: &Voice, b: &Voice) -> bool {
    let kept = [a, b]
        .iter()
        .any(|v| v.answer.records.iter().any(|r| r.ttl >= KEPT_LONG));
    let both = [a.says, b.says];
    addresses(a.answer).is_disjoint(&addresses(b.answer))
        && (both == [Says::Private; 2] || both == [Says::Public; 2] && kept)
}

/// Zone and serial by the resolver itself.
fn serial(t: &TargetWindow, v: &Voice) -> Option<(String, u32)> {
    let of_server = |k: &DnsKey| k.server == v.key.server && k.name == v.key.name;
    let (_, asked) = t.beside.serials.iter().find(|(k, _)| of_server(k))?;
    let a = asked.iter().rev().find_map(|d| d.value.outcome.ok())?;
    if let Some(n) = &a.detail.negative {
        return Some((n.zone.to_string(), n.serial));
    }
    let soa = a.records.iter().find(|r| r.rtype.as_str() == "SOA")?;
    let number = soa.data.as_str().split_whitespace().nth(2)?;
    Some((soa.name.to_string(), number.parse().ok()?))
}

fn disagreement(found: &[Odd]) -> Option<Finding> {
    let worst = found.iter().map(|o| o.severity).max()?;
    let first = found.iter().find(|o| o.severity == worst)?;
    let (odd, other) = (first.odd, first.other);
    let subject = subject_of(&found.iter().map(|o| o.id).collect());
    let since = found.iter().map(|o| o.odd.seen.at.wall).min()?;
    let names: BTreeSet<_> = found.iter().map(|o| o.odd.key.name.as_str()).collect();
    let more = match names.len() {
        0 | 1 => String::new(),
        n => format!(" ({n} names in all)"),
    };
    let (server, name, rtype) = (
        odd.key.server,
        odd.key.name.as_str(),
        odd.key.rtype.as_str(),
    );
    let line = |v: &Voice| format!("{} says {}", v.key.server.ip(), words(v));
    let repeated = |v: &Voice| {
        let n = v
            .asked
            .run_of(|s| s.outcome.ok().and_then(says) == Some(v.says));
        n.count()
    };
    let seen = |v: &Voice| format!("{} ({} answers in a row)", line(v), repeated(v));
    Some(
        Build::new(
            code::RESOLVERS_DISAGREE,
            worst,
            &subject,
            Location::at(PlaceKind::Resolver, server.ip()),
            since,
        )
        .which(server)
        .confidence(if first.how.starts_with("has p") {
            0.7
        } else {
            0.85
        })
        .summary(format!(
            "resolvers disagree about {name} {rtype}{more}: {} {}, {}",
            server.ip(),
            first.how,
            line(other)
        ))
        .evidence([odd.seen.id], seen(odd))
        .evidence([other.seen.id], seen(other))
        .reproduce(
            [
                reproduce::dns(server, name, rtype),
                reproduce::dns(other.key.server, name, rtype),
            ]
            .concat(),
        )
        .done(),
    )
}

/// What a resolver says, with its time to live and serial.
fn words(v: &Voice) -> String {
    let a = v.answer;
    let zone = a.detail.negative.as_ref().map_or(String::new(), |n| {
        format!(
            " (zone {}, serial {}, kept {} s)",
            n.zone, n.serial, n.ttl_s
        )
    });
    match v.says {
        Says::NoName => format!("NXDOMAIN{zone}"),
        Says::NoAddress => format!("no {} record{zone}", v.key.rtype),
        _ => {
            let all: Vec<_> = addresses(a)
                .into_iter()
                .take(4)
                .map(|a| a.to_string())
                .collect();
            let ttl = a.records.iter().map(|r| r.ttl).min().unwrap_or(0);
            format!("{} (TTL {ttl} s)", all.join(", "))
        }
    }
}
