//! Samples, field by field where there are many, string by string where they are rare.

use std::collections::HashMap;

use serde_json::Value;

use super::{Redacted, Redactor};
use crate::model::command::Verdicts;
use crate::model::finding::{RuledOut, TargetState};
use crate::model::observation::{Body, How, Observation, Outcome, Refusal};
use crate::model::origin::Origin;
use crate::model::target::TargetId;
use crate::model::text::SafeText;

/// Texts remembered; most samples say the same.
const MOST: usize = 8192;

/// Masks samples, of which there are many a second: what a text becomes is remembered until
/// another secret is known.
#[derive(Debug)]
pub struct SampleRedactor {
    redactor: Redactor,
    known: HashMap<SafeText, SafeText>,
    targets: HashMap<TargetId, TargetId>,
    secrets: usize,
}

impl SampleRedactor {
    /// With the same placeholders as the events.
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            known: HashMap::new(),
            targets: HashMap::new(),
            secrets: 0,
        }
    }

    fn refresh(&mut self) {
        let secrets = self.redactor.secrets.count();
        if self.secrets != secrets || self.known.len() + self.targets.len() > MOST {
            self.secrets = secrets;
            self.known.clear();
            self.targets.clear();
        }
    }

    fn text(&mut self, text: &SafeText) -> SafeText {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let masked = self.redactor.safe(text);
        self.known.insert(text.clone(), masked.clone());
        masked
    }

    fn target(&mut self, target: &TargetId) -> TargetId {
        if let Some(known) = self.targets.get(target) {
            return known.clone();
        }
        let masked = self.redactor.target(target);
        self.targets.insert(target.clone(), masked.clone());
        masked
    }

    /// Masks every text of an observation. `None` if what is left of it makes no sense any more:
    /// a secret was a part of its form.
    pub fn observation(&mut self, obs: Observation) -> Option<Redacted<Observation>> {
        self.refresh();
        let target = self.target(&obs.target);
        let how = How {
            method: obs.how.method,
            why_not_better: obs.how.why_not_better.map(|w| self.text(&w)),
        };
        let body = match obs.body {
            Body::Ping(mut ping) => {
                ping.outcome = match ping.outcome {
                    Outcome::Refused { by, why, after } => Outcome::Refused {
                        by,
                        why: match why {
                            Refusal::Kernel(words) => Refusal::Kernel(self.text(&words)),
                            Refusal::Protocol(words) => Refusal::Protocol(self.text(&words)),
                            why @ (Refusal::Icmp(_) | Refusal::TcpReset) => why,
                        },
                        after,
                    },
                    Outcome::CannotTry { need } => Outcome::CannotTry {
                        need: self.text(&need),
                    },
                    outcome @ (Outcome::Ok(_) | Outcome::Timeout { .. }) => outcome,
                };
                Body::Ping(ping)
            }
            // Addresses and figures only, but for what interfaces call themselves.
            Body::Trace(round) if round.details.is_empty() => Body::Trace(round),
            body => {
                let mut value = serde_json::to_value(&body).ok()?;
                self.value(&mut value);
                serde_json::from_value(value).ok()?
            }
        };
        Some(Redacted(Observation {
            target,
            how,
            body,
            ..obs
        }))
    }

    /// Masks every text of verdicts.
    pub fn verdicts(&mut self, verdicts: &Verdicts) -> Redacted<Verdicts> {
        self.refresh();
        let findings = verdicts.findings.iter().cloned();
        Redacted(Verdicts {
            findings: findings.map(|f| self.redactor.finding(f)).collect(),
            states: verdicts
                .states
                .iter()
                .map(|(id, state)| (self.target(id), self.state(state)))
                .collect(),
            ruled_out: verdicts
                .ruled_out
                .iter()
                .map(|r| RuledOut {
                    subject: self.target(&r.subject),
                    what: r.what.clone(),
                    text: self.text(&r.text),
                })
                .collect(),
            pending: verdicts
                .pending
                .iter()
                .map(|(id, what)| (self.target(id), what.clone()))
                .collect(),
            // Its mark and its verdict are events; the figures between are of the moment.
            comparison: None,
        })
    }

    fn state(&mut self, state: &TargetState) -> TargetState {
        match state {
            TargetState::Degraded(why) => TargetState::Degraded(self.text(why)),
            TargetState::Down(why) => TargetState::Down(self.text(why)),
            TargetState::Unknown(why) => TargetState::Unknown(self.text(why)),
            state @ (TargetState::Learning | TargetState::Ok) => state.clone(),
        }
    }

    /// Masks the names in what is known of an address.
    pub fn origin(&mut self, origin: &Origin) -> Redacted<Origin> {
        let mut origin = origin.clone();
        origin.name = origin.name.map(|n| self.text(&n));
        Redacted(origin)
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(s) => *s = self.redactor.raw(s).into_inner(),
            Value::Array(items) => items.iter_mut().for_each(|i| self.value(i)),
            Value::Object(map) => map.values_mut().for_each(|v| self.value(v)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
