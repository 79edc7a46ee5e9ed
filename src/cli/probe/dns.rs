//! `warroom dns`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Needs, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, DnsSample, How, Outcome, ServerRole};
use crate::model::target::{Target, TargetKind};
use crate::probe::dns;

/// Arguments of `warroom dns`.
#[derive(Clone, Debug, Args)]
pub struct DnsArgs {
    /// What to ask for: a name, or name@resolver
    #[arg(value_name = "NAME", required = true)]
    pub targets: Vec<String>,
    /// Record type
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "A")]
    pub rtype: String,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &DnsArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &[
        "server", "method", "name", "type", "rcode", "rtt_ms", "result",
    ];
    let given = args.clone();
    let typed: Vec<String> = args
        .targets
        .iter()
        .map(|t| match t.get(..4) {
            Some(head) if head.eq_ignore_ascii_case("dns:") => t.clone(),
            _ => format!("dns:{t}"),
        })
        .collect();
    session::run(
        common,
        &args.repeat,
        "dns",
        header,
        &typed,
        Needs::Usual,
        out,
        move |world, target, voice| Box::pin(ask(given.clone(), world, target, voice)),
    )
}

async fn ask(
    args: DnsArgs,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(super::TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let TargetKind::Dns { name, resolver } = &target.kind else {
        return Err(CliError::usage(format!("{} is not a name", target.id)));
    };
    let (servers, role) = match resolver {
        Some((_, port)) => {
            let (addr, line) = world.address(&target, timeout).await?;
            voice.note(line).await;
            (vec![SocketAddr::new(addr, *port)], ServerRole::Named)
        }
        None => {
            if let Some(problem) = &world.resolvers.problem {
                return Err(CliError::could_not_run(format!(
                    "{problem}; name a resolver: warroom dns {name}@ADDRESS"
                )));
            }
            (world.resolvers.servers.clone(), ServerRole::Configured)
        }
    };
    let mut good = true;
    let mut answers = Vec::new();
    let mut n = 0u32;
    let mut next = tokio::time::Instant::now();
    while args.repeat.again(n, 1) && voice.wait_until(next).await {
        next += interval;
        n += 1;
        for server in &servers {
            let asked = dns::ask(*server, role, name, &args.rtype, false, timeout);
            let Some((how, sample)) = voice.unless_stopped(asked).await else {
                break;
            };
            good &= sample
                .outcome
                .ok()
                .is_some_and(|a| a.rcode.as_str() == "NOERROR");
            answers.push(json!({"method": how.method, "sample": sample}));
            voice
                .sample(Sample {
                    plain: Some(lines(&how, &sample).join("\n")),
                    rows: vec![row(&how, &sample)],
                    how,
                    body: Body::Dns(sample),
                })
                .await;
        }
    }
    let mut doc = Map::new();
    doc.insert("answers".into(), json!(answers));
    Ok(Verdict {
        good,
        lines: Vec::new(),
        json: doc,
    })
}

fn lines(how: &How, s: &DnsSample) -> Vec<String> {
    let Outcome::Ok(a) = &s.outcome else {
        let why = summary::refusal_text(&s.outcome);
        return vec![format!("@{} {} {}: {why}", s.server, s.name, s.rtype)];
    };
    let flags: Vec<_> = [("aa", a.aa), ("tc", a.tc), ("ra", a.ra), ("ad", a.ad)]
        .iter()
        .filter(|(_, on)| *on)
        .map(|(f, _)| *f)
        .collect();
    let mut lines = vec![format!(
        "@{} {} {}: {} in {} [{}] flags {}",
        s.server,
        s.name,
        s.rtype,
        a.rcode,
        a.rtt,
        how.method.label(),
        flags.join(" ")
    )];
    let record = |r: &crate::model::observation::DnsRecord| {
        format!("    {} {} {} {}", r.name, r.ttl, r.rtype, r.data)
    };
    lines.extend(a.records.iter().map(record));
    lines.extend(a.soa.iter().map(|soa| format!("    authority: {soa}")));
    lines
}

fn row(how: &How, s: &DnsSample) -> Vec<String> {
    let answer = s.outcome.ok();
    vec![
        s.server.to_string(),
        how.method.label().into(),
        s.name.to_string(),
        s.rtype.to_string(),
        answer.map(|a| a.rcode.to_string()).unwrap_or_default(),
        answer
            .map(|a| format!("{:.3}", a.rtt.as_ms()))
            .unwrap_or_default(),
        match answer {
            Some(a) => {
                let data: Vec<_> = a.records.iter().map(|r| r.data.as_str()).collect();
                data.join(" ")
            }
            None => summary::refusal_text(&s.outcome),
        },
    ]
}
