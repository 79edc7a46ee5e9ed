//! The four forms of a probe's report: lines for people, one JSON document, a JSON line for each
//! sample, comma-separated values.

use serde_json::{Map, Value, json};

use super::session::{Said, Verdict};
use crate::cli::setup::Vantage;
use crate::cli::{CliError, Out};
use crate::model::observation::Observation;
use crate::model::target::TargetId;
use crate::model::time::{Stamp, date_time_utc};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Plain,
    /// One document at the end.
    Json,
    /// A JSON line for each sample.
    Stream,
    /// A row for each sample.
    Csv,
    /// Nothing but the lines of the verdicts: a form of the probe's own, for programs.
    Own {
        /// How a line begins that such a program passes over.
        comment: &'static str,
    },
}

/// Prints what the probes of one run say.
pub struct Printer {
    format: Format,
    name: &'static str,
    header: &'static [&'static str],
    targets: Vec<TargetId>,
    vantage: Vantage,
    started: Stamp,
}

impl Printer {
    /// For these targets.
    pub fn new(
        format: Format,
        name: &'static str,
        header: &'static [&'static str],
        targets: Vec<TargetId>,
        vantage: &Vantage,
        started: Stamp,
    ) -> Self {
        Self {
            format,
            name,
            header,
            targets,
            vantage: vantage.clone(),
            started,
        }
    }

    /// The head, before anything was seen.
    pub fn begin(&self, out: &mut Out) {
        let v = &self.vantage;
        match self.format {
            Format::Plain => {
                let targets: Vec<_> = self.targets.iter().map(TargetId::as_str).collect();
                out.line(format!(
                    "warroom {} {} by {}@{} at {}",
                    self.name,
                    targets.join(" "),
                    v.user,
                    v.host,
                    date_time_utc(self.started.wall)
                ));
            }
            Format::Json | Format::Own { .. } => {}
            Format::Stream => out.line(
                json!({
                    "schema": "warroom.stream/1",
                    "probe": self.name,
                    "started": self.started.wall,
                    "vantage": self.vantage(),
                    "targets": self.targets,
                })
                .to_string(),
            ),
            Format::Csv => {
                let mut cells = vec!["time", "target"];
                cells.extend(self.header);
                out.line(cells.join(","));
            }
        }
    }

    pub(super) fn said(&self, index: usize, said: Said, out: &mut Out) {
        match (self.format, said) {
            (Format::Plain, Said::Note(text)) => self.plain(index, &text, out),
            (Format::Plain, Said::Sample(_, text, _)) => {
                text.iter().for_each(|t| self.plain(index, t, out));
            }
            (Format::Stream, Said::Sample(obs, ..)) => {
                out.line(stream_line(&obs).to_string());
            }
            (Format::Csv, Said::Sample(obs, _, rows)) => {
                let time = obs.at.wall.to_string();
                for row in rows {
                    let cells = [time.clone(), obs.target.to_string()];
                    let cells: Vec<_> = cells.iter().chain(&row).map(|c| quoted(c)).collect();
                    out.line(cells.join(","));
                }
            }
            (Format::Stream, Said::Aside(at, what, value)) => {
                let target = self.targets.get(index);
                out.line(json!({"time": at.wall, "target": target, what: value}).to_string());
            }
            (Format::Json | Format::Own { .. }, _) | (_, Said::Note(_) | Said::Aside(..)) => {}
        }
    }

    /// Summaries, when all is done or the user has seen enough.
    pub fn end(
        &self,
        results: Vec<Result<Verdict, CliError>>,
        interrupted: bool,
        finished: Stamp,
        out: &mut Out,
    ) {
        match self.format {
            Format::Plain => {
                for (index, result) in results.into_iter().enumerate() {
                    match result {
                        Ok(v) => v.lines.iter().for_each(|l| self.plain(index, l, out)),
                        Err(e) => self.plain(index, &e.to_string(), out),
                    }
                }
            }
            Format::Csv => {}
            Format::Own { comment } => {
                for (target, result) in self.targets.iter().zip(results) {
                    match result {
                        Ok(v) => v.lines.iter().for_each(|l| out.line(l)),
                        Err(e) => out.line(format!("{comment} {target}: {e}")),
                    }
                }
            }
            Format::Stream => {
                for (target, result) in self.targets.iter().zip(results) {
                    out.line(json!({"result": object(target, result)}).to_string());
                }
            }
            Format::Json => {
                let targets: Vec<Value> = self
                    .targets
                    .iter()
                    .zip(results)
                    .map(|(target, result)| object(target, result))
                    .collect();
                let doc = json!({
                    "schema": format!("warroom.{}/1", self.name),
                    "started": self.started.wall,
                    "finished": finished.wall,
                    "vantage": self.vantage(),
                    "interrupted": interrupted,
                    "targets": targets,
                });
                out.line(serde_json::to_string_pretty(&doc).unwrap_or_default());
            }
        }
    }

    fn vantage(&self) -> Value {
        let v = &self.vantage;
        json!({"host": v.host, "user": v.user, "privileges": v.privileges})
    }

    fn plain(&self, index: usize, text: &str, out: &mut Out) {
        match self.targets.get(index) {
            Some(target) if self.targets.len() > 1 => out.line(format!("{target}: {text}")),
            _ => out.line(text),
        }
    }
}

fn object(target: &TargetId, result: Result<Verdict, CliError>) -> Value {
    let mut object = Map::new();
    object.insert("target".into(), json!(target));
    match result {
        Ok(verdict) => {
            object.insert("good".into(), json!(verdict.good));
            object.extend(verdict.json);
        }
        Err(e) => {
            object.insert("good".into(), json!(false));
            object.insert("error".into(), json!(e.to_string()));
        }
    }
    Value::Object(object)
}

/// An observation with a time that people and programs read alike; monotonic time counts from
/// the start of the program.
fn stream_line(obs: &Observation) -> Value {
    json!({
        "time": obs.at.wall,
        "target": obs.target,
        "method": obs.how.method,
        "why_not_better": obs.how.why_not_better,
        "sample": obs.body,
    })
}

/// A cell as RFC 4180 wants it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("a b"), "a b");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }
}
