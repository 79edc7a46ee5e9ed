//! What an SNMP agent said in one poll: the state of a device at one instant.
//!
//! Counters are kept as they were read. What they mean over time is in [`super::rates`].

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::text::SafeText;

/// One poll of an agent. What the agent does not have is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnmpStatus {
    /// sysName, 1.3.6.1.2.1.1.5.0.
    pub name: SafeText,
    /// sysDescr, 1.3.6.1.2.1.1.1.0.
    pub description: SafeText,
    /// sysUpTime, 1.3.6.1.2.1.1.3.0, in hundredths of a second: uptime of the *agent*.
    pub uptime_ticks: u32,
    /// hrSystemUptime, 1.3.6.1.2.1.25.1.1.0 (RFC 2790), in hundredths of a second: uptime of the
    /// host below the agent.
    #[serde(default)]
    pub host_ticks: Option<u32>,
    /// snmpEngineBoots, 1.3.6.1.6.3.10.2.1.2.0 (RFC 3411): how often the agent has begun anew.
    #[serde(default)]
    pub engine_boots: Option<u32>,
    /// snmpEngineTime, 1.3.6.1.6.3.10.2.1.3.0, in seconds: uptime of the agent, without the wrap
    /// that sysUpTime has after 497 days.
    #[serde(default)]
    pub engine_seconds: Option<u32>,
    /// ifTable rows, in the order of ifIndex.
    pub interfaces: Vec<SnmpInterface>,
    /// Load of the processors.
    #[serde(default)]
    pub cpu: Option<Cpu>,
    /// Main memory.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Temperature sensors.
    #[serde(default)]
    pub temperatures: Vec<Temperature>,
    /// BGP sessions (BGP4-MIB, IPv4 peers only).
    #[serde(default)]
    pub peers: Vec<BgpPeer>,
    /// Said when the list was cut or a column could not be read.
    pub note: Option<SafeText>,
}

impl SnmpStatus {
    /// How long the agent has been running. It starts again with the agent (not only with the
    /// device) and after 497 days.
    pub const fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime_ticks as u64 * 10)
    }
    /// How long the host below the agent has been running, where the agent tells.
    pub fn host_uptime(&self) -> Option<Duration> {
        self.host_ticks
            .map(|t| Duration::from_millis(u64::from(t) * 10))
    }
    /// How long the device has been running, as well as the agent knows. snmpEngineTime does not
    /// wrap, and no agent runs for longer than its host.
    pub fn ran(&self) -> Duration {
        let engine = self.engine_seconds.unwrap_or(0);
        let told = self.host_uptime().unwrap_or_else(|| self.uptime());
        told.max(Duration::from_secs(u64::from(engine)))
    }
    /// Load, memory, the hottest sensor and the BGP sessions in a few words each.
    pub fn vitals(&self) -> Vec<String> {
        let mut all = Vec::new();
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        if let Some(cpu) = &self.cpu {
            all.push(format!("CPU {}", percent(cpu.busy)));
        }
        if let Some(memory) = &self.memory {
            all.push(format!("memory {}", percent(memory.share())));
        }
        let hotter = |a: &&Temperature, b: &&Temperature| a.celsius.total_cmp(&b.celsius);
        if let Some(hottest) = self.temperatures.iter().max_by(hotter) {
            all.push(format!("{:.0} °C ({})", hottest.celsius, hottest.name));
        }
        if !self.peers.is_empty() {
            let up = |p: &&BgpPeer| p.state == BgpState::Established;
            let up = self.peers.iter().filter(up).count();
            all.push(format!("BGP {up} of {} up", self.peers.len()));
        }
        all
    }
    /// The same interface in this poll: by its number and name, since numbers may change when a
    /// device begins anew.
    pub fn same(&self, other: &SnmpInterface) -> Option<&SnmpInterface> {
        let known = &self.interfaces;
        let place = known.binary_search_by_key(&other.index, |i| i.index).ok();
        let found = place.and_then(|n| known.get(n));
        found.filter(|i| i.name == other.name)
    }
}

/// One row of ifTable / ifXTable (RFC 2863).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// ifHighSpeed, else ifSpeed, in bit/s. A tunnel may say 0, which is `None` here.
    #[serde(default)]
    pub speed: Option<u64>,
    /// ifLastChange: sysUpTime when the state was entered; 0 is before the agent began.
    #[serde(default)]
    pub last_change: Option<u32>,
    /// Octets, packets, errors, discards.
    #[serde(default)]
    pub counters: Counters,
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

/// A counter as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The value.
    pub value: u64,
    /// Whether it is a Counter64; a Counter32 wraps.
    pub wide: bool,
}

/// Counters of one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// sysUpTime in the answer that brought the octets: the time base of rates.
    pub ticks: Option<u32>,
    /// ifCounterDiscontinuityTime: sysUpTime when the counters last broke.
    pub discontinuity: Option<u32>,
    /// ifHCInOctets, else ifInOctets.
    pub in_octets: Option<Count>,
    /// ifHCOutOctets, else ifOutOctets.
    pub out_octets: Option<Count>,
    /// ifHCInUcastPkts, else ifInUcastPkts.
    pub in_packets: Option<Count>,
    /// ifHCOutUcastPkts, else ifOutUcastPkts.
    pub out_packets: Option<Count>,
    /// ifInErrors.
    pub in_errors: Option<Count>,
    /// ifOutErrors.
    pub out_errors: Option<Count>,
    /// ifInDiscards.
    pub in_discards: Option<Count>,
    /// ifOutDiscards.
    pub out_discards: Option<Count>,
}

/// Load of the processors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// Busy share (0–1): the mean of all processors, or the busiest where they have different work
    /// (route processor, line card).
    pub busy: f64,
    /// How many were counted.
    pub processors: u32,
    /// Load averages of 1, 5 and 15 minutes (UCD laLoad).
    pub load: Option<[f64; 3]>,
    /// Which objects said so: `hrProcessorLoad`.
    pub by: SafeText,
}

/// Main memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes, or the size of the pool.
    pub total: u64,
    /// Bytes that cannot be had: without buffers and caches, where the agent tells them.
    pub used: u64,
    /// Which objects said so: `UCD memory`.
    pub by: SafeText,
}

impl Memory {
    /// Used share (0–1).
    pub fn share(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        (self.used as f64 / self.total as f64).clamp(0.0, 1.0)
    }
}

/// One temperature sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// entPhysicalName, or what the vendor calls it.
    pub name: SafeText,
    /// Degrees Celsius.
    pub celsius: f64,
    /// The limit that the device itself has for it.
    pub limit: Option<f64>,
    /// What the device itself says of it: `true` is too hot (ciscoEnvMonState warning, critical,
    /// shutdown).
    pub too_hot: Option<bool>,
}

/// State of a BGP session (RFC 4273, bgpPeerState).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BgpState {
    /// Idle.
    Idle,
    /// Connect.
    Connect,
    /// Active.
    Active,
    /// OpenSent.
    OpenSent,
    /// OpenConfirm.
    OpenConfirm,
    /// Established.
    Established,
}

impl BgpState {
    /// From bgpPeerState.
    pub const fn from_number(n: i32) -> Option<Self> {
        Some(match n {
            1 => Self::Idle,
            2 => Self::Connect,
            3 => Self::Active,
            4 => Self::OpenSent,
            5 => Self::OpenConfirm,
            6 => Self::Established,
            _ => return None,
        })
    }
    /// In a word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Active => "active",
            Self::OpenSent => "openSent",
            Self::OpenConfirm => "openConfirm",
            Self::Established => "established",
        }
    }
}

/// One row of bgpPeerTable (RFC 4273).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpPeer {
    /// bgpPeerRemoteAddr.
    pub address: Ipv4Addr,
    /// bgpPeerState.
    pub state: BgpState,
    /// bgpPeerAdminStatus is start(2); `None` where the agent does not tell.
    pub enabled: Option<bool>,
    /// bgpPeerRemoteAs.
    pub remote_as: Option<u32>,
    /// bgpPeerLastError: code and subcode of the last NOTIFICATION (RFC 4271 section 4.5).
    pub last_error: Option<(u8, u8)>,
    /// bgpPeerFsmEstablishedTransitions.
    pub transitions: Option<u32>,
    /// bgpPeerFsmEstablishedTime, in seconds: how long it has been up, or since it was.
    pub since_s: Option<u32>,
}

impl BgpPeer {
    /// Code of the last NOTIFICATION in the words of RFC 4271; `None` where there was none.
    pub const fn error_label(&self) -> Option<&'static str> {
        Some(match self.last_error {
            None | Some((0, _)) => return None,
            Some((1, _)) => "message header error",
            Some((2, 2)) => "bad peer AS",
            Some((2, 5)) => "authentication failure",
            Some((2, _)) => "OPEN message error",
            Some((3, _)) => "UPDATE message error",
            Some((4, _)) => "hold timer expired",
            Some((5, _)) => "state machine error",
            Some((6, 1)) => "maximum number of prefixes reached",
            Some((6, 2)) => "administrative shutdown",
            Some((6, 3)) => "peer de-configured",
            Some((6, 4)) => "administrative reset",
            Some((6, 5)) => "connection rejected",
            Some((6, _)) => "cease",
            Some(_) => "unknown error",
        })
    }
}
