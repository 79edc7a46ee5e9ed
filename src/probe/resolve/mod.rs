//! Names become addresses, without ever blocking in the C library.
//!
//! The order is the usual one of a server: literal, `/etc/hosts`, then the configured resolvers.
//! `nsswitch.conf`, mDNS and per-link servers of systemd-resolved are not consulted; a local stub
//! that is listed as a resolver is asked like any other. This answers "where do the probes go";
//! what each resolver says for itself is the DNS probe's matter.

mod hosts;
mod lookup;
mod resolv_conf;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use crate::model::local::ResolverConfig;
use crate::model::observation::{How, Method, Outcome, Resolution};
use crate::model::target::Host;
use crate::model::text::SafeText;

pub use hosts::Hosts;
pub use resolv_conf::SystemResolvers;

/// Where static names are kept, hosts(5).
pub const HOSTS_FILE: &str = "/etc/hosts";

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether an address is of this family.
    pub const fn admits(self, addr: IpAddr) -> bool {
        matches!(
            (self, addr),
            (Family::Any, _) | (Family::V4, IpAddr::V4(_)) | (Family::V6, IpAddr::V6(_))
        )
    }
    const fn words(self) -> &'static str {
        match self {
            Family::Any => "",
            Family::V4 => "IPv4 ",
            Family::V6 => "IPv6 ",
        }
    }
}

/// Addresses of `name` in `/etc/hosts`; nothing if the file cannot be read.
pub fn hosts_lookup(name: &str) -> Vec<IpAddr> {
    Hosts::load(Path::new(HOSTS_FILE)).lookup(name)
}

/// Resolves `host` within `timeout`: IPv4 addresses first, then IPv6.
///
/// The outcome is `Refused` if resolvers answered and say no (its words name the rcode and who
/// said it), and `CannotTry` if there is nobody to ask or nobody answered.
pub async fn resolve(
    host: &Host,
    cfg: &ResolverConfig,
    family: Family,
    timeout: Duration,
) -> (How, Resolution) {
    let hosts = Hosts::load(Path::new(HOSTS_FILE));
    resolve_with(host, cfg, &hosts, family, timeout).await
}

/// [`resolve`] with a hosts table of one's own.
pub async fn resolve_with(
    host: &Host,
    cfg: &ResolverConfig,
    hosts: &Hosts,
    family: Family,
    timeout: Duration,
) -> (How, Resolution) {
    let name = match host {
        Host::Addr(addr) => {
            let outcome = of_family(vec![*addr], family, &addr.to_string());
            return done(Method::Literal, &addr.to_string(), outcome);
        }
        Host::Name(name) => name.as_str(),
    };
    if is_localhost(name) {
        let both = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return done(Method::HostsFile, name, of_family(both, family, name));
    }
    let fixed: Vec<IpAddr> = hosts.lookup(name);
    if fixed.iter().any(|a| family.admits(*a)) {
        return done(Method::HostsFile, name, of_family(fixed, family, name));
    }
    let (how, outcome) = lookup::lookup(name, cfg, family, timeout).await;
    (
        how,
        Resolution {
            name: SafeText::new(name),
            outcome,
        },
    )
}

fn done(method: Method, name: &str, outcome: Outcome<Vec<IpAddr>>) -> (How, Resolution) {
    let name = SafeText::new(name);
    (How::best(method), Resolution { name, outcome })
}

/// RFC 6761 6.3: always loopback, never asked of a resolver.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Keeps one family, IPv4 first, each address once.
fn of_family(addrs: Vec<IpAddr>, family: Family, name: &str) -> Outcome<Vec<IpAddr>> {
    let mut kept: Vec<IpAddr> = Vec::new();
    for addr in addrs {
        if family.admits(addr) && !kept.contains(&addr) {
            kept.push(addr);
        }
    }
    kept.sort_by_key(IpAddr::is_ipv6);
    if kept.is_empty() {
        return Outcome::CannotTry {
            need: SafeText::new(format!("an {}address; {name} has none", family.words())),
        };
    }
    Outcome::Ok(kept)
}
