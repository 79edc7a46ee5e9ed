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
    /// Answers on either side before a change or a spread of the round-trip time is judged.
    pub quality_min_samples: u32,
    /// Time that a changed round-trip time must have lasted.
    pub quality_min_span: Duration,
    /// Load of an interface (0–1) from which it may fill its queue.
    pub quality_busy: f64,
    /// Least rise of the round-trip time that counts as a step …
    pub latency_step: Duration,
    /// … and the same as a share of what it was before.
    pub latency_step_share: f64,
    /// Median round-trip time from which a target is slow, however far away it is.
    pub latency_limit: Duration,
    /// How much later than the median one answer in ten may come.
    pub jitter_limit: Duration,
    /// Busy share of a device's processors from which its load is high (0–1).
    pub device_cpu: f64,
    /// Used share of a device's memory from which it is high (0–1).
    pub device_memory: f64,
    /// Degrees Celsius from which a sensor without a limit of its own is too hot.
    pub device_temperature: u32,
    /// How long load, memory or heat must last; half of it for what is a rate already.
    pub device_hold: Duration,
    /// How long ago a restart is news.
    pub device_reboot: Duration,
    /// Share of its speed from which an interface is saturated (0–1).
    pub interface_saturated: f64,
    /// The same from which it is worth knowing (0–1).
    pub interface_filling: f64,
    /// Share of damaged packets from which an interface is at fault (0–1).
    pub interface_errors: f64,
    /// Questions over TCP in a row that fail before TCP is called blocked.
    pub dns_tcp_failures: u32,
    /// Time over which those must be spread.
    pub dns_tcp_span: Duration,
    /// Time above that of the way there and back from which a resolver is slow for what it has in
    /// its cache; twice that where the way is not known.
    pub dns_slow: Duration,
    /// Such answers before slowness is judged at all.
    pub dns_slow_samples: u32,
    /// Time of a server's own, beside the ways there and back, from which an answer over HTTP is
    /// slow.
    pub http_slow: Duration,
    /// Pings on either side of a change before the sides are compared.
    pub compare_samples: u32,
    /// Time after a change before anything is said of it.
    pub compare_span: Duration,
    /// Least difference of two medians that is called one; a tenth of the time if that is more.
    pub compare_rtt: Duration,
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
            quality_min_samples: 20,
            quality_min_span: Duration::from_secs(4),
            quality_busy: 0.7,
            latency_step: Duration::from_millis(10),
            latency_step_share: 0.25,
            // Around the world and back takes 0.4 s, by way of a geostationary satellite 0.7 s.
            latency_limit: Duration::from_secs(1),
            jitter_limit: Duration::from_millis(30),
            device_cpu: 0.9,
            device_memory: 0.9,
            device_temperature: 85,
            device_hold: Duration::from_secs(10),
            device_reboot: Duration::from_secs(15 * 60),
            interface_saturated: 0.8,
            interface_filling: 0.7,
            interface_errors: 0.0001,
            dns_tcp_failures: 3,
            dns_tcp_span: Duration::from_secs(1),
            dns_slow: Duration::from_millis(300),
            dns_slow_samples: 5,
            http_slow: Duration::from_secs(1),
            compare_samples: 20,
            compare_span: Duration::from_secs(15),
            compare_rtt: Duration::from_millis(1),
        }
    }
}
