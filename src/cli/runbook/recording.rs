//! Recorded observations for `warroom runbook test`: what a probe printed with `--stream-json`.
//! The rules judge them as they would have judged them live.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::diagnose;
use crate::model::condition::Facts;
use crate::model::observation::{Body, How, Method, ObsId, Observation};
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Stamp};
use crate::model::window::Window;

/// Largest recording in bytes.
const MAX_RECORDING: u64 = 64 * 1024 * 1024;

/// A line of `--stream-json`: the first says when it began, a sample's says what was seen.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Sample(Box<Sample>),
    Begin {
        schema: String,
        started: Timestamp,
    },
    Result {
        #[serde(rename = "result")]
        _result: IgnoredAny,
    },
}

#[derive(Deserialize)]
struct Sample {
    time: Timestamp,
    target: TargetId,
    method: Method,
    why_not_better: Option<SafeText>,
    sample: Body,
}

/// What the rules conclude from a recording, of the first target in it.
pub(super) fn facts(path: &Path) -> Result<Facts, String> {
    let shown = path.display();
    let wrong = |e: std::io::Error| format!("could not read the recording {shown}: {e}");
    if std::fs::metadata(path).map_err(wrong)?.len() > MAX_RECORDING {
        return Err(format!("the recording {shown} is larger than 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    let observations = read(&text).map_err(|(line, why)| format!("{shown}:{line}: {why}"))?;
    judged(&observations).ok_or_else(|| format!("no sample is in the recording {shown}"))
}

fn read(text: &str) -> Result<Vec<Observation>, (usize, String)> {
    let mut began: Option<Timestamp> = None;
    let mut out = Vec::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let hint = "record with a probe's --stream-json";
        let no_line = |_| (number, format!("this is no line of a recording: {hint}"));
        match serde_json::from_str(line).map_err(no_line)? {
            Line::Begin { schema, .. } if schema != "warroom.stream/1" => {
                return Err((number, format!("the schema {schema} is not known: {hint}")));
            }
            // The clock of the samples starts anew with each run.
            Line::Begin { .. } if began.is_some() => {
                return Err((
                    number,
                    "a second run begins here: one run a file".to_owned(),
                ));
            }
            Line::Begin { started, .. } => began = Some(started),
            Line::Sample(sample) => {
                let Some(began) = began else {
                    return Err((number, "the line that says when it began is missing".into()));
                };
                out.push(observation(*sample, began, out.len()));
            }
            Line::Result { .. } => {}
        }
    }
    Ok(out)
}

fn observation(sample: Sample, began: Timestamp, number: usize) -> Observation {
    let since = sample.time.duration_since(began).as_nanos();
    Observation {
        id: ObsId(number as u64),
        at: Stamp {
            wall: sample.time,
            mono: Mono(u64::try_from(since).unwrap_or(0)),
        },
        target: sample.target,
        how: How {
            method: sample.method,
            why_not_better: sample.why_not_better,
        },
        body: sample.sample,
    }
}

fn judged(observations: &[Observation]) -> Option<Facts> {
    let mut window = Window::new([]);
    for seen in observations {
        if !window.targets.contains_key(&seen.target)
            && let Ok(target) = Target::parse(seen.target.as_str())
        {
            window.add(target);
        }
        window.take(seen);
    }
    // A probe of one address does not say that the address is the target's.
    for seen in observations {
        let Some(of) = window.targets.get_mut(&seen.target) else {
            continue;
        };
        if let Some(dst) = destination(&seen.body).filter(|a| !of.known.contains(a)) {
            of.known.push(dst);
        }
    }
    let verdicts = diagnose::judge(&window, &Thresholds::default(), window.newest?);
    let target = window.order.first()?;
    let state = verdicts.states.iter().find(|(t, _)| t == target);
    let state = state.map(|(_, s)| s);
    let ruled_out = &verdicts.ruled_out;
    Some(Facts::of(
        &window,
        target,
        &verdicts.findings,
        state,
        ruled_out,
    ))
}

fn destination(body: &Body) -> Option<IpAddr> {
    match body {
        Body::Ping(s) => Some(s.dst),
        Body::Trace(s) => Some(s.dst),
        Body::Pmtu(s) => Some(s.dst),
        Body::Tcp(s) => Some(s.dst.ip()),
        Body::Tls(s) => Some(s.dst.ip()),
        Body::Resolve(_) | Body::Dns(_) | Body::Http(_) | Body::Local(_) | Body::Device(_) => None,
    }
}
