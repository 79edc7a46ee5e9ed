//! Verdicts as changes: what a screen said of findings and targets is read back, not judged again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::command::Verdicts;
use crate::model::finding::{Finding, FindingKey, RuledOut, TargetState};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::Stamp;

/// What changed in the verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// When.
    pub at: Stamp,
    /// It holds everything, not only what changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whole: bool,
    /// Open findings in the order in which they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<FindingKey>,
    /// Those that are new or say something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// States that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<(TargetId, TargetState)>,
    /// All that was found clean, if that changed and is worth telling again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruled_out: Option<Vec<RuledOut>>,
    /// What is still to be learned, of targets where that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<(TargetId, Vec<SafeText>)>,
}

fn is_false(b: &bool) -> bool {
    !b
}

type Pending = (TargetId, Vec<Cow<'static, str>>);

impl Judged {
    /// Everything; `ruled_out` is long, and told only where that is asked for.
    pub fn whole(at: Stamp, now: &Verdicts, ruled_out: bool) -> Self {
        Self {
            at,
            whole: true,
            open: now.findings.iter().map(Finding::key).collect(),
            findings: now.findings.clone(),
            states: now.states.clone(),
            ruled_out: ruled_out.then(|| now.ruled_out.clone()),
            pending: now.pending.iter().map(said).collect(),
        }
    }

    /// What is different from `before`; whole if the targets are others.
    pub fn between(at: Stamp, before: &Verdicts, now: &Verdicts, ruled_out: bool) -> Self {
        let targets =
            |v: &Verdicts| -> Vec<TargetId> { v.states.iter().map(|(id, _)| id.clone()).collect() };
        if targets(before) != targets(now) {
            return Self::whole(at, now, ruled_out);
        }
        let known: BTreeMap<FindingKey, &Finding> =
            before.findings.iter().map(|f| (f.key(), f)).collect();
        let changed = |f: &&Finding| known.get(&f.key()).is_none_or(|k| k != f);
        let states = now.states.iter().zip(&before.states);
        // The lists are in the order of the targets.
        let pending = now.pending.iter().enumerate();
        let pending = pending.filter(|(n, p)| before.pending.get(*n) != Some(p));
        let told = ruled_out && before.ruled_out != now.ruled_out;
        Self {
            at,
            whole: false,
            open: now.findings.iter().map(Finding::key).collect(),
            findings: now.findings.iter().filter(changed).cloned().collect(),
            states: states
                .filter(|(now, before)| now != before)
                .map(|(now, _)| now.clone())
                .collect(),
            ruled_out: told.then(|| now.ruled_out.clone()),
            pending: pending.map(|(_, p)| said(p)).collect(),
        }
    }

    /// Makes these changes.
    pub fn apply(self, to: &mut Verdicts) {
        let mut known: BTreeMap<FindingKey, Finding> = std::mem::take(&mut to.findings)
            .into_iter()
            .chain(self.findings)
            .map(|f| (f.key(), f))
            .collect();
        let open = self.open.iter();
        to.findings = open.filter_map(|key| known.remove(key)).collect();
        let pending = self.pending.into_iter().map(|(id, what)| {
            let what = what.into_iter().map(|w| Cow::Owned(w.as_str().to_owned()));
            (id, what.collect())
        });
        if self.whole {
            to.states = self.states;
            to.pending = pending.collect();
        } else {
            replace(&mut to.states, self.states);
            replace(&mut to.pending, pending);
        }
        if let Some(ruled_out) = self.ruled_out {
            to.ruled_out = ruled_out;
        }
    }
}

fn said((id, what): &Pending) -> (TargetId, Vec<SafeText>) {
    (id.clone(), what.iter().map(SafeText::new).collect())
}

fn replace<T>(list: &mut [(TargetId, T)], changed: impl IntoIterator<Item = (TargetId, T)>) {
    for (id, now) in changed {
        if let Some((_, was)) = list.iter_mut().find(|(known, _)| *known == id) {
            *was = now;
        }
    }
}
