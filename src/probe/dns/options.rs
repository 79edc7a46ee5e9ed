//! How a question is asked: transport, flags, limits, the way out of this host.

use std::sync::Arc;
use std::time::Duration;

use crate::model::observation::Method;
use crate::model::service::{DnsAsked, DnsTransport};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::net::source::Source;
use crate::probe::tls::Roots;

/// UDP payload we announce: fits any path (DNS flag day 2020).
pub const EDNS_BYTES: u16 = 1232;

/// The resource that nearly every DoH server uses (RFC 8484 gives it as its example).
pub const DOH_PATH: &str = "/dns-query";

/// The way a question goes.
#[derive(Clone, Debug, Default)]
pub enum Transport {
    /// UDP, then TCP if the answer was truncated.
    #[default]
    Udp,
    /// TCP at once.
    Tcp,
    /// DNS over TLS.
    Tls(Arc<Secure>),
    /// DNS over HTTPS.
    Https(Arc<Secure>, Arc<Doh>),
}

impl Transport {
    /// As the model names it.
    pub const fn kind(&self) -> DnsTransport {
        match self {
            Self::Udp => DnsTransport::Udp,
            Self::Tcp => DnsTransport::Tcp,
            Self::Tls(_) => DnsTransport::Tls,
            Self::Https(..) => DnsTransport::Https,
        }
    }

    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Udp => Method::DnsUdp,
            Self::Tcp => Method::DnsTcp,
            Self::Tls(_) => Method::DnsTls,
            Self::Https(..) => Method::DnsHttps,
        }
    }
}

/// What a TLS session needs.
#[derive(Clone, Debug)]
pub struct Secure {
    /// SNI, and what the certificate is judged against.
    pub name: Host,
    /// What is trusted.
    pub roots: Roots,
}

/// How an HTTPS resource is asked.
#[derive(Clone, Debug)]
pub struct Doh {
    /// Path without a template, like `/dns-query`.
    pub path: String,
    /// GET with the question in the query string instead of POST.
    pub get: bool,
    /// Port in the URL.
    pub port: u16,
}

/// How a question is asked. The default is what a stub resolver would do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Longest time for each transport, its handshakes included.
    pub timeout: Duration,
    /// The way.
    pub transport: Transport,
    /// Recursion desired.
    pub recurse: bool,
    /// Signatures wanted (DO).
    pub dnssec: bool,
    /// Checking disabled (CD).
    pub cd: bool,
    /// Whether a SERVFAIL is followed by the same question with checking disabled.
    pub cd_retry: bool,
    /// UDP payload announced in bytes; `None` leaves EDNS out.
    pub edns_bytes: Option<u16>,
    /// Whether TCP is asked after a truncated UDP answer.
    pub tcp_fallback: bool,
    /// Whether the records of the other sections are kept.
    pub sections: bool,
    /// The question only asks whether the server is alive.
    pub liveness_only: bool,
    /// A signature that ends within this time is called near its end.
    pub expires_soon: Duration,
    /// The way out of this host.
    pub source: Source,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            transport: Transport::Udp,
            recurse: true,
            dnssec: false,
            cd: false,
            cd_retry: true,
            edns_bytes: Some(EDNS_BYTES),
            tcp_fallback: true,
            sections: false,
            liveness_only: false,
            expires_soon: Duration::from_secs(3 * 24 * 3600),
            source: Source::default(),
        }
    }
}

impl Options {
    /// The default with a limit of one's own.
    pub fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            ..Self::default()
        }
    }

    pub(super) fn asked(&self) -> DnsAsked {
        DnsAsked {
            transport: self.transport.kind(),
            rd: self.recurse,
            cd: self.cd,
            dnssec_ok: self.dnssec,
            edns_bytes: self.edns_bytes,
            path: match &self.transport {
                Transport::Https(_, doh) => Some(SafeText::capped(&doh.path, 255)),
                _ => None,
            },
            delegated: None,
        }
    }
}
