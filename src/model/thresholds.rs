//! The numbers that rules decide by. Defaults are meant for 3 a.m.; `warroom.toml` may change them.

use std::time::Duration;

/// Limits of the rules. Every rule takes them as an argument; none has numbers of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Probes of one kind before loss is judged at all.
    pub loss_min_samples: u32,
    /// Loss is real if the lower end of its 95 % Wilson interval is above this share (0–1).
    pub loss_floor: f64,
    /// Loss from which users count as cut off (0–1).
    pub loss_critical: f64,
    /// Traceroute rounds, and the time they must span, before a path is called broken.
    pub path_min_rounds: u32,
    /// See `path_min_rounds`.
    pub path_min_span: Duration,
    /// Equal answers in a row before a single-shot probe (TCP, TLS, HTTP, DNS) is believed.
    pub repeat: u32,
    /// Probes that must vanish at the first bad size, alternating with good ones.
    pub pmtu_min_bad: u32,
    /// How far back path quality looks.
    pub window: Duration,
    /// A host-unreachable message later than this after sending means that ARP or ND failed.
    pub arp_delay: Duration,
    /// Certificates that expire within this time are a warning.
    pub tls_expiring_warning: Duration,
    /// Certificates that expire within this time are critical.
    pub tls_expiring_critical: Duration,
    /// Questions over TCP in a row that fail before TCP is called blocked.
    pub dns_tcp_failures: u32,
    /// Time over which those must be spread.
    pub dns_tcp_span: Duration,
    /// Time above that of the way there and back from which a resolver is slow for what it has in
    /// its cache; twice that where the way is not known.
    pub dns_slow: Duration,
    /// Such answers before slowness is judged at all.
    pub dns_slow_samples: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            loss_min_samples: 20,
            loss_floor: 0.01,
            loss_critical: 0.20,
            path_min_rounds: 3,
            path_min_span: Duration::from_secs(2),
            repeat: 2,
            pmtu_min_bad: 8,
            window: Duration::from_secs(60),
            arp_delay: Duration::from_millis(800),
            tls_expiring_warning: Duration::from_secs(21 * DAY),
            tls_expiring_critical: Duration::from_secs(3 * DAY),
            dns_tcp_failures: 3,
            dns_tcp_span: Duration::from_secs(1),
            dns_slow: Duration::from_millis(300),
            dns_slow_samples: 5,
        }
    }
}
