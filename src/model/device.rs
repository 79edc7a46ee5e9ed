//! Devices: what is asked of them and what they answered.

use serde::{Deserialize, Serialize};

use super::observation::Outcome;
use super::secret::Secret;
use super::target::{Host, Url};
use super::text::SafeText;

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
