//! Devices: what is asked of them and what they answered.

use serde::{Deserialize, Serialize};

use super::observation::{IcmpError, Method, Outcome, Refusal};
use super::secret::Secret;
use super::target::{Host, Url};
use super::text::SafeText;
use super::time::human;

mod agent;
mod rates;
mod restart;

pub use agent::{
    BgpPeer, BgpState, Count, Counters, Cpu, Memory, SnmpInterface, SnmpStatus, Temperature,
};
pub use rates::{LEAST_SPAN, Rates};
pub use restart::Restart;

/// Bits a second in the unit people say: `8.1 Mbit/s`.
pub fn bits(bps: f64) -> String {
    let (value, unit) = match bps {
        b if b >= 1e9 => (b / 1e9, "Gbit/s"),
        b if b >= 1e6 => (b / 1e6, "Mbit/s"),
        b if b >= 1e3 => (b / 1e3, "kbit/s"),
        b => (b, "bit/s"),
    };
    if value >= 10.0 || value == value.trunc() {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// What a poll says when an agent answers that the community may not read
/// (`authorizationError` or `noAccess`, RFC 3416). Most agents stay silent instead.
pub const NOT_ALLOWED: &str = "this community may not read here";

/// A device as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name people call it.
    pub name: SafeText,
    /// Its SNMP agent.
    pub snmp: Option<SnmpAccess>,
    /// Its HTTP health URL.
    pub health: Option<Url>,
}

/// How to reach an SNMP v2c agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnmpAccess {
    /// Host.
    pub host: Host,
    /// UDP port, normally 161.
    pub port: u16,
    /// Community.
    pub community: Secret,
}

impl std::fmt::Display for SnmpAccess {
    /// `host:port`, without the community.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Addr(std::net::IpAddr::V6(a)) => write!(f, "[{a}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// One poll of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// The device's name.
    pub device: SafeText,
    /// Who was asked, without secrets: `10.0.0.2:161`, a URL.
    #[serde(default)]
    pub asked: SafeText,
    /// What was polled.
    pub outcome: Outcome<DeviceAnswer>,
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceAnswer {
    /// SNMP system group and interfaces.
    Snmp(Box<SnmpStatus>),
    /// HTTP health URL.
    Health(HealthStatus),
}

/// Answer of a health URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthStatus {
    /// HTTP status code.
    pub status: u16,
    /// Total time in milliseconds.
    pub took_ms: u64,
    /// First line of the body.
    pub body_start: Option<SafeText>,
}

impl HealthStatus {
    /// The server wants to know who asks (401) or does not let this client in (403).
    pub const fn is_refused(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}

impl DeviceReport {
    /// What an agent answered, if one did.
    pub fn agent(&self) -> Option<&SnmpStatus> {
        match self.outcome.ok() {
            Some(DeviceAnswer::Snmp(status)) => Some(status),
            _ => None,
        }
    }

    /// Whether somebody answered that this user may not ask.
    pub fn is_refused_access(&self) -> bool {
        match &self.outcome {
            Outcome::Ok(DeviceAnswer::Health(h)) => h.is_refused(),
            Outcome::Refused {
                why: Refusal::Protocol(text),
                ..
            } => text.as_str() == NOT_ALLOWED,
            _ => false,
        }
    }

    /// Why there is no answer, in words for a person; `None` if there is one. `method` is how
    /// it was polled and `asked` whom (`10.0.0.2:161`, a URL).
    pub fn reason(&self, method: Method, asked: &str) -> Option<SafeText> {
        let snmp = method == Method::SnmpV2c;
        let by = |by: &Option<std::net::IpAddr>| match by {
            Some(addr) => addr.to_string(),
            None => "the network".to_owned(),
        };
        Some(SafeText::new(match &self.outcome {
            Outcome::Ok(_) => return None,
            Outcome::Refused {
                by: who,
                why: Refusal::Icmp(IcmpError::PortUnreachable),
                ..
            } if snmp => format!(
                "no agent listens on {asked}: {} answered with ICMP port unreachable; check that the agent runs, and its port",
                by(who)
            ),
            Outcome::Refused {
                by: who,
                why: Refusal::Icmp(error),
                ..
            } => format!(
                "{asked} cannot be reached: {} says {}",
                by(who),
                error.label()
            ),
            Outcome::Refused {
                why: Refusal::TcpReset,
                ..
            } => format!("nothing listens on {asked}: the connection was refused"),
            Outcome::Refused {
                why: Refusal::Kernel(text),
                ..
            } => format!("{asked} cannot be reached from this host: {text}"),
            Outcome::Refused {
                why: Refusal::Protocol(text),
                ..
            } => format!("{asked} answered, but not with what was asked for: {text}"),
            Outcome::Timeout { after } if snmp => format!(
                "no answer from {asked} within {}. SNMP does not answer a wrong community, so an agent that is down, a filter on the way and a wrong community look alike",
                human(after.duration())
            ),
            Outcome::Timeout { after } => {
                format!("no answer from {asked} within {}", human(after.duration()))
            }
            Outcome::CannotTry { need } => format!("{asked} was not asked; it needs {need}"),
        }))
    }
}
