//! `warroom http`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Needs, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, HttpSample};
use crate::model::target::{Host, Scheme, Target, TargetKind, Url};
use crate::probe::http;
use crate::probe::tls::Roots;

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of `warroom http`.
#[derive(Clone, Debug, Args)]
pub struct HttpArgs {
    /// What to ask for: a URL, a host or host:port
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
pub fn run(common: &Common, args: &HttpArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &["address", "status", "total_ms", "result"];
    let roots = Roots::load(&common.ca).map_err(CliError::usage)?;
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "http",
        header,
        &args.targets,
        Needs::Usual,
        out,
        move |world, target, voice| {
            Box::pin(get(given.clone(), roots.clone(), world, target, voice))
        },
    )
}

async fn get(
    args: HttpArgs,
    roots: Roots,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let (addr, line) = world.address(&target, timeout).await?;
    voice.note(line).await;
    let url = url(&target, addr);
    let dst = SocketAddr::new(addr, url.port);
    let mut good = true;
    let mut samples = Vec::new();
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(samples.len() as u32, 1) && voice.wait_until(next).await {
        next += interval;
        let asked = http::get(&url, dst, true, &roots, timeout);
        let Some((how, sample)) = voice.unless_stopped(asked).await else {
            break;
        };
        good &= sample.outcome.ok().is_some_and(|r| r.status < 500);
        samples.push(json!(sample));
        voice
            .sample(Sample {
                plain: Some(summary::http_line(&sample)),
                rows: vec![row(&sample)],
                how,
                body: Body::Http(sample),
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

fn url(target: &Target, addr: IpAddr) -> Url {
    if let TargetKind::Url(u) = &target.kind {
        return u.clone();
    }
    let port = target.tcp_port().unwrap_or(443);
    Url {
        scheme: if matches!(port, 443 | 8443) {
            Scheme::Https
        } else {
            Scheme::Http
        },
        host: target.host().cloned().unwrap_or(Host::Addr(addr)),
        port,
        path: "/".into(),
    }
}

fn row(s: &HttpSample) -> Vec<String> {
    let answer = s.outcome.ok();
    vec![
        s.dst.to_string(),
        answer.map(|r| r.status.to_string()).unwrap_or_default(),
        answer
            .map(|r| format!("{:.3}", r.phases.total().as_ms()))
            .unwrap_or_default(),
        summary::http_line(s),
    ]
}
