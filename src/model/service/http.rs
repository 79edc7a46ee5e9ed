//! Observations of HTTP exchanges.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::finding::Severity;
use crate::model::observation::{Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::tls::TlsFault;

/// One HTTP exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpSample {
    /// The URL, credentials masked.
    pub url: SafeText,
    /// Address and port that the connection went to; the proxy's where there is one.
    pub dst: SocketAddr,
    /// True if the user asked for this URL; false if it was only tried.
    pub asked: bool,
    /// The response.
    pub outcome: Outcome<HttpResponse>,
    /// How it went, also where no response came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<HttpDetails>>,
}

impl HttpSample {
    /// Whether the service did its work: a gateway's failure (502, 503, 504) and a reset say that
    /// it did not. Nothing else says so of one request among others: a 500 may be the request's.
    pub fn served(&self) -> Option<bool> {
        match &self.outcome {
            Outcome::Ok(_) => match self.final_status()?.0 {
                502..=504 => Some(false),
                status => (status < 500).then_some(true),
            },
            Outcome::Refused { why, .. } => (*why == Refusal::TcpReset).then_some(false),
            Outcome::Timeout { .. } | Outcome::CannotTry { .. } => None,
        }
    }

    /// The status that a user would see and the URL it came from: of the first response, or of the
    /// last one where redirects were followed to their end. `None` without a response.
    pub fn final_status(&self) -> Option<(u16, &SafeText)> {
        let first = (self.outcome.ok()?.status, &self.url);
        let redirects = self.details.as_ref().and_then(|d| d.redirects.as_ref());
        let last = redirects.filter(|r| r.end == RedirectEnd::Arrived);
        Some(
            last.and_then(|r| Some((r.status?, r.urls.last()?)))
                .unwrap_or(first),
        )
    }
}

/// An HTTP response, whatever its status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// `HTTP/1.1`, `HTTP/2`.
    pub version: SafeText,
    /// Time of each phase.
    pub phases: HttpPhases,
    /// `Server` header.
    pub server: Option<SafeText>,
    /// `Location` header.
    pub location: Option<SafeText>,
    /// `Date` header, as sent.
    pub date: Option<SafeText>,
    /// Body bytes read (capped).
    pub body_bytes: u64,
    /// First line of the body where it is text.
    pub body_start: Option<SafeText>,
}

/// Phases of an HTTP exchange; they add up to [`HttpPhases::total`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpPhases {
    /// The host's name became addresses; zero where it was known already.
    #[serde(default)]
    pub name: Rtt,
    /// TCP handshake.
    pub connect: Rtt,
    /// The proxy's answer to CONNECT, zero without one.
    #[serde(default)]
    pub proxy: Rtt,
    /// TLS handshake, zero for plain HTTP.
    pub tls: Rtt,
    /// Until the kernel had taken the whole request.
    #[serde(default)]
    pub request: Rtt,
    /// From request sent to the head of the response.
    pub first_byte: Rtt,
    /// Rest of the body.
    pub body: Rtt,
}

impl HttpPhases {
    /// Sum of the phases.
    pub const fn total(self) -> Rtt {
        let mut sum = 0u64;
        let parts = self.parts();
        let mut i = 0;
        while i < parts.len() {
            sum = sum.saturating_add(parts[i].1.0);
            i += 1;
        }
        Rtt(sum)
    }

    /// The phases in their order, with names for people.
    pub const fn parts(self) -> [(&'static str, Rtt); 7] {
        [
            ("name", self.name),
            ("connect", self.connect),
            ("proxy", self.proxy),
            ("TLS", self.tls),
            ("request", self.request),
            ("first byte", self.first_byte),
            ("body", self.body),
        ]
    }

    /// The phase that took at least half of the time, and its share in percent.
    pub fn dominant(self) -> Option<(&'static str, Rtt, u32)> {
        let total = self.total().0;
        let (name, time) = self.parts().into_iter().max_by_key(|(_, t)| *t)?;
        let share = u128::from(time.0) * 100 / u128::from(total.max(1));
        (share >= 50).then_some((name, time, share as u32))
    }
}

/// How an exchange went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpDetails {
    /// Request method.
    pub method: SafeText,
    /// Redirects followed before this request.
    pub hop: u32,
    /// Time of each phase as far as it went; the last of them may not be complete.
    pub phases: HttpPhases,
    /// The kernel's round-trip time of the TCP handshake, beside which the others are to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_rtt: Option<Rtt>,
    /// SYNs sent again before the connection stood; each is a wait of a second or more.
    pub syn_retransmits: u32,
    /// The TLS session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<HttpTls>,
    /// The proxy that was asked, credentials masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SafeText>,
    /// Environment variable that names a proxy for this URL, which was not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_unused: Option<SafeText>,
    /// Header fields of the response, secrets masked, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(SafeText, SafeText)>,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<HttpBody>,
    /// `Date` of the server minus the clock of this host, in milliseconds. `Date` has whole
    /// seconds, so it is good to about half a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_offset_ms: Option<i64>,
    /// The response says how old it is (`Age`): its `Date` is a cache's memory.
    #[serde(skip_serializing_if = "is_false")]
    pub aged: bool,
    /// Interim (1xx) responses before the final one.
    pub interim: u32,
    /// The response sets a cookie. Cookies are not kept.
    #[serde(skip_serializing_if = "is_false")]
    pub sets_cookie: bool,
    /// Where redirects led that were followed from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirects: Option<HttpRedirects>,
    /// Names of header fields that the user gave and that were not sent, because the certificate
    /// is not good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<SafeText>,
    /// Where an exchange without a whole response stood when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<SafeText>,
}

fn is_false(b: &bool) -> bool {
    !b
}

/// Redirects that were followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpRedirects {
    /// What was asked for, one after the other, secrets masked; the first URL is the one given.
    pub urls: Vec<SafeText>,
    /// How it ended.
    pub end: RedirectEnd,
    /// Status of the response at the last URL, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl HttpRedirects {
    /// The URLs that lead to each other for ever, if they do.
    pub fn members(&self) -> Option<&[SafeText]> {
        match self.end {
            RedirectEnd::Loop { from, .. } => self.urls.get(from..).filter(|m| !m.is_empty()),
            _ => None,
        }
    }
}

/// How redirects ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectEnd {
    /// With an exchange that leads nowhere else.
    Arrived,
    /// The last one leads back to that position of the URLs, with the same method.
    Loop {
        /// Position.
        from: usize,
        /// One of the loop sets a cookie: who keeps it may get out.
        cookies: bool,
    },
    /// More than were to be followed.
    TooMany,
    /// To where they are not followed.
    Away,
    /// Not all were followed in time.
    Unknown,
}

/// The TLS session of an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpTls {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: SafeText,
    /// Protocol agreed by ALPN (`h2`, `http/1.1`).
    pub alpn: Option<SafeText>,
    /// What the certificate is worth; `None` in older records, which did not judge it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<HttpCertificate>,
}

/// The judgement of the chain that the server of an exchange presented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpCertificate {
    /// Whether a client accepts it for the host of the URL. Credentials go over no other.
    pub good: bool,
    /// Everything that is wrong with it or soon will be, the gravest first.
    pub faults: Vec<CertFault>,
    /// Which roots it was judged against.
    pub roots: SafeText,
}

/// A fault of a chain, told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertFault {
    /// Stable code in kebab case, as `warroom tls` has it.
    pub code: SafeText,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub detail: SafeText,
}

impl From<&TlsFault> for CertFault {
    fn from(fault: &TlsFault) -> Self {
        Self {
            code: fault.code().into(),
            severity: fault.severity(),
            detail: SafeText::new(fault.detail()),
        }
    }
}

/// The body of a response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpBody {
    /// Bytes read.
    pub bytes: u64,
    /// `Content-Length`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced: Option<u64>,
    /// The body is longer than what was read.
    pub truncated: bool,
    /// SHA-256 of the bytes read, lower-case hexadecimal.
    pub sha256: SafeText,
    /// Whether it holds what was looked for; `None` where nothing was, or nothing could be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<bool>,
    /// `Content-Encoding`; such a body is not decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<SafeText>,
    /// Bytes per second from the head of the response to the last byte read, where both are
    /// enough to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_bytes_per_s: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Rtt {
        Rtt(n * 1_000_000)
    }

    #[test]
    fn phases_add_up_and_the_longest_is_known() {
        let p = HttpPhases {
            name: ms(1),
            connect: ms(10),
            proxy: ms(2),
            tls: ms(20),
            request: ms(3),
            first_byte: ms(60),
            body: ms(4),
        };
        assert_eq!(p.total(), ms(100));
        assert_eq!(p.dominant(), Some(("first byte", ms(60), 60)));
        let even = HttpPhases {
            connect: ms(10),
            tls: ms(10),
            first_byte: ms(10),
            ..HttpPhases::default()
        };
        assert_eq!(even.dominant(), None);
    }

    #[test]
    fn a_journal_without_details_is_still_read() {
        let old = r#"{"url":"http://x/","dst":"10.0.0.1:80","asked":true,"outcome":{"ok":{"status":200,
            "version":"HTTP/1.1","phases":{"connect":1,"tls":0,"first_byte":2,"body":3},"server":null,
            "location":null,"date":null,"body_bytes":0,"body_start":null}}}"#;
        let sample: HttpSample = serde_json::from_str(old).unwrap();
        assert_eq!(sample.details, None);
        assert_eq!(sample.outcome.ok().map(|r| r.phases.total()), Some(Rtt(6)));
    }
}
