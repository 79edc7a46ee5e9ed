//! `warroom ping`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{Form, Needs, Repeat, Sample, Verdict, Voice, World};
use super::shape::ShapeArgs;
use super::sweep::{self, SweepArgs};
use super::via::Via;
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, How, Outcome, PingSample};
use crate::model::target::Target;
use crate::model::time::Rtt;
use crate::model::window::{PingKey, PingSeries, Window};
use crate::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger, Shape};

/// TCP ports tried on a host that names none.
const USUAL_PORTS: [u16; 3] = [443, 80, 22];
/// How long the first ping of each way is waited for while the way is being chosen.
const FIRST: Duration = Duration::from_millis(1500);
/// Pings unless the user says otherwise.
const COUNT: u32 = 5;

/// Arguments of `warroom ping`.
#[derive(Clone, Debug, Args)]
pub struct PingArgs {
    /// What to ping: a host, an address, host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// The way: icmp, udp[:PORT], tcp[:PORT], system, surge; without it the first that is answered
    #[arg(long = "method", visible_alias = "via", value_name = "WAY")]
    pub via: Option<String>,
    /// Many at once.
    #[command(flatten)]
    pub sweep: SweepArgs,
    /// How the packets look.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &PingArgs, out: &mut Out) -> Result<u8, CliError> {
    if args.sweep.sweep {
        return sweep::run(common, &args.sweep, &args.repeat, &args.targets, out);
    }
    if let Some(range) = args.targets.iter().find(|t| sweep::is_range(t)) {
        return Err(CliError::usage(format!(
            "{} is a range; to ask each of its addresses once, add --sweep",
            crate::model::text::SafeText::capped(range, 60)
        )));
    }
    let header = &[
        "address",
        "method",
        "port",
        "seq",
        "rtt_ms",
        "reply_ttl",
        "result",
        "size",
    ];
    let given = args.clone();
    let form = Form {
        common,
        repeat: &args.repeat,
        name: "ping",
        header,
        needs: needs(args),
        own: None,
    };
    form.run(&args.targets, out, move |world, target, voice| {
        Box::pin(ping(given.clone(), world, target, voice))
    })
}

fn needs(args: &PingArgs) -> Needs {
    match args.via.as_deref() {
        Some("surge") => Needs::Rights,
        _ if args.shape.fragment => Needs::Fragments,
        _ => Needs::Usual,
    }
}

async fn ping(
    args: PingArgs,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(super::TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let (addr, line) = world.address(&target, timeout).await?;
    voice.note(line).await;
    let mut seen = Seen {
        window: Window::new([target.clone()]),
        sizes: Sizes::default(),
    };
    let mut seq = 0u32;
    let pinger = choose(&args, &world, &target, addr, &voice, &mut seen, &mut seq).await?;
    let mut next = tokio::time::Instant::now() + interval;
    while args.repeat.again(seq, COUNT) && voice.wait_until(next).await {
        next += interval;
        let Some((how, sample)) = voice.unless_stopped(pinger.ping(seq, timeout)).await else {
            break;
        };
        seq += 1;
        tell(&voice, &mut seen, how, sample).await;
    }
    let mut verdict = verdict(&seen.window, addr);
    seen.sizes.tell(args.shape.random_size, &mut verdict);
    Ok(verdict)
}

/// What was seen so far.
struct Seen {
    window: Window,
    sizes: Sizes,
}

/// The first way that is answered, else the last one that can be tried at all. Each way is tried
/// with one ping, which counts.
async fn choose(
    args: &PingArgs,
    world: &World,
    target: &Target,
    addr: IpAddr,
    voice: &Voice,
    seen: &mut Seen,
    seq: &mut u32,
) -> Result<Pinger, CliError> {
    let mut chosen = None;
    let mut why = String::new();
    let shape = args.shape.shape(addr.is_ipv6())?;
    for via in ways(args, world, target, addr)? {
        let own = matches!(via, PingVia::Icmp | PingVia::Udp { .. });
        if shape != Shape::default() && !own {
            why = "size, type of service, pattern and fragmentation go with ICMP and UDP".into();
            continue;
        }
        match Pinger::shaped(addr, via, shape, &world.sockets, &world.rights) {
            Ok(pinger) => {
                let first = pinger.ping(*seq, args.repeat.timeout.unwrap_or(FIRST));
                let Some((how, sample)) = voice.unless_stopped(first).await else {
                    return Ok(pinger);
                };
                let good = sample.outcome.ok().is_some();
                tell(voice, seen, how, sample).await;
                chosen = Some(pinger);
                if good {
                    break;
                }
            }
            Err(e) => why = e.to_string(),
        }
    }
    *seq += 1;
    chosen.ok_or_else(|| CliError::could_not_run(format!("cannot ping {addr}: {why}")))
}

fn ways(
    args: &PingArgs,
    world: &World,
    target: &Target,
    addr: IpAddr,
) -> Result<Vec<PingVia>, CliError> {
    let port = target.tcp_port();
    if let Some(text) = &args.via {
        return Ok(vec![match Via::parse(text, port)? {
            Via::Icmp => PingVia::Icmp,
            Via::Udp(port) => PingVia::Udp {
                port: port.unwrap_or(CLOSED_UDP_PORT),
            },
            Via::Tcp(port) => PingVia::Tcp { port },
            Via::System => PingVia::System,
            Via::Surge => PingVia::Surge,
        }]);
    }
    let mut ways = Vec::new();
    if world.rights.icmp(addr.is_ipv6()) {
        ways.push(PingVia::Icmp);
    }
    let ports = port.into_iter().chain(USUAL_PORTS);
    ways.extend(ports.map(|port| PingVia::Tcp { port }));
    ways.push(PingVia::Udp {
        port: CLOSED_UDP_PORT,
    });
    ways.push(PingVia::System);
    Ok(ways)
}

async fn tell(voice: &Voice, seen: &mut Seen, how: How, sample: PingSample) {
    seen.sizes.take(&sample);
    let obs = voice
        .sample(Sample {
            plain: Some(line(&how, &sample)),
            rows: vec![row(&how, &sample)],
            how,
            body: Body::Ping(sample),
        })
        .await;
    seen.window.take(&obs);
}

fn line(how: &How, s: &PingSample) -> String {
    let way = match s.port {
        Some(p) => format!("{} port {p}", how.method.label()),
        None => how.method.label().to_owned(),
    };
    match &s.outcome {
        Outcome::Ok(e) => {
            let ttl = e.reply_ttl.map_or(String::new(), |t| format!(", TTL {t}"));
            let size = s.size.map_or(String::new(), |n| format!(", {n} bytes"));
            let changed = if e.corrupt { ", CORRUPT" } else { "" };
            format!("seq {} {}{ttl}{size}{changed}  [{way}]", s.seq, e.rtt)
        }
        other => {
            let size = s.size.map_or(String::new(), |n| format!(", {n} bytes"));
            format!(
                "seq {} {}{size}  [{way}]",
                s.seq,
                summary::refusal_text(other)
            )
        }
    }
}

fn row(how: &How, s: &PingSample) -> Vec<String> {
    let answer = s.outcome.ok();
    let text = |t: Option<String>| t.unwrap_or_default();
    vec![
        s.dst.to_string(),
        how.method.label().into(),
        text(s.port.map(|p| p.to_string())),
        s.seq.to_string(),
        text(answer.map(|e| format!("{:.3}", e.rtt.as_ms()))),
        text(answer.and_then(|e| e.reply_ttl).map(|t| t.to_string())),
        match answer {
            Some(_) => "ok".into(),
            None => summary::refusal_text(&s.outcome),
        },
        text(s.size.map(|n| n.to_string())),
    ]
}

/// Sizes by chance: which came through.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    largest_answered: Option<u32>,
    smallest_lost: Option<u32>,
}

impl Sizes {
    fn take(&mut self, s: &PingSample) {
        let Some(size) = s.size else { return };
        if s.outcome.ok().is_some() {
            self.largest_answered = self.largest_answered.max(Some(size));
        } else {
            let least = self.smallest_lost.map_or(size, |n| n.min(size));
            self.smallest_lost = Some(least);
        }
    }

    fn tell(self, given: Option<(u32, u32)>, verdict: &mut Verdict) {
        let Some((least, most)) = given else { return };
        let bytes = |n: Option<u32>| n.map_or("none".to_owned(), |n| format!("{n} bytes"));
        verdict.lines.push(format!(
            "sizes {least} to {most} bytes by chance: largest answered {}, smallest not answered {}",
            bytes(self.largest_answered),
            bytes(self.smallest_lost)
        ));
        let doc = json!({
            "min": least, "max": most,
            "largest_answered": self.largest_answered, "smallest_lost": self.smallest_lost,
        });
        verdict.json.insert("random_size".into(), doc);
    }
}

fn verdict(window: &Window, addr: IpAddr) -> Verdict {
    let best = window
        .targets
        .values()
        .next()
        .and_then(|t| t.best_ping_of(addr));
    let Some((key, series)) = best else {
        return Verdict::default();
    };
    Verdict {
        good: series.answered() > 0,
        lines: lines(key, series),
        json: document(key, series),
    }
}

fn lines((_, method, port): &PingKey, s: &PingSeries) -> Vec<String> {
    let lost = s.sent().saturating_sub(s.answered());
    let share = f64::from(lost) * 100.0 / f64::from(s.sent().max(1));
    let port = port.map_or(String::new(), |p| format!(" port {p}"));
    let q = s.quality();
    let odd: Vec<String> = [
        (q.late, "late"),
        (q.duplicates, "duplicate"),
        (q.reordered, "reordered"),
        (q.corrupt, "corrupt"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!(", {n} {what}"))
    .collect();
    let mut lines = vec![format!(
        "{} sent, {} answered, {lost} lost ({share:.1} %){} by {}{port}",
        s.sent(),
        s.answered(),
        odd.concat(),
        method.label()
    )];
    if let (Some(min), Some(max)) = (q.min(), q.max()) {
        let p = |share| q.percentile(share).unwrap_or_default();
        lines.push(format!(
            "RTT min {min} / p50 {} / p90 {} / p95 {} / p99 {} / max {max}",
            p(0.5),
            p(0.9),
            p(0.95),
            p(0.99)
        ));
        let ms = |x: Option<f64>| Rtt((x.unwrap_or_default() * 1e6) as u64);
        let jitter = q
            .jitter()
            .map_or(String::new(), |j| format!(", jitter {j}"));
        lines.push(format!(
            "    mean {}, standard deviation {}{jitter}",
            ms(q.mean_ms()),
            ms(q.stdev_ms())
        ));
    }
    if let Some(why) = s.how().and_then(|h| h.why_not_better.as_ref()) {
        lines.push(format!("not a better way because: {why}"));
    }
    lines
}

fn document((addr, method, port): &PingKey, s: &PingSeries) -> Map<String, serde_json::Value> {
    let q = s.quality();
    let p = |share| q.percentile(share).map(Rtt::as_ms);
    let rtt = q.min().map(|min| {
        json!({
            "min": min.as_ms(), "p50": p(0.5), "p90": p(0.9), "p95": p(0.95), "p99": p(0.99),
            "max": q.max().map(Rtt::as_ms), "mean": q.mean_ms(), "stdev": q.stdev_ms(),
            "jitter": q.jitter().map(Rtt::as_ms),
        })
    });
    let lost = s.sent().saturating_sub(s.answered());
    let doc = json!({
        "address": addr,
        "method": method,
        "port": port,
        "sent": s.sent(),
        "answered": s.answered(),
        "lost": lost,
        "loss_percent": f64::from(lost) * 100.0 / f64::from(s.sent().max(1)),
        "late": q.late,
        "duplicates": q.duplicates,
        "reordered": q.reordered,
        "corrupt": q.corrupt,
        "reply_ttl": s.reply_ttl(),
        "rtt_ms": rtt,
        "why_not_better": s.how().and_then(|h| h.why_not_better.as_ref()),
    });
    match doc {
        serde_json::Value::Object(doc) => doc,
        _ => Map::new(),
    }
}
