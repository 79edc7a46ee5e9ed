//! `warroom tcp`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Needs, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, Outcome, TcpSample};
use crate::model::target::Target;
use crate::probe::tcp;

/// Arguments of `warroom tcp`.
#[derive(Clone, Debug, Args)]
pub struct TcpArgs {
    /// What to connect to: host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &TcpArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &["address", "rtt_ms", "result"];
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "tcp",
        header,
        &args.targets,
        Needs::Usual,
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
    let port = target
        .tcp_port()
        .ok_or_else(|| CliError::usage(format!("which port of {0}? write {0}:PORT", target.id)))?;
    let (addr, line) = world.address(&target, timeout).await?;
    voice.note(line).await;
    let dst = SocketAddr::new(addr, port);
    let mut good = true;
    let mut samples = Vec::new();
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(samples.len() as u32, 1) && voice.wait_until(next).await {
        next += interval;
        let asked = tcp::connect(dst, true, timeout, world.clock, world.sockets.source());
        let Some((how, sample)) = voice.unless_stopped(asked).await else {
            break;
        };
        good &= sample.outcome.ok().is_some();
        samples.push(json!(sample));
        voice
            .sample(Sample {
                plain: Some(line_of(how.method.label(), &sample)),
                rows: vec![row(&sample)],
                how,
                body: Body::Tcp(sample),
            })
            .await;
    }
    let mut doc = Map::new();
    doc.insert("address".into(), json!(dst));
    doc.insert("samples".into(), json!(samples));
    Ok(Verdict {
        good,
        lines: Vec::new(),
        json: doc,
    })
}

fn line_of(method: &str, s: &TcpSample) -> String {
    match &s.outcome {
        Outcome::Ok(rtt) => format!("{} open, {rtt}  [{method}]", s.dst),
        other => format!("{} {}", s.dst, summary::refusal_text(other)),
    }
}

fn row(s: &TcpSample) -> Vec<String> {
    let rtt = s.outcome.ok();
    vec![
        s.dst.to_string(),
        rtt.map(|r| format!("{:.3}", r.as_ms())).unwrap_or_default(),
        rtt.map_or_else(|| summary::refusal_text(&s.outcome), |_| "open".into()),
    ]
}
