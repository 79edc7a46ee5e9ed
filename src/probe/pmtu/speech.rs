//! What a server is told while the sizes of segments are tried: the beginning of what it expects
//! to hear, as long as wanted. Nothing large goes to a port whose protocol nobody named.

use std::net::IpAddr;

use crate::model::service::speaks_tls;
use crate::model::target::{Host, Scheme, Target, TargetKind};
use crate::probe::tls;

/// Ports on which plain HTTP is spoken.
const HTTP: [u16; 3] = [80, 8000, 8080];
/// Longest header line; servers take eight times that.
const LINE: usize = 1000;
/// `X-Padding: ` and the end of the line.
const EMPTY_LINE: usize = 13;

/// A protocol, and what of it makes a request an ordinary one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// A ClientHello of TLS with padding (RFC 7685).
    Tls {
        /// Server name, where the target has one.
        name: Option<String>,
    },
    /// A HEAD request of HTTP with long headers (RFC 9110).
    Http {
        /// `Host`.
        host: String,
    },
    /// Empty lines: no protocol at all. Only for those who asked for it.
    Filler,
}

impl Speech {
    /// What a target speaks at one of its ports: what its URL says, else what the number of the
    /// port is known for.
    pub fn of(target: &Target, port: u16) -> Option<Self> {
        let host = target.host()?;
        let by_url = match &target.kind {
            TargetKind::Url(u) if u.port == port => Some(u.scheme),
            _ => None,
        };
        match by_url {
            Some(Scheme::Https) => Some(Self::tls(host)),
            Some(Scheme::Http) => Some(Self::http(host)),
            None if speaks_tls(port) => Some(Self::tls(host)),
            None => HTTP.contains(&port).then(|| Self::http(host)),
        }
    }

    /// TLS, with the name of the host if it has one.
    pub fn tls(host: &Host) -> Self {
        Self::Tls {
            name: host.name().map(str::to_owned),
        }
    }

    /// HTTP of that host.
    pub fn http(host: &Host) -> Self {
        let host = match host {
            Host::Addr(IpAddr::V6(a)) => format!("[{a}]"),
            other => other.to_string(),
        };
        Self::Http { host }
    }

    /// Exactly `len` bytes of it; `None` if it can't be so short or so long.
    pub(super) fn bytes(&self, len: usize) -> Option<Vec<u8>> {
        match self {
            Self::Tls { name } => tls::padded(name.as_deref(), len),
            Self::Http { host } => request(host, len),
            Self::Filler => Some(vec![b'\n'; len]),
        }
    }
}

fn request(host: &str, len: usize) -> Option<Vec<u8>> {
    let mut text =
        format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: warroom\r\nConnection: close\r\n");
    let mut left = len.checked_sub(text.len() + 2)?;
    while left > 0 {
        // What is left over must suffice for a line.
        let line = match left {
            n if n <= LINE => n,
            n => LINE.min(n - EMPTY_LINE),
        };
        let padding = line.checked_sub(EMPTY_LINE)?;
        text += &format!("X-Padding: {}\r\n", "p".repeat(padding));
        left -= line;
    }
    text += "\r\n";
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(target: &str, port: u16) -> Option<Speech> {
        Speech::of(&Target::parse(target).expect("a target"), port)
    }

    #[test]
    fn a_port_that_nobody_knows_is_told_nothing() {
        let name = Some("a.example".to_owned());
        assert_eq!(of("a.example", 443), Some(Speech::Tls { name }));
        assert_eq!(of("10.0.0.1", 8443), Some(Speech::Tls { name: None }));
        let host = "[fd00::1]".to_owned();
        assert_eq!(of("fd00::1", 80), Some(Speech::Http { host }));
        for port in [22, 25, 5432, 3306, 6379, 9100] {
            assert_eq!(of("a.example", port), None, "{port}");
        }
        // A URL says more than a number.
        assert!(matches!(
            of("https://a:5432", 5432),
            Some(Speech::Tls { .. })
        ));
        assert!(matches!(of("http://a:443", 443), Some(Speech::Http { .. })));
        assert_eq!(of("https://a:5432", 5433), None);
    }

    #[test]
    fn it_is_as_long_as_wanted_and_well_formed() {
        let name = Some("a.example".to_owned());
        let host = "a.example".to_owned();
        for len in (400..2200).chain([9000, 14_000]) {
            let hello = Speech::Tls { name: name.clone() }.bytes(len).expect("fits");
            assert_eq!(hello.len(), len);
            let record = u16::from_be_bytes([hello[3], hello[4]]);
            assert_eq!(usize::from(record), len - 5);
            let message = u32::from_be_bytes([0, hello[6], hello[7], hello[8]]);
            assert_eq!(message as usize, len - 9);
            let Some(http) = Speech::Http { host: host.clone() }.bytes(len) else {
                panic!("{len}");
            };
            assert_eq!(http.len(), len);
            let text = String::from_utf8(http).expect("text");
            let body = text.strip_suffix("\r\n\r\n").expect("its end");
            let mut lines = body.split("\r\n").skip(1);
            assert!(lines.all(|l| l.contains(": ") && l.len() <= LINE), "{text}");
        }
        assert_eq!(Speech::Tls { name: None }.bytes(20), None);
        assert_eq!(Speech::Tls { name: None }.bytes(20_000), None);
        assert_eq!(Speech::Http { host }.bytes(20), None);
    }
}
