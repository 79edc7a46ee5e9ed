//! A folded incident as one JSON document, schema `warroom.incident/1`.

use serde_json::{Value, json};

use crate::model::incident::Incident;
use crate::model::text::SafeText;

/// The document. Times are RFC 3339 in UTC, findings as in `check --json`. `unseen_findings` are
/// the open ones that no session looks at any more (by key, `code|subject|…`); `lapsed_findings`
/// those whose end nobody saw.
pub fn folded(name: &SafeText, incident: &Incident) -> Value {
    let milestones: Vec<_> = incident
        .milestones
        .iter()
        .map(|(milestone, m)| {
            json!({"milestone": milestone, "at": m.at, "basis": m.basis, "by": m.by, "event": m.event})
        })
        .collect();
    let writers: Vec<_> = incident
        .writers
        .iter()
        .map(|(id, w)| {
            json!({"writer": id, "user": w.user, "host": w.host, "joined": w.joined, "left": w.left})
        })
        .collect();
    let states: Vec<_> = incident
        .states
        .iter()
        .map(|(target, (state, why, since))| {
            json!({"target": target, "state": state, "why": why, "since": since})
        })
        .collect();
    let steps: Vec<_> = incident
        .steps
        .iter()
        .map(|((sha256, step), s)| {
            json!({"runbook": sha256, "step": step, "title": s.title, "mark": s.mark,
                   "reason": s.reason, "at": s.at})
        })
        .collect();
    let runbooks: Vec<_> = incident
        .runbooks
        .iter()
        .map(|(sha256, title, source)| json!({"sha256": sha256, "title": title, "source": source}))
        .collect();
    let unseen: Vec<_> = incident
        .open
        .keys()
        .filter_map(|key| Some(json!({"key": key, "last_seen": incident.unseen(key)?})))
        .collect();
    let lapsed: Vec<_> = incident
        .lapsed
        .iter()
        .map(|l| json!({"finding": l.finding, "last_seen": l.last_seen, "ok_at": l.ok_at}))
        .collect();
    json!({
        "schema": "warroom.incident/1",
        "name": name,
        "title": incident.title,
        "opened": incident.opened,
        "last": incident.timeline.iter().map(|e| e.at).max(),
        "severity": incident.severity,
        "phase": incident.phase(),
        "milestones": milestones,
        "writers": writers,
        "targets": incident.targets,
        "states": states,
        "open_findings": incident.open.values().collect::<Vec<_>>(),
        "cleared_findings": incident.cleared,
        "unseen_findings": unseen,
        "lapsed_findings": lapsed,
        "numbers": incident.numbers,
        "runbooks": runbooks,
        "steps": steps,
        "events": incident.timeline.len(),
    })
}
