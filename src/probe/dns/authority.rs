//! The servers of the zone that a name lies in, asked themselves: from the zone above, whose
//! servers a resolver of this host names, so that neither the root nor anything else beyond the
//! own network is needed.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::Name;

use super::walk::{From, Said, Walker, Zone};
use super::{Options, ask, name};
use crate::model::observation::{DnsSample, How, ServerRole};
use crate::model::service::Delegated;
use crate::probe::resolve::Family;

/// Most name servers of the zone above that are looked up.
const MOST_SERVERS: usize = 4;
/// Most zones from there down.
const MOST_STEPS: usize = 4;

/// Asks the servers of the zone of `name`, without recursion, and those of the zone above which
/// delegate to them. Each sample says of which zone the server is and whether it serves it
/// ([`Delegated`]). Empty where no resolver names any.
pub async fn ask_authorities(
    name: &str,
    rtype: &str,
    resolvers: &[SocketAddr],
    family: Family,
    options: &Options,
) -> Vec<(How, DnsSample)> {
    let Ok(qname) = name::parse(name) else {
        return Vec::new();
    };
    for resolver in resolvers {
        let Some(start) = above(*resolver, &qname, options).await else {
            continue;
        };
        let from = From {
            start: None,
            port: 53,
            family,
            options: options.clone(),
            keys: false,
        };
        if let Ok(walker) = Walker::below(&start, *resolver, name, rtype, from) {
            return walked(walker, rtype).await;
        }
    }
    Vec::new()
}

async fn walked(mut walker: Walker, rtype: &str) -> Vec<(How, DnsSample)> {
    let mut all = Vec::new();
    for _ in 0..MOST_STEPS {
        let Some(cut) = walker.step().await else {
            break;
        };
        let aliased = cut
            .asked
            .iter()
            .any(|a| matches!(a.said, Said::Alias { .. }));
        for (how, mut sample) in walker.samples() {
            let fits = sample.name == cut.name && sample.rtype.as_str() == rtype;
            let asked = cut.asked.iter().find(|a| a.server == sample.server);
            let Some(asked) = asked.filter(|_| fits) else {
                continue;
            };
            let lame = match &asked.said {
                Said::Lame { why } => Some(why.clone()),
                _ => None,
            };
            sample.asked.delegated = Some(Box::new(Delegated {
                zone: cut.zone.clone(),
                server: asked.name.clone(),
                lame,
            }));
            all.push((how, sample));
        }
        if aliased {
            break;
        }
    }
    all
}

/// The zone above that of the name, or that of the name where the resolver knows none above.
async fn above(resolver: SocketAddr, qname: &Name, options: &Options) -> Option<Zone> {
    let ask_resolver = Options {
        recurse: true,
        cd: true,
        cd_retry: false,
        sections: true,
        ..options.clone()
    };
    let mut found: Option<(Name, Vec<Name>)> = None;
    let mut failed = false;
    let mut at = qname.clone();
    loop {
        let (said, servers) = servers_of(resolver, &at, &ask_resolver).await;
        failed |= said == Heard::Failed;
        if !servers.is_empty() {
            let own = found.replace((at.clone(), servers)).is_none();
            // The first one is the zone of the name, unless the zone of the name can't be had.
            if !own || failed {
                break;
            }
        }
        if at.is_root() {
            break;
        }
        at = at.base_name();
    }
    let (zone, servers) = found?;
    let mut known = Vec::new();
    for ns in servers.iter().take(MOST_SERVERS) {
        let shown = name::print(ns);
        let addresses = addresses_of(resolver, &shown, &ask_resolver).await;
        known.push((shown, addresses));
    }
    Some(Zone {
        name: zone,
        servers: known,
    })
}

#[derive(PartialEq)]
enum Heard {
    Something,
    Failed,
}

async fn servers_of(resolver: SocketAddr, zone: &Name, options: &Options) -> (Heard, Vec<Name>) {
    let shown = name::print(zone);
    let (_, s) = ask(resolver, ServerRole::Configured, &shown, "NS", options).await;
    let Some(a) = s.outcome.ok() else {
        return (Heard::Failed, Vec::new());
    };
    let heard = match a.rcode.as_str() {
        "NOERROR" | "NXDOMAIN" => Heard::Something,
        _ => Heard::Failed,
    };
    let own = a.records.iter().filter(|r| {
        let owner = name::parse(r.name.as_str());
        r.rtype.as_str() == "NS" && owner.is_ok_and(|o| name::same(&o, zone))
    });
    let names = own.filter_map(|r| name::parse(r.data.as_str()).ok());
    (heard, names.collect())
}

/// Addresses of a name server by a resolver.
pub(super) async fn addresses_of(resolver: SocketAddr, ns: &str, options: &Options) -> Vec<IpAddr> {
    let options = Options {
        recurse: true,
        cd_retry: false,
        ..options.clone()
    };
    let mut found = Vec::new();
    for rtype in ["A", "AAAA"] {
        let (_, s) = ask(resolver, ServerRole::Configured, ns, rtype, &options).await;
        let records = s.outcome.ok().map(|a| a.records.as_slice());
        let data = records.unwrap_or_default().iter();
        found.extend(data.filter_map(|r| r.data.as_str().parse::<IpAddr>().ok()));
    }
    found.truncate(8);
    found
}
