//! Every server of a zone, every address of it, UDP and TCP: do they all serve it, and alike?

pub mod judge;

use std::net::{IpAddr, SocketAddr};

use tokio::task::JoinSet;

use super::walk::{self, Cut, End, Walker};
use super::{Options, Transport, ask, name};
use crate::model::observation::{DnsSample, How, Outcome, ServerRole};
use crate::model::text::SafeText;
use crate::probe::local::route_exists;
use crate::probe::resolve::Family;

use judge::Told;

/// Most addresses of one zone's servers.
const MAX_ADDRESSES: usize = 64;
/// Most name servers of one zone.
const MAX_SERVERS: usize = 32;
/// Questions under way at once.
const AT_ONCE: usize = 16;
/// Deepest name whose zone is looked for.
const MAX_LABELS: usize = 32;

/// Samples in the order in which they were taken.
pub type Samples = Vec<(How, DnsSample)>;

/// The servers of a zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its name.
    pub zone: SafeText,
    /// Each server with its addresses, which may be none.
    pub servers: Vec<(SafeText, Vec<IpAddr>)>,
    /// The servers that the parent names, where it was asked.
    pub parent: Option<Vec<SafeText>>,
    /// Port of every server.
    pub port: u16,
}

/// The zone of a name and its servers, as these resolvers know them.
///
/// # Errors
/// In words, what no resolver would say.
pub async fn by_resolver(
    name: &str,
    resolvers: &[SocketAddr],
    family: Family,
    options: &Options,
) -> Result<Zone, String> {
    let zone = zone_of(name, resolvers, options).await?;
    let ns = first_answer(resolvers, &zone, "NS", options).await;
    let names: Vec<String> = ns
        .as_ref()
        .and_then(|s| s.outcome.ok())
        .map(|a| {
            let ns = a.records.iter().filter(|r| r.rtype.as_str() == "NS");
            ns.take(MAX_SERVERS).map(|r| r.data.to_string()).collect()
        })
        .unwrap_or_default();
    if names.is_empty() {
        return Err(format!("no resolver says which servers {zone} has"));
    }
    let mut asking = JoinSet::new();
    for (i, ns) in names.iter().enumerate() {
        let (ns, resolvers, options) = (ns.clone(), resolvers.to_vec(), options.clone());
        asking.spawn(async move { (i, addresses(&ns, &resolvers, family, &options).await) });
    }
    let mut servers: Vec<(SafeText, Vec<IpAddr>)> = names
        .iter()
        .map(|n| (SafeText::capped(n, name::MAX_TEXT), Vec::new()))
        .collect();
    while let Some(done) = asking.join_next().await {
        if let Ok((i, found)) = done
            && let Some(entry) = servers.get_mut(i)
        {
            entry.1 = found;
        }
    }
    Ok(Zone {
        zone: SafeText::capped(&zone, name::MAX_TEXT),
        servers,
        parent: None,
        port: 53,
    })
}

async fn zone_of(
    name: &str,
    resolvers: &[SocketAddr],
    options: &Options,
) -> Result<String, String> {
    let mut at = name.to_owned();
    for _ in 0..MAX_LABELS {
        let Some(sample) = first_answer(resolvers, &at, "SOA", options).await else {
            return Err(format!(
                "none of {} resolvers answers; walk from the root instead: --trace",
                resolvers.len()
            ));
        };
        if let Some(a) = sample.outcome.ok() {
            let own = a
                .records
                .iter()
                .find(|r| r.rtype.as_str() == "SOA" && a.detail.aliases.is_empty());
            let zone = own.map(|r| r.name.to_string()).or_else(|| {
                let n = a.detail.negative.as_ref()?;
                a.detail.aliases.is_empty().then(|| n.zone.to_string())
            });
            if let Some(zone) = zone {
                return Ok(zone);
            }
            if !matches!(a.rcode.as_str(), "NOERROR" | "NXDOMAIN") {
                return Err(format!("{} says {} for {at} SOA", sample.server, a.rcode));
            }
        }
        // An alias leads to another zone's SOA: the name's own zone is one of those above it.
        at = match at.split_once('.') {
            Some((_, rest)) if !rest.is_empty() => rest.to_owned(),
            _ => ".".to_owned(),
        };
    }
    Err(format!("{name} has too many labels"))
}

/// The answer of the first resolver that has one.
async fn first_answer(
    resolvers: &[SocketAddr],
    name: &str,
    rtype: &str,
    options: &Options,
) -> Option<DnsSample> {
    for server in resolvers {
        let (_, sample) = ask(*server, ServerRole::Configured, name, rtype, options).await;
        if sample.outcome.ok().is_some() {
            return Some(sample);
        }
    }
    None
}

async fn addresses(
    name: &str,
    resolvers: &[SocketAddr],
    family: Family,
    options: &Options,
) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for rtype in ["A", "AAAA"] {
        if let Some(s) = first_answer(resolvers, name, rtype, options).await
            && let Some(a) = s.outcome.ok()
        {
            let data = a
                .records
                .iter()
                .filter_map(|r| r.data.as_str().parse().ok());
            found.extend(data.filter(|a| family.admits(*a)));
        }
    }
    found
}

/// The zone of a name and its servers by a walk; the cuts of the walk are given as well.
///
/// # Errors
/// In words, where the walk ended instead.
pub async fn by_walk(name: &str, from: walk::From) -> (Vec<Cut>, Result<Zone, String>) {
    let port = from.port;
    let mut cuts: Vec<Cut> = Vec::new();
    let mut walker = match Walker::new(name, "SOA", from) {
        Ok(w) => w,
        Err(why) => return (cuts, Err(why)),
    };
    while let Some(cut) = walker.step().await {
        // An alias leads on to another zone; the name's own is the one that says so.
        let alias = cut
            .asked
            .iter()
            .any(|a| matches!(a.said, walk::Said::Alias { .. }));
        cuts.push(cut);
        if alias {
            break;
        }
    }
    let zone = match (walker.end(), cuts.last()) {
        (Some(End::Dead { .. } | End::TooLong { .. }), Some(cut)) if cut.ds.is_none() => {
            Err(format!("no server of {} is of use", cut.zone))
        }
        (_, Some(cut)) => Ok(Zone {
            zone: cut.zone.clone(),
            servers: cut
                .servers
                .iter()
                .map(|s| (s.name.clone(), s.addresses.clone()))
                .collect(),
            parent: cut
                .ds
                .is_some()
                .then(|| cut.servers.iter().map(|s| s.name.clone()).collect()),
            port,
        }),
        _ => Err("the walk went nowhere".into()),
    };
    (cuts, zone)
}

/// Asks every address over UDP and TCP for the SOA and for `name` in every type, over UDP also
/// for the servers. Addresses that this host has no route to are left out and returned.
pub async fn ask_all(
    zone: &Zone,
    name: &str,
    types: &[&str],
    options: &Options,
) -> (Vec<Told>, Samples, Vec<IpAddr>) {
    let mut unreachable = Vec::new();
    let mut jobs = Vec::new();
    for (ns, addrs) in &zone.servers {
        for addr in addrs {
            if route_exists(*addr).ok().flatten().is_none() {
                unreachable.push(*addr);
                continue;
            }
            if jobs.len() < 2 * MAX_ADDRESSES {
                let server = SocketAddr::new(*addr, zone.port);
                jobs.push((ns.clone(), server, Transport::Udp));
                jobs.push((ns.clone(), server, Transport::Tcp));
            }
        }
    }
    let mut told: Vec<(usize, (Told, Samples))> = Vec::new();
    let mut asking = JoinSet::new();
    let mut waiting = jobs.into_iter().enumerate();
    loop {
        while asking.len() < AT_ONCE {
            let Some((i, (ns, server, transport))) = waiting.next() else {
                break;
            };
            let options = Options {
                transport,
                recurse: false,
                cd_retry: false,
                ..options.clone()
            };
            let zone = zone.zone.to_string();
            let name = name.to_owned();
            let types: Vec<String> = types.iter().map(|t| (*t).to_owned()).collect();
            asking.spawn(async move {
                (
                    i,
                    ask_server(ns, server, &zone, &name, &types, &options).await,
                )
            });
        }
        match asking.join_next().await {
            Some(Ok(one)) => told.push(one),
            Some(Err(_)) => {}
            None => break,
        }
    }
    told.sort_by_key(|(i, ..)| *i);
    let mut all = Vec::new();
    let mut log = Vec::new();
    for (_, (one, samples)) in told {
        all.push(one);
        log.extend(samples);
    }
    (all, log, unreachable)
}

async fn ask_server(
    ns: SafeText,
    server: SocketAddr,
    zone: &str,
    name: &str,
    types: &[String],
    options: &Options,
) -> (Told, Samples) {
    let role = ServerRole::Authoritative;
    let mut log = Vec::new();
    let (mut how, mut soa) = ask(server, role, zone, "SOA", options).await;
    let udp = matches!(options.transport, Transport::Udp);
    // One datagram may be lost.
    if udp && matches!(soa.outcome, Outcome::Timeout { .. }) {
        (how, soa) = ask(server, role, zone, "SOA", options).await;
    }
    let answers = soa.outcome.ok().is_some();
    log.push((how, soa.clone()));
    let mut told = Told {
        name: ns,
        soa,
        ns: None,
        answers: Vec::new(),
    };
    // Who does not answer that will not answer more, and each question costs the whole wait.
    if !answers {
        return (told, log);
    }
    if udp {
        let (how, sample) = ask(server, role, zone, "NS", options).await;
        log.push((how, sample.clone()));
        told.ns = Some(sample);
    }
    for rtype in types {
        let (how, sample) = ask(server, role, name, rtype, options).await;
        log.push((how, sample.clone()));
        told.answers.push(sample);
    }
    (told, log)
}
