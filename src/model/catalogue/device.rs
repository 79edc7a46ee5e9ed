//! Faults of devices that are polled.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `device-auth-failed`.
pub const DEVICE_AUTH_FAILED: Code = Code::known("device-auth-failed");
/// `device-rebooted`.
pub const DEVICE_REBOOTED: Code = Code::known("device-rebooted");
/// `interface-errors`.
pub const INTERFACE_ERRORS: Code = Code::known("interface-errors");
/// `interface-saturated`.
pub const INTERFACE_SATURATED: Code = Code::known("interface-saturated");
/// `bgp-peer-down`.
pub const BGP_PEER_DOWN: Code = Code::known("bgp-peer-down");
/// `device-cpu-high`.
pub const DEVICE_CPU_HIGH: Code = Code::known("device-cpu-high");
/// `device-memory-high`.
pub const DEVICE_MEMORY_HIGH: Code = Code::known("device-memory-high");
/// `device-temperature-high`.
pub const DEVICE_TEMPERATURE_HIGH: Code = Code::known("device-temperature-high");

pub(super) const AUTH_FAILED: Entry = Entry {
    code: DEVICE_AUTH_FAILED,
    place: PlaceKind::Device,
    severity: Severity::Warning,
    meaning: "The device answers, and refuses to tell us anything: it is alive, our credentials are wrong.",
    inferred_from: "HTTP 401 or 403 of a health URL, or an SNMP answer authorizationError or noAccess, more than once",
    fooled_by: "most SNMP agents do not answer a wrong community at all: then it is device-unreachable, which says that nobody can tell",
    next: "check the community or token, and whether this host is on the device's access list; somebody may have rotated it",
};

pub(super) const REBOOTED: Entry = Entry {
    code: DEVICE_REBOOTED,
    place: PlaceKind::Device,
    severity: Severity::Warning,
    meaning: "The device restarted a short time ago: what it forwards was cut then, and may still be settling.",
    inferred_from: "hrSystemUptime that went back or is short; without it sysUpTime or snmpEngineBoots together with interface counters that began at zero",
    fooled_by: "sysUpTime starts again with the agent, too: where nothing tells the two apart it is information only, and says so",
    next: "ask whether somebody did it on purpose; look at the reason of the restart in its log, and at its power",
};

pub(super) const ERRORS: Entry = Entry {
    code: INTERFACE_ERRORS,
    place: PlaceKind::Interface,
    severity: Severity::Warning,
    meaning: "An interface receives or sends damaged packets right now; connections through it lose data.",
    inferred_from: "ifInErrors and ifOutErrors that rise over several polls, by more than the limit's share of packets; old totals, wraps, restarts and discontinuities don't count",
    fooled_by: "vendors that count harmless frames (unknown VLAN, runts of a mirror port) as errors",
    next: "look at optics, cable and the duplex setting of both ends; watch whether FCS errors or only other kinds rise",
};

pub(super) const SATURATED: Entry = Entry {
    code: INTERFACE_SATURATED,
    place: PlaceKind::Interface,
    severity: Severity::Warning,
    meaning: "An interface is nearly full: packets wait and are dropped. From 70 % it is worth knowing, from 80 % there is no room for a failure elsewhere.",
    inferred_from: "octet counters of two polls against ifHighSpeed, the busier direction, over at least two measurements",
    fooled_by: "a speed that is not the real one (a shaped circuit, a tunnel); a 32-bit counter of a fast link is not used at all",
    next: "find who talks (flow data, top talkers); see whether a parallel link is down and this one carries its traffic",
};

pub(super) const PEER_DOWN: Entry = Entry {
    code: BGP_PEER_DOWN,
    place: PlaceKind::Device,
    severity: Severity::Critical,
    meaning: "A BGP session that was up is down: the routes it brought are gone.",
    inferred_from: "bgpPeerState other than established while the session is enabled, in more than one poll, and it was established before",
    fooled_by: "a session that nobody wants any more and nobody shut down (after a week it is information only); BGP4-MIB knows IPv4 peers of the default VRF only",
    next: "read the last NOTIFICATION on both ends; ping the peer with the session's source address; look at the interface towards it",
};

pub(super) const CPU_HIGH: Entry = Entry {
    code: DEVICE_CPU_HIGH,
    place: PlaceKind::Device,
    severity: Severity::Warning,
    meaning: "The processor of the device is busy for longer: routing, management and sometimes forwarding suffer.",
    inferred_from: "hrProcessorLoad, cpmCPUTotal5minRev or ssCpuIdle beyond the limit in several polls",
    fooled_by: "devices that poll packets (DPDK) show 100 % always; raise thresholds.device_cpu for them",
    next: "look at the processes of the device; a table of routes or sessions that changes fast, or traffic to the device itself, is the usual reason",
};

pub(super) const MEMORY_HIGH: Entry = Entry {
    code: DEVICE_MEMORY_HIGH,
    place: PlaceKind::Device,
    severity: Severity::Warning,
    meaning: "The device has hardly any memory left; processes may be killed, sessions refused.",
    inferred_from: "memory in use without buffers and caches (UCD, hrStorage, ciscoMemoryPool) beyond the limit in several polls",
    fooled_by: "an agent that tells no caches: files in memory then count as used",
    next: "see which process grows; look at the sizes of routing and session tables",
};

pub(super) const TEMPERATURE_HIGH: Entry = Entry {
    code: DEVICE_TEMPERATURE_HIGH,
    place: PlaceKind::Device,
    severity: Severity::Warning,
    meaning: "A sensor of the device is too hot; it may throttle or switch itself off.",
    inferred_from: "what the device says of its own sensor (ciscoEnvMon), else ENTITY-SENSOR values in degrees Celsius beyond the limit, in several polls",
    fooled_by: "chips that are made to run hot: without a limit of the device's own one limit serves all sensors; thresholds.device_temperature changes it",
    next: "check fans, filters and the room; look at the other devices of the rack",
};
