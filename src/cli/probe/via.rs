//! `--method`: the way to ping or trace.

use crate::cli::CliError;
use crate::model::text::SafeText;

/// A way as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// ICMP echo.
    Icmp,
    /// UDP, to a closed port unless one is given.
    Udp(Option<u16>),
    /// TCP handshakes with that port.
    Tcp(u16),
    /// The host's own `ping`.
    System,
    /// The library surge-ping.
    Surge,
}

impl Via {
    /// Reads `icmp`, `udp`, `udp:PORT`, `tcp`, `tcp:PORT`, `system` or `surge`; `tcp` alone means the
    /// port of the target.
    ///
    /// # Errors
    /// Usage.
    pub fn parse(text: &str, port: Option<u16>) -> Result<Self, CliError> {
        let (name, given) = match text.split_once(':') {
            Some((name, digits)) => (name, Some(digits.parse::<u16>().ok().filter(|p| *p > 0))),
            None => (text, None),
        };
        match (name, given) {
            ("icmp", None) => Ok(Self::Icmp),
            ("system", None) => Ok(Self::System),
            ("surge", None) => Ok(Self::Surge),
            ("udp", None) => Ok(Self::Udp(None)),
            ("udp", Some(Some(p))) => Ok(Self::Udp(Some(p))),
            ("tcp", Some(Some(p))) => Ok(Self::Tcp(p)),
            ("tcp", None) if port.is_some() => Ok(Self::Tcp(port.unwrap_or_default())),
            ("tcp", None) => Err(CliError::usage(
                "which TCP port? write --method tcp:PORT, or the target as host:port",
            )),
            _ => Err(CliError::usage(format!(
                "--method takes icmp, udp, udp:PORT, tcp, tcp:PORT, system or surge, not '{}'",
                SafeText::capped(text, 40)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let parse = |t| Via::parse(t, None).ok();
        assert_eq!(parse("icmp"), Some(Via::Icmp));
        assert_eq!(parse("udp"), Some(Via::Udp(None)));
        assert_eq!(parse("udp:53"), Some(Via::Udp(Some(53))));
        assert_eq!(parse("tcp:443"), Some(Via::Tcp(443)));
        assert_eq!(parse("system"), Some(Via::System));
        assert_eq!(Via::parse("tcp", Some(22)).ok(), Some(Via::Tcp(22)));
        for wrong in ["tcp", "tcp:", "tcp:0", "tcp:65536", "icmp:1", "sctp", ""] {
            let message = Via::parse(wrong, None).unwrap_err().message;
            assert!(message.contains("tcp:PORT"), "{wrong}: {message}");
        }
    }
}
