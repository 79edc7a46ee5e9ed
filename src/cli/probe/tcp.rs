//! `warroom tcp`.

mod lines;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, How, TcpSample, TcpState};
use crate::model::target::Target;
use crate::model::time::Rtt;
use crate::probe::tcp;

/// How long an open port may take to say who it is.
const BANNER: Duration = Duration::from_secs(1);
/// Handshakes under way at once, for one target.
const AT_ONCE: usize = 32;
/// Most ports of one target: more would be a scan, not a question.
const PORTS: usize = 4096;
/// Most addresses of one name.
const ADDRESSES: usize = 16;

/// Arguments of `warroom tcp`.
#[derive(Clone, Debug, Args)]
pub struct TcpArgs {
    /// What to connect to: host:port, a URL, or a host with --port
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Ports to connect to, like 22,80,8000-8010
    #[arg(short, long, value_name = "LIST", value_parser = ports)]
    pub port: Option<Ports>,
    /// Connect to each address of the name
    #[arg(long)]
    pub all_addresses: bool,
    /// Wait a second for what an open port says first
    #[arg(long)]
    pub banner: bool,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// A list of ports, without doubles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports(Vec<u16>);

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &TcpArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &[
        "address",
        "rtt_ms",
        "result",
        "state",
        "handshake_ms",
        "kernel_rtt_ms",
        "min_rtt_ms",
        "syn_retransmits",
        "retransmits",
        "snd_mss",
        "adv_mss",
        "pmtu",
        "reply_ttl",
        "banner",
    ];
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "tcp",
        header,
        &args.targets,
        out,
        move |world, target, voice| Box::pin(connect(given.clone(), world, target, voice)),
    )
}

async fn connect(
    args: TcpArgs,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(super::TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let ports = match (&args.port, target.tcp_port()) {
        (Some(Ports(list)), _) => list.clone(),
        (None, Some(port)) => vec![port],
        (None, None) => {
            return Err(CliError::usage(format!(
                "which port of {0}? write {0}:PORT or --port LIST",
                target.id
            )));
        }
    };
    let (how, _, mut addrs) = world.addresses(&target, timeout).await?;
    let all = addrs.len();
    addrs.truncate(if args.all_addresses { ADDRESSES } else { 1 });
    voice
        .note(note(how.method.label(), &addrs, all - addrs.len()))
        .await;
    let dsts = pairs(&addrs, &ports);
    let mut samples: Vec<TcpSample> = Vec::new();
    let mut rounds = 0;
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(rounds, 1) && voice.wait_until(next).await {
        next += interval;
        rounds += 1;
        let round = round(&args, &world, &dsts, timeout, &voice);
        let Some(found) = voice.unless_stopped(round).await else {
            break;
        };
        samples.extend(found);
    }
    let mut doc = Map::new();
    doc.insert("address".into(), json!(dsts.first()));
    let each: Vec<Value> = samples.iter().map(as_json).collect();
    doc.insert("samples".into(), Value::Array(each));
    Ok(Verdict {
        good: samples.iter().all(|s| s.state() == TcpState::Open),
        lines: lines::summary(&samples),
        json: doc,
    })
}

/// Where the handshakes go and come from.
fn note(how: &str, addrs: &[IpAddr], left: usize) -> String {
    let list: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    let from = addrs
        .first()
        .and_then(|a| crate::probe::local::route_exists(*a).ok().flatten())
        .map_or("nowhere: there is no route".to_owned(), |a| a.to_string());
    let others = match left {
        0 => String::new(),
        n => format!("; {n} more, --all-addresses tries each"),
    };
    format!("{} ({how}), from {from}{others}", list.join(" "))
}

fn pairs(addrs: &[IpAddr], ports: &[u16]) -> Vec<SocketAddr> {
    let each = |a: &IpAddr| {
        let a = *a;
        ports.iter().map(move |p| SocketAddr::new(a, *p))
    };
    addrs.iter().flat_map(each).collect()
}

/// One handshake with each, a few at once; told in the order of the list.
async fn round(
    args: &TcpArgs,
    world: &World,
    dsts: &[SocketAddr],
    timeout: Duration,
    voice: &Voice,
) -> Vec<TcpSample> {
    let banner = args.banner.then_some(BANNER);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (i, dst) in dsts.iter().copied().enumerate() {
        let (slots, clock, source) = (
            Arc::clone(&slots),
            world.clock,
            world.sockets.source().clone(),
        );
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let asked = tcp::connect_and_listen(dst, true, timeout, banner, clock, &source).await;
            (i, asked)
        });
    }
    let mut waiting: Vec<Option<(How, TcpSample)>> = vec![None; dsts.len()];
    let mut told = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let Ok((i, result)) = done else { continue };
        if let Some(slot) = waiting.get_mut(i) {
            *slot = Some(result);
        }
        while let Some((how, sample)) = waiting.get_mut(told.len()).and_then(Option::take) {
            told.push(sample.clone());
            voice
                .sample(Sample {
                    plain: Some(lines::of(&sample)),
                    rows: vec![row(&sample)],
                    how,
                    body: Body::Tcp(sample),
                })
                .await;
        }
    }
    told
}

/// The sample, with what a program would have to compute.
fn as_json(s: &TcpSample) -> Value {
    let mut object = match json!(s) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let ms = |r: Option<Rtt>| json!(r.map(Rtt::as_ms));
    object.insert("state".into(), json!(s.state()));
    object.insert("rtt_ms".into(), ms(rtt(s)));
    if let Some(d) = &s.details {
        object.insert("handshake_ms".into(), ms(d.handshake));
        object.insert("kernel_rtt_ms".into(), ms(d.kernel_rtt));
        object.insert("min_rtt_ms".into(), ms(d.min_rtt));
    }
    Value::Object(object)
}

/// The round-trip time, where the handshake was one: not with a repeated SYN in it.
fn rtt(s: &TcpSample) -> Option<Rtt> {
    let repeated = s.details.as_ref().is_some_and(|d| d.syn_retransmits > 0);
    s.outcome.ok().copied().filter(|_| !repeated)
}

fn row(s: &TcpSample) -> Vec<String> {
    let ms = |r: Option<Rtt>| r.map(|r| format!("{:.3}", r.as_ms())).unwrap_or_default();
    let said = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let mut cells = vec![
        s.dst.to_string(),
        ms(rtt(s)),
        lines::result(s),
        s.state().label().into(),
    ];
    let d = s.details.as_deref().cloned().unwrap_or_default();
    cells.extend([ms(d.handshake), ms(d.kernel_rtt), ms(d.min_rtt)]);
    cells.extend([d.syn_retransmits.to_string(), d.retransmits.to_string()]);
    cells.extend([d.snd_mss, d.adv_mss, d.pmtu, d.reply_ttl.map(u32::from)].map(said));
    cells.push(d.banner.map(|b| b.to_string()).unwrap_or_default());
    cells
}

fn ports(typed: &str) -> Result<Ports, String> {
    let wrong = |part: &str| format!("'{part}' is not a port; write 22,80,8000-8010");
    let one = |text: &str| text.trim().parse::<u16>().ok().filter(|p| *p > 0);
    let mut list = Vec::new();
    for part in typed.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (Some(from), Some(to)) = (one(from), one(to)) else {
            return Err(wrong(part));
        };
        if from > to {
            return Err(wrong(part));
        }
        for port in from..=to {
            if !list.contains(&port) {
                list.push(port);
            }
            if list.len() > PORTS {
                return Err(format!("at most {PORTS} ports at a time"));
            }
        }
    }
    Ok(Ports(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ports() {
        assert_eq!(
            ports("22,80,8000-8002,80"),
            Ok(Ports(vec![22, 80, 8000, 8001, 8002]))
        );
        assert_eq!(ports("65535").map(|p| p.0.len()), Ok(1));
        for bad in ["", "0", "80-79", "1-", "a", "1-65535", "70000"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
