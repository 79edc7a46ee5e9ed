//! `warroom trace`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use super::via::Via;
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, HopAnswer, How, TraceRound};
use crate::model::target::Target;
use crate::model::window::{PathWindow, Window};
use crate::probe::trace::{TraceVia, Tracer};

/// Rounds unless the user says otherwise.
const ROUNDS: u32 = 3;
/// TTLs asked at once while the distance is unknown.
const WAVE: u8 = 4;
/// Deepest TTL.
const MAX_TTL: u8 = 30;

/// Arguments of `warroom trace`.
#[derive(Clone, Debug, Args)]
pub struct TraceArgs {
    /// Where to: a host, an address, host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// The way: icmp, udp, tcp[:PORT]; without it ICMP where permitted, else UDP
    #[arg(long = "method", visible_alias = "via", value_name = "WAY")]
    pub via: Option<String>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &TraceArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &[
        "destination",
        "method",
        "round",
        "ttl",
        "address",
        "rtt_ms",
        "result",
    ];
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "trace",
        header,
        &args.targets,
        out,
        move |world, target, voice| Box::pin(trace(given.clone(), world, target, voice)),
    )
}

async fn trace(
    args: TraceArgs,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(Duration::from_secs(1));
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let (addr, line) = world.address(&target, super::TIMEOUT).await?;
    voice.note(line).await;
    let via = way(&args, &world, &target, addr)?;
    let tracer = Tracer::open(addr, via, &world.sockets, &world.rights)
        .map_err(|e| CliError::could_not_run(format!("cannot trace {addr}: {e}")))?;
    let mut window = Window::new([target.clone()]);
    let mut end = 0u8;
    let mut round = 0u32;
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(round, ROUNDS) && voice.wait_until(next).await {
        next += interval;
        let asked = async {
            if end > 0 {
                let ttls: Vec<u8> = (1..=end).collect();
                tracer.round(round, &ttls, timeout).await
            } else {
                explore(&tracer, round, timeout).await
            }
        };
        let Some((how, seen)) = voice.unless_stopped(asked).await else {
            break;
        };
        end = seen.reached().unwrap_or_else(|| {
            let far = seen.hops.iter().filter(|h| h.answer.from().is_some());
            let far = far.map(|h| h.ttl).max().unwrap_or(1);
            far.saturating_add(2).max(end).min(MAX_TTL)
        });
        round += 1;
        let obs = voice
            .sample(Sample {
                plain: None,
                rows: rows(&how, &seen),
                how,
                body: Body::Trace(seen),
            })
            .await;
        window.take(&obs);
    }
    Ok(verdict(&window))
}

fn way(
    args: &TraceArgs,
    world: &World,
    target: &Target,
    addr: IpAddr,
) -> Result<TraceVia, CliError> {
    let given = args.via.as_deref();
    match given
        .map(|text| Via::parse(text, target.tcp_port()))
        .transpose()?
    {
        Some(Via::Icmp) => Ok(TraceVia::Icmp),
        Some(Via::Udp(None)) => Ok(TraceVia::Udp),
        Some(Via::Tcp(port)) => Ok(TraceVia::Tcp { port }),
        Some(Via::Udp(Some(_)) | Via::System | Via::Surge) => {
            Err(CliError::usage("a path is traced by icmp, udp or tcp:PORT"))
        }
        None if world.rights.icmp(addr.is_ipv6()) => Ok(TraceVia::Icmp),
        None => Ok(TraceVia::Udp),
    }
}

/// Wave by wave outward until the target answers or somebody says that it ends here.
async fn explore(tracer: &Tracer, round: u32, timeout: Duration) -> (How, TraceRound) {
    let mut all = TraceRound {
        dst: tracer.dst(),
        round,
        hops: Vec::new(),
    };
    for from in (1..=MAX_TTL).step_by(usize::from(WAVE)) {
        let ttls: Vec<u8> = (from..from + WAVE).filter(|t| *t <= MAX_TTL).collect();
        let (_, seen) = tracer.round(round, &ttls, timeout).await;
        let ends = seen.hops.iter().any(|h| {
            matches!(
                h.answer,
                HopAnswer::Reached { .. } | HopAnswer::Unreachable { .. }
            )
        });
        all.hops.extend(seen.hops);
        if ends {
            break;
        }
    }
    (tracer.how(), all)
}

fn rows(how: &How, round: &TraceRound) -> Vec<Vec<String>> {
    let row = |h: &crate::model::observation::HopSample| {
        let from = h.answer.from();
        vec![
            round.dst.to_string(),
            how.method.label().into(),
            round.round.to_string(),
            h.ttl.to_string(),
            from.map(|(a, _)| a.to_string()).unwrap_or_default(),
            from.map(|(_, rtt)| format!("{:.3}", rtt.as_ms()))
                .unwrap_or_default(),
            match h.answer {
                HopAnswer::TimeExceeded { .. } => "time exceeded".into(),
                HopAnswer::Reached { .. } => "reached".into(),
                HopAnswer::Unreachable { error, .. } => error.label(),
                HopAnswer::Silent => "silent".into(),
            },
        ]
    };
    round.hops.iter().map(row).collect()
}

fn verdict(window: &Window) -> Verdict {
    let Some(t) = window.targets.values().next() else {
        return Verdict::default();
    };
    let mut lines = Vec::new();
    let mut paths = Vec::new();
    for ((addr, method), p) in &t.paths {
        let mut about = Vec::new();
        summary::path(&addr.to_string(), p, &mut about);
        lines.extend(about.into_iter().map(|(_, l)| l));
        let why = p.how().and_then(|h| h.why_not_better.as_ref());
        lines.extend(why.map(|why| format!("not a better way because: {why}")));
        paths.push(json!({
            "address": addr,
            "method": method,
            "why_not_better": why,
            "rounds": p.rounds(),
            "reached_ttl": p.reached_ttl(),
            "hops": hops(p),
        }));
    }
    let mut doc = Map::new();
    doc.insert("paths".into(), json!(paths));
    Verdict {
        good: t
            .best_path()
            .is_some_and(|(_, p)| p.reached_ttl().is_some()),
        lines,
        json: doc,
    }
}

fn hops(p: &PathWindow) -> Vec<serde_json::Value> {
    let hop = |(ttl, h): (u8, &crate::model::window::HopStats)| {
        let addresses: Vec<_> = h.addresses.iter().map(|(a, _)| a).collect();
        let rtt = h
            .summary()
            .map(|r| json!({"min": r.min.as_ms(), "p50": r.p50.as_ms(), "max": r.max.as_ms()}));
        json!({
            "ttl": ttl,
            "sent": h.sent,
            "answered": h.answered,
            "addresses": addresses,
            "rtt_ms": rtt,
        })
    };
    p.hops().map(hop).collect()
}
