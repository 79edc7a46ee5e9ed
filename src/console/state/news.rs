//! What the engine's news change.

use super::app::{App, Pick, Recorder};
use super::outbox::Fate;
use super::pane;
use crate::model::command::{Batch, Command, Notice};

impl App {
    /// Takes a batch in: facts, events, verdicts, notices, and the time.
    pub(super) fn news(&mut self, mut batch: Batch) -> Vec<Command> {
        self.clock(batch.at);
        self.dirty |= !batch.observations.is_empty()
            || !batch.events.is_empty()
            || !batch.notices.is_empty()
            || batch.verdicts.is_some();
        self.stirred |= !batch.events.is_empty() || !batch.notices.is_empty();
        let (past, notices): (Vec<_>, Vec<_>) = batch
            .notices
            .into_iter()
            .partition(|n| matches!(n, Notice::Past(_) | Notice::NoPast(_)));
        batch.notices = notices;
        self.with_live(|app| app.live(batch));
        for notice in past {
            self.notice(notice);
        }
        Vec::new()
    }

    /// What is new, where now is shown or will be again.
    fn live(&mut self, batch: Batch) {
        // Who is watched comes first: what was seen of a new target would be dropped else.
        let (targets, notices): (Vec<_>, Vec<_>) = batch
            .notices
            .into_iter()
            .partition(|n| matches!(n, Notice::TargetAdded(_) | Notice::TargetRemoved(_)));
        for notice in targets {
            self.notice(notice);
        }
        for observation in &batch.observations {
            self.observe(observation);
        }
        self.incident.absorb(batch.events);
        if let Some(verdicts) = batch.verdicts {
            self.stirred |= !verdicts.says_the_same(&self.verdicts);
            self.judged(verdicts);
        }
        if self.past_at().is_none() {
            self.keep_pick();
        }
        for notice in notices {
            self.notice(notice);
        }
        let before = self.outbox.entries().len();
        self.outbox.settle(&self.incident.timeline, self.now);
        self.dirty |= self.outbox.entries().len() != before;
    }

    /// A finding that has cleared leaves the selection with its target, not with whatever moved
    /// to its row.
    pub(super) fn keep_pick(&mut self) {
        if let Pick::Finding { subject, .. } = &self.pick
            && !pane::overview::items(self).contains(&self.pick)
        {
            let subject = subject.clone();
            self.select_target(&subject);
            self.pick = Pick::Target(subject);
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Saved { ticket, what } => {
                self.outbox.answer(ticket, Fate::Saved);
                match what.as_str().strip_prefix("exported: ") {
                    Some(path) => self.say_and_wait(format!("postmortem draft saved: {path}")),
                    None => self.say(format!("saved: {what}"), false),
                }
            }
            Notice::NotSaved { ticket, why } => {
                self.outbox.answer(ticket, Fate::Failed(why.clone()));
                self.say(format!("NOT SAVED: {why}"), true);
            }
            Notice::Recorder { trouble, waiting } => {
                // The header says that; why and what to do is said once.
                let fresh = trouble.as_ref().filter(|_| self.recorder.trouble.is_none());
                if let Some(why) = fresh.cloned() {
                    self.say(why, true);
                }
                self.recorder = Recorder { trouble, waiting };
            }
            Notice::Runbooks(list) => self.list_runbooks(list),
            Notice::RunbookOpened(runbook) => self.runbook_opened(runbook),
            Notice::RunOutput(line) => {
                if let Some(run) = &mut self.run {
                    run.line(line);
                }
            }
            Notice::RunEnded(how) => {
                if let Some(run) = &mut self.run {
                    run.ended = Some(how.clone());
                }
                self.say(format!("command ended: {how}"), false);
            }
            Notice::Past(part) => self.past_part(*part),
            Notice::NoPast(why) => self.no_past(why),
            Notice::Failed(what) => {
                self.runbooks.opening = None;
                self.say(what, true);
            }
            Notice::TargetAdded(target) => self.target_added(*target),
            Notice::TargetRemoved(id) => self.target_removed(&id),
            Notice::Origins(list) => self.origins.extend(list),
            Notice::Info(what) => self.say(what, false),
        }
    }
}
