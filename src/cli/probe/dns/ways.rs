//! Which transports the arguments ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use super::DnsArgs;
use crate::cli::CliError;
use crate::model::service::DnsTransport;
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::probe::dns::options::DOH_PATH;
use crate::probe::dns::{Doh, Secure, Transport};
use crate::probe::tls::Roots;

/// The transports in the order in which they are asked.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    kinds: Vec<DnsTransport>,
    tls_port: Option<u16>,
    https_port: Option<u16>,
    path: String,
    get: bool,
}

impl Ways {
    pub(super) fn of(args: &DnsArgs) -> Result<Self, CliError> {
        let (https_port, path) = resource(args.https.as_deref().unwrap_or(""))?;
        let mut kinds = Vec::new();
        if args.all_transports {
            kinds.push(DnsTransport::Udp);
        }
        for (wanted, kind) in [
            (args.tcp, DnsTransport::Tcp),
            (args.tls.is_some(), DnsTransport::Tls),
            (args.https.is_some(), DnsTransport::Https),
        ] {
            if wanted || args.all_transports {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            kinds.push(DnsTransport::Udp);
        }
        if args.get && !kinds.contains(&DnsTransport::Https) {
            return Err(CliError::usage("--get goes with --https"));
        }
        Ok(Self {
            kinds,
            tls_port: args.tls.filter(|p| *p != DnsTransport::Tls.port()),
            https_port,
            path,
            get: args.get,
        })
    }

    /// Whether TLS is among them.
    pub(super) fn secure(&self) -> bool {
        let mut kinds = self.kinds.iter();
        kinds.any(|k| matches!(k, DnsTransport::Tls | DnsTransport::Https))
    }

    /// The transports for a server, each with the address it goes to. A port that the user typed
    /// goes for every transport that has none of its own.
    pub(super) fn to(
        &self,
        server: SocketAddr,
        name: &Host,
        roots: Option<&Roots>,
    ) -> Vec<(SocketAddr, Transport)> {
        let secure = roots.map(|roots| {
            Arc::new(Secure {
                name: name.clone(),
                roots: roots.clone(),
            })
        });
        let mut all = Vec::new();
        for kind in &self.kinds {
            let given = (server.port() != 53).then_some(server.port());
            let typed = if self.kinds.len() == 1 { given } else { None };
            let mut at = server;
            let transport = match (kind, &secure) {
                (DnsTransport::Tls, Some(secure)) => {
                    at.set_port(self.tls_port.or(typed).unwrap_or(kind.port()));
                    Transport::Tls(Arc::clone(secure))
                }
                (DnsTransport::Https, Some(secure)) => {
                    let port = self.https_port.or(typed).unwrap_or(kind.port());
                    at.set_port(port);
                    let doh = Doh {
                        path: self.path.clone(),
                        get: self.get,
                        port,
                    };
                    Transport::Https(Arc::clone(secure), Arc::new(doh))
                }
                (DnsTransport::Tcp, _) => Transport::Tcp,
                _ => Transport::Udp,
            };
            all.push((at, transport));
        }
        all
    }
}

/// Reads `[:PORT][/PATH]`; a template's `{?dns}` at the end is understood.
fn resource(text: &str) -> Result<(Option<u16>, String), CliError> {
    let wrong = |why: &str| {
        CliError::usage(format!(
            "--https={}: {why}; write [:PORT][/PATH], like /dns-query or :8443/dns-query",
            SafeText::capped(text, 60)
        ))
    };
    let (port, path) = match text.strip_prefix(':') {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (digits, path) = rest.split_at(end);
            match digits.parse::<u16>() {
                Ok(port) if port > 0 => (Some(port), path),
                _ => return Err(wrong("that is not a port")),
            }
        }
        None => (None, text),
    };
    let path = path.strip_suffix("{?dns}").unwrap_or(path);
    let path = if path.is_empty() { DOH_PATH } else { path };
    let fit = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '{' | '}');
    if !path.starts_with('/') || !path.chars().all(fit) {
        return Err(wrong("that is not a path"));
    }
    Ok((port, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources() {
        let read = |t| resource(t).ok();
        let dq = || "/dns-query".to_owned();
        assert_eq!(read(""), Some((None, dq())));
        assert_eq!(read("/dns-query{?dns}"), Some((None, dq())));
        assert_eq!(read(":8443"), Some((Some(8443), dq())));
        assert_eq!(read(":8443/q"), Some((Some(8443), "/q".into())));
        for wrong in [":0", ":x/", "q", "/a b", "/a#b", "https://x/"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ports() {
        let args = DnsArgs {
            all_transports: true,
            ..DnsArgs::default()
        };
        let ways = Ways::of(&args).unwrap();
        let roots = Roots::from_groups(Vec::new());
        let name = Host::Name("ns.example".into());
        let ports = |ways: &Ways, server: &str| -> Vec<u16> {
            let all = ways.to(server.parse().unwrap(), &name, Some(&roots));
            all.iter().map(|(at, _)| at.port()).collect()
        };
        assert_eq!(ports(&ways, "10.0.0.1:53"), [53, 53, 853, 443]);
        assert_eq!(ports(&ways, "10.0.0.1:5353"), [5353, 5353, 853, 443]);
        let tls = DnsArgs {
            tls: Some(853),
            ..DnsArgs::default()
        };
        assert_eq!(ports(&Ways::of(&tls).unwrap(), "10.0.0.1:8853"), [8853]);
        let tls = DnsArgs {
            tls: Some(9853),
            https: Some(":9443/q".into()),
            ..DnsArgs::default()
        };
        assert_eq!(ports(&Ways::of(&tls).unwrap(), "10.0.0.1:53"), [9853, 9443]);
    }
}
