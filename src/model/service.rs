//! Observations of services: TCP ports, DNS servers, TLS handshakes, HTTP exchanges.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use super::dns::{
    CdRetry, Delegated, DnsAsked, DnsChannel, DnsDetail, DnsPhases, DnsSecurity, DnsStage,
    DnsTransport, DnssecFault, DnssecState, EdnsInfo, ExtendedError, Negative, Signature, ZoneKey,
};
use super::observation::{Method, Outcome};
use super::text::SafeText;
use super::time::Rtt;
use super::tls::TlsSession;

mod http;
mod tcp;

pub use http::{
    CertFault, HttpBody, HttpCertificate, HttpDetails, HttpPhases, HttpRedirects, HttpResponse,
    HttpSample, HttpTls, RedirectEnd,
};
pub use tcp::{TcpDetails, TcpSample, TcpState, speaks_tls};

/// Which servers a DNS question went to and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerRole {
    /// A resolver that this host is configured to use.
    Configured,
    /// A resolver that the user named.
    Named,
    /// A server of the zone itself, asked without recursion.
    Authoritative,
}

/// One question to one DNS server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsSample {
    /// The server.
    pub server: SocketAddr,
    /// Why this server.
    pub role: ServerRole,
    /// Name asked for, presentation form.
    pub name: SafeText,
    /// Record type asked for (`A`, `AAAA`…).
    pub rtype: SafeText,
    /// True if the question only asked whether the server is alive; its rcode means nothing then.
    pub liveness_only: bool,
    /// What else the question said, and the way it went.
    #[serde(default)]
    pub asked: DnsAsked,
    /// The answer. A SERVFAIL or NXDOMAIN is an answer.
    pub outcome: Outcome<DnsAnswer>,
    /// What is known of DNSSEC after it. A rule that wants to tell a validation failure from a
    /// dead zone reads [`DnsSecurity::state`].
    #[serde(default)]
    pub security: DnsSecurity,
    /// The connection below, if it is more than UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Box<DnsChannel>>,
}

impl DnsSample {
    /// Whether the server answered over UDP, and over TCP it did not: the first answer was
    /// truncated. `method` is that of the observation.
    pub fn is_cut_off(&self, method: Method) -> bool {
        method == Method::DnsTcp
            && self.asked.transport == DnsTransport::Udp
            && matches!(
                self.outcome,
                Outcome::Timeout { .. } | Outcome::Refused { .. }
            )
    }

    /// Whether a connection opened, and no answer came over it.
    pub fn hangs(&self) -> bool {
        let opened = self.channel.as_ref().map(|c| c.stage) == Some(DnsStage::Exchange);
        opened && matches!(self.outcome, Outcome::Timeout { .. })
    }
}

/// A DNS answer, whatever its rcode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// Response code by its standard name: `NOERROR`, `NXDOMAIN`, `SERVFAIL`, `REFUSED`…
    pub rcode: SafeText,
    /// Time from query to answer.
    pub rtt: Rtt,
    /// Authoritative answer.
    pub aa: bool,
    /// The UDP answer was truncated, so TCP was asked as well.
    pub tc: bool,
    /// Recursion available.
    pub ra: bool,
    /// Authenticated data.
    pub ad: bool,
    /// Records of the answer section.
    pub records: Vec<DnsRecord>,
    /// SOA of the authority section, which a negative answer carries (RFC 2308).
    pub soa: Option<SafeText>,
    /// What else it says.
    #[serde(default)]
    pub detail: Box<DnsDetail>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// Owner name.
    pub name: SafeText,
    /// Type.
    pub rtype: SafeText,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Data in presentation form.
    pub data: SafeText,
}

/// One TLS handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsSample {
    /// Address and port.
    pub dst: SocketAddr,
    /// Name that was asked for (SNI) and that the certificate is judged against; an address if
    /// the target is one.
    pub name: SafeText,
    /// True if the user asked for TLS on this port (URL, known port); false if it was only tried.
    pub asked: bool,
    /// What was presented.
    pub outcome: Outcome<TlsSession>,
}
