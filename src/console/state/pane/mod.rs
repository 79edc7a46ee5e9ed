//! What each screen says. One file per screen; each writes lines with roles.
//!
//! Nothing here knows a terminal: columns and rows are numbers, the view places what it gets.

pub mod change;
pub mod devices;
pub mod dns;
pub mod http;
pub mod local;
pub mod mtu;
pub mod overview;
pub mod path;
pub mod runbook;
pub mod timeline;
pub mod tls;

use super::action::{ACTIONS, Action, Entry};
use super::app::App;
use super::doc::{Doc, Line, Role};
use super::facts;
use super::screen::Screen;
use super::sheet;
use crate::model::finding::{Code, Finding, Severity, TargetState};
use crate::model::target::{TargetId, TargetKind};
use crate::model::text::SafeText;
use crate::model::time::{Stamp, human};

/// Everything the current screen has to say, however long; scrolling is the caller's.
pub fn whole(app: &App, cols: usize) -> Doc {
    of_screen(app, app.screen, cols)
}

/// Everything one screen has to say about the current target.
pub fn of_screen(app: &App, screen: Screen, cols: usize) -> Doc {
    match screen {
        Screen::Overview => overview::whole(app, cols),
        Screen::Path => path::doc(app, cols),
        Screen::Dns => dns::doc(app, cols),
        Screen::Tls => tls::doc(app, cols),
        Screen::Mtu => mtu::doc(app, cols),
        Screen::Http => http::doc(app, cols),
        Screen::Devices => devices::doc(app, cols),
        Screen::Runbook => runbook::whole(app, cols),
        Screen::Timeline => timeline::doc(app, cols),
    }
}

/// The lines that the body shows now: at most as many as there are rows.
pub fn body(app: &App) -> Vec<Line> {
    let room = app.room();
    match app.screen {
        Screen::Overview => overview::body(app, room),
        Screen::Runbook => runbook::body(app, room),
        Screen::Timeline => timeline::body(app, room),
        _ => {
            let doc = whole(app, room.cols);
            let mut lines = doc.window(room.body, app.cursor().scroll).to_vec();
            let below = doc.len().saturating_sub(app.cursor().scroll + lines.len());
            more_below(app, &mut lines, below, room.body);
            lines
        }
    }
}

/// Says in the last line that there is more, where there is.
pub(super) fn more_below(app: &App, lines: &mut Vec<Line>, below: usize, rows: usize) {
    if below > 0 && lines.len() == rows && rows > 3 {
        lines.pop();
        lines.push(Line::of(
            Role::Muted,
            format!(" … {} more lines: {}", below + 1, sheet::keys_on(app)),
        ));
    }
}

/// Title of the pane as it is pinned: what, and of whom.
pub fn title(app: &App) -> SafeText {
    let what = app.screen.title();
    match app.current_id().filter(|_| app.screen.of_target()) {
        Some(id) => SafeText::new(format!("{what} of {}", facts::name(id))),
        None => SafeText::new(what),
    }
}

/// The screen that shows what a fault is made of.
pub fn screen_of(code: &Code) -> Screen {
    let name = code.as_str();
    let starts = |p: &[&str]| p.iter().any(|p| name.starts_with(p));
    if starts(&["pmtu"]) {
        Screen::Mtu
    } else if starts(&["resolver", "name-", "dns", "lame"]) {
        Screen::Dns
    } else if starts(&["tls"]) {
        Screen::Tls
    } else if starts(&["http", "connection-reset", "backend"]) {
        Screen::Http
    } else if starts(&["device", "interface", "bgp"]) {
        Screen::Devices
    } else {
        Screen::Path
    }
}

/// Findings that belong on a screen, of the current target where it shows one; worst first.
pub fn findings_of(app: &App, screen: Screen) -> Vec<&Finding> {
    let subject = app.current_id();
    app.verdicts
        .findings
        .iter()
        .filter(|f| screen_of(&f.code) == screen)
        .filter(|f| !screen.of_target() || subject.is_some_and(|id| f.concerns(id)))
        .collect()
}

/// The role of a severity.
pub const fn severity_role(severity: Severity) -> Role {
    match severity {
        Severity::Critical => Role::Critical,
        Severity::Warning => Role::Warning,
        Severity::Info => Role::Info,
    }
}

/// Which target this is, its state, and what was found.
pub(super) fn head(app: &App, doc: &mut Doc, screen: Screen, cols: usize) {
    let Some(id) = app.current_id() else {
        doc.line(Line::of(Role::Muted, " no targets"));
        return;
    };
    let count = app.window.order.len();
    let mut line = Line::plain(" ").with(Role::Title, facts::name(id));
    if count > 1 {
        let at = app.target.min(count - 1) + 1;
        line.push(Role::Muted, format!("  {at} of {count} "));
        line.push(Role::Key, app.keys_aside());
    }
    line.push(Role::Text, "   ");
    let full = line.join(facts::state(app, id));
    if full.width() <= cols {
        doc.line(full);
    } else {
        // The state is worth more than the end of a long name.
        let state = facts::short_state(app, id);
        let name = Line::plain(" ").with(Role::Title, facts::name(id));
        let name = name.cut(cols.saturating_sub(state.width() + 2));
        doc.line(name.text("  ").join(state).cut(cols));
    }
    for finding in findings_of(app, screen) {
        let sign = app.symbols.severity(finding.severity);
        let text = match app.dismissal(finding) {
            Some(_) => {
                Line::of(Role::Pending, "dismissed: ").with(Role::Muted, finding.summary.clone())
            }
            None => Line::of(
                severity_role(finding.severity),
                format!("{sign} {}", finding.summary),
            ),
        };
        doc.paragraph(text, cols, 1);
    }
    for clean in app.verdicts.ruled_out.iter().filter(|r| r.subject == *id) {
        if screen_of_clean(clean.what.as_str()) == screen {
            let firm = !matches!(app.state_of(id), TargetState::Learning);
            let (role, sign) = if firm {
                (Role::Ok, app.symbols.ok)
            } else {
                (Role::Muted, app.symbols.pending)
            };
            let text = Line::of(role, format!("{sign} ")).with(Role::Muted, clean.text.clone());
            if app.room().rules {
                doc.paragraph(text, cols, 1);
            } else {
                // With few rows what is clean must not push out what is measured.
                doc.line(Line::plain(" ").join(text).cut(cols));
            }
        }
    }
    doc.gap();
}

/// The screen that shows what was found clean.
fn screen_of_clean(what: &str) -> Screen {
    match what {
        "mtu" => Screen::Mtu,
        "dns" => Screen::Dns,
        "tls" => Screen::Tls,
        "http" => Screen::Http,
        _ => Screen::Path,
    }
}

/// The current target's window, or one line that there is nothing yet.
pub(super) fn wait(app: &App, doc: &mut Doc, why: &str) {
    if is_local(app) && app.screen != Screen::Path {
        let text = format!(
            " {} of other targets only; {} chooses one",
            app.symbols.none,
            app.keys_aside()
        );
        doc.line(Line::of(Role::Muted, text));
        return;
    }
    let learned = app.current().and_then(facts::newest).is_some();
    let text = if learned {
        format!(" {} {why}", app.symbols.none)
    } else {
        format!(" {} waiting for first answer", app.symbols.pending)
    };
    doc.line(Line::of(Role::Muted, text));
}

/// How something was learned, and why not better.
pub(super) fn method(how: &crate::model::observation::How) -> Line {
    let mut line = Line::of(Role::Muted, "method ").text(how.method.label());
    if let Some(why) = &how.why_not_better {
        line.push(Role::Muted, format!(" ({why})"));
    }
    line
}

/// `4 s ago`, `just now`.
pub(super) fn ago(app: &App, at: Stamp) -> String {
    let age = app.shown_at().mono.since(at.mono);
    if age.as_secs() == 0 {
        return "just now".into();
    }
    format!("{} ago", human(age))
}

/// Whether the current target is this host itself.
pub(super) fn is_local(app: &App) -> bool {
    app.current()
        .is_some_and(|t| t.target.kind == TargetKind::Local || t.target.id == TargetId::local())
}

/// What was typed, if it is the path of a runbook rather than the name of an action.
pub fn runbook_path(typed: &str) -> Option<SafeText> {
    let path = typed.trim();
    let is_path = path.contains('/') || path.ends_with(".md") || path.ends_with(".markdown");
    // A path that can't be shown as it is would be another one.
    let shown = SafeText::new(path);
    (is_path && shown.as_str() == path).then_some(shown)
}

/// Actions of the current screen whose name or help holds what was typed.
pub fn palette(app: &App, typed: &str) -> Vec<&'static Entry> {
    let wanted = typed.trim().to_lowercase();
    let place = app.screen_place();
    let mut found: Vec<_> = ACTIONS
        .iter()
        .filter(|e| e.places.has(place))
        .filter(|e| !matches!(e.action, Action::Palette))
        .filter(|e| e.name.contains(&wanted) || e.help.to_lowercase().contains(&wanted))
        .collect();
    // A name that begins with it is what is meant.
    found.sort_by_key(|e| (!e.name.starts_with(&wanted), !e.name.contains(&wanted)));
    found
}
