//! `warroom mtu`.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use super::via::Via;
use crate::cli::args::Common;
use crate::cli::check::{json, summary};
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, How, Pmtu, PmtuHow, PmtuSample, Rung};
use crate::model::target::Target;
use crate::model::window::Window;
use crate::net::pace::Budget;
use crate::probe::pmtu::{self, Ask, MtuVia, Speech};

/// TCP ports tried for what a handshake tells, where the target names none.
const USUAL_PORTS: [u16; 3] = [443, 80, 22];

/// Arguments of `warroom mtu`.
#[derive(Clone, Debug, Args)]
pub struct MtuArgs {
    /// Where to: a host, an address, host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Largest packet to try, in bytes; without it all that the first link takes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub max: Option<u32>,
    /// Does this size pass? If not, what does?
    #[arg(long, value_name = "BYTES", conflicts_with = "max",
        value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub size: Option<u32>,
    /// The way: icmp, udp, or tcp[:PORT]; without it the first that is answered, TCP last
    #[arg(long = "method", visible_alias = "via", value_name = "WAY")]
    pub via: Option<String>,
    /// By data over TCP, like --method tcp: for servers that answer nothing else
    #[arg(long, conflicts_with = "via")]
    pub tcp: bool,
    /// What the TCP port is told, which must be large: tls (a ClientHello with padding), http (a
    /// HEAD request with long headers), filler (empty lines; a server may count that as a bad
    /// connection), none (a handshake only). Without it tls or http where the port is known for
    /// it, else none
    #[arg(long, value_name = "PROTOCOL", value_parser = ["tls", "http", "filler", "none"])]
    pub data: Option<String>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it. Exit 1 also where large packets vanish without a word, or a size that was asked for
/// does not pass.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &MtuArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &[
        "address", "method", "mtu", "link_mtu", "seconds", "place", "result",
    ];
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "mtu",
        header,
        &args.targets,
        out,
        move |world, target, voice| Box::pin(mtu(given.clone(), world, target, voice)),
    )
}

async fn mtu(
    args: MtuArgs,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let ask = ask(&args, &target)?;
    let (addr, line) = world.address(&target, super::TIMEOUT).await?;
    voice.note(line).await;
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(5));
    let budget = Budget::new();
    let mut window = Window::new([target.clone()]);
    let mut verdict = Verdict::default();
    let mut n = 0u32;
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(n, 1) && voice.wait_until(next).await {
        next += interval;
        n += 1;
        let measured = pmtu::measure(addr, &world.sockets, &world.rights, &budget, &ask);
        let Some((how, sample)) = voice.unless_stopped(measured).await else {
            break;
        };
        for line in sample.outcome.ok().map(tries).unwrap_or_default() {
            voice.note(line).await;
        }
        let obs = voice
            .sample(Sample {
                plain: None,
                rows: vec![row(&how, &sample)],
                how: how.clone(),
                body: Body::Pmtu(sample.clone()),
            })
            .await;
        window.take(&obs);
        verdict = judge(&args, &window, &how, &sample);
    }
    Ok(verdict)
}

/// What the options mean.
fn ask(args: &MtuArgs, target: &Target) -> Result<Ask, CliError> {
    let port = target.tcp_port();
    let mut ports = port.map_or(USUAL_PORTS.to_vec(), |p| vec![p]);
    let given = args.via.as_deref().map(|v| Via::parse(v, port));
    let via = match given.transpose()? {
        None if args.tcp => Some(MtuVia::Tcp),
        None => None,
        Some(Via::Icmp | Via::System) => Some(MtuVia::Icmp),
        Some(Via::Udp(None)) => Some(MtuVia::Udp),
        Some(Via::Udp(Some(_))) => {
            return Err(CliError::usage(
                "path MTU by UDP needs closed ports; write --method udp",
            ));
        }
        Some(Via::Surge) => {
            return Err(CliError::usage(
                "path MTU is measured by icmp, udp or tcp; surge sends no sizes of its own",
            ));
        }
        Some(Via::Tcp(port)) => {
            ports = vec![port];
            Some(MtuVia::Tcp)
        }
    };
    Ok(Ask {
        known_hops: None,
        most: args.max.or(args.size),
        via,
        data: ports
            .iter()
            .filter_map(|p| speech(args, target, *p))
            .collect(),
        ports,
        hangs: false,
    })
}

/// What a port is told: what the user says, else what the target's URL or the number tells.
fn speech(args: &MtuArgs, target: &Target, port: u16) -> Option<(u16, Speech)> {
    let usual = Speech::of(target, port);
    let host = target.host()?;
    let told = match args.data.as_deref() {
        None => usual?,
        Some("tls") => Speech::tls(host),
        Some("http") => Speech::http(host),
        Some("filler") => Speech::Filler,
        Some(_) => return None,
    };
    Some((port, told))
}

fn judge(args: &MtuArgs, window: &Window, how: &How, sample: &PmtuSample) -> Verdict {
    let mut lines = super::summary_lines(window, &["mtu"]);
    let pmtu = sample.outcome.ok();
    let fits = |size: u32| pmtu.is_some_and(|p| p.mtu >= size);
    if let (Some(size), Some(p)) = (args.size, pmtu) {
        lines.push(match (fits(size), p.link_mtu < size) {
            (true, _) => format!("{size} bytes: pass"),
            (_, true) => format!(
                "{size} bytes: do not leave, the first link takes {}",
                p.link_mtu
            ),
            _ => format!("{size} bytes: do not pass, {} do", p.mtu),
        });
    }
    lines.push(format!("{:.2} s", sample.took.duration().as_secs_f64()));
    let why = how.why_not_better.as_ref();
    lines.extend(why.map(|w| format!("not a better way because: {w}")));
    let open = match args.via.as_deref() {
        // All that a handshake can tell.
        Some(via) if via.starts_with("tcp") && pmtu.is_none() => sample.tcp.is_some(),
        _ => pmtu.is_some_and(|p| !matches!(p.how, PmtuHow::Silent { .. })),
    };
    let mut members = match json::mtu_of(how.method, sample) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.insert("why_not_better".into(), serde_json::json!(why));
    members.insert("outcome".into(), serde_json::json!(sample.outcome));
    Verdict {
        good: args.size.map_or(open, fits),
        lines,
        json: members,
    }
}

/// What was tried, as a ladder: one line for sizes that fared alike.
fn tries(p: &Pmtu) -> Vec<String> {
    let line = |r: &Rung| {
        let to = r
            .ttl
            .map_or("target".to_owned(), |ttl| format!("hop {ttl}"));
        format!(
            "{:>11} bytes to {to}: {} of {} answered",
            r.sizes(),
            r.answered,
            r.sent
        )
    };
    p.ladder().iter().map(line).collect()
}

fn row(how: &How, s: &PmtuSample) -> Vec<String> {
    let pmtu = s.outcome.ok();
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let result = match pmtu.map(|p| &p.how) {
        Some(PmtuHow::FullSize) => "full size".into(),
        Some(PmtuHow::AsAsked) => "as asked".into(),
        Some(PmtuHow::TooBig { router, .. }) => format!("too big, says {router}"),
        Some(PmtuHow::Told) => "too big, says a router".into(),
        Some(PmtuHow::NoLarger) => "passes; larger ones not tried".into(),
        Some(PmtuHow::Silent { .. }) => "larger packets vanish".into(),
        None => summary::refusal_text(&s.outcome),
    };
    vec![
        s.dst.to_string(),
        how.method.label().to_owned(),
        number(pmtu.map(|p| p.mtu)),
        number(pmtu.map(|p| p.link_mtu)),
        format!("{:.3}", s.took.duration().as_secs_f64()),
        pmtu.and_then(|p| p.how.place()).unwrap_or_default(),
        result,
    ]
}
