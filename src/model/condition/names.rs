//! Names of measured facts. A condition that uses another name is refused when it is read, not
//! at night.

/// What a value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Per cent.
    Percent,
    /// Milliseconds.
    Milliseconds,
    /// Days.
    Days,
    /// Bytes.
    Bytes,
    /// A plain number.
    Count,
    /// Yes or no.
    Flag,
    /// A word.
    Text,
}

/// One name.
#[derive(Debug, PartialEq, Eq)]
pub struct Name {
    /// `ping.loss`; before the dot is the probe that measures it.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// What it means; of several addresses or servers the worst counts.
    pub meaning: &'static str,
}

const fn of(name: &'static str, unit: Unit, meaning: &'static str) -> Name {
    Name {
        name,
        unit,
        meaning,
    }
}

/// All names.
pub static NAMES: &[Name] = &[
    of(
        "ping.loss",
        Unit::Percent,
        "pings of the last minute that were not answered; known from 10 pings on",
    ),
    of("ping.rtt", Unit::Milliseconds, "median round-trip time"),
    of(
        "ping.rtt_max",
        Unit::Milliseconds,
        "longest round-trip time",
    ),
    of(
        "ping.jitter",
        Unit::Milliseconds,
        "mean change from one round-trip time to the next",
    ),
    of(
        "path.reached",
        Unit::Flag,
        "the target answers at the end of its path",
    ),
    of(
        "path.hops",
        Unit::Count,
        "distance of the target, or of the last hop that answers",
    ),
    of("mtu.size", Unit::Bytes, "largest packet that passes"),
    of(
        "mtu.black_hole",
        Unit::Flag,
        "larger packets vanish without a word",
    ),
    of("tcp.open", Unit::Flag, "the asked port accepts connections"),
    of(
        "tcp.refused",
        Unit::Flag,
        "the asked port is refused with a reset",
    ),
    of("tcp.connect", Unit::Milliseconds, "time to connect"),
    of(
        "dns.rcode",
        Unit::Text,
        "response code, as NOERROR; TIMEOUT where none came",
    ),
    of("dns.time", Unit::Milliseconds, "time to an answer"),
    of(
        "tls.ok",
        Unit::Flag,
        "the handshake ends and the chain has no fault",
    ),
    of(
        "tls.days_left",
        Unit::Days,
        "until the certificate of the server expires",
    ),
    of("tls.handshake", Unit::Milliseconds, "time of the handshake"),
    of("http.status", Unit::Count, "status of the answer"),
    of(
        "http.first_byte",
        Unit::Milliseconds,
        "from the request to the first byte of the answer",
    ),
    of(
        "local.default_route",
        Unit::Flag,
        "this host has a default route",
    ),
];

/// A name by its text.
pub fn name(text: &str) -> Option<&'static Name> {
    NAMES.iter().find(|n| n.name == text)
}
