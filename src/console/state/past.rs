//! Another instant on the same screens: fed with what was recorded then, while what is live goes
//! on behind it.
//!
//! What comes is put together out of sight and shown when it is whole. `T` goes back to now, where
//! nothing was missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use super::action::Action;
use super::app::App;
use super::history::History;
use super::input::Input;
use super::layer::Layer;
use crate::model::command::{Command, Verdicts};
use crate::model::finding::{FindingKey, Severity};
use crate::model::incident::Incident;
use crate::model::note::parse_note;
use crate::model::origin::Origin;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Stamp, date_time_utc, human};
use crate::model::travel::{Past, Step, Travel};
use crate::model::window::Window;

/// Speeds at which it plays.
const SPEEDS: [u32; 7] = [1, 2, 5, 10, 20, 50, 100];

/// An instant that is shown instead of now.
#[derive(Debug)]
pub struct PastView {
    /// The instant; `None` until the first one is there.
    at: Option<Stamp>,
    span: (Timestamp, Timestamp),
    /// How fast it goes on; 0 stands still.
    speed: u32,
    /// The speed that playing begins with.
    chosen: usize,
    /// Another instant was asked for and is not shown yet.
    waiting: bool,
    /// What is being put together.
    coming: Option<Box<Content>>,
    /// What goes on meanwhile; none in a replay.
    live: Option<Box<Content>>,
    replay: bool,
    /// Alarms that were known before.
    known: BTreeSet<FindingKey>,
}

/// All of a screen that belongs to an instant.
#[derive(Debug, Default)]
struct Content {
    window: Window,
    history: History,
    verdicts: Verdicts,
    places: HashMap<TargetId, usize>,
    incident: Incident,
    origins: BTreeMap<IpAddr, Origin>,
    resets: BTreeMap<TargetId, Stamp>,
}

impl Content {
    fn judged(&mut self, verdicts: Verdicts) {
        let ids = verdicts.states.iter().map(|(id, _)| id.clone());
        self.places = ids.enumerate().map(|(n, id)| (id, n)).collect();
        self.verdicts = verdicts;
    }
}

impl PastView {
    fn new(replay: bool) -> Self {
        Self {
            at: None,
            span: (Timestamp::MIN, Timestamp::MAX),
            speed: 0,
            chosen: 0,
            waiting: true,
            coming: None,
            live: None,
            replay,
            known: BTreeSet::new(),
        }
    }
}

impl App {
    /// A console that shows a record and nothing else.
    pub fn for_replay(mut self) -> Self {
        self.past = Some(Box::new(PastView::new(true)));
        self
    }

    /// The instant that is shown, if it is not now.
    pub fn past_at(&self) -> Option<Stamp> {
        self.past.as_ref()?.at
    }

    /// Whether nothing is live.
    pub fn is_replay(&self) -> bool {
        self.past.as_ref().is_some_and(|p| p.replay)
    }

    /// The mark of a screen that shows the past, in full and short.
    pub fn past_words(&self) -> Option<(String, String)> {
        let past = self.past.as_ref()?;
        let Some(at) = past.at else {
            return Some(("reading the record …".into(), "reading …".into()));
        };
        let pace = match (past.waiting, past.speed) {
            (true, _) => "reading …".to_owned(),
            (_, 0) => "paused".to_owned(),
            (_, n) => format!("playing {n}x"),
        };
        let when = date_time_utc(at.wall);
        if past.replay {
            let left = past.span.1.duration_since(at.wall).unsigned_abs();
            let left = match left.is_zero() {
                true => "the end".to_owned(),
                false => format!("{} to the end", human(left)),
            };
            return Some((
                format!("REPLAY {when}, {pace}; {left}"),
                format!("REPLAY {pace}"),
            ));
        }
        let age = human(self.now.wall.duration_since(at.wall).unsigned_abs());
        let alarms = match self.alarms_meanwhile() {
            0 => "no new alarm".to_owned(),
            1 => "1 NEW ALARM".to_owned(),
            n => format!("{n} NEW ALARMS"),
        };
        let long = format!("PAST {when}, {age} ago, {pace}: {alarms} since; recording goes on");
        Some((long, format!("PAST {age} ago, {pace}, {alarms}")))
    }

    fn alarms_meanwhile(&self) -> usize {
        let past = self.past.as_ref();
        let live = past.and_then(|p| Some((p, p.live.as_ref()?)));
        live.map_or(0, |(past, live)| {
            let findings = live.verdicts.findings.iter();
            findings
                .filter(|f| f.severity > Severity::Info && !past.known.contains(&f.key()))
                .count()
        })
    }

    /// What a key of time travel does.
    pub(super) fn travel(&mut self, action: Action) -> Vec<Command> {
        let step = |by, forward| Travel::Step { by, forward };
        let travel = match action {
            Action::Past => return self.past_or_now(),
            Action::EventBack => step(Step::Event, false),
            Action::EventOn => step(Step::Event, true),
            Action::MinuteBack => step(Step::Minute, false),
            Action::MinuteOn => step(Step::Minute, true),
            Action::FindingBack => step(Step::Finding, false),
            Action::FindingOn => step(Step::Finding, true),
            Action::GoTo => {
                self.layers.push(Layer::GoTo(Input::default()));
                return Vec::new();
            }
            Action::Faster | Action::Slower | Action::Play => match self.pace(action) {
                Some(travel) => travel,
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        self.go(travel)
    }

    fn pace(&mut self, action: Action) -> Option<Travel> {
        let Some(past) = &mut self.past else {
            self.say("this is now; go back first, then it can be played", false);
            return None;
        };
        match action {
            Action::Faster => past.chosen = (past.chosen + 1).min(SPEEDS.len() - 1),
            Action::Slower => past.chosen = past.chosen.saturating_sub(1),
            _ if past.speed > 0 => return Some(Travel::Play(0)),
            _ => {}
        }
        Some(Travel::Play(SPEEDS[past.chosen]))
    }

    fn past_or_now(&mut self) -> Vec<Command> {
        if self.is_replay() {
            self.say(
                "this is a replay: there is no now to go back to; q leaves",
                false,
            );
            return Vec::new();
        }
        if self.past.is_some() {
            return self.now_again();
        }
        let now = self.now.wall;
        self.go(Travel::To(now))
    }

    fn go(&mut self, travel: Travel) -> Vec<Command> {
        if self.past.is_none() {
            if self.frozen.is_some() {
                self.freeze();
            }
            let mut past = PastView::new(false);
            past.known = self.verdicts.findings.iter().map(|f| f.key()).collect();
            self.past = Some(Box::new(past));
        }
        if let Some(past) = &mut self.past {
            past.waiting = true;
        }
        vec![Command::Travel(travel)]
    }

    /// What was typed becomes an instant.
    pub(super) fn go_to(&mut self, input: Input) -> Vec<Command> {
        let typed = input.text().trim();
        let span = self
            .past
            .as_ref()
            .filter(|p| p.at.is_some())
            .map(|p| p.span);
        let here = self.shown_at().wall;
        let to = match (typed, span) {
            ("start", Some(span)) => Some(span.0),
            ("end", Some(span)) => Some(span.1),
            _ => instant(typed, span.map_or(here, |s| s.1), here),
        };
        match to {
            Some(to) => self.go(Travel::To(to)),
            None => {
                let why = "give a time like 14:05, 14:05:30, 2026-11-22 14:05, -10m or +10m (UTC)";
                self.say(why, true);
                self.layers.push(Layer::GoTo(input));
                Vec::new()
            }
        }
    }

    /// Back to what goes on.
    pub(super) fn now_again(&mut self) -> Vec<Command> {
        let Some(past) = self.past.take() else {
            return Vec::new();
        };
        let here = self.current_id().cloned();
        if let Some(live) = past.live {
            let mut live = live;
            self.swap(&mut live);
        }
        self.settle(here);
        self.say("live again; nothing was missed", false);
        vec![Command::Travel(Travel::Leave)]
    }

    /// The past can't be read.
    pub(super) fn no_past(&mut self, why: SafeText) {
        let shown = self.past.as_ref().is_some_and(|p| p.at.is_some());
        if let Some(past) = &mut self.past {
            (past.waiting, past.speed) = (false, 0);
        }
        if !shown && !self.is_replay() {
            self.past = None;
        }
        self.say(why, true);
    }

    /// Takes a part of another instant in.
    pub(super) fn past_part(&mut self, mut part: Past) {
        // One that was on its way when somebody went back to now.
        let Some(mut past) = self.past.take() else {
            return;
        };
        if part.restart.is_none() && past.at.is_none() && past.coming.is_none() {
            // The rest of something that was asked for before the last return to now.
            self.past = Some(past);
            return;
        }
        if let Some(restart) = part.restart.take() {
            past.coming = Some(Box::new(Content {
                window: Window::for_screen(restart.targets),
                ..Content::default()
            }));
        }
        let (more, at) = (part.more, part.at);
        (past.span, past.speed) = (part.span, part.speed);
        let remark = part.remark.take();
        match &mut past.coming {
            Some(coming) => fill(coming, part),
            None if past.at.is_some() => {
                let mut here = Content::default();
                self.swap(&mut here);
                fill(&mut here, part);
                self.swap(&mut here);
            }
            None => {}
        }
        if !more {
            let here = self.current_id().cloned();
            if let Some(mut coming) = past.coming.take() {
                self.swap(&mut coming);
                if past.live.is_none() && !past.replay {
                    past.live = Some(coming);
                }
            }
            past.at = Some(at);
            past.waiting = false;
            self.past = Some(past);
            self.settle(here);
            if let Some(remark) = remark {
                self.say_and_wait(remark.as_str().to_owned());
            }
            self.stirred = true;
            self.dirty = true;
            return;
        }
        self.past = Some(past);
    }

    /// What somebody worked at stays in sight, if it was there then.
    fn settle(&mut self, here: Option<TargetId>) {
        if let Some(here) = here {
            self.select_target(&here);
        }
        let timeline = &self.incident.timeline;
        let there = |id: &crate::model::event::EventId| timeline.iter().any(|e| e.id() == *id);
        if self.event.as_ref().is_some_and(|id| !there(id)) {
            self.event = None;
        }
        self.keep_pick();
    }

    fn swap(&mut self, other: &mut Content) {
        std::mem::swap(&mut self.window, &mut other.window);
        std::mem::swap(&mut self.history, &mut other.history);
        std::mem::swap(&mut self.verdicts, &mut other.verdicts);
        std::mem::swap(&mut self.places, &mut other.places);
        std::mem::swap(&mut self.incident, &mut other.incident);
        std::mem::swap(&mut self.origins, &mut other.origins);
        std::mem::swap(&mut self.resets, &mut other.resets);
    }

    /// Does something with what is live, whatever is shown.
    pub(super) fn with_live<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let live = self.past.as_mut().and_then(|p| p.live.take());
        let Some(mut live) = live else {
            return f(self);
        };
        self.swap(&mut live);
        let done = f(self);
        self.swap(&mut live);
        if let Some(past) = &mut self.past {
            past.live = Some(live);
        }
        done
    }

    /// Whether something can't be done while the screen shows the past; says so.
    pub(super) fn is_for_now(&mut self, action: Action) -> bool {
        use Action as A;
        let now = matches!(
            action,
            A::Reset
                | A::Freeze
                | A::Flows
                | A::AddTarget
                | A::RemoveTarget
                | A::Milestone
                | A::Severity
                | A::Dismiss
                | A::StepDone
                | A::StepSkip
                | A::StepFailed
        );
        let writes = matches!(action, A::Note | A::Pin | A::Export | A::Runbook);
        let past = self.past.as_ref();
        let Some(past) = past.filter(|p| now || writes && p.replay) else {
            return false;
        };
        let words = match past.replay {
            true => "this is a replay: nothing is written into the record".to_owned(),
            false => {
                let key = self.key_of(A::Past);
                format!("the screen shows the past: {key} goes back to now, then do it")
            }
        };
        self.say(words, false);
        true
    }
}

/// Adds a part to what is put together.
fn fill(content: &mut Content, part: Past) {
    for target in part.added {
        content.window.join(target);
    }
    for observation in &part.observations {
        content.window.take(observation);
        content.history.take(observation);
    }
    content.incident.absorb(part.events);
    content.origins.extend(part.origins);
    if let Some(verdicts) = part.verdicts {
        content.judged(verdicts);
    }
}

/// `14:05`, `2026-11-22 14:05`, `-10m` and `+10m` from `here`; a time of day is the last one
/// before `end`.
fn instant(typed: &str, end: Timestamp, here: Timestamp) -> Option<Timestamp> {
    let marked = |text: &str, now| {
        let (_, rest, at) = parse_note(&format!("@{text} x"), now);
        at.filter(|_| rest == "x")
    };
    if let Some(on) = typed.strip_prefix('+') {
        let back = marked(&format!("-{on}"), here)?;
        return here.checked_add(here.duration_since(back)).ok();
    }
    if typed.starts_with('-') {
        return marked(typed, here);
    }
    let whole = typed.trim_end_matches(['Z', 'z']).replace(' ', "T");
    let dated = whole
        .parse::<jiff::civil::DateTime>()
        .ok()
        .filter(|_| whole.contains('T'));
    if let Some(dated) = dated {
        return dated
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|z| z.timestamp());
    }
    marked(typed, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_as_people_write_them() {
        let t = |s: &str| s.parse::<Timestamp>().unwrap();
        let (end, here) = (t("2026-11-22T16:00:00Z"), t("2026-11-22T14:30:00Z"));
        for (typed, expected) in [
            ("14:05", "2026-11-22T14:05:00Z"),
            ("17:05", "2026-11-21T17:05:00Z"),
            ("14:05:30Z", "2026-11-22T14:05:30Z"),
            ("-10m", "2026-11-22T14:20:00Z"),
            ("+1h30m", "2026-11-22T16:00:00Z"),
            ("2026-11-20 09:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20T09:00:01Z", "2026-11-20T09:00:01Z"),
        ] {
            assert_eq!(instant(typed, end, here), Some(t(expected)), "{typed}");
        }
        for typed in [
            "", "now", "25:00", "-", "+", "10", "@14:05", "14:05 x", "\u{1b}",
        ] {
            assert_eq!(instant(typed, end, here), None, "{typed}");
        }
    }
}
