//! Pollers of devices: SNMP v2c and HTTP health URLs become observations.
//!
//! What is polled comes in as a [`Device`]; how names become addresses and how HTTP is spoken
//! come in as functions, so that this module knows no resolver and no HTTP client. It must not
//! judge: whether a status is bad is for rules and readers. A community never leaves it except
//! on the wire.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::device::Device;
use crate::model::observation::{Body, How, HttpSample};
use crate::model::target::{Host, Url};
use crate::model::text::SafeText;

pub mod health;
pub mod snmp;
mod wire;

/// Bounds of one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one SNMP request waits for its answer.
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

/// Polls everything that is configured of one device: its agent and its health URL, at the
/// same time. `resolve` finds the addresses of a host; `get` fetches a URL from an address.
/// There is one observation for each thing configured, none for a device without any.
pub async fn poll<R, RF, G, GF>(
    device: &Device,
    resolve: R,
    get: G,
    limits: &Limits,
) -> Vec<(How, Body)>
where
    R: Fn(Host) -> RF,
    RF: Future<Output = Addresses>,
    G: Fn(Url, IpAddr) -> GF,
    GF: Future<Output = (How, HttpSample)>,
{
    let agent = async {
        let access = device.snmp.as_ref()?;
        Some(snmp::poll(&device.name, access, &resolve, limits).await)
    };
    let health = async {
        let url = device.health.as_ref()?;
        Some(health::poll(&device.name, url, &resolve, &get, limits).await)
    };
    let (agent, health) = tokio::join!(agent, health);
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
