//! What a person points the console at, parsed from what they would type.
//!
//! Pure text work: no look-ups. A credential in what was typed is taken out at once; the label
//! that everything else shows has a mask in its place.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mask;
use super::secret::Secret;
use super::text::SafeText;

mod distinct;
mod parse;

pub use distinct::{distinct, recorded};
pub use parse::parse_host_port;
use parse::{mask_userinfo, parse_dns, parse_snmp, parse_url, strip_prefix_ci};

/// Name of a target in observations, findings and events: the target as typed, masked.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetId(pub Arc<str>);

impl TargetId {
    /// The vantage point itself: interfaces, default route, configured resolvers.
    pub fn local() -> Self {
        Self("local".into())
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A host: a literal address or a name to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// A literal IPv4 or IPv6 address.
    Addr(IpAddr),
    /// A host name, lower-case, without a final dot.
    Name(String),
}

impl Host {
    /// The name, where it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Host::Name(n) => Some(n),
            Host::Addr(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Addr(a) => write!(f, "{a}"),
            Host::Name(n) => f.write_str(n),
        }
    }
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As written in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
    /// 80 or 443.
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// What kind of thing a target is, and so which probes fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// The vantage point itself (no argument at all).
    Local,
    /// A host: reachability, path, MTU, and what answers on the usual ports.
    Host(Host),
    /// One TCP port of a host.
    Port {
        /// The host.
        host: Host,
        /// The TCP port.
        port: u16,
    },
    /// An HTTP or HTTPS URL.
    Url(Url),
    /// A DNS name, asked at every configured resolver or at a named one.
    Dns {
        /// The name to ask for, lower-case, without a final dot.
        name: String,
        /// The one resolver to ask, with its port (53 by default).
        resolver: Option<(Host, u16)>,
    },
    /// A device that speaks SNMP v2c.
    Snmp {
        /// The device.
        host: Host,
        /// UDP port, 161 by default.
        port: u16,
        /// Community from the command line; `None` means environment, configuration or `public`.
        community: Option<Secret>,
    },
}

/// The parts of a URL that the HTTP probe needs. User information is dropped: the probe never
/// sends credentials. Secrets in the query stay in `path`, where only the probe looks for them;
/// `Display` and `Debug` mask them.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host name or literal.
    pub host: Host,
    /// Explicit or default port.
    pub port: u16,
    /// Path and query, at least `/`.
    pub path: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match &self.host {
            Host::Addr(IpAddr::V6(a)) => format!("[{a}]"),
            h => h.to_string(),
        };
        write!(f, "{}://{host}", self.scheme.as_str())?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&mask::url(&self.path))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// A parsed target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name it goes by everywhere.
    pub id: TargetId,
    /// What it is.
    pub kind: TargetKind,
    /// Something the user should know about how it was typed (a secret in the arguments).
    pub warning: Option<SafeText>,
}

/// Why what was typed is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read '{typed}' as a target: {why}; try a host, an address, host:port, a URL, dns:name or dns:name@resolver"
)]
pub struct TargetError {
    /// What was typed, safe to show, credentials masked as far as they could be recognised.
    pub typed: SafeText,
    /// The trouble.
    pub why: String,
}

impl Target {
    /// The vantage point.
    pub fn local() -> Self {
        Self {
            id: TargetId::local(),
            kind: TargetKind::Local,
            warning: None,
        }
    }

    /// Parses what a person would type: a host, an address, `host:port`, `[v6]:port`, a URL,
    /// `dns:name`, `dns:name@resolver`, `snmp://[community@]host[:port]`.
    ///
    /// # Errors
    /// Says what is wrong with the text; never repeats a credential.
    pub fn parse(typed: &str) -> Result<Self, TargetError> {
        let typed = typed.trim();
        let fail = |why: &str| TargetError {
            typed: SafeText::capped(&mask::url(&mask_userinfo(typed)), 255),
            why: why.to_owned(),
        };
        if typed.is_empty() {
            return Err(fail("it is empty"));
        }
        if let Some(rest) = strip_prefix_ci(typed, "dns:") {
            return parse_dns(rest).map_err(|w| fail(&w));
        }
        if let Some(rest) = strip_prefix_ci(typed, "snmp://") {
            return parse_snmp(rest).map_err(|w| fail(&w));
        }
        for scheme in [Scheme::Https, Scheme::Http] {
            if let Some(rest) = strip_prefix_ci(typed, &format!("{}://", scheme.as_str())) {
                return parse_url(scheme, rest).map_err(|w| fail(&w));
            }
        }
        if let Some((scheme, _)) = typed.split_once("://") {
            return Err(fail(&format!(
                "the scheme '{scheme}' is not one it can probe"
            )));
        }
        if typed.contains('@') {
            return Err(fail(
                "only a URL has user information before an '@'; start it with https:// or http://",
            ));
        }
        let (host, port) = parse_host_port(typed).map_err(|w| fail(&w))?;
        let kind = match port {
            Some(port) => TargetKind::Port { host, port },
            None => TargetKind::Host(host),
        };
        let label = match &kind {
            TargetKind::Port {
                host: Host::Addr(IpAddr::V6(a)),
                port,
            } => format!("[{a}]:{port}"),
            TargetKind::Port { host, port } => format!("{host}:{port}"),
            TargetKind::Host(host) => host.to_string(),
            _ => typed.to_owned(),
        };
        Ok(Self {
            id: TargetId(label.into()),
            kind,
            warning: None,
        })
    }

    /// The same from a file, where a secret is at its proper place: without the warning that is
    /// for command lines.
    #[must_use]
    pub fn from_file(mut self) -> Self {
        if !matches!(self.kind, TargetKind::Url(_)) || !self.id.as_str().contains("://***@") {
            self.warning = None;
        }
        self
    }

    /// Whether a secret is missing that it was recorded without: the URL holds a mask.
    pub fn lacks_its_secret(&self) -> bool {
        matches!(&self.kind, TargetKind::Url(u) if mask::is_masked(&u.path))
    }

    /// The host that packets go to, where there is one (not for a DNS target without resolver).
    pub fn host(&self) -> Option<&Host> {
        match &self.kind {
            TargetKind::Local => None,
            TargetKind::Host(h)
            | TargetKind::Port { host: h, .. }
            | TargetKind::Snmp { host: h, .. } => Some(h),
            TargetKind::Url(u) => Some(&u.host),
            TargetKind::Dns { resolver, .. } => resolver.as_ref().map(|(h, _)| h),
        }
    }

    /// The TCP port the user named, explicitly or by a URL's scheme.
    pub fn tcp_port(&self) -> Option<u16> {
        match &self.kind {
            TargetKind::Port { port, .. } => Some(*port),
            TargetKind::Url(u) => Some(u.port),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(s: &str) -> String {
        Target::parse(s).unwrap().id.to_string()
    }

    #[test]
    fn what_people_type() {
        assert_eq!(id("API.example.com."), "api.example.com");
        assert_eq!(id("10.0.0.53"), "10.0.0.53");
        assert_eq!(id("fd00::1"), "fd00::1");
        assert_eq!(id("db:5432"), "db:5432");
        assert_eq!(id("[fd00::1]:443"), "[fd00::1]:443");
        assert_eq!(
            id("https://api.example.com/health?x=1#frag"),
            "https://api.example.com/health?x=1"
        );
        assert_eq!(id("http://h:80"), "http://h/");
        assert_eq!(id("dns:example.com@10.0.0.53"), "dns:example.com@10.0.0.53");
        assert_eq!(
            id("dns:example.com@[fd00::53]:5353"),
            "dns:example.com@[fd00::53]:5353"
        );
        assert_eq!(id("snmp://sw1"), "snmp://sw1");
    }

    #[test]
    fn secrets_are_masked_and_kept_apart() {
        let t = Target::parse("snmp://s3cr3t@sw1:1161").unwrap();
        assert_eq!(t.id.as_str(), "snmp://***@sw1:1161");
        assert!(t.warning.is_some());
        assert!(!format!("{t:?}").contains("s3cr3t"));
        let t = Target::parse("https://u:p4ss@h/x").unwrap();
        assert_eq!(t.id.as_str(), "https://***@h/x");
        assert!(!format!("{t:?}").contains("p4ss"));
        let t = Target::parse("https://h/x?a=b&api_key=p4ss#c").unwrap();
        assert_eq!(t.id.as_str(), "https://h/x?a=b&api_key=***");
        assert!(!format!("{t:?}").contains("p4ss") && t.warning.is_some());
        // The probe still has it.
        let TargetKind::Url(url) = &t.kind else {
            panic!("{t:?}");
        };
        assert_eq!(url.path, "/x?a=b&api_key=p4ss");
        assert!(!t.lacks_its_secret());
        assert!(Target::parse(t.id.as_str()).unwrap().lacks_its_secret());
        assert_eq!(t.from_file().warning, None);
        for bad in [
            "ftp://u:p4ss@h/x",
            "ftp://h/x?token=p4ss",
            "https://h:0/x?token=p4ss",
            "https://u:a/p4ss@h/x",
            "https://u:a?p4ss@h/x",
            "https://u:p4ss#a@h/x",
            "u:p4ss@h",
            "u:p4ss@h:80",
        ] {
            let e = Target::parse(bad).unwrap_err();
            assert!(!e.to_string().contains("p4ss"), "{e}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for bad in [
            "",
            "a b",
            "host:0",
            "host:99999",
            "1.2.3",
            "256.1.1.1",
            "a..b",
            "-oProxy",
            "224.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "ff02::1",
            "gopher://x",
            "x/y",
            "[fd00::1",
            "1:2:3",
            "dns:",
            "snmp://",
            "h\u{1b}[2J",
        ] {
            let e = Target::parse(bad).expect_err(bad).to_string();
            assert!(e.contains("cannot read") && !e.contains('\u{1b}'), "{e}");
        }
    }
}
