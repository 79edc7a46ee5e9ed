//! Look-up of a name at the configured resolvers, all of them at once.
//!
//! The first resolver that has addresses wins; NXDOMAIN counts only if no resolver says
//! otherwise. Nothing is cached.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::rr::{Name, RData, RecordType};
use tokio::task::JoinSet;

use crate::model::local::ResolverConfig;
use crate::model::observation::{How, Method, Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::dns::{self, Wire};

use super::Family;

/// How long the other family may still take once one has addresses ("happy eyeballs" waits much
/// the same): a resolver that drops AAAA questions must not cost the whole timeout.
const GRACE: Duration = Duration::from_millis(400);
/// Most addresses kept.
const MAX_ADDRS: usize = 64;

/// What one resolver said to one question.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Addrs(Vec<IpAddr>),
    NoData,
    NoName,
    /// Another rcode, or a refusal below DNS.
    No(String),
    Silence,
}

struct Told {
    server: SocketAddr,
    v6: bool,
    method: Method,
    said: Said,
}

/// Resolves by the search list where the name has no dot, else as it is.
pub(super) async fn lookup(
    name: &str,
    cfg: &ResolverConfig,
    family: Family,
    timeout: Duration,
) -> (How, Outcome<Vec<IpAddr>>) {
    let started = Instant::now();
    if cfg.servers.is_empty() {
        let need = match &cfg.problem {
            Some(p) => format!("a resolver for {name}: {p}"),
            None => format!("a resolver for {name}: none is configured"),
        };
        return cannot(need);
    }
    let mut last = None;
    for candidate in candidates(name, cfg) {
        let Ok(qname) = dns::name::parse(&candidate) else {
            continue;
        };
        let left = timeout.saturating_sub(started.elapsed());
        let told = ask_all(&qname, cfg, family, left).await;
        let (how, outcome) = verdict(&candidate, &told, cfg, family, started);
        let go_on = matches!(outcome, Outcome::Refused { .. });
        last = Some((how, outcome));
        if !go_on {
            break;
        }
    }
    last.unwrap_or_else(|| cannot(format!("a valid name instead of '{name}'")))
}

fn cannot(need: String) -> (How, Outcome<Vec<IpAddr>>) {
    let need = SafeText::new(need);
    (How::best(Method::DnsUdp), Outcome::CannotTry { need })
}

/// The names to try: a name without a dot gets the search list first and itself last.
fn candidates(name: &str, cfg: &ResolverConfig) -> Vec<String> {
    let mut all = Vec::new();
    if !name.contains('.') {
        all.extend(cfg.search.iter().map(|d| format!("{name}.{d}")));
    }
    all.push(name.to_owned());
    all
}

/// Asks every server for every family wanted; returns early once nothing better can come.
async fn ask_all(qname: &Name, cfg: &ResolverConfig, family: Family, limit: Duration) -> Vec<Told> {
    let mut asking = JoinSet::new();
    for server in &cfg.servers {
        for v6 in [false, true] {
            let wanted = match family {
                Family::Any => true,
                Family::V4 => !v6,
                Family::V6 => v6,
            };
            if wanted {
                asking.spawn(ask_one(*server, qname.clone(), v6, limit));
            }
        }
    }
    let mut told: Vec<Told> = Vec::new();
    let mut deadline = tokio::time::Instant::now() + limit;
    while let Ok(Some(next)) = tokio::time::timeout_at(deadline, asking.join_next()).await {
        let Ok(one) = next else { continue };
        if matches!(one.said, Said::Addrs(_)) && !has_addrs(&told) {
            deadline = deadline.min(tokio::time::Instant::now() + GRACE);
        }
        told.push(one);
        if settled(&told, family) {
            break;
        }
    }
    told
}

fn has_addrs(told: &[Told]) -> bool {
    told.iter().any(|t| matches!(t.said, Said::Addrs(_)))
}

/// True once each family has addresses, or a server that has addresses of the other family says
/// that there are none of this.
fn settled(told: &[Told], family: Family) -> bool {
    let found = |v6: bool| {
        told.iter()
            .any(|t| t.v6 == v6 && matches!(t.said, Said::Addrs(_)))
    };
    let denied = |v6: bool| {
        told.iter().any(|t| {
            t.v6 == v6
                && matches!(t.said, Said::NoData)
                && told
                    .iter()
                    .any(|o| o.server == t.server && o.v6 != v6 && matches!(o.said, Said::Addrs(_)))
        })
    };
    match family {
        Family::V4 => found(false),
        Family::V6 => found(true),
        Family::Any => [false, true].iter().all(|f| found(*f) || denied(*f)),
    }
}

/// One question to one server; a second copy goes out after a third of the time, because one
/// lost packet must not make a name unresolvable.
async fn ask_one(server: SocketAddr, qname: Name, v6: bool, limit: Duration) -> Told {
    let rtype = if v6 { RecordType::AAAA } else { RecordType::A };
    let whole = dns::Options::within(limit);
    let rest = dns::Options::within(limit - limit / 3);
    let first = dns::ask_wire(server, qname.clone(), rtype, &whole);
    let second = async {
        tokio::time::sleep(limit / 3).await;
        dns::ask_wire(server, qname.clone(), rtype, &rest).await
    };
    let (how, wire) = tokio::select! {
        got = first => got,
        got = second => got,
    };
    Told {
        server,
        v6,
        method: how.method,
        said: said(&wire, &qname, v6),
    }
}

fn said(wire: &Wire, qname: &Name, v6: bool) -> Said {
    let reply = match wire {
        Wire::Answer { reply, .. } => reply,
        Wire::Failed { failure, .. } => return failed(failure),
    };
    let m = &reply.message;
    match u16::from(m.metadata.response_code) {
        0 => {}
        3 => return Said::NoName,
        _ => return Said::No(dns::rcode(m)),
    }
    let end = match dns::end_of_chain(m, qname) {
        Ok(end) => end,
        Err(why) => return Said::No(why),
    };
    let addrs: Vec<IpAddr> = m
        .answers
        .iter()
        .filter(|r| dns::name::same(&r.name, end))
        .filter_map(|r| match &r.data {
            RData::A(a) if !v6 => Some(IpAddr::V4(a.0)),
            RData::AAAA(a) if v6 => Some(IpAddr::V6(a.0)),
            _ => None,
        })
        .take(MAX_ADDRS)
        .collect();
    if addrs.is_empty() {
        return Said::NoData;
    }
    Said::Addrs(addrs)
}

fn failed(failure: &dns::Failure) -> Said {
    match failure {
        dns::Failure::Silence => Said::Silence,
        dns::Failure::NoSocket(why) => Said::No(why.clone()),
        dns::Failure::Refused { why, .. } => Said::No(match why {
            Refusal::Icmp(icmp) => icmp.label(),
            Refusal::TcpReset => "connection refused".to_owned(),
            Refusal::Kernel(w) | Refusal::Protocol(w) => w.to_string(),
        }),
    }
}

fn verdict(
    name: &str,
    told: &[Told],
    cfg: &ResolverConfig,
    family: Family,
    started: Instant,
) -> (How, Outcome<Vec<IpAddr>>) {
    let after = Rtt::from_duration(started.elapsed());
    let mut addrs: Vec<IpAddr> = Vec::new();
    let mut method = Method::DnsUdp;
    for v6 in [false, true] {
        let first = told.iter().find_map(|t| match &t.said {
            Said::Addrs(a) if t.v6 == v6 => Some((t.method, a)),
            _ => None,
        });
        if let Some((m, found)) = first {
            method = if m == Method::DnsTcp { m } else { method };
            addrs.extend(found);
        }
    }
    let how = How::best(method);
    if !addrs.is_empty() {
        return (how, Outcome::Ok(addrs));
    }
    (how, refusal(name, told, cfg, family, after))
}

/// Why there are no addresses, the most telling reason first.
fn refusal(
    name: &str,
    told: &[Told],
    cfg: &ResolverConfig,
    family: Family,
    after: Rtt,
) -> Outcome<Vec<IpAddr>> {
    let by = |want: fn(&Said) -> bool| -> Vec<SocketAddr> {
        let mut servers: Vec<SocketAddr> = Vec::new();
        for t in told.iter().filter(|t| want(&t.said)) {
            if !servers.contains(&t.server) {
                servers.push(t.server);
            }
        }
        servers
    };
    let no_data = by(|s| matches!(s, Said::NoData));
    let no_name = by(|s| matches!(s, Said::NoName));
    let protocol = |who: &[SocketAddr], words: String| Outcome::Refused {
        by: who.first().map(SocketAddr::ip),
        why: Refusal::Protocol(SafeText::new(words)),
        after,
    };
    if !no_data.is_empty() {
        let words = format!(
            "{name} exists but has no {}address (NOERROR without data from {})",
            family.words(),
            list(&no_data)
        );
        return protocol(&no_data, words);
    }
    if !no_name.is_empty() {
        return protocol(
            &no_name,
            format!("NXDOMAIN for {name} from {}", list(&no_name)),
        );
    }
    let mut reasons: Vec<String> = Vec::new();
    for t in told {
        if let Said::No(why) = &t.said {
            let one = format!("{}: {why}", short(t.server));
            if !reasons.contains(&one) {
                reasons.push(one);
            }
        }
    }
    let answered = by(|s| matches!(s, Said::No(_)));
    for silent in cfg.servers.iter().filter(|s| !answered.contains(s)) {
        reasons.push(format!("{}: no answer within {after}", short(*silent)));
    }
    let reasons = reasons.join("; ");
    if !answered.is_empty() {
        return protocol(&answered, format!("{name} is not resolved; {reasons}"));
    }
    Outcome::CannotTry {
        need: SafeText::new(format!(
            "an answer for {name}: none of {} resolvers answered; {reasons}",
            cfg.servers.len()
        )),
    }
}

fn short(server: SocketAddr) -> String {
    if server.port() == 53 {
        server.ip().to_string()
    } else {
        server.to_string()
    }
}

fn list(servers: &[SocketAddr]) -> String {
    let shown: Vec<String> = servers.iter().map(|s| short(*s)).collect();
    shown.join(", ")
}
