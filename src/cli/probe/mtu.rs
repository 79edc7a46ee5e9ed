//! `warroom mtu`.

use clap::Args;
use serde_json::{Map, json};

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, Outcome, Pmtu, PmtuHow, PmtuSample};
use crate::model::target::Target;
use crate::model::window::Window;
use crate::net::pace::Budget;
use crate::probe::pmtu;

/// Arguments of `warroom mtu`.
#[derive(Clone, Debug, Args)]
pub struct MtuArgs {
    /// Where to: a host, an address, host:port or a URL
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it. Exit 1 also where large packets vanish without a word.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &MtuArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &["address", "method", "mtu", "link_mtu", "result"];
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
    let (addr, line) = world.address(&target, super::TIMEOUT).await?;
    voice.note(line).await;
    let interval = args
        .repeat
        .interval
        .unwrap_or(std::time::Duration::from_secs(5));
    let budget = Budget::new();
    let ask = pmtu::Ask::default();
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
        let why = how.why_not_better.clone();
        let obs = voice
            .sample(Sample {
                plain: None,
                rows: vec![row(how.method.label(), &sample)],
                how,
                body: Body::Pmtu(sample.clone()),
            })
            .await;
        window.take(&obs);
        verdict.good = sample
            .outcome
            .ok()
            .is_some_and(|p| !matches!(p.how, PmtuHow::Silent { .. }));
        verdict.lines = super::summary_lines(&window, &["mtu"]);
        verdict
            .lines
            .extend(why.map(|w| format!("not a better way because: {w}")));
        verdict.json = Map::new();
        verdict.json.insert("address".into(), json!(addr));
        verdict.json.insert("method".into(), json!(obs.how.method));
        verdict.json.insert("outcome".into(), json!(sample.outcome));
    }
    Ok(verdict)
}

fn tries(p: &Pmtu) -> Vec<String> {
    let line = |t: &crate::model::observation::SizeTry| {
        let to = t
            .ttl
            .map_or("target".to_owned(), |ttl| format!("hop {ttl}"));
        format!(
            "{:>5} bytes to {to}: {} of {} answered",
            t.size, t.answered, t.sent
        )
    };
    p.tries.iter().map(line).collect()
}

fn row(method: &str, s: &PmtuSample) -> Vec<String> {
    let (mtu, link, result) = match &s.outcome {
        Outcome::Ok(p) => (
            p.mtu.to_string(),
            p.link_mtu.to_string(),
            match p.how {
                PmtuHow::FullSize => "full size".into(),
                PmtuHow::AsAsked => "as asked".into(),
                PmtuHow::TooBig { router, .. } => format!("too big, says {router}"),
                PmtuHow::Silent { .. } => "larger packets vanish".into(),
            },
        ),
        other => (String::new(), String::new(), summary::refusal_text(other)),
    };
    vec![s.dst.to_string(), method.to_owned(), mtu, link, result]
}
