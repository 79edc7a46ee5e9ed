//! The report for people: each target with what was seen, then the findings, then what is clean.

use super::Report;
use super::summary;
use crate::cli::Out;
use crate::model::finding::{Finding, Severity, TargetState};
use crate::model::time::{clock_utc, date_time_utc, human};

/// Prints the report.
pub fn print(report: &Report, out: &mut Out) {
    let v = &report.vantage;
    let took = std::time::Duration::try_from(report.finished.duration_since(report.started))
        .unwrap_or_default();
    out.line(format!(
        "warroom check by {}@{} at {}, {} long",
        v.user,
        v.host,
        date_time_utc(report.started),
        human(took)
    ));
    out.line(format!("rights: {}", v.privileges));
    for id in report.subjects() {
        let Some(t) = report.window.targets.get(id) else {
            continue;
        };
        let state = report
            .verdicts
            .states
            .iter()
            .find(|(i, _)| i == id)
            .map(|(_, s)| s);
        let word = state.map_or("learning", TargetState::label);
        let why = match state {
            Some(TargetState::Degraded(w) | TargetState::Down(w) | TargetState::Unknown(w)) => {
                format!(": {w}")
            }
            Some(TargetState::Learning) => {
                let missing = report
                    .verdicts
                    .pending
                    .iter()
                    .find(|(i, _)| i == id)
                    .map(|(_, p)| p);
                let words: Vec<_> = missing.into_iter().flatten().map(|w| &**w).collect();
                format!(": not yet firm ({})", words.join(", "))
            }
            _ => String::new(),
        };
        out.line("");
        out.line(format!("{} {id}  {word}{why}", out.symbol(word)));
        let lines = if report.window.order.len() == 1 {
            summary::local(&report.window)
        } else {
            summary::target(t)
        };
        for (what, text) in lines {
            out.line(format!("    {what:<6} {text}"));
        }
    }
    findings(report, out);
    let mut clean = report.verdicts.ruled_out.iter().peekable();
    if clean.peek().is_some() {
        out.line("");
        out.line("Ruled out");
        for r in clean {
            out.line(format!(
                "  {} {} {}: {}",
                out.symbol("ok"),
                r.subject,
                r.what,
                r.text
            ));
        }
    }
}

fn findings(report: &Report, out: &mut Out) {
    out.line("");
    let all = &report.verdicts.findings;
    let alarms = all.iter().filter(|f| f.severity > Severity::Info).count();
    if alarms == 0 {
        out.line("Findings: nothing is wrong as far as could be seen");
    } else {
        out.line("Findings");
    }
    for f in all {
        one(f, out);
    }
}

fn one(f: &Finding, out: &mut Out) {
    out.line(format!(
        "  {} {}",
        out.symbol(f.severity.label()),
        f.summary
    ));
    let sure = f.confidence_word();
    out.line(
        format!(
            "      {} · {} · {} · since {}",
            f.code,
            f.severity.label(),
            sure,
            clock_utc(f.since)
        )
        .replace(" · ", if out.utf8 { " · " } else { ", " }),
    );
    if let Some(flap) = f.flap {
        out.line(format!("      it {flap}"));
    }
    for e in &f.evidence {
        out.line(format!("      - {}", e.text));
    }
    for r in &f.reproduce {
        out.line(format!("      $ {r}"));
    }
    if !f.runbooks.is_empty() {
        let names: Vec<_> = f.runbooks.iter().map(|r| r.as_str()).collect();
        out.line(format!("      runbook: {}", names.join(", ")));
    }
}
