//! How a target stands, in words: its state, and what of it nobody wants to be alarmed of.
//!
//! The state itself is the engine's and stays what it is; a dismissal belongs to the incident. A
//! target all of whose alarms are dismissed keeps its word, marked, and loses the colour. Where only
//! some are, the worst of the others gives word and colour.

use std::time::Duration;

use super::app::App;
use super::doc::{Line, Role};
use super::facts::newest;
use crate::model::finding::{Code, Finding, Severity, TargetState};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Stamp, human};

/// Silence of the probes themselves after which data counts as stale.
const STALE: Duration = Duration::from_secs(30);

/// What the engine says of a target, with the dismissals taken into account.
struct Standing {
    /// What gives word and colour.
    state: TargetState,
    /// No alarm of it is left that somebody wants.
    all_dismissed: bool,
    /// A graver fault that is dismissed.
    set_aside: Option<Code>,
}

impl Standing {
    fn of(app: &App, id: &TargetId) -> Self {
        let state = app.state_of(id).clone();
        let plain = |state| Self {
            state,
            all_dismissed: false,
            set_aside: None,
        };
        let (TargetState::Degraded(why) | TargetState::Down(why)) = &state else {
            return plain(state);
        };
        // A fault elsewhere may explain it: "explained by gateway-unreachable".
        let cause = why.as_str().rsplit(' ').next().unwrap_or_default();
        let counts = |f: &&Finding| {
            f.severity > Severity::Info && (f.concerns(id) || f.code.as_str() == cause)
        };
        let all = || app.verdicts.findings.iter().filter(counts);
        let wanted = all().filter(|f| app.dismissal(f).is_none());
        let gravest = all().find(|f| f.code.as_str() == cause);
        let set_aside = gravest.filter(|f| app.dismissal(f).is_some());
        match (wanted.max_by_key(|f| f.severity), set_aside) {
            (_, None) => plain(state),
            (None, Some(_)) => Self {
                state,
                all_dismissed: true,
                set_aside: None,
            },
            (Some(worst), Some(aside)) => {
                let why = SafeText::new(worst.code.as_str());
                Self {
                    state: match worst.severity {
                        Severity::Critical => TargetState::Down(why),
                        _ => TargetState::Degraded(why),
                    },
                    all_dismissed: false,
                    set_aside: Some(aside.code.clone()),
                }
            }
        }
    }
}

/// State of a target: symbol, word, why. No tick before the verdict is firm, none on old data.
pub fn state(app: &App, id: &TargetId) -> Line {
    let s = app.symbols;
    let seen = app.window.targets.get(id).and_then(newest);
    let local = app.window.local.as_ref().map(|l| l.at);
    let seen = if *id == TargetId::local() {
        seen.max_by(local)
    } else {
        seen
    };
    // Somebody who starts the figures anew has not made what is known any older.
    let seen = seen.map(|s| {
        app.reset_at(id)
            .map_or(s, |r| if r.mono > s.mono { r } else { s })
    });
    let standing = Standing::of(app, id);
    let state = &standing.state;
    if let Some(seen) = seen {
        let age = app.shown_at().mono.since(seen.mono);
        if age >= STALE {
            let was = state.label();
            return Line::of(
                Role::Unknown,
                format!("{} stale {} (was {was})", s.unknown, human(age)),
            );
        }
    }
    let (role, sign, why) = match state {
        TargetState::Learning if seen.is_none() => {
            return Line::of(
                Role::Muted,
                format!("{} waiting for first answer", s.pending),
            );
        }
        TargetState::Learning => return learning(app, id),
        TargetState::Ok => (Role::Ok, s.ok, None),
        TargetState::Degraded(why) | TargetState::Down(why) if standing.all_dismissed => {
            (Role::Muted, s.dot, Some(why))
        }
        TargetState::Degraded(why) => (Role::Warning, s.warning, Some(why)),
        TargetState::Down(why) => (Role::Critical, s.critical, Some(why)),
        TargetState::Unknown(why) => (Role::Unknown, s.unknown, Some(why)),
    };
    // In ASCII the sign of "ok" is the word.
    let word = state.label();
    let mut line = if sign == word {
        Line::of(role, word)
    } else {
        Line::of(role, format!("{sign} {word}"))
    };
    if standing.all_dismissed {
        line.push(Role::Pending, " (dismissed)");
    }
    if let Some(why) = why.filter(|w| !w.is_empty()) {
        let role = match standing.all_dismissed {
            true => Role::Muted,
            false => Role::Text,
        };
        line.push(role, format!(" {why}"));
    }
    if let Some(code) = &standing.set_aside {
        line.push(Role::Muted, format!(" ({code} dismissed)"));
    }
    line
}

/// The same where there is little room: the sign stands for the word before a reason.
pub fn short_state(app: &App, id: &TargetId) -> Line {
    let s = app.symbols;
    let full = state(app, id);
    let Some(first) = full.pieces.first() else {
        return full;
    };
    if let Some((stale, _)) = first.text.as_str().split_once(" (was ") {
        return Line::of(first.role, stale);
    }
    match Standing::of(app, id).state {
        TargetState::Degraded(_) | TargetState::Down(_) if full.pieces.len() > 1 => {
            let sign = first.text.as_str().split(' ').next().unwrap_or_default();
            let why = full.pieces.iter().skip(1).map(|p| p.text.as_str());
            Line::of(first.role, sign).text(why.collect::<String>())
        }
        TargetState::Learning => {
            let words = first.text.as_str();
            match words.strip_suffix(" for first answer") {
                Some(waiting) => Line::of(Role::Muted, waiting),
                None => Line::of(Role::Muted, format!("{} learning", s.pending)),
            }
        }
        _ => full,
    }
}

/// Learning, and what is still missing.
fn learning(app: &App, id: &TargetId) -> Line {
    let line = Line::of(Role::Muted, format!("{} learning", app.symbols.pending));
    let missing = app.verdict_of(&app.verdicts.pending, id);
    let words: Vec<_> = missing.into_iter().flatten().map(|w| &**w).collect();
    line.with(Role::Muted, format!(" {}", words.join(", ")).trim_end())
}

trait Later {
    fn max_by(self, other: Self) -> Self;
}
impl Later for Option<Stamp> {
    fn max_by(self, other: Self) -> Self {
        self.into_iter().chain(other).max_by_key(|s| s.mono)
    }
}
