//! Figures that stand still, and figures that start anew. Both are matters of this screen alone:
//! probing, verdicts and the record go on, and nothing of them is lost.

use std::collections::BTreeSet;

use super::app::App;
use super::facts;
use super::history::History;
use crate::model::command::{Command, Verdicts};
use crate::model::finding::{FindingKey, Severity};
use crate::model::observation::Observation;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Stamp, clock_utc, human};
use crate::model::window::{TargetWindow, Window};

/// What goes on while the screen stands still.
#[derive(Debug)]
pub struct Frozen {
    /// Since when.
    pub since: Stamp,
    /// Alarms that came since.
    pub alarms: usize,
    /// All of them, and those of before.
    known: BTreeSet<FindingKey>,
    /// What the screen would show.
    pub(super) window: Window,
    /// The same.
    history: History,
    /// The same; `None` while nothing changed.
    verdicts: Option<Verdicts>,
}

impl Frozen {
    /// Verdicts that are not shown yet, if there are newer ones.
    pub(super) fn verdicts(&self) -> Option<&Verdicts> {
        self.verdicts.as_ref()
    }

    /// Takes verdicts in that are not shown yet.
    fn learn(&mut self, verdicts: Verdicts) {
        for finding in verdicts
            .findings
            .iter()
            .filter(|f| f.severity > Severity::Info)
        {
            self.alarms += usize::from(self.known.insert(finding.key()));
        }
        self.verdicts = Some(verdicts);
    }
}

impl App {
    /// The time that figures are of: now, or when the screen was frozen.
    pub(crate) fn shown_at(&self) -> Stamp {
        let frozen = || self.frozen.as_ref().map(|f| f.since);
        self.past_at().or_else(frozen).unwrap_or(self.now)
    }

    /// Stands still, or goes on.
    pub(super) fn freeze(&mut self) {
        if let Some(frozen) = self.frozen.take() {
            self.window = frozen.window;
            self.history = frozen.history;
            if let Some(verdicts) = frozen.verdicts {
                self.judged(verdicts);
            }
            self.keep_pick();
            let age = human(self.now.mono.since(frozen.since.mono));
            self.say(format!("live again after {age}; nothing was missed"), false);
            return;
        }
        self.frozen = Some(Box::new(Frozen {
            since: self.now,
            alarms: 0,
            known: self.verdicts.findings.iter().map(|f| f.key()).collect(),
            window: self.window.clone(),
            history: self.history.clone(),
            verdicts: None,
        }));
        self.remark = None;
    }

    /// Files an observation where it is to be shown next.
    pub(super) fn observe(&mut self, observation: &Observation) {
        let (window, history) = match &mut self.frozen {
            Some(frozen) => (&mut frozen.window, &mut frozen.history),
            None => (&mut self.window, &mut self.history),
        };
        window.take(observation);
        history.take(observation);
    }

    /// Takes verdicts in, to be shown now or later.
    pub(super) fn judged(&mut self, verdicts: Verdicts) {
        if let Some(frozen) = &mut self.frozen {
            frozen.learn(verdicts);
            return;
        }
        let ids = verdicts.states.iter().map(|(id, _)| id.clone());
        self.places = ids.enumerate().map(|(n, id)| (id, n)).collect();
        self.verdicts = verdicts;
    }

    /// The mark of a screen that stands still: since when, for how long, what came since.
    pub fn frozen_words(&self) -> Option<(String, String)> {
        let frozen = self.frozen.as_ref()?;
        let age = human(self.now.mono.since(frozen.since.mono));
        let alarms = match frozen.alarms {
            0 => "no new alarm".to_owned(),
            1 => "1 NEW ALARM".to_owned(),
            n => format!("{n} NEW ALARMS"),
        };
        let at = clock_utc(frozen.since.wall);
        let long =
            format!("FROZEN at {at}, {age} ago: {alarms} since; probing and recording go on");
        Some((long, format!("FROZEN {age}, {alarms}")))
    }

    /// Figures of the target in sight start anew. What they were until now goes on record.
    pub(super) fn reset_figures(&mut self) -> Vec<Command> {
        if self.frozen.is_some() {
            self.say("the screen is frozen: let it go on first, then reset", true);
            return Vec::new();
        }
        let Some((id, target)) = self.target_in_sight().and_then(|id| {
            let target = self.window.targets.get_mut(&id)?;
            Some((id, target))
        }) else {
            self.say("there is no target here", true);
            return Vec::new();
        };
        let Some(until_now) = figures(target) else {
            self.say(format!("no figures of {} yet", facts::name(&id)), false);
            return Vec::new();
        };
        target.restart();
        self.resets.insert(id.clone(), self.now);
        let text = format!(
            "figures of {} on this screen start anew; until then {until_now}",
            facts::name(&id)
        );
        self.send_note(&text)
    }

    /// When the figures of a target were started anew.
    pub(crate) fn reset_at(&self, id: &TargetId) -> Option<Stamp> {
        self.resets.get(id).copied()
    }
}

/// What the figures of a target say, in words.
fn figures(target: &TargetWindow) -> Option<SafeText> {
    let (key, series) = facts::ping(target)?;
    let sent = series.sent();
    if sent == 0 {
        return None;
    }
    let lost = sent - series.answered();
    let times = series.summary().map_or(String::new(), |r| {
        format!(
            ", median {}, p95 {}, max {} ms",
            facts::ms(r.p50),
            facts::ms(r.p95),
            facts::ms(r.max)
        )
    });
    let by = key.1.label();
    Some(SafeText::new(format!(
        "{lost} of {sent} lost{times} ({by})"
    )))
}
