//! What this host's C library makes of a name, step by step, and where the steps disagree: hosts
//! file, nsswitch, search list, each resolver, and the library itself.

pub mod plan;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use super::{Options, ask};
use crate::model::observation::{DnsSample, How, Outcome, ServerRole};
use crate::model::text::SafeText;
use crate::probe::resolve::Hosts;

use plan::{Settings, Source};

/// No sane configuration file is longer.
const MAX_BYTES: u64 = 256 * 1024;

/// The files and variables that decide.
#[derive(Clone, Debug)]
pub struct Files {
    /// hosts(5).
    pub hosts: PathBuf,
    /// nsswitch.conf(5).
    pub nsswitch: PathBuf,
    /// resolv.conf(5).
    pub resolv_conf: PathBuf,
    /// `LOCALDOMAIN`.
    pub local_domain: Option<String>,
    /// `RES_OPTIONS`.
    pub res_options: Option<String>,
    /// Name of this host.
    pub host: String,
}

impl Files {
    /// Those of this host and this environment.
    pub fn here(host: &str) -> Self {
        Self {
            hosts: "/etc/hosts".into(),
            nsswitch: "/etc/nsswitch.conf".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            local_domain: std::env::var("LOCALDOMAIN").ok(),
            res_options: std::env::var("RES_OPTIONS").ok(),
            host: host.to_owned(),
        }
    }
}

/// What one resolver says to one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The resolver.
    pub server: SocketAddr,
    /// Addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Response code of the question for IPv4 addresses, or why there is no answer.
    pub said: SafeText,
    /// True if it answered NOERROR or NXDOMAIN, so that no other resolver is asked.
    pub settles: bool,
}

/// One name that is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The name, absolute.
    pub name: SafeText,
    /// What each resolver says.
    pub said: Vec<Said>,
}

impl Candidate {
    /// What the library takes: the first resolver that settles it.
    fn taken(&self) -> Option<&Said> {
        self.said.iter().find(|s| s.settles)
    }
}

/// Everything found.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The `hosts:` line; `None` if there is none, and glibc's default is in force.
    pub nsswitch: Option<Vec<Source>>,
    /// Addresses of the name in the hosts file.
    pub hosts_file: Vec<IpAddr>,
    /// Search list and options.
    pub settings: Settings,
    /// The names tried, in order.
    pub candidates: Vec<Candidate>,
    /// Which source gives the answer by the rules, and what it is.
    pub by_the_rules: Option<(SafeText, Vec<IpAddr>)>,
    /// What the library itself says, or its error.
    pub library: Result<Vec<IpAddr>, SafeText>,
    /// What disagrees, in words.
    pub differences: Vec<SafeText>,
}

/// Explains `name`; `absolute`: it was written with a final dot.
pub async fn explain(
    name: &str,
    absolute: bool,
    resolvers: &[SocketAddr],
    files: &Files,
    options: &Options,
) -> (Explained, Vec<(How, DnsSample)>) {
    let nsswitch = plan::hosts_line(&read(&files.nsswitch));
    let settings = plan::settings(
        &read(&files.resolv_conf),
        files.local_domain.as_deref(),
        files.res_options.as_deref(),
        &files.host,
    );
    let mut hosts_file = Hosts::load(&files.hosts).lookup(name);
    hosts_file.sort_unstable();
    let names = plan::candidates(name, absolute, &settings);
    let (candidates, samples) = ask_candidates(&names, resolvers, options).await;
    let dot = if absolute { "." } else { "" };
    let library = ask_library(format!("{name}{dot}"), options.timeout).await;
    let sources = nsswitch.clone().unwrap_or_else(|| {
        ["files", "dns"]
            .iter()
            .map(|s| Source {
                name: (*s).into(),
                action: None,
            })
            .collect()
    });
    let by_the_rules = by_the_rules(&sources, &hosts_file, &candidates);
    let mut explained = Explained {
        nsswitch,
        hosts_file,
        settings,
        candidates,
        by_the_rules,
        library,
        differences: Vec::new(),
    };
    explained.differences = differences(&explained, &sources);
    (explained, samples)
}

fn read(path: &Path) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    // A file that is not there says nothing.
    let _ = std::fs::File::open(path).and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks every resolver for every name, both families, all at once: at most 8 names, 3 resolvers.
async fn ask_candidates(
    names: &[String],
    resolvers: &[SocketAddr],
    options: &Options,
) -> (Vec<Candidate>, Vec<(How, DnsSample)>) {
    let mut asking = JoinSet::new();
    let mut n = 0usize;
    for name in names {
        for server in resolvers {
            for rtype in ["A", "AAAA"] {
                let (name, server, options) = (name.clone(), *server, options.clone());
                let role = ServerRole::Configured;
                let place = n;
                n += 1;
                asking
                    .spawn(async move { (place, ask(server, role, &name, rtype, &options).await) });
            }
        }
    }
    let mut got = Vec::new();
    while let Some(done) = asking.join_next().await {
        got.extend(done.ok());
    }
    got.sort_by_key(|(place, _)| *place);
    let samples: Vec<(How, DnsSample)> = got.into_iter().map(|(_, s)| s).collect();
    let of = |name: &String, server: &SocketAddr| {
        let mut both = samples
            .iter()
            .map(|(_, s)| s)
            .filter(|s| s.name.as_str() == name && s.server == *server);
        said(*server, both.next(), both.next())
    };
    let candidates = names
        .iter()
        .map(|name| Candidate {
            name: SafeText::capped(name, 1024),
            said: resolvers.iter().map(|server| of(name, server)).collect(),
        })
        .collect();
    (candidates, samples)
}

fn said(server: SocketAddr, v4: Option<&DnsSample>, v6: Option<&DnsSample>) -> Said {
    let mut addresses: Vec<IpAddr> = [v4, v6]
        .into_iter()
        .flatten()
        .filter_map(|s| s.outcome.ok())
        .flat_map(|a| a.records.iter())
        .filter_map(|r| r.data.as_str().parse().ok())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let (words, settles) = match v4.map(|s| &s.outcome) {
        Some(Outcome::Ok(a)) => {
            let settles = matches!(a.rcode.as_str(), "NOERROR" | "NXDOMAIN");
            (a.rcode.clone(), settles)
        }
        Some(Outcome::Timeout { .. }) => ("no answer".into(), false),
        Some(Outcome::Refused { .. }) => ("refused".into(), false),
        _ => ("not asked".into(), false),
    };
    Said {
        server,
        addresses,
        said: words,
        settles,
    }
}

async fn ask_library(name: String, limit: Duration) -> Result<Vec<IpAddr>, SafeText> {
    // getaddrinfo waits as long as its own configuration says; its thread ends by itself.
    let limit = limit.saturating_mul(4).min(Duration::from_secs(30));
    match tokio::time::timeout(limit, tokio::net::lookup_host((name.as_str(), 0))).await {
        Err(_) => Err(SafeText::new(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
        Ok(Err(e)) => Err(SafeText::new(e.to_string())),
        Ok(Ok(found)) => {
            let set: BTreeSet<IpAddr> = found.map(|a| a.ip()).collect();
            Ok(set.into_iter().collect())
        }
    }
}

/// The source that gives the answer if every rule is followed, as far as the probe can follow.
fn by_the_rules(
    sources: &[Source],
    hosts_file: &[IpAddr],
    candidates: &[Candidate],
) -> Option<(SafeText, Vec<IpAddr>)> {
    for source in sources {
        match source.name.as_str() {
            "files" if !hosts_file.is_empty() => {
                return Some(("/etc/hosts".into(), hosts_file.to_vec()));
            }
            "dns" => {
                let found = candidates.iter().find_map(|c| {
                    let s = c.taken().filter(|s| !s.addresses.is_empty())?;
                    Some((c.name.clone(), s.addresses.clone()))
                });
                if let Some((name, addresses)) = found {
                    return Some((SafeText::new(format!("DNS, as {name}")), addresses));
                }
            }
            "files" => {}
            // Whatever an unknown source says, the rules cannot be followed beyond it if its
            // action ends the search.
            _ => continue,
        }
        if source.ends_at_not_found() {
            return None;
        }
    }
    None
}

/// Everything that disagrees, in words.
fn differences(e: &Explained, sources: &[Source]) -> Vec<SafeText> {
    let mut words: Vec<String> = Vec::new();
    let list = |all: &[IpAddr]| {
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        if all.is_empty() {
            "nothing".to_owned()
        } else {
            all.join(" ")
        }
    };
    let dns = e
        .candidates
        .iter()
        .find_map(|c| c.taken().filter(|s| !s.addresses.is_empty()));
    if !e.hosts_file.is_empty() {
        let of_dns = dns.map(|s| s.addresses.as_slice()).unwrap_or_default();
        // A hosts file often lists one family only.
        let same = e.hosts_file.iter().all(|a| of_dns.contains(a));
        // A name that is in the hosts file only is what that file is for.
        if !same && !of_dns.is_empty() {
            words.push(format!(
                "/etc/hosts says {}, DNS says {}",
                list(&e.hosts_file),
                list(of_dns)
            ));
        }
    }
    for c in &e.candidates {
        let answers: Vec<&Said> = c.said.iter().filter(|s| s.settles).collect();
        let split = answers
            .iter()
            .any(|s| answers.first().is_some_and(|f| f.addresses != s.addresses));
        if split {
            let each: Vec<_> = answers
                .iter()
                .map(|s| format!("{} says {}", s.server.ip(), list(&s.addresses)))
                .collect();
            words.push(format!(
                "the resolvers differ on {}: {}",
                c.name,
                each.join(", ")
            ));
        }
    }
    if let Some(s) = e.candidates.first().and_then(|c| c.said.first())
        && s.said.as_str() == "no answer"
    {
        words.push(format!(
            "the first resolver {} does not answer: every look-up waits {} s for it",
            s.server.ip(),
            e.settings.timeout_s
        ));
    }
    let rules = e.by_the_rules.as_ref().map(|(_, a)| a.as_slice());
    match (&e.library, rules) {
        (Ok(found), Some(rules)) if !found.iter().all(|a| rules.contains(a)) => {
            words.push(format!(
                "the C library says {}, by the rules it would be {}",
                list(found),
                list(rules)
            ));
        }
        (Ok(found), None) if !found.is_empty() => words.push(format!(
            "the C library says {}, which neither /etc/hosts nor DNS gives",
            list(found)
        )),
        (Err(why), Some(rules)) => words.push(format!(
            "the C library fails ({why}), by the rules it would be {}",
            list(rules)
        )),
        _ => {}
    }
    if !sources
        .iter()
        .any(|s| s.name.as_str() == "dns" || s.name.as_str() == "resolve")
    {
        words.push("nsswitch.conf does not name dns: DNS is never asked".into());
    }
    words.iter().map(SafeText::new).collect()
}
