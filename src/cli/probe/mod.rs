//! `warroom ping|trace|dns|tls|mtu|tcp|http TARGET`: one probe, plain output, for pasting into a
//! ticket. The same probes as the console's, without judgement beyond what they say themselves.

use std::net::IpAddr;
use std::time::Duration;

use crate::cli::args::{Common, ProbeArgs};
use crate::cli::check::summary;
use crate::cli::setup::{self, Vantage};
use crate::cli::{CliError, FOUND, HEALTHY, Out};
use crate::model::observation::{Body, How, ObsId, Observation, Outcome};
use crate::model::target::Target;
use crate::model::window::Window;
use crate::net::pace::Budget;
use crate::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};
use crate::probe::resolve::SystemResolvers;
use crate::probe::trace::{TraceVia, Tracer};
use crate::probe::{pmtu, resolve};
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

mod services;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ping.
    Ping,
    /// Traceroute.
    Trace,
    /// DNS question.
    Dns,
    /// TLS handshake.
    Tls,
    /// Path MTU.
    Mtu,
    /// TCP handshake.
    Tcp,
    /// HTTP request.
    Http,
}

struct Probe<'a> {
    common: &'a Common,
    args: &'a ProbeArgs,
    target: Target,
    clock: Clock,
    rights: Rights,
    window: Window,
    next: u64,
}

/// Runs one probe and prints what came back. Exit 1 if nothing answered as hoped.
///
/// # Errors
/// Usage and environment.
pub fn run(common: &Common, kind: Kind, args: &ProbeArgs, out: &mut Out) -> Result<u8, CliError> {
    let typed = if kind == Kind::Dns && !args.target.starts_with("dns:") {
        format!("dns:{}", args.target)
    } else {
        args.target.clone()
    };
    let target = Target::parse(&typed).map_err(CliError::usage)?;
    if let Some(warning) = &target.warning {
        crate::cli::warn(warning);
    }
    let clock = Clock::start();
    let rights = Rights::detect();
    let vantage = Vantage::here(&rights);
    let window = Window::new([target.clone()]);
    let mut probe = Probe {
        common,
        args,
        target,
        clock,
        rights,
        window,
        next: 0,
    };
    let runtime = setup::runtime()?;
    let at = crate::model::time::date_time_utc(clock.now().wall);
    out.line(
        format!(
            "warroom {kind:?} {} by {}@{} at {at}",
            probe.target.id, vantage.user, vantage.host
        )
        .replace(&format!("{kind:?}"), &format!("{kind:?}").to_lowercase()),
    );
    let good = runtime.block_on(probe.go(kind, out))?;
    runtime.shutdown_timeout(Duration::from_millis(50));
    Ok(if good { HEALTHY } else { FOUND })
}

impl Probe<'_> {
    fn take(&mut self, how: How, body: Body) {
        let id = ObsId(self.next);
        self.next += 1;
        self.window.take(&Observation {
            id,
            at: self.clock.now(),
            target: self.target.id.clone(),
            how,
            body,
        });
    }

    async fn go(&mut self, kind: Kind, out: &mut Out) -> Result<bool, CliError> {
        if kind == Kind::Dns {
            return self.dns(out).await;
        }
        let addr = self.address(out).await?;
        match kind {
            Kind::Ping => self.ping(addr, out).await,
            Kind::Trace => self.trace(addr, out).await,
            Kind::Mtu => self.mtu(addr, out).await,
            Kind::Tcp => self.tcp(addr, out).await,
            Kind::Tls => self.tls(addr, out).await,
            Kind::Http => self.http(addr, out).await,
            Kind::Dns => Ok(true),
        }
    }

    /// The first address of the target in the family wanted, with the source address it is
    /// reached from.
    async fn address(&mut self, out: &mut Out) -> Result<IpAddr, CliError> {
        let Some(host) = self.target.host().cloned() else {
            return Err(CliError::usage(format!(
                "{} names no host; give a host, an address, host:port or a URL",
                self.target.id
            )));
        };
        let config = SystemResolvers::load(std::path::Path::new("/etc/resolv.conf"));
        let (how, found) = resolve::resolve(&host, &config, self.common.family(), TIMEOUT).await;
        let words = match &found.outcome {
            Outcome::Ok(addrs) => addrs
                .first()
                .copied()
                .ok_or_else(|| "it has no address of that family".to_owned()),
            Outcome::Refused {
                why: crate::model::observation::Refusal::Protocol(w),
                ..
            } => Err(w.to_string()),
            Outcome::CannotTry { need } => Err(need.to_string()),
            _ => Err("no resolver answered".into()),
        };
        let addr =
            words.map_err(|w| CliError::could_not_run(format!("cannot resolve {host}: {w}")))?;
        let from = crate::probe::local::route_exists(addr)
            .ok()
            .flatten()
            .map_or("nowhere: there is no route".to_owned(), |a| a.to_string());
        out.line(format!("{addr} ({}), from {from}", how.method.label()));
        let mut found = found;
        found.outcome = Outcome::Ok(vec![addr]);
        self.take(how, Body::Resolve(found));
        Ok(addr)
    }

    /// The ways to try, best first: the one asked for, or all.
    fn ways(&self, addr: IpAddr) -> Result<Vec<PingVia>, CliError> {
        let port = self.target.tcp_port();
        Ok(match self.args.via.as_deref() {
            Some("icmp") => vec![PingVia::Icmp],
            Some("udp") => vec![PingVia::Udp {
                port: CLOSED_UDP_PORT,
            }],
            Some(other) => {
                let port = other
                    .strip_prefix("tcp")
                    .map(|p| p.trim_start_matches(':'))
                    .and_then(|p| if p.is_empty() { port } else { p.parse().ok() });
                let port = port.ok_or_else(|| {
                    CliError::usage(format!(
                        "--via takes icmp, udp or tcp:PORT, not '{}'",
                        crate::model::text::SafeText::capped(other, 40)
                    ))
                })?;
                vec![PingVia::Tcp { port }]
            }
            None => {
                let mut ways = Vec::new();
                if self.rights.icmp(addr.is_ipv6()) {
                    ways.push(PingVia::Icmp);
                }
                ways.extend(
                    port.into_iter()
                        .chain([443, 80, 22])
                        .map(|port| PingVia::Tcp { port }),
                );
                ways.push(PingVia::Udp {
                    port: CLOSED_UDP_PORT,
                });
                ways.push(PingVia::System);
                ways
            }
        })
    }

    async fn ping(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let ways = self.ways(addr)?;
        let mut chosen = None;
        let mut why = String::new();
        for via in ways {
            match Pinger::open(
                addr,
                via,
                self.clock,
                &self.rights,
                &setup::source(self.common),
            ) {
                Ok(pinger) => {
                    // One ping decides whether this way works at all.
                    let (how, sample) = pinger.ping(0, Duration::from_millis(1500)).await;
                    let good = sample.outcome.ok().is_some();
                    self.print_ping(&how, &sample, out);
                    self.take(how, Body::Ping(sample));
                    chosen = Some(pinger);
                    if good {
                        break;
                    }
                }
                Err(e) => why = e.to_string(),
            }
        }
        let Some(pinger) = chosen else {
            return Err(CliError::could_not_run(format!(
                "cannot ping {addr}: {why}"
            )));
        };
        for seq in 1..self.args.count.unwrap_or(5) {
            let every = tokio::time::Instant::now() + Duration::from_secs(1);
            let (how, sample) = pinger.ping(seq, TIMEOUT).await;
            self.print_ping(&how, &sample, out);
            self.take(how, Body::Ping(sample));
            tokio::time::sleep_until(every).await;
        }
        let Some(((_, method, port), s)) = self
            .window
            .targets
            .values()
            .next()
            .and_then(|t| t.best_ping_of(addr))
        else {
            return Ok(false);
        };
        let lost = s.sent() - s.answered();
        let port = port.map_or(String::new(), |p| format!(" port {p}"));
        out.line(format!(
            "{} sent, {lost} lost by {}{port}",
            s.sent(),
            method.label()
        ));
        if let Some(r) = s.summary() {
            out.line(format!(
                "RTT min {} / median {} / p95 {} / max {} / stdev {}",
                r.min, r.p50, r.p95, r.max, r.stdev
            ));
        }
        if let Some(why) = s.how().and_then(|h| h.why_not_better.as_ref()) {
            out.line(format!("not a better way because: {why}"));
        }
        Ok(s.answered() > 0)
    }

    fn print_ping(&self, how: &How, s: &crate::model::observation::PingSample, out: &mut Out) {
        let way = match s.port {
            Some(p) => format!("{} port {p}", how.method.label()),
            None => how.method.label().to_owned(),
        };
        out.line(match &s.outcome {
            Outcome::Ok(e) => {
                let ttl = e.reply_ttl.map_or(String::new(), |t| format!(", TTL {t}"));
                format!("seq {} {}{ttl}  [{way}]", s.seq, e.rtt)
            }
            other => format!("seq {} {}  [{way}]", s.seq, summary::refusal_text(other)),
        });
    }

    async fn trace(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let via = match self.ways(addr)?.first() {
            Some(PingVia::Icmp) => TraceVia::Icmp,
            Some(PingVia::Tcp { port }) if self.args.via.is_some() => TraceVia::Tcp { port: *port },
            _ => TraceVia::Udp,
        };
        let tracer = Tracer::open(
            addr,
            via,
            self.clock,
            &self.rights,
            &setup::source(self.common),
        )
        .map_err(|e| CliError::could_not_run(format!("cannot trace {addr}: {e}")))?;
        let mut end = 0u8;
        for round in 0..self.args.count.unwrap_or(3) {
            let every = tokio::time::Instant::now() + Duration::from_millis(1100);
            if end > 0 {
                let ttls: Vec<u8> = (1..=end).collect();
                let (how, seen) = tracer.round(round, &ttls, Duration::from_secs(1)).await;
                self.take(how, Body::Trace(seen));
            } else {
                for from in (1u8..=29).step_by(4) {
                    let ttls: Vec<u8> = (from..(from + 4).min(31)).collect();
                    let (how, seen) = tracer.round(round, &ttls, Duration::from_millis(700)).await;
                    let reached = seen.reached();
                    self.take(how, Body::Trace(seen));
                    if let Some(ttl) = reached {
                        end = ttl;
                        break;
                    }
                }
                if end == 0 {
                    // Nothing beyond the last answer is worth asking twice.
                    let far = self
                        .window
                        .targets
                        .values()
                        .next()
                        .and_then(|t| t.best_path())
                        .and_then(|(_, p)| p.farthest());
                    end = far.unwrap_or(3).saturating_add(2).min(30);
                }
            }
            tokio::time::sleep_until(every).await;
        }
        let Some(t) = self.window.targets.values().next() else {
            return Ok(false);
        };
        let mut lines = Vec::new();
        for ((a, _), p) in &t.paths {
            summary::path(&a.to_string(), p, &mut lines);
            if let Some(why) = p.how().and_then(|h| h.why_not_better.as_ref()) {
                lines.push(("", format!("not a better way because: {why}")));
            }
        }
        lines.iter().for_each(|(_, l)| out.line(l));
        Ok(t.best_path()
            .is_some_and(|(_, p)| p.reached_ttl().is_some()))
    }

    async fn mtu(&mut self, addr: IpAddr, out: &mut Out) -> Result<bool, CliError> {
        let budget = Budget::new();
        let (how, sample) = pmtu::measure(
            addr,
            &self.rights,
            self.clock,
            &budget,
            None,
            &setup::source(self.common),
        )
        .await;
        let why = how
            .why_not_better
            .as_ref()
            .map(|w| format!("not a better way because: {w}"));
        let good = sample
            .outcome
            .ok()
            .is_some_and(|p| !matches!(p.how, crate::model::observation::PmtuHow::Silent { .. }));
        if let Some(p) = sample.outcome.ok() {
            for t in &p.tries {
                let to = t
                    .ttl
                    .map_or("target".to_owned(), |ttl| format!("hop {ttl}"));
                out.line(format!(
                    "{:>5} bytes to {to}: {} of {} answered",
                    t.size, t.answered, t.sent
                ));
            }
        }
        self.take(how, Body::Pmtu(sample));
        self.print_summary(out, &["mtu"]);
        why.into_iter().for_each(|w| out.line(w));
        Ok(good)
    }

    fn print_summary(&self, out: &mut Out, only: &[&str]) {
        let Some(t) = self.window.targets.values().next() else {
            return;
        };
        let mut on = false;
        for (what, text) in summary::target(t) {
            on = if what.is_empty() {
                on
            } else {
                only.contains(&what)
            };
            if on {
                out.line(text);
            }
        }
    }
}
