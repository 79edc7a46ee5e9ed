//! The probes of services: DNS, TCP, TLS, HTTP.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Probe, TIMEOUT};
use crate::cli::check::summary;
use crate::cli::{CliError, Out, setup};
use crate::model::observation::{Body, Outcome, ServerRole};
use crate::model::target::{Host, Scheme, TargetKind, Url};
use crate::probe::resolve::SystemResolvers;
use crate::probe::tls::Roots;
use crate::probe::{dns, http, tcp, tls};

impl Probe<'_> {
    pub(super) async fn dns(&mut self, out: &mut Out) -> Result<bool, CliError> {
        let TargetKind::Dns { name, resolver } = self.target.kind.clone() else {
            return Ok(false);
        };
        let (servers, role): (Vec<SocketAddr>, _) = match resolver {
            Some((_, port)) => (
                vec![SocketAddr::new(self.address(out).await?, port)],
                ServerRole::Named,
            ),
            None => {
                let config = SystemResolvers::load(std::path::Path::new("/etc/resolv.conf"));
                if let Some(problem) = config.problem {
                    return Err(CliError::could_not_run(format!(
                        "{problem}; name a resolver: warroom dns {name}@ADDRESS"
                    )));
                }
                (config.servers, ServerRole::Configured)
            }
        };
        let mut good = true;
        for server in servers {
            let (how, s) = dns::ask(server, role, &name, &self.args.rtype, false, TIMEOUT).await;
            match &s.outcome {
                Outcome::Ok(a) => {
                    good &= a.rcode.as_str() == "NOERROR";
                    let flags: Vec<_> = [("aa", a.aa), ("tc", a.tc), ("ra", a.ra), ("ad", a.ad)]
                        .iter()
                        .filter(|(_, on)| *on)
                        .map(|(f, _)| *f)
                        .collect();
                    out.line(format!(
                        "@{server} {} {}: {} in {} [{}] flags {}",
                        s.name,
                        s.rtype,
                        a.rcode,
                        a.rtt,
                        how.method.label(),
                        flags.join(" ")
                    ));
                    a.records.iter().for_each(|r| {
                        out.line(format!("    {} {} {} {}", r.name, r.ttl, r.rtype, r.data))
                    });
                    if let Some(soa) = &a.soa {
                        out.line(format!("    authority: {soa}"));
                    }
                }
                other => {
                    good = false;
                    out.line(format!(
                        "@{server} {} {}: {}",
                        s.name,
                        s.rtype,
                        summary::refusal_text(other)
                    ));
                }
            }
        }
        Ok(good)
    }

    pub(super) async fn tcp(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let port = self.target.tcp_port().ok_or_else(|| {
            CliError::usage(format!("which port of {0}? write {0}:PORT", self.target.id))
        })?;
        let mut good = true;
        for n in 0..self.args.count.unwrap_or(1) {
            if n > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let (how, s) = tcp::connect(
                SocketAddr::new(addr, port),
                true,
                TIMEOUT,
                self.clock,
                &setup::source(self.common),
            )
            .await;
            good &= s.outcome.ok().is_some();
            out.line(match &s.outcome {
                Outcome::Ok(rtt) => format!("{} open, {rtt}  [{}]", s.dst, how.method.label()),
                other => format!("{} {}", s.dst, summary::refusal_text(other)),
            });
        }
        Ok(good)
    }

    pub(super) async fn tls(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let roots = Roots::load(&self.common.ca).map_err(CliError::usage)?;
        let port = self.target.tcp_port().unwrap_or(443);
        let host = self.target.host().cloned().unwrap_or(Host::Addr(addr));
        let (how, s) =
            tls::capture(SocketAddr::new(addr, port), &host, true, &roots, TIMEOUT).await;
        let good = s.outcome.ok().is_some_and(|t| t.faults.is_empty());
        self.take(how, Body::Tls(s.clone()));
        self.print_summary(out, &["tls"]);
        if let Outcome::Ok(session) = &s.outcome {
            if let Some(leaf) = session.chain.first() {
                let names: Vec<_> = leaf.san.iter().map(|n| n.as_str()).collect();
                out.line(format!("names  {}", names.join(", ")));
                out.line(format!("sha256 {}", leaf.sha256));
            }
            for fault in &session.faults {
                out.line(format!("fault  {}", fault_text(fault)));
            }
            if session.faults.is_empty() {
                out.line("no fault found");
            }
        }
        Ok(good)
    }

    pub(super) async fn http(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let roots = Roots::load(&self.common.ca).map_err(CliError::usage)?;
        let url = match &self.target.kind {
            TargetKind::Url(u) => u.clone(),
            _ => {
                let port = self.target.tcp_port().unwrap_or(443);
                let scheme = if matches!(port, 443 | 8443) {
                    Scheme::Https
                } else {
                    Scheme::Http
                };
                Url {
                    scheme,
                    host: self.target.host().cloned().unwrap_or(Host::Addr(addr)),
                    port,
                    path: "/".into(),
                }
            }
        };
        let mut good = true;
        for n in 0..self.args.count.unwrap_or(1) {
            if n > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let (_, s) = http::get(
                &url,
                SocketAddr::new(addr, url.port),
                true,
                &roots,
                Duration::from_secs(10),
            )
            .await;
            good &= s.outcome.ok().is_some_and(|r| r.status < 500);
            out.line(summary::http_line(&s));
        }
        Ok(good)
    }
}

fn fault_text(f: &crate::model::tls::TlsFault) -> String {
    use crate::model::tls::TlsFault as F;
    let day = |t: &jiff::Timestamp| crate::model::time::date_time_utc(*t);
    match f {
        F::Expired { index, not_after } => {
            format!("certificate {index} expired at {}", day(not_after))
        }
        F::NotYetValid { index, not_before } => format!(
            "certificate {index} is not valid before {}",
            day(not_before)
        ),
        F::NameMismatch { wanted, presented } => {
            let names: Vec<_> = presented.iter().map(|n| n.as_str()).collect();
            format!(
                "the certificate is not for {wanted} but for {}",
                names.join(", ")
            )
        }
        F::SelfSigned => "the certificate is signed by itself".into(),
        F::UntrustedIssuer { issuer } => {
            format!("no path to a trusted root: issuer {issuer} is not known here")
        }
        F::Other { reason } => reason.to_string(),
    }
}
