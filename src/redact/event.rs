//! Events, field by field. The match is exhaustive on purpose: a new kind has to say here what
//! in it can hold a secret.

use serde_json::Value;

use crate::model::compare::Figures;
use crate::model::event::{EventKind, TargetNumbers};
use crate::model::finding::{Evidence, Finding, FindingKey, NearbyChange};
use crate::model::target::TargetId;
use crate::model::text::SafeText;

use super::{Redacted, Redactor};

impl Redactor {
    /// Masks every text of an event. Hashes, times and names of kinds stay as they are.
    pub fn event(&self, kind: EventKind) -> Redacted<EventKind> {
        Redacted(match kind {
            EventKind::Joined {
                title,
                user,
                host,
                version,
                privileges,
                targets,
                heads,
            } => EventKind::Joined {
                title: title.map(|t| self.safe(&t)),
                user,
                host,
                version,
                privileges: self.safe(&privileges),
                targets: targets.into_iter().map(|t| self.target(&t)).collect(),
                heads,
            },
            EventKind::Renamed { title } => EventKind::Renamed {
                title: self.safe(&title),
            },
            EventKind::FindingOpened { finding } => EventKind::FindingOpened {
                finding: Box::new(self.finding(*finding)),
            },
            EventKind::FindingCleared { finding } => EventKind::FindingCleared {
                finding: Box::new(self.finding(*finding)),
            },
            EventKind::TargetState { target, state, why } => EventKind::TargetState {
                target: self.target(&target),
                state,
                why: self.safe(&why),
            },
            EventKind::TargetNumbers { numbers } => EventKind::TargetNumbers {
                numbers: TargetNumbers {
                    target: self.target(&numbers.target),
                    method: self.safe(&numbers.method),
                    ..numbers
                },
            },
            kind => return self.personal(kind),
        })
    }

    /// The kinds that people make.
    fn personal(&self, kind: EventKind) -> Redacted<EventKind> {
        Redacted(match kind {
            EventKind::FindingDismissed {
                key,
                summary,
                reason,
                known,
            } => EventKind::FindingDismissed {
                key: self.key(&key),
                summary: self.safe(&summary),
                reason: self.safe(&reason),
                known,
            },
            EventKind::FindingRestored { key, summary } => EventKind::FindingRestored {
                key: self.key(&key),
                summary: self.safe(&summary),
            },
            EventKind::TargetAdded { target } => EventKind::TargetAdded {
                target: self.target(&target),
            },
            EventKind::TargetRemoved { target } => EventKind::TargetRemoved {
                target: self.target(&target),
            },
            EventKind::Note { note, text } => EventKind::Note {
                note,
                text: self.safe(&text),
            },
            EventKind::Pinned { title, lines } => EventKind::Pinned {
                title: self.safe(&title),
                lines: self.safe_lines(&lines),
            },
            EventKind::ChangeMarked {
                label,
                before,
                open,
            } => EventKind::ChangeMarked {
                label: self.safe(&label),
                before: self.figures(before),
                open: self.safe_lines(&open),
            },
            EventKind::ChangeJudged {
                mark,
                verdict,
                sentence,
                after,
                ended,
            } => EventKind::ChangeJudged {
                mark,
                verdict,
                sentence: self.safe(&sentence),
                after: self.figures(after),
                ended,
            },
            EventKind::RunbookStarted {
                title,
                source,
                sha256,
            } => EventKind::RunbookStarted {
                title: self.safe(&title),
                source: self.safe(&source),
                sha256,
            },
            EventKind::StepMarked {
                sha256,
                step,
                title,
                mark,
                reason,
            } => EventKind::StepMarked {
                sha256,
                step,
                title: self.safe(&title),
                mark,
                reason: reason.map(|r| self.safe(&r)),
            },
            EventKind::CommandStarted {
                run,
                command,
                host,
                step,
                timeout_s,
            } => EventKind::CommandStarted {
                run,
                command: self.safe(&command),
                host,
                step,
                timeout_s,
            },
            EventKind::CommandEnded {
                run,
                exit,
                ended_by,
                took_ms,
                output,
                cut_bytes,
            } => EventKind::CommandEnded {
                run,
                exit,
                ended_by: ended_by.map(|e| self.safe(&e)),
                took_ms,
                output: self.safe_lines(&output),
                cut_bytes,
            },
            EventKind::Exported { path } => EventKind::Exported {
                path: self.safe(&path),
            },
            EventKind::Gap { from, why } => EventKind::Gap {
                from,
                why: self.safe(&why),
            },
            EventKind::Correction { corrects, text } => EventKind::Correction {
                corrects,
                text: self.safe(&text),
            },
            EventKind::Unknown(map) => {
                let mut value = Value::Object(map);
                self.value(&mut value);
                match value {
                    Value::Object(map) => EventKind::Unknown(map),
                    _ => EventKind::Unknown(serde_json::Map::new()),
                }
            }
            // Nothing in these can hold a secret; the others are dealt with in `event`.
            kind @ (EventKind::Left {}
            | EventKind::SeveritySet { .. }
            | EventKind::MilestoneSet { .. }
            | EventKind::Joined { .. }
            | EventKind::Renamed { .. }
            | EventKind::FindingOpened { .. }
            | EventKind::FindingCleared { .. }
            | EventKind::TargetState { .. }
            | EventKind::TargetNumbers { .. }) => kind,
        })
    }

    fn figures(&self, all: Vec<Figures>) -> Vec<Figures> {
        all.into_iter()
            .map(|f| Figures {
                target: self.target(&f.target),
                how: self.safe(&f.how),
                ..f
            })
            .collect()
    }

    pub(super) fn finding(&self, finding: Finding) -> Finding {
        let mut location = finding.location;
        location.name = location.name.map(|n| self.safe(&n));
        location.to_name = location.to_name.map(|n| self.safe(&n));
        Finding {
            subject: self.target(&finding.subject),
            shared: finding.shared.iter().map(|t| self.target(t)).collect(),
            location,
            discriminator: self.safe(&finding.discriminator),
            summary: self.safe(&finding.summary),
            evidence: finding
                .evidence
                .into_iter()
                .map(|e| Evidence {
                    text: self.safe(&e.text),
                    ..e
                })
                .collect(),
            changes: finding
                .changes
                .into_iter()
                .map(|c| NearbyChange {
                    text: self.safe(&c.text),
                    ..c
                })
                .collect(),
            reproduce: finding.reproduce.iter().map(|r| self.safe(r)).collect(),
            ..finding
        }
    }

    /// The key of a finding as it stands in the record, once its texts are masked.
    pub fn finding_key(&self, finding: &Finding) -> FindingKey {
        self.finding(finding.clone()).key()
    }

    /// A key is made of texts that are masked in the record.
    fn key(&self, key: &FindingKey) -> FindingKey {
        let text = self.safe(&SafeText::capped(&key.0, usize::MAX));
        FindingKey(text.as_str().to_owned())
    }

    pub(super) fn target(&self, target: &TargetId) -> TargetId {
        let text = self.safe(&SafeText::capped(target.as_str(), usize::MAX));
        TargetId(text.as_str().into())
    }

    /// Kinds that this version does not know: every string but the name of the kind.
    fn value(&self, value: &mut Value) {
        match value {
            Value::String(s) => *s = self.raw(s).into_inner(),
            Value::Array(items) => items.iter_mut().for_each(|i| self.value(i)),
            Value::Object(map) => {
                for (name, value) in map.iter_mut() {
                    if name != "kind" {
                        self.value(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
