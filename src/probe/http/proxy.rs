//! Proxies, where the user asks for one: which one, whether it is meant for a host, and the
//! tunnel through it (CONNECT, RFC 9110 9.3.6).
//!
//! Nothing here looks at the environment by itself; it is handed in.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::secret::{MASK, Secret};
use crate::model::target::{Host, Scheme, Url, parse_host_port};
use crate::model::text::SafeText;

use super::plan::PlanError;

/// Most bytes of the answer to CONNECT.
const MAX_ANSWER: usize = 16 * 1024;

/// An HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
    user: Option<Secret>,
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`, `host:port` or `host`.
    ///
    /// # Errors
    /// Says what is wrong, never with the credentials.
    pub fn parse(typed: &str) -> Result<Self, PlanError> {
        let rest = match typed.split_once("://") {
            None => typed,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => {
                return Err(PlanError(format!(
                    "a proxy of the kind '{}' is not one it can use; only http:// is",
                    SafeText::capped(scheme, 20)
                )));
            }
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, at) = match rest.rsplit_once('@') {
            Some((user, at)) => (Some(Secret::new(decoded(user))), at),
            None => (None, rest),
        };
        let (host, port) =
            parse_host_port(at).map_err(|why| PlanError(format!("the proxy: {why}")))?;
        Ok(Self {
            host,
            // What curl and the usual proxies take.
            port: port.unwrap_or(1080),
            user,
        })
    }

    /// As shown: credentials masked.
    pub fn shown(&self) -> SafeText {
        let user = self
            .user
            .as_ref()
            .map_or(String::new(), |_| format!("{MASK}@"));
        SafeText::new(format!("http://{user}{}", authority(&self.host, self.port)))
    }

    /// Value of `Proxy-Authorization` (RFC 7617).
    pub(super) fn authorization(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        Some(format!("Basic {}", base64(user.expose().as_bytes())))
    }

    /// What must not be shown.
    pub(super) fn secrets(&self) -> Vec<String> {
        let Some(user) = &self.user else {
            return Vec::new();
        };
        let mut all = vec![user.expose().to_owned(), base64(user.expose().as_bytes())];
        all.extend(user.expose().split_once(':').map(|(_, p)| p.to_owned()));
        all
    }
}

/// The proxy that the environment names for a URL, with the name of the variable, as most
/// programs read it: `https_proxy`, `http_proxy` (in lower case only, because a web server's
/// CGI sets the other one), `all_proxy`; `no_proxy` excepts hosts.
pub fn named_for(
    url: &Url,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let names: &[&'static str] = match url.scheme {
        Scheme::Http => &["http_proxy", "all_proxy", "ALL_PROXY"],
        Scheme::Https => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let set = |name: &str| environment(name).filter(|v| !v.is_empty());
    let found = names.iter().find_map(|n| Some((*n, set(n)?)))?;
    let excepted = set("no_proxy").or_else(|| set("NO_PROXY"));
    if excepted.is_some_and(|list| is_excepted(url, &list)) {
        return None;
    }
    Some(found)
}

/// The environment of this process.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a list like `localhost,.example.com,10.0.0.0/8,api:8080` holds the host of a URL.
fn is_excepted(url: &Url, list: &str) -> bool {
    list.split([',', ' ']).map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        match &url.host {
            Host::Addr(addr) => covers(entry, *addr) || same_addr(entry, *addr, url.port),
            Host::Name(name) => {
                let (suffix, port) = match entry.rsplit_once(':') {
                    Some((s, p)) => (s, p.parse::<u16>().ok()),
                    None => (entry, None),
                };
                let suffix = suffix.trim_start_matches(['*', '.']).to_ascii_lowercase();
                let fits = !suffix.is_empty()
                    && name
                        .strip_suffix(suffix.as_str())
                        .is_some_and(|head| head.is_empty() || head.ends_with('.'));
                fits && port.is_none_or(|p| p == url.port)
            }
        }
    })
}

fn same_addr(entry: &str, addr: IpAddr, port: u16) -> bool {
    parse_host_port(entry)
        .is_ok_and(|(host, p)| host == Host::Addr(addr) && p.is_none_or(|p| p == port))
}

fn covers(network: &str, addr: IpAddr) -> bool {
    let Some((base, len)) = network.split_once('/') else {
        return false;
    };
    let (Ok(base), Ok(len)) = (base.parse::<IpAddr>(), len.parse::<u32>()) else {
        return false;
    };
    match (base, addr) {
        (IpAddr::V4(b), IpAddr::V4(a)) if len <= 32 => {
            (b.to_bits() ^ a.to_bits())
                .checked_shr(32 - len)
                .unwrap_or(0)
                == 0
        }
        (IpAddr::V6(b), IpAddr::V6(a)) if len <= 128 => {
            (b.to_bits() ^ a.to_bits())
                .checked_shr(128 - len)
                .unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum TunnelError {
    /// Nothing came in time.
    Silence,
    /// The proxy said no, or something that is no answer.
    Refused(String),
    /// The connection broke.
    Io(std::io::Error),
}

/// Asks the proxy at the other end of `tcp` for a tunnel to the host of `url`.
pub(super) async fn tunnel(
    tcp: &mut TcpStream,
    proxy: &Proxy,
    url: &Url,
    limit: Duration,
) -> Result<(), TunnelError> {
    let to = authority(&url.host, url.port);
    let login = proxy
        .authorization()
        .map_or(String::new(), |a| format!("Proxy-Authorization: {a}\r\n"));
    let agent = concat!("warroom/", env!("CARGO_PKG_VERSION"));
    let request =
        format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {agent}\r\n{login}\r\n");
    let asking = async {
        tcp.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the answer belongs to TLS.
        while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
            if answer.len() >= MAX_ANSWER {
                break;
            }
            match tcp.read_u8().await {
                Ok(byte) => answer.push(byte),
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(e) => return Err(e),
            }
        }
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(limit, asking).await {
        Err(_) => Err(TunnelError::Silence),
        Ok(Err(e)) => Err(TunnelError::Io(e)),
        Ok(Ok(answer)) => judge(&answer, &to),
    }
}

fn judge(answer: &[u8], to: &str) -> Result<(), TunnelError> {
    let refuse = |words: String| Err(TunnelError::Refused(words));
    if answer.is_empty() {
        return refuse(format!(
            "the proxy closed the connection instead of opening a tunnel to {to}"
        ));
    }
    let line = answer
        .split(|b| *b == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let line = String::from_utf8_lossy(line);
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|s| s.parse::<u16>().ok());
    match status {
        Some(200..=299) if answer.len() < MAX_ANSWER => Ok(()),
        Some(200..=299) => refuse(format!(
            "the proxy's answer to CONNECT has no end in {MAX_ANSWER} bytes"
        )),
        Some(code @ (401 | 407)) => refuse(format!(
            "the proxy wants a login before it opens a tunnel to {to} ({code})"
        )),
        Some(_) => {
            let said = line.get(9..).unwrap_or_default();
            refuse(format!("the proxy opens no tunnel to {to}: {said}"))
        }
        None => refuse(format!(
            "what is asked for a tunnel to {to} is no HTTP proxy: it says {line:?}"
        )),
    }
}

/// `host:port` of a request target; IPv6 in brackets.
pub(super) fn authority(host: &Host, port: u16) -> String {
    match host {
        Host::Addr(IpAddr::V6(a)) => format!("[{a}]:{port}"),
        other => format!("{other}:{port}"),
    }
}

/// Percent-decoding (RFC 3986 2.1); what is not well-formed stays.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 4648 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = 0u32;
        for i in 0..3 {
            group = group << 8 | u32::from(chunk.get(i).copied().unwrap_or(0));
        }
        for i in 0..4 {
            let index = (group >> (18 - 6 * i) & 63) as usize;
            let sign = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if i <= chunk.len() {
                char::from(sign)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        match crate::model::target::Target::parse(text).unwrap().kind {
            crate::model::target::TargetKind::Url(u) => u,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn proxies_are_read_and_their_login_masked() {
        let p = Proxy::parse("http://jo:p%40ss@proxy.lan:3128/").unwrap();
        assert_eq!(
            (p.port, p.shown().as_str()),
            (3128, "http://***@proxy.lan:3128")
        );
        assert_eq!(p.authorization().unwrap(), "Basic am86cEBzcw==");
        assert!(!format!("{p:?}").contains("p@ss"));
        assert_eq!(Proxy::parse("[fd00::1]:8080").unwrap().port, 8080);
        for bad in ["socks5://h", "https://u:secret1@h", "h:0", ""] {
            let e = Proxy::parse(bad).unwrap_err().to_string();
            assert!(!e.contains("secret1"), "{e}");
        }
        assert_eq!(base64(b"a"), "YQ==");
        assert_eq!(base64(b"abcd"), "YWJjZA==");
    }

    #[test]
    fn the_environment_is_read_as_usual() {
        let env = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map(|(_, v)| (*v).to_owned())
            }
        };
        let named = |u: &str, pairs| named_for(&url(u), &env(pairs)).map(|(name, _)| name);
        assert_eq!(named("http://h/", &[("HTTP_PROXY", "p")]), None);
        assert_eq!(
            named("http://h/", &[("http_proxy", "p")]),
            Some("http_proxy")
        );
        assert_eq!(
            named("https://h/", &[("HTTPS_PROXY", "p")]),
            Some("HTTPS_PROXY")
        );
        assert_eq!(
            named("https://h/", &[("ALL_PROXY", "p")]),
            Some("ALL_PROXY")
        );
        assert_eq!(named("https://h/", &[("https_proxy", "")]), None);
        for (u, list, excepted) in [
            ("http://a.example.com/", ".example.com", true),
            ("http://example.com/", ".example.com", true),
            ("http://badexample.com/", "example.com", false),
            ("http://a.b/", "x, *", true),
            ("http://h:81/", "h:80", false),
            ("http://h:81/", "h:81", true),
            ("http://10.1.2.3/", "10.0.0.0/8", true),
            ("http://11.1.2.3/", "10.0.0.0/8", false),
            ("http://11.1.2.3/", "0.0.0.0/0", true),
            ("http://[fd00::1]/", "fd00::/16", true),
            ("http://[fd00::1]/", "fd00::1", true),
            ("http://h/", "", false),
        ] {
            assert_eq!(is_excepted(&url(u), list), excepted, "{u} in {list}");
        }
    }

    #[test]
    fn answers_to_connect_are_told_apart() {
        assert!(judge(b"HTTP/1.1 200 Connection established\r\n\r\n", "h:1").is_ok());
        for (answer, words) in [
            (
                &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
                "login",
            ),
            (b"HTTP/1.0 403 Filtered\r\n\r\n", "403 Filtered"),
            (b"SSH-2.0-x\r\n", "no HTTP proxy"),
            (b"", "closed"),
        ] {
            match judge(answer, "h:1") {
                Err(TunnelError::Refused(said)) => assert!(said.contains(words), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
