//! Names that do not exist: all resolvers that answered must agree.

use std::collections::{BTreeMap, BTreeSet};

use super::differ;
use crate::diagnose::build::Build;
use crate::diagnose::facts::Facts;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{DnsAnswer, DnsSample};
use crate::model::target::TargetKind;
use crate::model::window::{Dated, DnsKey, Recent, TargetWindow};

/// What a server said last about one question.
struct Word<'a> {
    key: &'a DnsKey,
    asked: &'a Recent<DnsSample>,
    seen: &'a Dated<DnsSample>,
    answer: &'a DnsAnswer,
}

impl Word<'_> {
    fn is(&self, rcode: &str) -> bool {
        self.answer.rcode.as_str() == rcode
    }
    /// Says that there is no such name, and said so often enough.
    fn denies(&self, repeat: u32) -> bool {
        let nx = |s: &DnsSample| {
            s.outcome
                .ok()
                .is_none_or(|a| a.rcode.as_str() == "NXDOMAIN")
        };
        let answered = self
            .asked
            .run_of(nx)
            .filter(|d| d.value.outcome.ok().is_some());
        self.is("NXDOMAIN") && answered.count() >= repeat as usize
    }
}

/// Pushes `name-not-found`.
pub(super) fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    // A name that became an address exists: by the search list, or in a hosts file.
    let resolves = t
        .resolution
        .as_ref()
        .is_some_and(|r| r.value.outcome.ok().is_some());
    if resolves && !matches!(t.target.kind, TargetKind::Dns { .. }) {
        return;
    }
    let mut by_name: BTreeMap<&str, Vec<Word>> = BTreeMap::new();
    for (key, asked) in &t.dns {
        let relevant = asked
            .last()
            .is_some_and(|d| !d.value.liveness_only && f.is_asked(key.server, d.value.role));
        if !relevant {
            continue;
        }
        // The last answer, not the last attempt: one lost question changes no verdict.
        let last = asked
            .iter()
            .rev()
            .take_while(|d| d.at.mono >= f.horizon())
            .find_map(|d| d.value.outcome.ok().map(|a| (d, a)));
        if let Some((seen, answer)) = last {
            by_name.entry(key.name.as_str()).or_default().push(Word {
                key,
                asked,
                seen,
                answer,
            });
        }
    }
    for (name, words) in by_name {
        let (failed, told): (Vec<_>, Vec<_>) = words
            .into_iter()
            .partition(|w| w.is("SERVFAIL") || w.is("REFUSED"));
        let agreed = told.iter().all(|w| w.is("NXDOMAIN"));
        // What another resolver resolves exists.
        let contradicted = |w: &Word| differ::is_said(out, w.key.server);
        if told.iter().any(contradicted) {
            continue;
        }
        if agreed && told.iter().any(|w| w.denies(f.thresholds.repeat)) {
            out.extend(not_found(t, name, &told, &failed));
        }
    }
}

fn not_found(t: &TargetWindow, name: &str, told: &[Word], failed: &[Word]) -> Option<Finding> {
    let first = told.first()?;
    let addresses = |words: &[Word]| -> BTreeSet<String> {
        words
            .iter()
            .map(|w| w.key.server.ip().to_string())
            .collect()
    };
    let servers = addresses(told);
    let all: BTreeSet<String> = servers.union(&addresses(failed)).cloned().collect();
    let soa = first.answer.soa.as_ref().map_or(String::new(), |s| {
        format!(" (negative answer from zone {s})")
    });
    let since = told.iter().map(|w| w.seen.at.wall).min()?;
    Some(
        Build::new(
            code::NAME_NOT_FOUND,
            Severity::Critical,
            &t.target.id,
            Location::of(PlaceKind::Endpoint),
            since,
        )
        .which(name)
        .confidence(if failed.is_empty() { 0.95 } else { 0.85 })
        .summary(format!(
            "the name {name} does not exist: NXDOMAIN from {}",
            servers.iter().cloned().collect::<Vec<_>>().join(", ")
        ))
        .evidence(
            told.iter().map(|w| w.seen.id),
            format!(
                "NXDOMAIN from {} of {} resolvers that answered{soa}",
                servers.len(),
                all.len()
            ),
        )
        .reproduce(reproduce::dns(
            first.key.server,
            name,
            first.key.rtype.as_str(),
        ))
        .done(),
    )
}
