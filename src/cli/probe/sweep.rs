//! `warroom ping --sweep`: who is there, among very many.

use std::io::{BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::json;

use super::session::{self, Repeat};
use crate::cli::args::Common;
use crate::cli::setup::{self, Vantage};
use crate::cli::{CliError, FOUND, HEALTHY, Out};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::sweep::{self, Fate, Sweep, Swept};
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Addresses in public ranges that need no confirmation.
const FEW: usize = 16;

/// Options of a sweep.
#[derive(Clone, Debug, Default, Args)]
pub struct SweepArgs {
    /// Ask every address of the ranges given (10.0.5.0/24, an address, @FILE, - for standard
    /// input) once, as fast as this host can
    #[arg(long)]
    pub sweep: bool,
    /// Packets a second at most
    #[arg(long, value_name = "N", requires = "sweep", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Further attempts at those that are silent
    #[arg(long, value_name = "N", requires = "sweep", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub retry: u8,
    /// List the silent ones as well
    #[arg(long, requires = "sweep")]
    pub silent: bool,
    /// The number of addresses, typed in advance, where public ranges need a confirmation
    #[arg(long, value_name = "N", requires = "sweep")]
    pub confirm: Option<usize>,
}

/// Runs it. Exit 1 if nobody answered.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(
    common: &Common,
    args: &SweepArgs,
    repeat: &Repeat,
    typed: &[String],
    out: &mut Out,
) -> Result<u8, CliError> {
    let targets = expand(typed, common)?;
    if targets.is_empty() {
        return Err(CliError::usage("there is no address in what was given"));
    }
    confirmed(&targets, args.confirm)?;
    let (clock, rights) = (Clock::start(), Rights::detect());
    let started = clock.now().wall;
    let sweep = Sweep {
        targets,
        retries: args.retry,
        timeout: repeat
            .timeout
            .unwrap_or(std::time::Duration::from_millis(1000)),
        rate: args.rate.map(f64::from),
    };
    let source = setup::source(common);
    let lanes = sweep::open(&sweep.targets, &source, &rights).map_err(CliError::could_not_run)?;
    setup::give_up_rights();
    let stop = session::stop_flag()?;
    let swept = sweep::run(&sweep, lanes, &source, &stop).map_err(CliError::could_not_run)?;
    let report = Report {
        vantage: Vantage::here(&rights),
        interrupted: stop.load(Ordering::Relaxed),
        started,
        finished: clock.now().wall,
        sweep,
        swept,
    };
    if repeat.json || repeat.stream_json {
        report.json(repeat.stream_json, args.silent, out);
    } else if repeat.csv {
        report.csv(out);
    } else {
        report.plain(args.silent, out);
    }
    let alive = report.count(|f| matches!(f, Fate::Answered(_)));
    Ok(if alive > 0 { HEALTHY } else { FOUND })
}

struct Report {
    vantage: Vantage,
    interrupted: bool,
    started: jiff::Timestamp,
    finished: jiff::Timestamp,
    sweep: Sweep,
    swept: Swept,
}

impl Report {
    fn count(&self, test: impl Fn(&Fate) -> bool) -> usize {
        self.swept.fates.iter().filter(|f| test(f)).count()
    }

    fn each(&self) -> impl Iterator<Item = (&IpAddr, &Fate)> {
        self.sweep.targets.iter().zip(&self.swept.fates)
    }

    fn methods(&self) -> Vec<&'static str> {
        let methods = self.swept.methods.iter().flatten();
        let mut labels: Vec<_> = methods.map(|m| m.label()).collect();
        labels.dedup();
        labels
    }

    fn plain(&self, silent: bool, out: &mut Out) {
        for (addr, fate) in self.each() {
            if let Some(words) = words(fate, silent) {
                out.line(format!("{addr}  {words}"));
            }
        }
        let ms = self.swept.sending.as_millis().max(1);
        let rate = u128::from(self.swept.sent) * 1000 / ms;
        out.line(format!(
            "{} addresses: {} answer, {} silent, {} refused, {} not sent; {} packets in {ms} ms \
             ({rate}/s) by {}{}",
            self.sweep.targets.len(),
            self.count(|f| matches!(f, Fate::Answered(_))),
            self.count(|f| *f == Fate::Silent),
            self.count(|f| matches!(f, Fate::Refused { .. })),
            self.count(|f| *f == Fate::NotSent),
            self.swept.sent,
            self.methods().join(", "),
            if self.interrupted {
                "; interrupted"
            } else {
                ""
            }
        ));
    }

    fn json(&self, stream: bool, silent: bool, out: &mut Out) {
        let object = |addr: &IpAddr, fate: &Fate| match fate {
            Fate::Answered(rtt) => json!({"address": addr, "rtt_ms": rtt.as_ms()}),
            Fate::Refused { by, error } => {
                json!({"address": addr, "refused": error.label(), "by": by})
            }
            Fate::NotSent => json!({"address": addr, "not_sent": true}),
            Fate::Silent => json!({"address": addr, "silent": true}),
        };
        let shown = self.each().filter(|(_, f)| silent || **f != Fate::Silent);
        let mut doc = json!({
            "schema": "warroom.sweep/1",
            "started": self.started,
            "finished": self.finished,
            "vantage": {
                "host": self.vantage.host,
                "user": self.vantage.user,
                "privileges": self.vantage.privileges,
            },
            "interrupted": self.interrupted,
            "methods": self.methods(),
            "addresses": self.sweep.targets.len(),
            "answered": self.count(|f| matches!(f, Fate::Answered(_))),
            "silent": self.count(|f| *f == Fate::Silent),
            "refused": self.count(|f| matches!(f, Fate::Refused { .. })),
            "not_sent": self.count(|f| *f == Fate::NotSent),
            "packets": self.swept.sent,
            "sending_ms": self.swept.sending.as_secs_f64() * 1000.0,
        });
        if stream {
            shown.for_each(|(a, f)| out.line(object(a, f).to_string()));
        } else if let Some(doc) = doc.as_object_mut() {
            let all: Vec<_> = shown.map(|(a, f)| object(a, f)).collect();
            doc.insert("results".into(), json!(all));
        }
        out.line(doc.to_string());
    }

    fn csv(&self, out: &mut Out) {
        out.line("address,rtt_ms,result");
        for (addr, fate) in self.each() {
            let (rtt, result) = match fate {
                Fate::Answered(rtt) => (format!("{:.3}", rtt.as_ms()), "answered".to_owned()),
                Fate::Refused { error, .. } => (String::new(), error.label()),
                Fate::NotSent => (String::new(), "not sent".into()),
                Fate::Silent => (String::new(), "silent".into()),
            };
            out.line(format!("{addr},{rtt},{result}"));
        }
    }
}

fn words(fate: &Fate, silent: bool) -> Option<String> {
    let rtt = |r: &Rtt| r.to_string();
    match fate {
        Fate::Answered(r) => Some(rtt(r)),
        Fate::Refused { by, error } => Some(match by {
            Some(by) => format!("{}, says {by}", error.label()),
            None => error.label(),
        }),
        Fate::NotSent => Some("not sent: this host has no route".into()),
        Fate::Silent => silent.then(|| "silent".into()),
    }
}

/// All addresses of what was typed, each once, in order.
fn expand(typed: &[String], common: &Common) -> Result<Vec<IpAddr>, CliError> {
    let mut all = Vec::new();
    for text in typed {
        if text == "-" {
            lines(std::io::stdin().lock(), "standard input", &mut all)?;
        } else if let Some(path) = text.strip_prefix('@') {
            let file = std::fs::File::open(path).map_err(|e| {
                CliError::usage(format!(
                    "cannot read the addresses in {}: {e}",
                    SafeText::capped(path, 200)
                ))
            })?;
            lines(std::io::BufReader::new(file), path, &mut all)?;
        } else {
            range(text, &mut all)?;
        }
    }
    let mut seen = std::collections::HashSet::with_capacity(all.len());
    all.retain(|a| {
        let family = match a {
            IpAddr::V4(_) => !common.ipv6,
            IpAddr::V6(_) => !common.ipv4,
        };
        family && seen.insert(*a)
    });
    Ok(all)
}

fn lines(from: impl BufRead, name: &str, all: &mut Vec<IpAddr>) -> Result<(), CliError> {
    for (n, line) in from.lines().enumerate() {
        let place = |e: &dyn std::fmt::Display| {
            let name = SafeText::capped(name, 200);
            CliError::usage(format!("{name}, line {}: {e}", n + 1))
        };
        let line = line.map_err(|e| place(&e))?;
        let text = line.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            range(text, all).map_err(|e| place(&e))?;
        }
    }
    Ok(())
}

/// One address or range (RFC 4632); a range leaves out its network and broadcast address.
fn range(text: &str, all: &mut Vec<IpAddr>) -> Result<(), CliError> {
    let wrong = || {
        CliError::usage(format!(
            "a sweep takes addresses and ranges like 10.0.5.0/24, not '{}'",
            SafeText::capped(text, 80)
        ))
    };
    let (addr, len) = match text.split_once('/') {
        Some((addr, len)) => (addr, Some(len.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
    refuse_many(addr)?;
    let bits = if addr.is_ipv4() { 32u8 } else { 128 };
    let host_bits = bits.checked_sub(len.unwrap_or(bits)).ok_or_else(wrong)?;
    let size = 1u128.checked_shl(u32::from(host_bits)).unwrap_or(u128::MAX);
    if size.saturating_add(all.len() as u128) > sweep::MOST as u128 {
        return Err(CliError::usage(format!(
            "{} has more addresses than the {} that one sweep can take",
            SafeText::capped(text, 80),
            sweep::MOST
        )));
    }
    match addr {
        IpAddr::V4(a) => {
            let first = u128::from(u32::from(a)) & !(size - 1);
            // Network and broadcast address are nobody; a point-to-point /31 has neither.
            let inner = if size > 2 { 1..size - 1 } else { 0..size };
            let v4 = |n: u128| u32::try_from(first + n).ok().map(Ipv4Addr::from);
            all.extend(inner.filter_map(v4).map(IpAddr::V4));
        }
        IpAddr::V6(a) => {
            let first = u128::from(a) & !(size - 1);
            all.extend((0..size).map(|n| IpAddr::V6(Ipv6Addr::from(first | n))));
        }
    }
    Ok(())
}

/// Whether this is a range of addresses rather than a host.
pub fn is_range(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(addr, len)| addr.parse::<IpAddr>().is_ok() && len.parse::<u8>().is_ok())
}

/// One packet that very many would answer is an attack.
fn refuse_many(addr: IpAddr) -> Result<(), CliError> {
    let broadcast = addr == IpAddr::V4(Ipv4Addr::BROADCAST);
    if addr.is_multicast() || broadcast || addr.is_unspecified() {
        return Err(CliError::usage(format!(
            "{addr} is no single host: multicast and broadcast addresses are not probed"
        )));
    }
    Ok(())
}

/// Private, link-local and loopback ranges (RFC 1918, 3927, 4193, 6598).
fn is_private(addr: &IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && (64..128).contains(&a.octets()[1]);
            a.is_private() || a.is_loopback() || a.is_link_local() || shared
        }
        IpAddr::V6(a) => a.is_loopback() || a.is_unique_local() || a.is_unicast_link_local(),
    }
}

/// Sweeping other people's addresses is confirmed by typing how many there are.
fn confirmed(targets: &[IpAddr], given: Option<usize>) -> Result<(), CliError> {
    let public = targets.iter().filter(|a| !is_private(a)).count();
    if public <= FEW || given == Some(targets.len()) {
        return Ok(());
    }
    let n = targets.len();
    let no = || {
        CliError::usage(format!(
            "{public} of the {n} addresses are not private; to sweep them say so: --confirm {n}"
        ))
    };
    let (Ok(mut tty), None) = (
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty"),
        given,
    ) else {
        return Err(no());
    };
    let _ = write!(
        tty,
        "{public} of the {n} addresses are not private. To send a packet to each, type {n}: "
    );
    let mut answer = String::new();
    let read = std::io::BufReader::new(tty).read_line(&mut answer);
    if read.is_ok() && answer.trim() == n.to_string() {
        Ok(())
    } else {
        Err(no())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        match range(text, &mut all) {
            Ok(()) => all.iter().map(ToString::to_string).collect(),
            Err(e) => vec![e.message],
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(all("10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(all("10.0.0.0/30"), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(all("10.0.0.7/30"), ["10.0.0.5", "10.0.0.6"]);
        assert_eq!(all("10.0.0.0/31"), ["10.0.0.0", "10.0.0.1"]);
        assert_eq!(all("fd00::/127"), ["fd00::", "fd00::1"]);
        assert_eq!(all("10.0.0.0/16").len(), 65_534);
        for wrong in [
            "10.0.0.0/33",
            "fd00::/64",
            "0.0.0.0/0",
            "::/0",
            "x",
            "10.0.0.0/",
            "",
        ] {
            let said = all(wrong);
            assert!(said.len() == 1 && said[0].len() > 20, "{wrong}: {said:?}");
        }
        for many in ["224.0.0.1", "ff02::1", "255.255.255.255", "0.0.0.0"] {
            assert!(all(many)[0].contains("no single host"), "{many}");
        }
    }

    #[test]
    fn public_ranges_are_confirmed_by_their_size() {
        let public: Vec<IpAddr> = (0..20).map(|n| IpAddr::from([198, 51, 100, n])).collect();
        let private: Vec<IpAddr> = (0..200).map(|n| IpAddr::from([10, 1, 1, n])).collect();
        assert!(confirmed(&private, None).is_ok());
        assert!(confirmed(&public, Some(20)).is_ok());
        assert!(confirmed(&public, Some(19)).is_err());
        assert!(confirmed(&public[..FEW], None).is_ok());
    }

    #[test]
    fn a_bad_line_is_named() {
        let mut found = Vec::new();
        let text = "10.0.0.1\n# a comment\n\n10.0.0.4/31 # two\nnonsense\n";
        let error = lines(text.as_bytes(), "list", &mut found).unwrap_err();
        assert!(error.message.contains("list, line 5"), "{}", error.message);
        assert_eq!(found.len(), 3);
    }
}
