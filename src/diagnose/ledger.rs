//! Findings over time: they open when a rule first says them, and clear only after they have not
//! been said for a while, so that one good probe does not close an incident.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::changes::nearest;
use super::reach::ANSWERS;
use super::shared::gather;
use crate::model::catalogue as code;
use crate::model::finding::{Code, Finding, FindingKey, Flap, Location, Severity, TargetState};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Mono, Stamp};
use crate::model::window::Window;

/// How long a rule must be silent about a fault before it is cleared.
const CLEAR_AFTER: Duration = Duration::from_secs(6);
/// The same for what is only information: it comes and goes, and nobody wants a line for each.
const CLEAR_INFO_AFTER: Duration = Duration::from_secs(90);
/// So often a fault must have been there before it is said to come and go.
const FLAPS: usize = 3;
/// A fault that comes and goes is over after this much silence, not after each pause.
const CLEAR_FLAP_AFTER: Duration = Duration::from_secs(120);
/// A fault that returns within this time is the same one again.
const REMEMBER: Duration = Duration::from_secs(15 * 60);
/// Faults that are remembered after their end.
const REMEMBERED: usize = 256;
/// Times that a fault was there, kept for each.
const SPELLS: usize = 64;
/// How often a change of place or severity is told at most.
const CHANGE_EVERY: Duration = Duration::from_secs(10);

/// What happened to a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new.
    Opened(Finding),
    /// Its severity or place is another now.
    Changed(Finding),
    /// It ended.
    Cleared(Finding),
}

/// What fails of a service: the whole of it, or a share of its backends.
const SERVICE: [Code; 3] = [
    code::BACKEND_DOWN,
    code::HTTP_SERVER_ERROR,
    code::CONNECTION_RESET,
];
/// Questions with one answer at a time.
const QUESTIONS: [&[Code]; 2] = [&ANSWERS, &SERVICE];

struct Open {
    finding: Finding,
    seen: Stamp,
    /// When something was told about it last, and what.
    told: Mono,
    told_as: Told,
    spells: Spells,
}

/// What a change is measured against: severity, place, and how many share it.
type Told = (Severity, Location, usize);

fn told(f: &Finding) -> Told {
    (f.severity, f.location.clone(), f.shared.len())
}

/// The times that a fault was there.
#[derive(Clone, Default)]
struct Spells {
    /// From the first to the last time that it was said, oldest first.
    times: VecDeque<(Stamp, Stamp)>,
    /// How many there were.
    count: u32,
    /// When the evidence of the first began.
    since: Option<Timestamp>,
}

impl Spells {
    /// It is said now. One that was silent for less than `patience` was there all the time.
    fn said(&mut self, now: Stamp, patience: Duration) -> bool {
        if let Some((_, last)) = self.times.back_mut()
            && now.mono.since(last.mono) < patience
        {
            *last = now;
            return false;
        }
        if self.times.len() == SPELLS {
            self.times.pop_front();
        }
        self.times.push_back((now, now));
        self.count = self.count.saturating_add(1);
        true
    }

    fn flap(&self, now: Stamp) -> Option<Flap> {
        if (self.count as usize) < FLAPS {
            return None;
        }
        let (first, _) = self.times.front()?;
        let there: Duration = self.times.iter().map(|(a, b)| b.mono.since(a.mono)).sum();
        let all = now.mono.since(first.mono).as_secs_f64().max(0.001);
        Some(Flap {
            count: self.count,
            duty: (there.as_secs_f64() / all * 100.0).round() / 100.0,
        })
    }
}

impl Open {
    fn patience(&self) -> Duration {
        if self.finding.flap.is_some() {
            return CLEAR_FLAP_AFTER.max(patience_of(self.finding.severity));
        }
        patience_of(self.finding.severity)
    }
}

fn patience_of(severity: Severity) -> Duration {
    match severity {
        Severity::Info => CLEAR_INFO_AFTER,
        Severity::Warning | Severity::Critical => CLEAR_AFTER,
    }
}

/// The findings that are open.
#[derive(Default)]
pub struct Ledger {
    open: BTreeMap<FindingKey, Open>,
    /// Those that ended lately.
    past: BTreeMap<FindingKey, Spells>,
}

impl Ledger {
    /// What the rules say of each target, with what targets share put together ([`gather`]).
    pub fn gather(&self, window: &Window, said: Vec<Finding>) -> Vec<Finding> {
        gather(window, said, |key| self.open.contains_key(key))
    }

    /// Takes what the rules say now; returns what changed.
    pub fn update(&mut self, said: Vec<Finding>, now: Stamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for mut finding in said {
            let key = finding.key();
            if let Some((other, surer)) = self.other_answer(&finding, &key, now) {
                if surer {
                    continue;
                }
                changes.extend(self.end(&other));
            }
            if let Some(open) = self.open.get_mut(&key) {
                finding.since = finding.since.min(open.finding.since);
                finding.opened_after_ms = open.finding.opened_after_ms;
                finding.runbooks = std::mem::take(&mut open.finding.runbooks);
                // Only of what is known to come and go a pause counts while it is open.
                let pause = match open.finding.flap {
                    Some(_) => patience_of(finding.severity),
                    None => Duration::MAX,
                };
                let returned = open.spells.said(now, pause);
                finding.flap = open.spells.flap(now);
                finding.changes.append(&mut open.finding.changes);
                finding.changes = nearest(finding.changes, finding.since);
                // Against what was told last: a change that came too soon is told later.
                let material = told(&finding) != open.told_as;
                open.finding = finding;
                open.seen = now;
                // A fault that comes and goes is told each time that it is back.
                if (material || returned) && now.mono.since(open.told) >= CHANGE_EVERY {
                    open.told = now.mono;
                    open.told_as = told(&open.finding);
                    changes.push(Change::Changed(open.finding.clone()));
                }
                continue;
            }
            finding.opened_after_ms = now.mono.as_millis();
            let mut spells = self.past.remove(&key).unwrap_or_default();
            spells.said(now, Duration::ZERO);
            finding.flap = spells.flap(now);
            let since = *spells.since.get_or_insert(finding.since);
            if finding.flap.is_some() {
                finding.since = finding.since.min(since);
            }
            changes.push(Change::Opened(finding.clone()));
            self.open.insert(
                key,
                Open {
                    told_as: told(&finding),
                    finding,
                    seen: now,
                    told: now.mono,
                    spells,
                },
            );
        }
        let ended: Vec<_> = self
            .open
            .iter()
            .filter(|(_, o)| {
                let over = now.mono.since(o.seen.mono) >= o.patience();
                over || self.is_part_of_another(o, now)
            })
            .map(|(k, _)| k.clone())
            .collect();
        changes.extend(ended.iter().filter_map(|key| self.end(key)));
        self.forget_the_past(now);
        changes
    }

    /// Whether what was said of one target alone is said no more, and is now a part of what several
    /// share.
    fn is_part_of_another(&self, one: &Open, now: Stamp) -> bool {
        let Some(question) = QUESTIONS.iter().find(|q| q.contains(&one.finding.code)) else {
            return false;
        };
        let shares = |o: &Open| {
            o.seen == now
                && question.contains(&o.finding.code)
                && o.finding.shared.contains(&one.finding.subject)
        };
        one.seen != now && one.finding.shared.is_empty() && self.open.values().any(shares)
    }

    fn forget_the_past(&mut self, now: Stamp) {
        let ended = |s: &Spells| s.times.back().map_or(Mono::default(), |(_, b)| b.mono);
        self.past.retain(|_, s| now.mono.since(ended(s)) < REMEMBER);
        while self.past.len() > REMEMBERED {
            let oldest = self.past.iter().min_by_key(|(_, s)| ended(s));
            let Some(key) = oldest.map(|(k, _)| k.clone()) else {
                break;
            };
            self.past.remove(&key);
        }
    }

    /// The open finding that answers the same question otherwise and is said no more, and whether
    /// it is the surer of the two: then it stays for its time, else the new one takes its place.
    fn other_answer(
        &self,
        said: &Finding,
        key: &FindingKey,
        now: Stamp,
    ) -> Option<(FindingKey, bool)> {
        let question = QUESTIONS.iter().find(|q| q.contains(&said.code))?;
        let mut same = self.open.iter().filter(|(k, o)| {
            let f = &o.finding;
            *k != key
                && question.contains(&f.code)
                && f.subject == said.subject
                && f.discriminator == said.discriminator
                && now.mono.since(o.seen.mono) < o.patience()
        });
        let (other, open) = same.next()?;
        // What several share explains more than what was said of one of them.
        let surer = said.shared.is_empty() && open.finding.confidence > said.confidence;
        Some((other.clone(), surer))
    }

    fn end(&mut self, key: &FindingKey) -> Option<Change> {
        let mut open = self.open.remove(key)?;
        open.finding.until = Some(open.seen.wall);
        self.past.insert(key.clone(), open.spells);
        Some(Change::Cleared(open.finding))
    }

    /// States, with what is open still counted: a target is not well while a fault of its own is on
    /// the screen.
    pub fn hold(&self, states: &mut [(TargetId, TargetState)]) {
        for (id, state) in states {
            if !matches!(state, TargetState::Ok | TargetState::Learning) {
                continue;
            }
            let mine = self.open.values().map(|o| &o.finding);
            let mine = mine.filter(|f| f.concerns(id) && f.severity > Severity::Info);
            if let Some(worst) = mine.max_by_key(|f| f.severity) {
                let why = SafeText::new(worst.code.as_str());
                *state = match worst.severity {
                    Severity::Critical => TargetState::Down(why),
                    _ => TargetState::Degraded(why),
                };
            }
        }
    }

    /// Drops what is open of a target that nobody looks at any more; that is no end of a fault.
    pub fn forget(&mut self, subject: &TargetId) {
        self.open.retain(|_, o| o.finding.subject != *subject);
        self.past.clear();
    }

    /// Names the runbooks that fit an open finding.
    pub fn name_runbooks(&mut self, key: &FindingKey, names: Vec<crate::model::text::SafeText>) {
        if let Some(open) = self.open.get_mut(key) {
            open.finding.runbooks = names;
        }
    }

    /// Open findings, worst first, then oldest.
    pub fn open(&self) -> Vec<Finding> {
        let mut all: Vec<_> = self.open.values().map(|o| o.finding.clone()).collect();
        all.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then(a.since.cmp(&b.since))
                .then(a.key().cmp(&b.key()))
        });
        all
    }

    /// Whether anything worse than information is open.
    pub fn alarming(&self) -> bool {
        self.open
            .values()
            .any(|o| o.finding.severity > Severity::Info)
    }
}
