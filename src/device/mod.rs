//! Pollers of devices: SNMP v2c and HTTP health URLs become observations.
//!
//! What is polled comes in as a [`Device`], and how names become addresses and whom TLS trusts
//! as [`Means`]. It must not judge: whether a status is bad is for rules and readers. A community
//! never leaves it except on the wire.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::device::{Device, DeviceReport};
use crate::model::local::ResolverConfig;
use crate::model::observation::{Body, How, HttpSample, Outcome, Refusal};
use crate::model::target::{Host, Url};
use crate::model::text::SafeText;
use crate::net::source::Source;
use crate::probe::resolve::{Family, SystemResolvers, resolve};
use crate::probe::tls::{Roots, RootsError};

pub mod health;
pub mod snmp;
mod wire;

/// Bounds of one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one SNMP request, or one phase of an HTTP exchange, waits for its answer.
    pub timeout: Duration,
    /// How often an unanswered SNMP request is sent again.
    pub retries: u32,
    /// Most rows read of one column of a table.
    pub rows: usize,
    /// Most time for one device by one protocol, all requests together.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            retries: 2,
            rows: 1024,
            total: Duration::from_secs(15),
        }
    }
}

/// Addresses of a host in the order to use them, or why there are none.
pub type Addresses = Result<Vec<IpAddr>, SafeText>;

/// How many addresses of a name are tried before the poll is given up.
const ADDRESSES_TRIED: usize = 2;

/// How devices are reached.
#[derive(Clone, Debug)]
pub struct Means {
    /// Who is asked for the addresses of names.
    pub resolvers: ResolverConfig,
    /// Which addresses of a name are used.
    pub family: Family,
    /// Which certificates TLS trusts.
    pub roots: Roots,
    /// The way out of this host for health URLs.
    pub source: Source,
}

impl Means {
    /// Those of this host, with further CA files. Reads files; call it once.
    ///
    /// # Errors
    /// If one of the CA files can't be used.
    pub fn of_host(ca: &[PathBuf], family: Family) -> Result<Self, RootsError> {
        Ok(Self {
            resolvers: SystemResolvers::load(Path::new("/etc/resolv.conf")),
            family,
            roots: Roots::load(ca)?,
            source: Source::default(),
        })
    }

    /// Addresses of a host.
    async fn resolve(&self, host: Host, timeout: Duration) -> Addresses {
        let (_, found) = resolve(&host, &self.resolvers, self.family, timeout).await;
        match found.outcome {
            Outcome::Ok(addresses) => Ok(addresses),
            Outcome::Refused {
                why: Refusal::Protocol(text) | Refusal::Kernel(text),
                ..
            } => Err(SafeText::new(format!("an address for {host}: {text}"))),
            Outcome::Refused { .. } => Err(SafeText::new(format!(
                "an address for {host}: the resolvers refuse to be asked"
            ))),
            Outcome::Timeout { .. } => Err(SafeText::new(format!(
                "an address for {host}: no resolver answered in time"
            ))),
            Outcome::CannotTry { need } => Err(need),
        }
    }

    async fn get(&self, url: Url, addr: IpAddr, timeout: Duration) -> (How, HttpSample) {
        let dst = SocketAddr::new(addr, url.port);
        crate::probe::http::get(&url, dst, true, &self.roots, timeout, &self.source).await
    }

    /// Polls the agent of a device, if it has one.
    pub async fn agent(
        &self,
        device: &Device,
        limits: &Limits,
        known: &mut snmp::Known,
    ) -> Option<(How, DeviceReport)> {
        let access = device.snmp.as_ref()?;
        let resolve = |host| self.resolve(host, limits.timeout);
        // Boxed: a poll has many steps, and each would make every future around it larger.
        Some(Box::pin(snmp::poll(&device.name, access, &resolve, limits, known)).await)
    }

    /// Fetches the health URL of a device, if it has one.
    pub async fn health(&self, device: &Device, limits: &Limits) -> Option<(How, DeviceReport)> {
        let url = device.health.as_ref()?;
        let resolve = |host| self.resolve(host, limits.timeout);
        let get = |url, addr| self.get(url, addr, limits.timeout);
        Some(health::poll(&device.name, url, &resolve, &get, limits).await)
    }
}

/// Polls everything that is configured of one device: its agent and its health URL, at the same
/// time. There is one observation for each of them, none for a device without any. `known` is what
/// earlier polls of the device left.
pub async fn poll(
    device: &Device,
    means: &Means,
    limits: &Limits,
    known: &mut snmp::Known,
) -> Vec<(How, Body)> {
    let (agent, health) = tokio::join!(
        means.agent(device, limits, known),
        means.health(device, limits)
    );
    [agent, health]
        .into_iter()
        .flatten()
        .map(|(how, report)| (how, Body::Device(report)))
        .collect()
}

/// The addresses to try, or what is missing.
async fn addresses<R, RF>(host: &Host, resolve: &R) -> Result<Vec<IpAddr>, SafeText>
where
    R: Fn(Host) -> RF,
    RF: Future<Output = Addresses>,
{
    if let Host::Addr(addr) = host {
        return Ok(vec![*addr]);
    }
    let mut found = resolve(host.clone()).await?;
    if found.is_empty() {
        return Err(SafeText::new(format!("an address for {host}: it has none")));
    }
    found.truncate(ADDRESSES_TRIED);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine runs polls as tasks of its own.
    #[test]
    fn a_poll_can_move_between_threads() {
        fn movable<T: Send>(_: T) {}
        let device = Device {
            name: SafeText::default(),
            snmp: None,
            health: None,
        };
        let means = Means {
            resolvers: ResolverConfig::default(),
            family: Family::Any,
            roots: Roots::from_groups(Vec::new()),
            source: Source::default(),
        };
        movable(poll(
            &device,
            &means,
            &Limits::default(),
            &mut snmp::Known::default(),
        ));
    }
}
