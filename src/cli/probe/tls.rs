//! `warroom tls`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, TlsSample};
use crate::model::target::{Host, Target};
use crate::model::tls::TlsFault;
use crate::model::window::Window;
use crate::probe::tls::{self, Roots};

/// Arguments of `warroom tls`.
#[derive(Clone, Debug, Args)]
pub struct TlsArgs {
    /// What to judge: a host, host:port or a URL
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
pub fn run(common: &Common, args: &TlsArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &["address", "version", "cipher", "not_after", "result"];
    let roots = Roots::load(&common.ca).map_err(CliError::usage)?;
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "tls",
        header,
        &args.targets,
        out,
        move |world, target, voice| {
            Box::pin(judge(given.clone(), roots.clone(), world, target, voice))
        },
    )
}

async fn judge(
    args: TlsArgs,
    roots: Roots,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(super::TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let (addr, line) = world.address(&target, timeout).await?;
    voice.note(line).await;
    let dst = SocketAddr::new(addr, target.tcp_port().unwrap_or(443));
    let host = target.host().cloned().unwrap_or(Host::Addr(addr));
    let mut verdict = Verdict {
        good: true,
        ..Verdict::default()
    };
    let mut samples = Vec::new();
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(samples.len() as u32, 1) && voice.wait_until(next).await {
        next += interval;
        let asked = tls::capture(dst, &host, true, &roots, timeout);
        let Some((how, sample)) = voice.unless_stopped(asked).await else {
            break;
        };
        verdict.good &= sample.outcome.ok().is_some_and(|t| t.faults.is_empty());
        samples.push(json!(sample));
        let obs = voice
            .sample(Sample {
                plain: None,
                rows: vec![row(&sample)],
                how,
                body: Body::Tls(sample.clone()),
            })
            .await;
        let mut window = Window::new([target.clone()]);
        window.take(&obs);
        verdict.lines = super::summary_lines(&window, &["tls"]);
        verdict.lines.extend(details(&sample));
    }
    verdict.json = Map::new();
    verdict.json.insert("address".into(), json!(dst));
    verdict.json.insert("samples".into(), json!(samples));
    Ok(verdict)
}

fn details(s: &TlsSample) -> Vec<String> {
    let Some(session) = s.outcome.ok() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(leaf) = session.chain.first() {
        let names: Vec<_> = leaf.san.iter().map(|n| n.as_str()).collect();
        lines.push(format!("names  {}", names.join(", ")));
        lines.push(format!("sha256 {}", leaf.sha256));
    }
    let faults = session.faults.iter().map(fault_text);
    lines.extend(faults.map(|f| format!("fault  {f}")));
    if session.faults.is_empty() {
        lines.push("no fault found".into());
    }
    lines
}

fn row(s: &TlsSample) -> Vec<String> {
    let session = s.outcome.ok();
    let leaf = session.and_then(|t| t.chain.first());
    let faults: Vec<String> = session
        .map(|t| t.faults.iter().map(fault_text).collect())
        .unwrap_or_default();
    vec![
        s.dst.to_string(),
        session.map(|t| t.version.to_string()).unwrap_or_default(),
        session.map(|t| t.cipher.to_string()).unwrap_or_default(),
        leaf.map(|c| c.not_after.to_string()).unwrap_or_default(),
        match session {
            Some(_) if faults.is_empty() => "ok".into(),
            Some(_) => faults.join("; "),
            None => summary::refusal_text(&s.outcome),
        },
    ]
}

pub(super) fn fault_text(f: &TlsFault) -> String {
    use TlsFault as F;
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
