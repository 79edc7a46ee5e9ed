//! Devices: what is asked of them and what they answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::observation::{IcmpError, Method, Outcome, Refusal};
use super::secret::Secret;
use super::target::{Host, Url};
use super::text::SafeText;
use super::time::human;

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
    /// What was polled.
    pub outcome: Outcome<DeviceAnswer>,
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceAnswer {
    /// SNMP system group and interfaces.
    Snmp(SnmpStatus),
    /// HTTP health URL.
    Health(HealthStatus),
}

/// SNMP system group (RFC 3418) and interfaces (RFC 2863).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnmpStatus {
    /// sysName, 1.3.6.1.2.1.1.5.0.
    pub name: SafeText,
    /// sysDescr, 1.3.6.1.2.1.1.1.0.
    pub description: SafeText,
    /// sysUpTime, 1.3.6.1.2.1.1.3.0, in hundredths of a second: uptime of the *agent*.
    pub uptime_ticks: u32,
    /// ifTable rows by ifIndex.
    pub interfaces: Vec<SnmpInterface>,
    /// Said when the list was cut or a column could not be read.
    pub note: Option<SafeText>,
}

/// One row of ifTable / ifXTable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpInterface {
    /// ifIndex.
    pub index: u32,
    /// ifName, else ifDescr.
    pub name: SafeText,
    /// ifAlias.
    pub alias: SafeText,
    /// ifAdminStatus is up(1).
    pub admin_up: bool,
    /// ifOperStatus: 1 up, 2 down, 3 testing, 4 unknown, 5 dormant, 6 notPresent, 7 lowerLayerDown.
    pub oper_status: u8,
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

impl SnmpInterface {
    /// ifOperStatus in the words of RFC 2863.
    pub const fn oper_label(&self) -> &'static str {
        match self.oper_status {
            1 => "up",
            2 => "down",
            3 => "testing",
            5 => "dormant",
            6 => "notPresent",
            7 => "lowerLayerDown",
            _ => "unknown",
        }
    }
    /// Meant to work and known not to: administratively up, and down, not present or without
    /// its lower layer. Unused ports of a switch look the same, so this is no fault by itself.
    pub const fn is_down(&self) -> bool {
        self.admin_up && matches!(self.oper_status, 2 | 6 | 7)
    }
}

impl SnmpStatus {
    /// How long the agent has been running. It starts again with the agent (not only with the
    /// device) and after 497 days.
    pub const fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime_ticks as u64 * 10)
    }
}

impl DeviceReport {
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
