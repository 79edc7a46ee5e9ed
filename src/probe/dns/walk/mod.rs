//! The walk down the delegations, asking servers ourselves as a resolver would: from the root
//! servers, or from a server that the user names.
//!
//! Every step is bounded: a referral counts only if it leads further down, aliases and look-ups of
//! name servers have limits, and one walk asks at most [`MAX_QUESTIONS`] questions.

mod hints;
mod judge;
mod read;
mod types;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use hickory_proto::rr::Name;
use tokio::task::JoinSet;

use super::authority::addresses_of;
use super::{Options, Transport, ask, name};
use crate::model::observation::{DnsSample, How, Outcome, ServerRole};
use crate::model::service::DnssecFault;
use crate::model::text::SafeText;
use crate::probe::local::route_exists;
use crate::probe::resolve::Family;

use judge::{key_faults, lame, no_address, shown, too_many};
use read::{MAX_SERVERS, Referral};
pub use types::{AddressFrom, Asked, Cut, CutFault, Ds, End, NameServer, Said};

/// Most questions of one walk, its look-ups of name servers included.
pub const MAX_QUESTIONS: u32 = 300;
/// Most aliases followed from one name to the next.
const MAX_ALIASES: usize = 8;
/// How deep the look-up of a name server may need look-ups of others.
const MAX_DEPTH: usize = 4;
/// A delegation of up to this many addresses is asked as a whole, so that one lame server shows.
const WHOLE: usize = 8;
/// Most addresses tried, one after the other, of a larger one.
const MAX_TRIES: usize = 6;

/// Where a walk begins and how it asks.
#[derive(Clone, Debug)]
pub struct From {
    /// The servers of the first zone; `None`: the root servers.
    pub start: Option<(String, IpAddr)>,
    /// Port of every server.
    pub port: u16,
    /// Families to use.
    pub family: Family,
    /// Limit, way out; recursion is never asked for.
    pub options: Options,
    /// Whether keys are compared with the parent's DS records.
    pub keys: bool,
}

/// A zone to begin at, with its servers.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its name.
    pub name: Name,
    /// Names and addresses of its servers.
    pub servers: Vec<(String, Vec<IpAddr>)>,
}

/// A zone and whom to ask about it.
#[derive(Clone, Debug)]
struct Delegation {
    zone: Name,
    servers: Vec<NameServer>,
    ds: Option<Vec<Ds>>,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walker {
    from: From,
    qname: Name,
    rtype: String,
    at: Delegation,
    aliases: usize,
    left: u32,
    /// Who looks up name servers; `None`: a walk of its own does.
    resolver: Option<SocketAddr>,
    /// Addresses of name servers looked up; empty: there are none.
    known: HashMap<String, Vec<IpAddr>>,
    log: Vec<(How, DnsSample)>,
    end: Option<End>,
}

impl Walker {
    /// Begins a walk to `name` and `rtype`.
    ///
    /// # Errors
    /// If the name cannot be one.
    pub fn new(name: &str, rtype: &str, mut from: From) -> Result<Self, String> {
        from.options.recurse = false;
        from.options.dnssec = true;
        from.options.sections = true;
        from.options.cd_retry = false;
        Ok(Self {
            qname: name::parse(name)?,
            rtype: rtype.to_owned(),
            at: top(&from),
            from,
            aliases: 0,
            left: MAX_QUESTIONS,
            resolver: None,
            known: HashMap::new(),
            log: Vec::new(),
            end: None,
        })
    }

    /// Begins one further down, where nothing above may be within reach: at a zone whose servers
    /// are known, with a resolver to look up others.
    ///
    /// # Errors
    /// If the name cannot be one.
    pub fn below(
        zone: &Zone,
        resolver: SocketAddr,
        name: &str,
        rtype: &str,
        from: From,
    ) -> Result<Self, String> {
        let mut walker = Self::new(name, rtype, from)?;
        walker.at = Delegation {
            zone: zone.name.clone(),
            servers: known(&zone.servers),
            ds: None,
        };
        walker.resolver = Some(resolver);
        Ok(walker)
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Samples since the last call, look-ups of name servers included.
    pub fn samples(&mut self) -> Vec<(How, DnsSample)> {
        std::mem::take(&mut self.log)
    }

    /// Goes one zone further down; `None` once it has ended.
    pub async fn step(&mut self) -> Option<Cut> {
        if self.end.is_some() {
            return None;
        }
        let at = self.at.clone();
        let qname = self.qname.clone();
        let rtype = self.rtype.clone();
        let mut faults: Vec<CutFault> = no_address(&at.servers);
        let (asked, best) = self.ask_zone(&at, &qname, &rtype, true).await;
        faults.extend(lame(&asked));
        if let Some((_, sample)) = &best {
            faults.extend(self.compare(&at, sample).await);
        }
        let cut = Cut {
            name: shown(&qname),
            zone: shown(&at.zone),
            servers: at.servers.clone(),
            ds: at.ds.clone(),
            asked,
            faults,
        };
        match best {
            Some((said, sample)) => self.go_on(&at, &said, &sample).await,
            None if self.left == 0 => self.end = Some(too_many()),
            None => {
                self.end = Some(End::Dead {
                    zone: shown(&at.zone),
                })
            }
        }
        Some(cut)
    }

    async fn go_on(&mut self, at: &Delegation, said: &Said, sample: &DnsSample) {
        self.end = match said {
            Said::Answer => Some(End::Answer),
            Said::NoData => Some(End::NoData),
            Said::NoName => Some(End::NoName),
            Said::Alias { to } => {
                self.aliases += 1;
                match name::parse(to.as_str()) {
                    Ok(to) if self.aliases <= MAX_ALIASES => {
                        self.qname = to;
                        self.at = top(&self.from);
                        None
                    }
                    _ => Some(End::TooLong {
                        why: SafeText::new(format!("more than {MAX_ALIASES} aliases")),
                    }),
                }
            }
            _ => {
                let answer = sample.outcome.ok();
                match answer.and_then(|a| read::referral(a, &at.zone, &self.qname)) {
                    Some(referral) => {
                        self.at = self.delegation(referral, 0).await;
                        None
                    }
                    None => Some(End::Dead {
                        zone: shown(&at.zone),
                    }),
                }
            }
        };
    }

    /// Asks the servers of a zone. Returns what each said and the first that is of use.
    async fn ask_zone(
        &mut self,
        at: &Delegation,
        qname: &Name,
        rtype: &str,
        whole: bool,
    ) -> (Vec<Asked>, Option<(Said, DnsSample)>) {
        let mut targets: Vec<(SafeText, SocketAddr)> = Vec::new();
        for s in &at.servers {
            let usable = s.addresses.iter().filter(|a| self.admits(**a));
            targets.extend(usable.map(|a| (s.name.clone(), SocketAddr::new(*a, self.from.port))));
        }
        let at_once = if whole && targets.len() <= WHOLE {
            targets.len()
        } else {
            targets.truncate(MAX_TRIES);
            1
        };
        let mut asked = Vec::new();
        let mut best = None;
        for group in targets.chunks(at_once.max(1)) {
            for (server, (how, sample)) in self.ask_group(group, qname, rtype).await {
                let said = read::said(&sample, &at.zone, qname);
                asked.push(Asked {
                    name: server,
                    server: sample.server,
                    method: how.method,
                    rtt_ms: sample.outcome.ok().map(|a| a.rtt.as_ms()),
                    said: said.clone(),
                });
                self.log.push((how, sample.clone()));
                if best.is_none() && said.is_use() {
                    best = Some((said, sample));
                }
            }
            if best.is_some() {
                break;
            }
        }
        (asked, best)
    }

    /// Asks these at the same time, a silent one twice. Those beyond the budget are left out.
    async fn ask_group(
        &mut self,
        group: &[(SafeText, SocketAddr)],
        qname: &Name,
        rtype: &str,
    ) -> Vec<(SafeText, (How, DnsSample))> {
        let mut tasks = JoinSet::new();
        for (i, (_, server)) in group.iter().enumerate() {
            let Some(left) = self.left.checked_sub(1) else {
                break;
            };
            self.left = left;
            let (server, name) = (*server, name::print(qname));
            let (rtype, options) = (rtype.to_owned(), self.from.options.clone());
            tasks.spawn(async move { (i, twice(server, &name, &rtype, &options).await) });
        }
        let mut got: Vec<_> = Vec::new();
        while let Some(done) = tasks.join_next().await {
            got.extend(done.ok());
        }
        got.sort_by_key(|(i, _)| *i);
        got.into_iter()
            .filter_map(|(i, answer)| Some((group.get(i)?.0.clone(), answer)))
            .collect()
    }

    fn admits(&self, addr: IpAddr) -> bool {
        let family = match self.from.options.source.addr {
            Some(source) if source.is_ipv6() != addr.is_ipv6() => false,
            _ => self.from.family.admits(addr),
        };
        // Without a route there is nothing to learn about the server.
        family && route_exists(addr).ok().flatten().is_some()
    }

    /// A referral with addresses for every name server that has any.
    async fn delegation(&mut self, r: Referral, depth: usize) -> Delegation {
        let mut servers: Vec<NameServer> = r
            .servers
            .iter()
            .map(|(ns, glue)| NameServer {
                name: shown(ns),
                addresses: glue.clone(),
                from: if glue.is_empty() {
                    AddressFrom::Nowhere
                } else {
                    AddressFrom::Glue
                },
                needs_glue: name::is_within(ns, &r.zone),
            })
            .collect();
        let enough = servers.iter().any(|s| !s.addresses.is_empty());
        // With glue for some, a look-up inside another look-up can do without the rest.
        if !(enough && depth > 0) {
            for (s, (ns, _)) in servers.iter_mut().zip(&r.servers) {
                if s.addresses.is_empty() && !s.needs_glue {
                    s.addresses = self.look_up(ns, depth + 1).await;
                    if !s.addresses.is_empty() {
                        s.from = AddressFrom::LookedUp;
                    }
                }
            }
        }
        Delegation {
            zone: r.zone,
            servers,
            ds: Some(r.ds),
        }
    }

    /// Addresses of a name server by a walk of its own.
    fn look_up<'w>(
        &'w mut self,
        ns: &'w Name,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'w>> {
        Box::pin(async move {
            let key = name::print(ns).to_ascii_lowercase();
            if let Some(known) = self.known.get(&key) {
                return known.clone();
            }
            // While it is being looked up it counts as not to be found, which ends every circle.
            self.known.insert(key.clone(), Vec::new());
            let mut found = Vec::new();
            if let Some(resolver) = self.resolver {
                found = addresses_of(resolver, &key, &self.from.options).await;
                found.retain(|a| self.from.family.admits(*a));
                self.known.insert(key, found.clone());
                return found;
            }
            for (rtype, v6) in [("A", false), ("AAAA", true)] {
                let wanted = match self.from.family {
                    Family::Any => true,
                    Family::V4 => !v6,
                    Family::V6 => v6,
                };
                if wanted {
                    found.extend(self.descend(ns, rtype, depth).await);
                }
            }
            found.truncate(read::MAX_ADDRESSES);
            self.known.insert(key, found.clone());
            found
        })
    }

    /// A walk that is only interested in addresses.
    async fn descend(&mut self, ns: &Name, rtype: &str, depth: usize) -> Vec<IpAddr> {
        if depth > MAX_DEPTH {
            return Vec::new();
        }
        let mut at = top(&self.from);
        // A name has at most 127 labels and each referral is at least one further down.
        for _ in 0..128 {
            let (_, best) = self.ask_zone(&at, ns, rtype, false).await;
            let Some((said, sample)) = best else {
                return Vec::new();
            };
            let Some(answer) = sample.outcome.ok() else {
                return Vec::new();
            };
            match said {
                Said::Answer => {
                    let data = answer.records.iter();
                    return data.filter_map(|r| r.data.as_str().parse().ok()).collect();
                }
                Said::Referral { .. } => match read::referral(answer, &at.zone, ns) {
                    Some(r) => at = self.delegation(r, depth).await,
                    None => return Vec::new(),
                },
                _ => return Vec::new(),
            }
        }
        Vec::new()
    }

    /// Compares what the parent says of a zone with what the zone says of itself.
    async fn compare(&mut self, at: &Delegation, sample: &DnsSample) -> Vec<CutFault> {
        let mut faults = Vec::new();
        // Of the first zone no parent was seen.
        let Some(ds) = &at.ds else {
            return faults;
        };
        let zone = name::print(&at.zone);
        if let Some(s) = self.ask_one(sample.server, &zone, "NS").await
            && let Some(a) = s.outcome.ok().filter(|a| a.aa)
        {
            let own = read::own_servers(a, &at.zone);
            let parent: Vec<Name> = at
                .servers
                .iter()
                .filter_map(|s| name::parse(s.name.as_str()).ok())
                .collect();
            let parent_only = read::missing(&parent, &own);
            let zone_only = read::missing(&own, &parent);
            let differ = !parent_only.is_empty() || !zone_only.is_empty();
            if differ && !own.is_empty() {
                faults.push(CutFault::NsMismatch {
                    parent_only,
                    zone_only,
                });
            }
        }
        let mut dnssec = sample.security.faults.clone();
        if self.from.keys && !ds.is_empty() {
            let keys = self.ask_one(sample.server, &zone, "DNSKEY").await;
            dnssec.extend(
                keys.map(|s| key_faults(&at.zone, ds, &s))
                    .unwrap_or_default(),
            );
            let unsigned = sample
                .outcome
                .ok()
                .is_some_and(|a| a.aa && a.detail.signatures.is_empty());
            if unsigned {
                let zone = shown(&at.zone);
                dnssec.push(DnssecFault::SignatureMissing { zone });
            }
        }
        faults.extend(dnssec.into_iter().map(|fault| CutFault::Dnssec { fault }));
        faults
    }

    async fn ask_one(&mut self, server: SocketAddr, name: &str, rtype: &str) -> Option<DnsSample> {
        self.left = self.left.checked_sub(1)?;
        let (how, sample) = twice(server, name, rtype, &self.from.options).await;
        self.log.push((how, sample.clone()));
        Some(sample)
    }
}

/// Asks; a server that is silent is asked once more, because one packet may be lost.
async fn twice(server: SocketAddr, name: &str, rtype: &str, options: &Options) -> (How, DnsSample) {
    let role = ServerRole::Authoritative;
    let first = ask(server, role, name, rtype, options).await;
    let silent = matches!(first.1.outcome, Outcome::Timeout { .. });
    if silent && matches!(options.transport, Transport::Udp) {
        return ask(server, role, name, rtype, options).await;
    }
    first
}

fn top(from: &From) -> Delegation {
    let servers = match &from.start {
        Some((name, addr)) => vec![(name.clone(), vec![*addr])],
        None => hints::roots(),
    };
    Delegation {
        zone: Name::root(),
        servers: known(&servers),
        ds: None,
    }
}

fn known(servers: &[(String, Vec<IpAddr>)]) -> Vec<NameServer> {
    let each = servers.iter().take(MAX_SERVERS);
    each.map(|(name, addresses)| NameServer {
        name: SafeText::capped(name, name::MAX_TEXT),
        addresses: addresses.clone(),
        from: AddressFrom::Start,
        needs_glue: false,
    })
    .collect()
}
