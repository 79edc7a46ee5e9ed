//! What a person points the console at, parsed from what they would type.
//!
//! Pure text work: no look-ups. A credential in what was typed is taken out at once; the label
//! that everything else shows has a mask in its place.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::secret::{MASK, Secret};
use super::text::SafeText;

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
/// sends credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        f.write_str(&self.path)
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
            typed: SafeText::capped(&mask_userinfo(typed), 255),
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

fn strip_prefix_ci<'a>(s: &'a str, prefix: &str) -> Option<&'a str> {
    let head = s.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &s[prefix.len()..])
}

/// Masks what stands between `//` and the last `@` before the path.
fn mask_userinfo(typed: &str) -> String {
    let Some(at) = typed.find("://") else {
        return typed.to_owned();
    };
    let (head, rest) = typed.split_at(at + 3);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(i) => format!("{head}{MASK}{}", &rest[i..]),
        None => typed.to_owned(),
    }
}

fn parse_dns(rest: &str) -> Result<Target, String> {
    let (name, resolver) = match rest.split_once('@') {
        Some((name, at)) => {
            let (host, port) = parse_host_port(at)?;
            (name, Some((host, port.unwrap_or(53))))
        }
        None => (rest, None),
    };
    let name = parse_name(name)?;
    let label = match &resolver {
        Some((h, 53)) => format!("dns:{name}@{h}"),
        Some((Host::Addr(IpAddr::V6(a)), p)) => format!("dns:{name}@[{a}]:{p}"),
        Some((h, p)) => format!("dns:{name}@{h}:{p}"),
        None => format!("dns:{name}"),
    };
    Ok(Target {
        id: TargetId(label.into()),
        kind: TargetKind::Dns { name, resolver },
        warning: None,
    })
}

fn parse_snmp(rest: &str) -> Result<Target, String> {
    let rest = rest.trim_end_matches('/');
    let (community, at) = match rest.rsplit_once('@') {
        Some((c, at)) => (Some(Secret::new(c)), at),
        None => (None, rest),
    };
    let (host, port) = parse_host_port(at)?;
    let port = port.unwrap_or(161);
    let mask = if community.is_some() {
        format!("{MASK}@")
    } else {
        String::new()
    };
    let shown = match (&host, port) {
        (h, 161) => h.to_string(),
        (Host::Addr(IpAddr::V6(a)), p) => format!("[{a}]:{p}"),
        (h, p) => format!("{h}:{p}"),
    };
    let warning = community.as_ref().map(|_| {
        SafeText::new("the SNMP community was given on the command line, where every user of this host can read it; use WARROOM_SNMP_COMMUNITY, a file or warroom.toml")
    });
    Ok(Target {
        id: TargetId(format!("snmp://{mask}{shown}").into()),
        kind: TargetKind::Snmp {
            host,
            port,
            community,
        },
        warning,
    })
}

fn parse_url(scheme: Scheme, rest: &str) -> Result<Target, String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (had_user, authority) = match authority.rsplit_once('@') {
        Some((_, a)) => (true, a),
        None => (false, authority),
    };
    let (host, port) = parse_host_port(authority)?;
    let path = tail.split('#').next().unwrap_or("");
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if path.chars().any(|c| c.is_control() || c == ' ') {
        return Err("the path holds a space or a control character; percent-encode it".into());
    }
    let url = Url {
        scheme,
        host,
        port: port.unwrap_or(scheme.default_port()),
        path,
    };
    let warning = had_user.then(|| {
        SafeText::new("user and password in the URL are masked and not sent: the HTTP probe sends no credentials")
    });
    let shown = url.to_string();
    let label = if had_user {
        shown.replacen("://", &format!("://{MASK}@"), 1)
    } else {
        shown
    };
    Ok(Target {
        id: TargetId(label.into()),
        kind: TargetKind::Url(url),
        warning,
    })
}

/// Reads `host`, `host:port`, `v6` and `[v6]:port`.
///
/// # Errors
/// Says which part can't be right.
pub fn parse_host_port(s: &str) -> Result<(Host, Option<u16>), String> {
    if s.is_empty() {
        return Err("the host is missing".into());
    }
    if let Some(rest) = s.strip_prefix('[') {
        let (inner, tail) = rest
            .split_once(']')
            .ok_or("the ']' after the IPv6 address is missing")?;
        let addr: IpAddr = inner
            .parse()
            .map_err(|_| format!("'{inner}' is not an IPv6 address"))?;
        let port = match tail.strip_prefix(':') {
            Some(p) => Some(parse_port(p)?),
            None if tail.is_empty() => None,
            None => return Err(format!("'{tail}' after the address is not a port")),
        };
        return Ok((Host::Addr(checked_addr(addr)?), port));
    }
    if let Ok(addr) = s.parse::<IpAddr>() {
        return Ok((Host::Addr(checked_addr(addr)?), None));
    }
    let (host, port) = match s.rsplit_once(':') {
        Some((h, p)) if !h.contains(':') => (h, Some(parse_port(p)?)),
        Some(_) => {
            return Err("it is neither an IPv6 address nor host:port; write [address]:port".into());
        }
        None => (s, None),
    };
    if let Ok(addr) = host.parse::<IpAddr>() {
        return Ok((Host::Addr(checked_addr(addr)?), port));
    }
    Ok((Host::Name(parse_name(host)?), port))
}

fn parse_port(p: &str) -> Result<u16, String> {
    match p.parse::<u16>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("'{p}' is not a port (1 to 65535)")),
    }
}

/// Addresses that nobody debugs with unicast probes are refused rather than probed.
fn checked_addr(addr: IpAddr) -> Result<IpAddr, String> {
    let bad = match addr {
        IpAddr::V4(a) => {
            a.is_unspecified() || a.is_broadcast() || a.is_multicast() || a.octets()[0] == 0
        }
        IpAddr::V6(a) => a.is_unspecified() || a.is_multicast(),
    };
    if bad {
        return Err(format!(
            "{addr} is an unspecified, broadcast or multicast address"
        ));
    }
    Ok(addr)
}

/// A DNS name in presentation form: RFC 1035 lengths, no spaces or controls. Underscores are
/// allowed (service names); other characters are left to the resolver to refuse.
fn parse_name(name: &str) -> Result<String, String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    if name.len() > 253 {
        return Err("the name is longer than 253 octets".into());
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        return Err(match bad {
            '/' => {
                "'/' is not part of a host name; for a URL start with http:// or https://".into()
            }
            c if !c.is_ascii() => "write an international name in its xn-- form".into(),
            c => format!("{:?} is not part of a host name", c),
        });
    }
    if name.starts_with('-') {
        return Err("a host name does not start with '-'".into());
    }
    if name.split('.').any(|l| l.is_empty() || l.len() > 63) {
        return Err("a label of the name is empty or longer than 63 octets".into());
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|l| l.chars().all(|c| c.is_ascii_digit()))
    {
        return Err("it looks like an IPv4 address but is not one".into());
    }
    Ok(name.to_ascii_lowercase())
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
        let e = Target::parse("ftp://u:p4ss@h/x").unwrap_err();
        assert!(!e.to_string().contains("p4ss"), "{e}");
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
