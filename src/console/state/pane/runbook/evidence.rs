//! What the probes say of the current step: expectations of its probe blocks, and the options of
//! a decision with the measured values beside them.

use crate::console::state::action::Action;
use crate::console::state::app::App;
use crate::console::state::decision::verdict_word;
use crate::console::state::doc::{Doc, Line, Role};
use crate::model::condition::Verdict;
use crate::model::runbook::{Basis, Choice, Fence, Span, Step};

/// What comes before a step's text, so that it is seen on a low screen: what became of the step,
/// and which way the evidence speaks for.
pub(super) fn heading(app: &App, step: &Step, doc: &mut Doc, cols: usize) {
    if let Some(book) = &app.runbooks.open {
        let key = (book.sha256.clone(), step.id.as_str().to_owned());
        let known = app.incident.steps.get(&key);
        if let Some(said) = known.and_then(|k| k.reason.as_ref()) {
            doc.paragraph(Line::of(Role::Muted, said.clone()), cols, 1);
            doc.gap();
        }
    }
    let Some(decided) = app.decided() else {
        return;
    };
    let option = |n: usize| step.choices.get(n);
    let mut line = match decided.first.and_then(|(n, b)| Some((option(n)?, b))) {
        Some((choice, Basis::Holds)) => {
            let measured = measured(app, choice);
            Line::of(Role::Ok, format!("{} the evidence says: ", app.symbols.ok))
                .with(Role::Title, choice.text.clone())
                .with(Role::Muted, format!("  {measured}"))
        }
        Some((choice, Basis::Default)) => Line::of(Role::Pending, "no condition holds, so: ")
            .with(Role::Title, choice.text.clone()),
        None if decided.verdicts.iter().any(Option::is_some) => {
            Line::of(Role::Pending, "the evidence does not decide yet, you do: ")
        }
        None => Line::of(Role::Pending, "no evidence decides this, you do: "),
    };
    if decided.first.is_none() {
        line.push(Role::Key, app.keys_aside());
        line.push(Role::Muted, " choose, ");
        line.push(Role::Key, "Enter");
        line.push(Role::Muted, " takes");
    }
    doc.paragraph(line, cols, 1);
    doc.gap();
}

/// A probe block: each probe, and its expectations answered from what was measured.
pub(super) fn checks(app: &App, fence: &Fence, doc: &mut Doc, cols: usize) {
    let facts = app.runbook_facts();
    let s = app.symbols;
    doc.gap();
    for check in &fence.checks {
        let of = app.asked_of(check);
        let head = Line::plain(" ").with(Role::Code, format!("{} {of}", check.probe));
        if !app.is_of_current(check) {
            let key = app.key_of(Action::AddTarget);
            let text = format!("  not the target shown here: {key} adds it");
            doc.lines(head.with(Role::Muted, text).wrap(cols, 3));
            continue;
        }
        doc.line(head.cut(cols));
        for expected in &check.expect {
            let verdict = expected.eval(&facts);
            let (sign, role) = match verdict {
                Verdict::True => (s.ok, Role::Ok),
                Verdict::False => (s.critical, Role::Critical),
                Verdict::Unknown => (s.pending, Role::Pending),
            };
            let mut line = Line::plain("   ");
            line.push(role, format!("{sign} {}", verdict_word(verdict)));
            line.push(Role::Text, format!("  expected {}", expected.text()));
            let measured = expected.measured(&facts).join(", ");
            line.push(Role::Muted, format!("  {measured}"));
            doc.lines(line.wrap(cols, 5));
        }
    }
    doc.gap();
}

/// Whether an item of the text is one of the step's options.
pub(super) fn is_option(step: &Step, text: &[Span]) -> bool {
    let said: String = text.iter().map(|s| s.text.as_str()).collect();
    let mut choices = step.choices.iter();
    text.iter().any(|s| s.link.is_some()) && choices.any(|c| c.text.as_str() == said.trim())
}

/// The options of a decision; the one Enter takes is marked, with what it rests on unless the
/// heading said it. Gives its first line and the one after it.
pub(super) fn options(
    app: &App,
    step: &Step,
    doc: &mut Doc,
    cols: usize,
) -> Option<(usize, usize)> {
    let decided = app.decided()?;
    let mut at = None;
    let s = app.symbols;
    let chosen = app.chosen();
    for (n, choice) in step.choices.iter().enumerate() {
        let here = chosen == Some(n);
        let (role, word) = match decided.verdicts.get(n).copied().flatten() {
            Some(Verdict::True) => (Role::Ok, "holds"),
            Some(Verdict::False) => (Role::Muted, "no"),
            Some(Verdict::Unknown) => (Role::Pending, "unknown"),
            None => (Role::Muted, "you say"),
        };
        let bar = if here { s.marker } else { " " };
        let mut line = Line::of(Role::Accent, bar).join(Line::of(role, word).fit(8));
        line.push(
            if here { Role::Title } else { Role::Text },
            choice.text.clone(),
        );
        if !choice.link.as_str().starts_with('#') {
            line.push(Role::Muted, format!(" ({})", choice.link));
        }
        if here && decided.first.is_none_or(|(first, _)| first != n) {
            line.push(Role::Muted, format!("  {}", measured(app, choice)));
        }
        let first = doc.len();
        doc.lines(line.wrap(cols, 9));
        if here {
            at = Some((first, doc.len()));
        }
    }
    at
}

fn measured(app: &App, choice: &Choice) -> String {
    let facts = app.runbook_facts();
    let when = choice.when.as_ref();
    when.map(|w| w.measured(&facts).join(", "))
        .unwrap_or_default()
}
