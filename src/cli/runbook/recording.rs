//! Recorded observations for `warroom runbook test`: what a probe printed with `--stream-json`,
//! which the rules judge as they would have judged it live, or an instant of an incident's record.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cli::replay::instant;
use crate::diagnose;
use crate::engine::replay::Archive;
use crate::incident::Folder;
use crate::model::command::Verdicts;
use crate::model::condition::Facts;
use crate::model::observation::{Body, How, Method, ObsId, Observation};
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Stamp};
use crate::model::travel::Travel;
use crate::model::window::Window;
use crate::runbook::case::Case;

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

/// What is known by a recording, of the target that the case names.
pub(super) fn facts(path: &Path, case: &Case) -> Result<Facts, String> {
    let (window, verdicts) = if path.is_dir() {
        instant_of(path, case.at.as_deref())?
    } else {
        judged_file(path)?
    };
    let shown = path.display();
    let target = match &case.target {
        Some(named) => {
            let mut known = window.order.iter();
            known
                .find(|t| t.as_str() == named)
                .ok_or_else(|| format!("the recording {shown} is not about {named}"))?
        }
        None => window
            .order
            .first()
            .ok_or_else(|| format!("no sample is in the recording {shown}"))?,
    };
    let state = verdicts.states.iter().find(|(t, _)| t == target);
    Ok(Facts::of(
        &window,
        target,
        &verdicts.findings,
        state.map(|(_, s)| s),
        &verdicts.ruled_out,
    ))
}

/// What the screen showed at an instant of an incident.
fn instant_of(path: &Path, at: Option<&str>) -> Result<(Window, Verdicts), String> {
    let shown = path.display();
    let wrong = |e: crate::incident::Error| format!("could not read the incident {shown}: {e}");
    let folder = Folder::existing(path).map_err(wrong)?;
    let mut archive = Archive::new(&folder);
    let span = archive.span().map_err(wrong)?;
    let span = span.ok_or_else(|| format!("nothing is on record in {shown}"))?;
    let at = match at {
        Some(typed) => instant(typed, span).map_err(|e| format!("`at`: {e}"))?,
        None => span.1,
    };
    let mut window = Window::new([]);
    let mut verdicts = Verdicts::default();
    let mut trouble = None;
    archive.travel(Travel::To(at), &mut |part| match part {
        Ok(part) => {
            if let Some(restart) = part.restart {
                window = Window::new(restart.targets);
                verdicts = Verdicts::default();
            }
            part.added.into_iter().for_each(|t| window.add(t));
            part.observations.iter().for_each(|o| window.take(o));
            verdicts = part.verdicts.unwrap_or_else(|| verdicts.clone());
            true
        }
        Err(why) => {
            trouble = Some(why);
            false
        }
    });
    match trouble {
        Some(why) => Err(format!("the incident {shown}: {why}")),
        None => Ok((window, verdicts)),
    }
}

/// What the rules conclude from a stream.
fn judged_file(path: &Path) -> Result<(Window, Verdicts), String> {
    let shown = path.display();
    let wrong = |e: std::io::Error| format!("could not read the recording {shown}: {e}");
    if std::fs::metadata(path).map_err(wrong)?.len() > MAX_RECORDING {
        return Err(format!("the recording {shown} is larger than 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    let observations = read(&text).map_err(|(line, why)| format!("{shown}:{line}: {why}"))?;
    let window = window_of(&observations);
    let Some(now) = window.newest else {
        return Err(format!("no sample is in the recording {shown}"));
    };
    let judged = diagnose::judge(&window, &Thresholds::default(), now);
    let verdicts = Verdicts {
        findings: judged.findings,
        states: judged.states,
        ruled_out: judged.ruled_out,
        ..Verdicts::default()
    };
    Ok((window, verdicts))
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

fn window_of(observations: &[Observation]) -> Window {
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
    window
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
