//! The state of the console and its one door, [`App::update`].
//!
//! This file holds what there is; what a key does is in [`super::keys`], what the engine's news
//! change is in [`super::news`].

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::action::Place;
use super::history::History;
use super::hold::Frozen;
use super::keymap::Keymap;
use super::layer::Layer;
use super::message::Message;
use super::outbox::Outbox;
use super::past::PastView;
use super::room::Room;
use super::runbooks::{Run, Runbooks};
use super::screen::Screen;
use super::symbols::Symbols;
use crate::model::command::{Command, Verdicts};
use crate::model::event::EventId;
use crate::model::finding::{Finding, FindingKey, TargetState};
use crate::model::incident::Incident;
use crate::model::origin::Origin;
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::model::window::{TargetWindow, Window};

/// What the console starts with.
#[derive(Clone, Debug)]
pub struct AppInit {
    /// Targets in the order the user gave them.
    pub targets: Vec<Target>,
    /// Name of the incident's folder.
    pub incident_name: SafeText,
    /// Where that folder is.
    pub incident_dir: SafeText,
    /// Who is here, `ana@jump1`; also who commands run as.
    pub who: SafeText,
    /// Folder that commands run in.
    pub cwd: SafeText,
    /// When the console started.
    pub started: Stamp,
    /// Whether the terminal shows UTF-8.
    pub utf8: bool,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// What arguments and configuration chose.
    pub settings: Settings,
}

/// Choices that hold for the session.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Flows that traceroutes look at.
    pub flows: u16,
    /// So many hops are hidden from the start, for a screen that others see; 0 is none.
    pub hide_hops: u8,
    /// Which key does what.
    pub keys: Keymap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            flows: 1,
            hide_hops: 0,
            keys: Keymap::default(),
        }
    }
}

/// What is selected on the overview: a thing, not a row, so that it stays selected when rows move.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// A target.
    Target(TargetId),
    /// A finding.
    Finding {
        /// Which.
        key: FindingKey,
        /// Whose.
        subject: TargetId,
    },
}

/// Where somebody is on one screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// First line shown, where lines are scrolled.
    pub scroll: usize,
}

/// One line of news above the footer.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// What it says.
    pub text: SafeText,
    /// Whether something could not be done.
    pub trouble: bool,
    /// When it came.
    pub at: Stamp,
    /// Whether it stays until the next key: trouble, and what people copy.
    pub stays: bool,
}

/// How the recorder is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorder {
    /// Why nothing gets to disk, if so.
    pub trouble: Option<SafeText>,
    /// Events that wait in memory.
    pub waiting: usize,
}

/// The console.
#[derive(Debug)]
pub struct App {
    pub(crate) init: AppInit,
    pub(crate) symbols: &'static Symbols,
    pub(crate) window: Window,
    pub(crate) incident: Incident,
    pub(crate) verdicts: Verdicts,
    /// Place of each target in the lists of the verdicts.
    pub(crate) places: HashMap<TargetId, usize>,
    /// Who the hops belong to.
    pub(crate) origins: BTreeMap<IpAddr, Origin>,
    /// Whether the path names the owners of its hops rather than all their figures.
    pub(crate) owners: bool,
    /// Flows that traceroutes look at.
    pub(crate) flows: u16,
    /// Hops that are hidden, and whether they are now.
    pub(crate) hide_hops: u8,
    /// See `hide_hops`.
    pub(crate) hidden: bool,
    /// See [`App::take_stirred`].
    pub(super) stirred: bool,
    /// What goes on behind a screen that stands still.
    pub(crate) frozen: Option<Box<Frozen>>,
    /// Another instant that is shown.
    pub(super) past: Option<Box<PastView>>,
    /// Since when the figures of a target count, where somebody started them anew.
    pub(crate) resets: BTreeMap<TargetId, Stamp>,
    /// Answer times of the session.
    pub(crate) history: History,
    pub(crate) recorder: Recorder,
    pub(crate) outbox: Outbox,
    pub(crate) remark: Option<Remark>,
    pub(crate) now: Stamp,
    pub(crate) size: (u16, u16),
    pub(crate) screen: Screen,
    pub(crate) cursors: [Cursor; Screen::ALL.len()],
    pub(crate) pick: Pick,
    /// Place of the current target in the window's order.
    pub(crate) target: usize,
    pub(crate) layers: Vec<Layer>,
    /// Selected event; `None` follows the newest.
    pub(crate) event: Option<EventId>,
    /// Whether the timeline shows the figures that are written now and then.
    pub(crate) figures: bool,
    pub(crate) filter: String,
    pub(crate) runbooks: Runbooks,
    pub(crate) parameters: BTreeMap<String, String>,
    /// Values to offer when parameters are asked for again.
    pub(crate) former: BTreeMap<String, String>,
    pub(crate) run: Option<Run>,
    pub(super) dirty: bool,
    pub(super) leaving: bool,
}

impl App {
    /// The console before anything happened.
    pub fn new(init: AppInit) -> Self {
        let symbols = if init.utf8 {
            Symbols::utf8()
        } else {
            Symbols::ascii()
        };
        // What somebody asked about comes before this host.
        let local = TargetId::local();
        let asked = init.targets.iter().position(|t| t.id != local);
        let target = asked.unwrap_or(0);
        let picked = init.targets.get(target).map_or(local, |t| t.id.clone());
        Self {
            symbols,
            window: Window::for_screen(init.targets.iter().cloned()),
            incident: Incident::default(),
            verdicts: Verdicts::default(),
            places: HashMap::new(),
            origins: BTreeMap::new(),
            owners: false,
            flows: init.settings.flows,
            hide_hops: init.settings.hide_hops,
            hidden: init.settings.hide_hops > 0,
            stirred: true,
            frozen: None,
            past: None,
            resets: BTreeMap::new(),
            history: History::default(),
            recorder: Recorder::default(),
            outbox: Outbox::default(),
            remark: None,
            now: init.started,
            size: init.size,
            screen: Screen::default(),
            cursors: [Cursor::default(); Screen::ALL.len()],
            pick: Pick::Target(picked),
            target,
            layers: Vec::new(),
            event: None,
            figures: false,
            filter: String::new(),
            runbooks: Runbooks::default(),
            parameters: BTreeMap::new(),
            former: BTreeMap::new(),
            run: None,
            dirty: true,
            leaving: false,
            init,
        }
    }

    /// Takes one thing in; what is to be done about it comes out.
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        match message {
            Message::Key(key) => {
                self.dirty = true;
                self.key(key)
            }
            Message::Paste(text) => {
                self.paste(&text);
                Vec::new()
            }
            Message::Resize { cols, rows } => {
                self.dirty |= self.size != (cols, rows);
                self.size = (cols, rows);
                Vec::new()
            }
            Message::Batch(batch) => self.news(*batch),
            Message::Tick(stamp) => {
                self.clock(stamp);
                Vec::new()
            }
        }
    }

    /// Whether the screen no longer shows the state.
    pub fn dirty(&self) -> bool {
        self.dirty
    }
    /// The same, and takes it as drawn.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
    /// Whether more changed than figures: findings, states, the record. Asking resets it.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }
    /// True once leaving was confirmed and [`Command::Leave`] was emitted.
    pub fn leaving(&self) -> bool {
        self.leaving
    }
    /// The screen shown.
    pub fn screen(&self) -> Screen {
        self.screen
    }
    /// What lies on top of it.
    pub fn layer(&self) -> Option<&Layer> {
        self.layers.last()
    }
    /// Where keys go.
    pub fn place(&self) -> Place {
        self.layer().map_or(Place::On(self.screen), Layer::place)
    }
    /// How the screen is divided.
    pub fn room(&self) -> Room {
        Room::of(self.size.0, self.size.1)
    }
    /// The incident as it stands.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// The current target's window; `None` only where there are no targets at all.
    pub fn current(&self) -> Option<&TargetWindow> {
        self.window.targets.get(self.current_id()?)
    }
    /// The current target.
    pub fn current_id(&self) -> Option<&TargetId> {
        let order = &self.window.order;
        order.get(self.target.min(order.len().saturating_sub(1)))
    }
    /// What a list of the verdicts says of a target. The lists are in the order of the targets, so
    /// the place is known; of a thousand targets nobody is looked for from the beginning.
    pub(crate) fn verdict_of<'a, T>(
        &self,
        list: &'a [(TargetId, T)],
        id: &TargetId,
    ) -> Option<&'a T> {
        let place = self.places.get(id).and_then(|n| list.get(*n));
        place
            .filter(|(t, _)| t == id)
            .or_else(|| list.iter().find(|(t, _)| t == id))
            .map(|(_, said)| said)
    }
    /// State of a target.
    pub fn state_of(&self, id: &TargetId) -> &TargetState {
        self.verdict_of(&self.verdicts.states, id)
            .unwrap_or(&TargetState::Learning)
    }
    /// Place on the current screen.
    pub(crate) fn cursor(&self) -> Cursor {
        self.cursors[self.screen.index()]
    }
    /// The finding selected on the overview.
    pub(crate) fn selected_finding(&self) -> Option<&Finding> {
        match &self.pick {
            Pick::Finding { key, .. } => self.finding(key),
            Pick::Target(_) => None,
        }
    }
    /// A finding that is open, or was when somebody last looked.
    pub(crate) fn finding(&self, key: &FindingKey) -> Option<&Finding> {
        let now = self.verdicts.findings.iter().find(|f| f.key() == *key);
        now.or_else(|| {
            self.incident
                .open
                .get(key)
                .filter(|_| self.incident.unseen(key).is_some())
        })
    }
    /// Whether a command runs.
    pub fn running(&self) -> bool {
        self.run.as_ref().is_some_and(|r| r.ended.is_none())
    }

    pub(super) fn clock(&mut self, stamp: Stamp) {
        // A dialog that just became answerable says so.
        let armed = self.armed();
        let before = self.now.wall.as_second();
        if stamp.mono >= self.now.mono {
            self.now = stamp;
        }
        for layer in &mut self.layers {
            layer.seen_at(stamp.mono);
        }
        self.dirty |= self.now.wall.as_second() != before || self.armed() != armed;
        let forget = |r: &Remark| {
            !r.stays && stamp.mono.since(r.at.mono) >= std::time::Duration::from_secs(6)
        };
        if self.remark.as_ref().is_some_and(forget) {
            self.remark = None;
            self.dirty = true;
        }
    }

    pub(super) fn say(&mut self, text: impl Into<SafeText>, trouble: bool) {
        self.remark = Some(Remark {
            text: text.into(),
            trouble,
            at: self.now,
            stays: trouble,
        });
        self.dirty = true;
    }

    /// The same until the next key, so that it can be read and copied.
    pub(super) fn say_and_wait(&mut self, text: impl Into<SafeText>) {
        self.say(text, false);
        if let Some(remark) = &mut self.remark {
            remark.stays = true;
        }
    }
}

/// What a view may ask.
impl App {
    /// The signs to draw with.
    pub fn signs(&self) -> &'static Symbols {
        self.symbols
    }
    /// Which key does what.
    pub fn keymap(&self) -> &Keymap {
        &self.init.settings.keys
    }
    /// The key of an action that is shown.
    pub fn key_of(&self, action: super::action::Action) -> String {
        self.keymap().shown(action)
    }
    /// The keys that lead to the one before and the next.
    pub fn keys_aside(&self) -> String {
        use super::action::Action::{Next, Previous};
        format!("{} {}", self.key_of(Previous), self.key_of(Next))
    }
    /// Whether the terminal shows UTF-8.
    pub fn utf8(&self) -> bool {
        self.init.utf8
    }
    /// Rows of the terminal.
    pub fn rows(&self) -> usize {
        usize::from(self.size.1)
    }
    /// Now.
    pub fn now(&self) -> Stamp {
        self.now
    }
    /// Age of the incident; of this console where nothing is on record.
    pub fn age(&self) -> std::time::Duration {
        match self.incident.opened {
            Some(_) => self.incident.age(self.past_at().unwrap_or(self.now).wall),
            None => self.now.mono.since(self.init.started.mono),
        }
    }
    /// Who is here.
    pub fn who(&self) -> &SafeText {
        &self.init.who
    }
    /// Title of the incident, else the name of its folder.
    pub fn title(&self) -> &SafeText {
        if self.incident.title.is_empty() {
            &self.init.incident_name
        } else {
            &self.incident.title
        }
    }
    /// News to show, and whether they are trouble.
    pub fn remark(&self) -> Option<(&SafeText, bool)> {
        self.remark.as_ref().map(|r| (&r.text, r.trouble))
    }
    /// Why nothing gets to disk, if so, and how much waits.
    pub fn recording(&self) -> (Option<&SafeText>, usize) {
        let waiting = self.recorder.waiting.max(self.outbox.unsaved());
        let failed = self.outbox.entries().iter().find_map(|e| match &e.fate {
            super::outbox::Fate::Failed(why) => Some(why),
            _ => None,
        });
        (self.recorder.trouble.as_ref().or(failed), waiting)
    }
    /// Whether the runbook screen shows the list.
    pub fn shows_runbook_list(&self) -> bool {
        self.runbooks.shows_list()
    }
    /// Whether an action of the place makes sense now, for the footer.
    pub fn offers(&self, action: super::action::Action) -> bool {
        use super::action::Action as A;
        let steps = !self.runbooks.shows_list();
        match action {
            A::StepDone | A::StepSkip | A::StepFailed => steps,
            A::Next | A::Previous if self.screen == Screen::Runbook => {
                steps && self.runbooks.aside() > 1
            }
            A::Next | A::Previous if matches!(self.layer(), Some(Layer::Chart { .. })) => {
                self.last_hop() > 0
            }
            A::Next | A::Previous => self.window.order.len() > 1,
            A::Open if self.screen == Screen::Runbook && steps && self.layers.is_empty() => {
                self.runbooks.aside() > 0
            }
            _ if action.travels() => self.past.is_some(),
            A::Stop => self.running(),
            A::Edit => matches!(self.layer(), Some(Layer::ConfirmRun(c)) if !c.env.is_empty()),
            A::Open if self.screen.of_target() || self.screen == Screen::Devices => {
                !self.layers.is_empty() || !super::pane::findings_of(self, self.screen).is_empty()
            }
            _ => true,
        }
    }
}
