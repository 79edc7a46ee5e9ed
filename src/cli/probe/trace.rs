//! `warroom trace`.

mod dot;
mod owners;
mod report;
mod walk;
mod whose;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::session::{Form, Needs, Repeat, Sample, Verdict, Voice, World};
use super::tos;
use super::via::Via;
use crate::cli::args::Common;
use crate::cli::{CliError, Out};
use crate::model::observation::Body;
use crate::model::origin::Origin;
use crate::model::target::Target;
use crate::model::window::Window;
use crate::probe::trace::{MOST_FLOWS, Seen, TraceOptions, TraceVia, Tracer};
use dot::Graph;
use owners::{Known, Owners};
use walk::{Pace, Walk};

/// Rounds unless the user says otherwise.
const ROUNDS: u32 = 3;
/// Time between them; longer where a router would have to send more ICMP errors than it may.
const INTERVAL: Duration = Duration::from_millis(200);
/// A router that finds no host by ARP or ND says so after three seconds. Where the target does not
/// answer one more round is made then, unless the user said how many.
const ARP_SPEAKS: Duration = Duration::from_millis(3300);
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Arguments of `warroom trace`.
#[derive(Clone, Debug, Args)]
pub struct TraceArgs {
    /// Where to: a host, an address, host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// The way: icmp, udp[:PORT], tcp[:PORT]; without it ICMP where permitted, else UDP
    #[arg(long = "method", visible_alias = "via", value_name = "WAY")]
    pub via: Option<String>,
    /// Destination port, with --method udp or tcp
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Flows to tell parallel paths apart (1 to 16), each with its own statistics
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_FLOWS)))]
    pub flows: u16,
    /// First TTL
    #[arg(short = 'f', long, value_name = "TTL", default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..))]
    pub first_ttl: u8,
    /// Last TTL
    #[arg(short = 'm', long, value_name = "TTL", default_value_t = 30,
        value_parser = clap::value_parser!(u8).range(1..))]
    pub max_ttl: u8,
    /// Packet size in bytes, IP header included (ICMP and UDP)
    #[arg(short, long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(48..=9216))]
    pub size: Option<u16>,
    /// Type of service or traffic class, 0 to 255 or 0x00 to 0xff
    #[arg(long, value_name = "TOS", value_parser = tos::tos, conflicts_with = "dscp")]
    pub tos: Option<u8>,
    /// DSCP: 0 to 63 or a name like ef, af41, cs6
    #[arg(long, value_name = "DSCP", value_parser = tos::dscp)]
    pub dscp: Option<u8>,
    /// Source port, with --method udp or tcp; several flows count up from it
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub source_port: Option<u16>,
    /// Print the paths as a Graphviz graph: every hop a node, edges with the rounds of each flow
    #[arg(long, conflicts_with_all = ["json", "stream_json", "csv", "wide"])]
    pub dot: bool,
    /// Look up no names of hops: nothing is asked of any resolver about them
    #[arg(short = 'n', long, alias = "no-dns")]
    pub no_names: bool,
    /// Table of autonomous systems instead of the configured one: .mmdb or pfx2as text
    #[arg(long, value_name = "FILE")]
    pub asn: Option<PathBuf>,
    /// Table of places instead of the configured one: .mmdb
    #[arg(long, value_name = "FILE")]
    pub geo: Option<PathBuf>,
    /// Ask the resolvers for autonomous systems, too (asn.cymru.com); they learn what you look at
    #[arg(long)]
    pub dns_asn: bool,
    /// Wide table: loss, sent, last, average, best, worst, deviation, jitter, owners uncut
    #[arg(long)]
    pub wide: bool,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &TraceArgs, out: &mut Out) -> Result<u8, CliError> {
    if args.first_ttl > args.max_ttl {
        return Err(CliError::usage(format!(
            "--first-ttl {} is beyond --max-ttl {}",
            args.first_ttl, args.max_ttl
        )));
    }
    if let Some(port) = args.source_port
        && port.checked_add(args.flows - 1).is_none()
    {
        return Err(CliError::usage(format!(
            "{} flows from --source-port {port} need ports beyond 65535; start at {} at most",
            args.flows,
            u16::MAX - (args.flows - 1)
        )));
    }
    let owners = Arc::new(Owners::new(owners::sources(common, args)?, common));
    let given = args.clone();
    let pace = Arc::new(Pace::default());
    let form = Form {
        common,
        repeat: &args.repeat,
        name: "trace",
        header: report::HEADER,
        needs: Needs::Usual,
        own: args.dot.then_some("//"),
    };
    form.run(&args.targets, out, move |world, target, voice| {
        let shared = (Arc::clone(&pace), Arc::clone(&owners));
        Box::pin(trace(given.clone(), shared, world, target, voice))
    })
}

/// What is known of one target: statistics, whose the hops are, who comes after whom.
struct Learned {
    window: Window,
    known: Known,
    graph: Graph,
}

async fn trace(
    args: TraceArgs,
    (pace, owners): (Arc<Pace>, Arc<Owners>),
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let (addr, line) = world.address(&target, super::TIMEOUT).await?;
    voice.note(line).await;
    let (via, options) = way(&args, &world, &target, addr)?;
    let tracer = Tracer::open_with(addr, via, options, &world.sockets, &world.rights)
        .map_err(|e| CliError::could_not_run(format!("cannot trace {addr}: {e}")))?;
    owners.begin(&world.resolvers);
    let mut learned = Learned {
        window: Window::new([target.clone()]),
        known: Known::new(owners),
        graph: Graph::default(),
    };
    let trouble = rounds(&args, &pace, &world, (&tracer, via), &voice, &mut learned).await;
    let seen = learned.window.targets.values().next();
    if let (None, Some(why)) = (seen.and_then(|t| t.best_path()), &trouble) {
        let more = match args.source_port {
            Some(_) => String::new(),
            None => format!("; `ip route get {addr}` may say more"),
        };
        let text = format!("cannot trace {addr}: {why}{more}");
        return Err(CliError::could_not_run(text));
    }
    learned.known.tables_read(&voice).await;
    announce(learned.known.news(), &voice).await;
    let flows = tracer.keeps_flows();
    let mut verdict = report::verdict(&learned.window, &learned.known, &args, flows);
    match trouble {
        // A flow that could not be sent was not traced: that is not nothing.
        Some(why) if args.source_port.is_some() => {
            verdict.good = false;
            verdict.json.insert("trouble".into(), why.clone().into());
            verdict.lines.push(format!("not all was sent: {why}"));
        }
        _ => {}
    }
    if args.dot {
        let how = format!("{} by {}", addr, tracer.how().method.label());
        verdict.lines = learned.graph.lines(target.id.as_str(), &how);
    }
    Ok(verdict)
}

/// All rounds of all flows, until they are made or the user wants no more; why something could
/// not be sent, if so.
async fn rounds(
    args: &TraceArgs,
    pace: &Pace,
    world: &World,
    (tracer, via): (&Tracer, TraceVia),
    voice: &Voice,
    learned: &mut Learned,
) -> Option<String> {
    let timeout = args.repeat.timeout.unwrap_or(TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(INTERVAL);
    let mut walk = Walk::new(tracer.dst(), via, args.first_ttl, args.max_ttl, timeout);
    let owners = learned.known.owners();
    let mut trouble = None;
    let begun = tokio::time::Instant::now();
    let mut next = begun;
    let mut round = 0u32;
    loop {
        if !args.repeat.again(round, ROUNDS) {
            let patient = args.repeat.count.is_none() && round == ROUNDS && walk.is_unexplained();
            if !patient {
                break;
            }
            next = begun + ARP_SPEAKS;
        }
        if !voice.wait_until(next).await {
            break;
        }
        next = tokio::time::Instant::now().max(next) + interval;
        for flow in 0..args.flows {
            let asking = walk.ask(round, flow, pace, world.clock);
            let Some(ask) = voice.unless_stopped(asking).await else {
                return trouble;
            };
            let permit = walk.permit(pace).await;
            let mut run = tracer.begin(ask).await;
            run.on_answer(|addr| owners.ask(addr));
            let finished = voice.unless_stopped(run.go()).await.is_some();
            let seen = run.end();
            drop(permit);
            walk.learn(&seen, pace, world.clock);
            trouble = seen.trouble.as_ref().map(ToString::to_string).or(trouble);
            if !seen.round.hops.is_empty() {
                learned.known.learn(&seen.round);
                if args.repeat.csv {
                    // A row that is printed can't be filled in later.
                    learned.known.tables_read(voice).await;
                }
                tell(seen, round == 0 && flow == 0, voice, learned).await;
            }
            if !finished {
                return trouble;
            }
        }
        round += 1;
    }
    trouble
}

async fn tell(seen: Seen, first: bool, voice: &Voice, learned: &mut Learned) {
    learned.graph.take(&seen.round);
    let news = learned.known.news();
    let obs = voice
        .sample(Sample {
            plain: report::early(&seen.round).filter(|_| first),
            rows: report::rows(&seen.how, &seen.round, &learned.known),
            how: seen.how,
            body: Body::Trace(seen.round),
        })
        .await;
    learned.window.take(&obs);
    announce(news, voice).await;
}

/// Owners that became known, for those who read along.
async fn announce(news: Vec<(IpAddr, Origin)>, voice: &Voice) {
    for (addr, origin) in news {
        voice.aside("origin", report::news(addr, &origin)).await;
    }
}

fn way(
    args: &TraceArgs,
    world: &World,
    target: &Target,
    addr: IpAddr,
) -> Result<(TraceVia, TraceOptions), CliError> {
    let given = args.via.as_deref();
    let port = args.port.or_else(|| target.tcp_port());
    let mut options = TraceOptions {
        size: args.size,
        tos: args.tos.or(args.dscp.map(|d| d << 2)),
        udp_port: None,
        paris_tcp: true,
        source_port: args.source_port,
    };
    let via = match given.map(|text| Via::parse(text, port)).transpose()? {
        Some(Via::Icmp) => TraceVia::Icmp,
        Some(Via::Udp(port)) => {
            options.udp_port = port.or(args.port);
            TraceVia::Udp
        }
        Some(Via::Tcp(port)) => TraceVia::Tcp { port },
        Some(Via::System | Via::Surge) => {
            return Err(CliError::usage(
                "a path is traced by icmp, udp[:PORT] or tcp:PORT",
            ));
        }
        None if args.port.is_some() => {
            return Err(CliError::usage("--port needs --method udp or tcp"));
        }
        None if args.source_port.is_some() => {
            return Err(CliError::usage("--source-port needs --method udp or tcp"));
        }
        None if world.rights.icmp(addr.is_ipv6()) => TraceVia::Icmp,
        None => TraceVia::Udp,
    };
    if via == TraceVia::Icmp && args.port.is_some() {
        return Err(CliError::usage(
            "ICMP has no ports; --port needs --method udp or tcp",
        ));
    }
    if via == TraceVia::Icmp && args.source_port.is_some() {
        return Err(CliError::usage(
            "ICMP has no ports; --source-port needs --method udp or tcp",
        ));
    }
    if args.size.is_some() && matches!(via, TraceVia::Tcp { .. }) {
        return Err(CliError::usage(
            "a SYN carries no data; --size is for icmp and udp",
        ));
    }
    Ok((via, options))
}
