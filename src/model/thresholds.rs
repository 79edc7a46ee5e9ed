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
    /// The newest exchanges by which a share of failing ones is judged.
    pub share_window: u32,
    /// Successes in a row after which failing ones are over.
    pub share_well: u32,
    /// Failures in a row after which it is the whole service.
    pub share_lost: u32,
    /// Another clock is this far from this host's at least, before either is called wrong.
    pub clock_off: Duration,
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
            share_window: 24,
            share_well: 12,
            share_lost: 8,
            clock_off: Duration::from_secs(120),
            pmtu_min_bad: 8,
            window: Duration::from_secs(60),
            arp_delay: Duration::from_millis(800),
            tls_expiring_warning: Duration::from_secs(21 * DAY),
            tls_expiring_critical: Duration::from_secs(3 * DAY),
        }
    }
}
