//! What a DNS answer says beside its records: how it came, what its EDNS part tells, what its
//! signatures are worth. Facts; the one judgement is of dates, against the clock of the probe.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::observation::Outcome;
use super::service::DnsRecord;
use super::text::SafeText;
use super::time::Rtt;
use super::tls::TlsSession;

/// How a DNS message travels.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DnsTransport {
    /// UDP, and TCP after a truncated answer (RFC 1035 4.2.1).
    #[default]
    Udp,
    /// TCP (RFC 7766).
    Tcp,
    /// DNS over TLS (RFC 7858).
    Tls,
    /// DNS over HTTPS (RFC 8484).
    Https,
}

impl DnsTransport {
    /// Short name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "DoT",
            Self::Https => "DoH",
        }
    }
    /// The registered port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 53,
            Self::Tls => 853,
            Self::Https => 443,
        }
    }
}

/// What the question said beside name and type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAsked {
    /// The way it went.
    #[serde(default)]
    pub transport: DnsTransport,
    /// Recursion desired.
    #[serde(default)]
    pub rd: bool,
    /// Checking disabled: the resolver is asked not to validate (RFC 4035 3.2.2).
    #[serde(default)]
    pub cd: bool,
    /// DNSSEC OK: signatures wanted (RFC 3225).
    #[serde(default)]
    pub dnssec_ok: bool,
    /// UDP payload announced in bytes; `None`: no EDNS.
    #[serde(default)]
    pub edns_bytes: Option<u16>,
    /// Path of the DoH resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<SafeText>,
    /// Where the question went to a server of a zone: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated: Option<Box<Delegated>>,
}

/// A server to which a zone is delegated, asked itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// The zone.
    pub zone: SafeText,
    /// Name of the server.
    pub server: SafeText,
    /// How its answer shows that it does not serve the zone; `None` if it does, or is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lame: Option<SafeText>,
}

/// How far an exchange got.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DnsStage {
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The HTTP exchange.
    Http,
    /// Question and answer.
    #[default]
    Exchange,
}

impl DnsStage {
    /// In words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "TCP connection",
            Self::Tls => "TLS handshake",
            Self::Http => "HTTP exchange",
            Self::Exchange => "DNS exchange",
        }
    }
}

/// The connection below a DNS answer, where there is one worth telling of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsChannel {
    /// Where it ended: where it failed, or [`DnsStage::Exchange`] if it did not.
    #[serde(default)]
    pub stage: DnsStage,
    /// The TLS session with all that is wrong with its certificate. A faulty certificate does
    /// not end the probe; a client that verifies would stop there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<TlsSession>>,
    /// `POST HTTP/2.0 200`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<SafeText>,
}

/// What an answer says beside its records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsDetail {
    /// Size of the message in bytes.
    #[serde(default)]
    pub bytes: u32,
    /// Checking disabled, as the server repeats it.
    #[serde(default)]
    pub cd: bool,
    /// Recursion desired, as the server repeats it.
    #[serde(default)]
    pub rd: bool,
    /// The EDNS part (RFC 6891); `None`: the server does not speak EDNS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edns: Option<EdnsInfo>,
    /// Extended errors (RFC 8914), in the order of the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ExtendedError>,
    /// Where the time went.
    #[serde(default)]
    pub phases: DnsPhases,
    /// The names that the CNAMEs lead through, the last being where the records are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<SafeText>,
    /// What a negative answer says of itself (RFC 2308).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<Negative>,
    /// Signatures of the answer and authority sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// DNSKEY records of the answer section.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ZoneKey>,
    /// Records of the authority section, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authority: Vec<DnsRecord>,
    /// Records of the additional section, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional: Vec<DnsRecord>,
}

/// The EDNS part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdnsInfo {
    /// Largest UDP payload the server takes, in bytes.
    pub payload_bytes: u16,
    /// EDNS version.
    pub version: u8,
    /// DNSSEC OK.
    pub dnssec_ok: bool,
    /// Name server identifier (RFC 5001).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nsid: Option<SafeText>,
}

/// An extended error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// Its registered name, empty where there is none.
    pub name: SafeText,
    /// EXTRA-TEXT.
    pub text: SafeText,
}

impl ExtendedError {
    /// `6 DNSSEC Bogus: signature expired`.
    pub fn label(&self) -> String {
        let mut out = format!("{} {}", self.code, self.name);
        if !self.text.is_empty() {
            out = format!("{}: {}", out.trim_end(), self.text);
        }
        out.trim_end().to_owned()
    }
}

/// Where the time of an exchange went. What did not take place is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsPhases {
    /// The question over UDP whose answer was truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated_udp: Option<Rtt>,
    /// TCP handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Rtt>,
    /// TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Rtt>,
    /// From the query to the whole answer.
    #[serde(default)]
    pub exchange: Rtt,
}

/// Why there are no records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negative {
    /// True: the name does not exist (NXDOMAIN); false: it has no records of this type.
    pub no_such_name: bool,
    /// The zone that says so: owner of the SOA.
    pub zone: SafeText,
    /// Its primary server by the SOA.
    pub primary: SafeText,
    /// Its serial number.
    pub serial: u32,
    /// MINIMUM of the SOA in seconds.
    pub minimum_s: u32,
    /// How long a resolver keeps the answer, in seconds: the smaller of MINIMUM and the SOA's
    /// own time to live (RFC 2308 5).
    pub ttl_s: u32,
}

/// One RRSIG (RFC 4034 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Owner of the signed records.
    pub owner: SafeText,
    /// Type of the signed records.
    pub covers: SafeText,
    /// Algorithm by its registered mnemonic.
    pub algorithm: SafeText,
    /// Key tag.
    pub key_tag: u16,
    /// The zone that signed.
    pub signer: SafeText,
    /// Valid from.
    pub inception: Timestamp,
    /// Valid until.
    pub expiration: Timestamp,
}

/// One DNSKEY (RFC 4034 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneKey {
    /// Flags: 256 a zone key, 257 one with the SEP bit, 384 and 385 revoked ones.
    pub flags: u16,
    /// Algorithm by its number.
    pub algorithm_number: u8,
    /// Algorithm by its mnemonic.
    pub algorithm: SafeText,
    /// Key tag.
    pub key_tag: u16,
}

/// What is known of DNSSEC after an exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DnsSecurity {
    /// In one word.
    #[serde(default)]
    pub state: DnssecState,
    /// Everything wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<DnssecFault>,
    /// The same question with checking disabled, asked after a SERVFAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cd_retry: Option<Box<CdRetry>>,
}

/// DNSSEC in one word. The probe does not validate; this is what the server's answer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnssecState {
    /// Neither was it asked for nor does the answer say anything of it.
    #[default]
    Unknown,
    /// Signatures were asked for and there are none.
    Unsigned,
    /// Signatures are there; the server does not vouch for them (no AD bit).
    Signed,
    /// The server says that it has validated the answer (AD bit).
    Authenticated,
    /// The server refuses to answer and answers once checking is disabled: its validation fails.
    Bogus,
    /// SERVFAIL with checking disabled as well: not a matter of DNSSEC.
    FailsAnyway,
}

impl DnssecState {
    /// In words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "not known",
            Self::Unsigned => "not signed",
            Self::Signed => "signed, not validated by this server",
            Self::Authenticated => "validated by this server (AD)",
            Self::Bogus => "validation fails at this resolver (it answers with checking disabled)",
            Self::FailsAnyway => "fails with checking disabled as well: not DNSSEC",
        }
    }
}

/// One thing wrong with the DNSSEC of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnssecFault {
    /// A signature has expired.
    Expired {
        /// The signature.
        signature: Signature,
    },
    /// A signature is not valid yet.
    NotYetValid {
        /// The signature.
        signature: Signature,
    },
    /// A signature expires soon.
    ExpiresSoon {
        /// The signature.
        signature: Signature,
        /// Whole hours left.
        hours: u32,
    },
    /// The resolver's validation fails.
    ValidationFails {
        /// What the resolver says of it (RFC 8914), if anything.
        reason: Option<SafeText>,
    },
    /// The parent has DS records and none of them fits a key of the zone.
    NoKeyForDs {
        /// The zone.
        zone: SafeText,
        /// Key tags of the DS records.
        ds: Vec<u16>,
        /// Key tags of the DNSKEY records.
        keys: Vec<u16>,
    },
    /// The parent has DS records and the zone's answer carries no signature.
    SignatureMissing {
        /// The zone.
        zone: SafeText,
    },
}

/// The question asked again with checking disabled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CdRetry {
    /// Response code, or why there is no answer.
    pub outcome: Outcome<SafeText>,
    /// Records of the answer section, signatures not counted.
    #[serde(default)]
    pub records: u32,
    /// Time of this second question.
    #[serde(default)]
    pub rtt: Option<Rtt>,
}
