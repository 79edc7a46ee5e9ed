//! The one table of actions: name, words, keys, and where they work. Keys, footer, help and
//! palette all read it.

use super::key::Key;
use super::screen::Screen;

/// Where keys go: a screen, or the kind of layer on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A screen without a layer.
    On(Screen),
    /// Help.
    Help,
    /// One finding.
    Finding,
    /// One event.
    Event,
    /// Output of a command.
    Output,
    /// A menu.
    Menu,
    /// A command to confirm.
    Confirm,
    /// Answer times over time.
    Chart,
    /// Leave?
    Leave,
    /// A line of text.
    Input,
    /// The list of actions.
    Palette,
}

impl Place {
    /// Every place.
    pub fn all() -> impl Iterator<Item = Place> {
        let layers = [
            Place::Help,
            Place::Finding,
            Place::Event,
            Place::Output,
            Place::Menu,
            Place::Confirm,
            Place::Leave,
            Place::Chart,
            Place::Input,
            Place::Palette,
        ];
        Screen::ALL.into_iter().map(Place::On).chain(layers)
    }

    const fn bit(self) -> u32 {
        match self {
            Place::On(screen) => 1 << screen.index(),
            Place::Help => 1 << 9,
            Place::Finding => 1 << 10,
            Place::Event => 1 << 11,
            Place::Output => 1 << 12,
            Place::Menu => 1 << 13,
            Place::Confirm => 1 << 14,
            Place::Input => 1 << 15,
            Place::Palette => 1 << 16,
            Place::Leave => 1 << 17,
            Place::Chart => 1 << 18,
        }
    }
}

/// A set of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u32);

impl Places {
    /// Whether a place is in it.
    pub const fn has(self, place: Place) -> bool {
        self.0 & place.bit() != 0
    }
    const fn and(self, other: Places) -> Places {
        Places(self.0 | other.0)
    }
    const fn one(place: Place) -> Places {
        Places(place.bit())
    }
}

const SCREENS: Places = Places(0x1ff);
const OF_TARGET: Places = Places(
    Place::On(Screen::Path).bit()
        | Place::On(Screen::Dns).bit()
        | Place::On(Screen::Tls).bit()
        | Place::On(Screen::Mtu).bit()
        | Place::On(Screen::Http).bit(),
);
const RUNBOOK: Places = Places::one(Place::On(Screen::Runbook));
const TIMELINE: Places = Places::one(Place::On(Screen::Timeline));
const PATH: Places = Places::one(Place::On(Screen::Path));
const FIGURES: Places = PATH.and(Places::one(Place::On(Screen::Overview)));
const FINDINGS: Places = Places::one(Place::On(Screen::Overview)).and(Places::one(Place::Finding));
const CHART: Places = Places::one(Place::Chart);
pub(super) const READING: Places =
    Places(Place::Help.bit() | Place::Finding.bit() | Place::Event.bit() | Place::Output.bit())
        .and(CHART);
const MENU: Places = Places::one(Place::Menu);
const CONFIRM: Places = Places::one(Place::Confirm);
const QUESTION: Places = CONFIRM.and(Places::one(Place::Leave));
const TRAVEL: Places = SCREENS.and(READING);
pub(super) const TYPING: Places = Places::one(Place::Input).and(Places::one(Place::Palette));
const MOVES: Places = SCREENS.and(READING).and(MENU).and(CONFIRM);
const EVERYWHERE: Places = MOVES.and(QUESTION).and(TYPING);

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Show a screen.
    Show(Screen),
    /// Next screen.
    NextScreen,
    /// Screen before.
    PreviousScreen,
    /// One down.
    Down,
    /// One up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
    /// One level deeper; accept.
    Open,
    /// One level back; give up.
    Back,
    /// Next target, or next command of a step.
    Next,
    /// Target before, or command before.
    Previous,
    /// Write a note.
    Note,
    /// Set a milestone.
    Milestone,
    /// Declare a severity.
    Severity,
    /// Mark a change, or end the comparison of the last one.
    Change,
    /// No alarm of the finding, or again one.
    Dismiss,
    /// Keep the pane as evidence.
    Pin,
    /// Runbook of the finding, or the list.
    Runbook,
    /// Write the postmortem draft.
    Export,
    /// Mark the step done.
    StepDone,
    /// Skip the step.
    StepSkip,
    /// Mark the step failed.
    StepFailed,
    /// Show the output of the command.
    Output,
    /// Stop the running command.
    Stop,
    /// Yes.
    Confirm,
    /// No.
    Refuse,
    /// Ask for the values of a command again.
    Edit,
    /// Choose by number.
    Choose,
    /// Show only timeline lines that hold a word.
    Filter,
    /// Show or hide the figures in the timeline.
    Figures,
    /// Name the owners of hops, or show all their figures.
    Owners,
    /// Look at more flows of each path.
    Flows,
    /// Let the figures stand still, or go on.
    Freeze,
    /// Start the figures of a target anew.
    Reset,
    /// Watch one more target.
    AddTarget,
    /// Watch a target no more.
    RemoveTarget,
    /// Mask the first hops, or show them.
    Hide,
    /// Chart answer times.
    Chart,
    /// Look at a shorter time.
    ZoomIn,
    /// Look at a longer time.
    ZoomOut,
    /// Show another instant, or now again.
    Past,
    /// The event before.
    EventBack,
    /// The next event.
    EventOn,
    /// A minute back.
    MinuteBack,
    /// A minute on.
    MinuteOn,
    /// The finding before.
    FindingBack,
    /// The next finding.
    FindingOn,
    /// Go on by itself, or stand still.
    Play,
    /// Go on faster.
    Faster,
    /// Go on slower.
    Slower,
    /// Show an instant by its time.
    GoTo,
    /// Find an action by name.
    Palette,
    /// All keys.
    Help,
    /// Leave.
    Leave,
}

impl Action {
    /// Whether it leads from one instant that is over to another.
    pub const fn travels(self) -> bool {
        matches!(
            self,
            Action::EventBack
                | Action::EventOn
                | Action::MinuteBack
                | Action::MinuteOn
                | Action::FindingBack
                | Action::FindingOn
                | Action::Play
                | Action::Faster
                | Action::Slower
                | Action::GoTo
        )
    }
}

/// One action.
#[derive(Debug)]
pub struct Entry {
    /// What happens.
    pub action: Action,
    /// Its name in footer and palette.
    pub name: &'static str,
    /// One line for help.
    pub help: &'static str,
    /// Its keys, unless the user chose others; the first is shown.
    pub keys: &'static [Key],
    /// Where they work.
    pub places: Places,
    /// Place in the footer, the lowest first and kept longest; 0 is not in the footer.
    pub footer: u8,
}

const fn entry(
    action: Action,
    keys: &'static [Key],
    places: Places,
    footer: u8,
    name: &'static str,
    help: &'static str,
) -> Entry {
    Entry {
        action,
        name,
        help,
        keys,
        places,
        footer,
    }
}

use Action as A;
use Key::{
    BackTab, Char, Ctrl, Down, End, Enter, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up,
};

/// All actions, in the order of help.
#[rustfmt::skip] // one line each: it is a table
pub static ACTIONS: &[Entry] = &[
    entry(A::Show(Screen::Overview), &[Char('1')], SCREENS, 0, "overview", "all targets, findings, the end of the timeline"),
    entry(A::Show(Screen::Path), &[Char('2')], SCREENS, 0, "path", "every hop to the target: loss and times"),
    entry(A::Show(Screen::Dns), &[Char('3')], SCREENS, 0, "dns", "every resolver's answer, side by side"),
    entry(A::Show(Screen::Tls), &[Char('4')], SCREENS, 0, "tls", "the presented chain and its faults"),
    entry(A::Show(Screen::Mtu), &[Char('5')], SCREENS, 0, "mtu", "packet sizes tried and what came back"),
    entry(A::Show(Screen::Http), &[Char('6')], SCREENS, 0, "http", "status and the phases of an exchange"),
    entry(A::Show(Screen::Devices), &[Char('7')], SCREENS, 0, "devices", "polled devices and their interfaces"),
    entry(A::Show(Screen::Runbook), &[Char('8')], SCREENS, 0, "runbook screen", "runbooks, and the steps of the open one"),
    entry(A::Show(Screen::Timeline), &[Char('9')], SCREENS, 0, "timeline", "everything that happened, by console and people"),
    entry(A::NextScreen, &[Tab], SCREENS, 0, "next screen", "the screen to the right"),
    entry(A::PreviousScreen, &[BackTab], SCREENS, 0, "previous screen", "the screen to the left"),
    entry(A::Down, &[Char('j'), Down], MOVES, 0, "down", "one down"),
    entry(A::Up, &[Char('k'), Up], MOVES, 0, "up", "one up"),
    entry(A::PageDown, &[PageDown, Ctrl('d'), Ctrl('f')], MOVES, 0, "page down", "a page down"),
    entry(A::PageUp, &[PageUp, Ctrl('u'), Ctrl('b')], MOVES, 0, "page up", "a page up"),
    entry(A::Top, &[Char('g'), Home], MOVES, 0, "top", "to the first"),
    entry(A::Bottom, &[Char('G'), End], MOVES, 0, "bottom", "to the last"),
    entry(A::StepDone, &[Char('x')], RUNBOOK, 2, "done", "the step is done"),
    entry(A::StepSkip, &[Char('s')], RUNBOOK, 3, "skip", "skip the step; asks why"),
    entry(A::StepFailed, &[Char('f')], RUNBOOK, 4, "failed", "the step did not work; asks why"),
    entry(A::Output, &[Char('o')], SCREENS, 0, "output", "output of the running or the last command"),
    entry(A::Open, &[Enter], SCREENS.and(MENU).and(TYPING), 5, "open", "one level deeper; on a step: run its command; in an input: accept"),
    entry(A::Next, &[Char(']'), Char('l'), Right], OF_TARGET.and(RUNBOOK).and(CHART), 6, "next", "next target; on a step: its next command; on a chart: next hop"),
    entry(A::Previous, &[Char('['), Char('h'), Left], OF_TARGET.and(RUNBOOK).and(CHART), 7, "previous", "the one before"),
    entry(A::Confirm, &[Char('y')], QUESTION, 1, "yes", "yes, do it"),
    entry(A::Refuse, &[Char('n')], QUESTION, 2, "no", "no, go back"),
    entry(A::Edit, &[Char('e')], CONFIRM, 3, "edit values", "ask for the command's values again"),
    entry(A::Choose, &[Char('1'), Char('2'), Char('3'), Char('4'), Char('5'), Char('6')], MENU, 0, "choose", "choose the line of that number"),
    entry(A::Stop, &[Char('x')], Places::one(Place::Output), 1, "stop", "stop the running command"),
    entry(A::Back, &[Esc], EVERYWHERE, 8, "back", "one level back; gives up a question"),
    entry(A::Note, &[Char('n')], SCREENS.and(READING), 10, "note", "write a note; ! decision, ? question, todo, h hypothesis"),
    entry(A::Milestone, &[Char('m')], SCREENS.and(READING), 11, "milestone", "detected, mitigated, resolved … is now"),
    entry(A::Pin, &[Char('p')], SCREENS.and(CHART), 12, "pin", "keep what this pane shows, word for word, as evidence"),
    entry(A::Change, &[Char('b')], SCREENS, 13, "change", "mark a change: from now on before and after are compared; again: ends it with a verdict"),
    entry(A::Runbook, &[Char('r')], SCREENS.and(Places::one(Place::Finding)), 13, "runbook", "the runbook of the finding, or the list of runbooks"),
    entry(A::Export, &[Char('e')], SCREENS, 15, "export", "write the postmortem draft"),
    entry(A::Dismiss, &[Char('d')], FINDINGS, 15, "dismiss", "no alarm of this finding, with a reason; again: it alarms again"),
    entry(A::Severity, &[Char('v')], SCREENS, 0, "severity", "declare the severity, SEV1 to SEV5"),
    entry(A::Filter, &[Char('/')], TIMELINE, 1, "filter", "show only timeline lines that hold a word"),
    entry(A::Figures, &[Char('a')], TIMELINE, 17, "figures", "show or hide the loss and times written down every few minutes"),
    entry(A::Owners, &[Char('a')], PATH, 10, "owners", "whose the hops are: names, AS numbers, places; or all figures"),
    entry(A::Flows, &[Char('f')], PATH, 10, "flows", "look at 4, 8, 16 flows of each path, or one again: parallel paths"),
    entry(A::Freeze, &[Char('z')], SCREENS, 18, "freeze", "figures stand still, or go on; probing and recording always do"),
    entry(A::Reset, &[Char('R')], FIGURES, 0, "reset", "loss and times of the target start anew; the record keeps the old"),
    entry(A::AddTarget, &[Char('A')], SCREENS, 19, "add target", "watch one more target from now on; also :add TARGET"),
    entry(A::RemoveTarget, &[Char('D')], SCREENS, 0, "remove target", "watch this target no more; asks first; also :remove TARGET"),
    entry(A::Hide, &[Char('H')], SCREENS, 0, "hide hops", "mask this host and the first hops while others see the screen"),
    entry(A::Chart, &[Char('c')], FIGURES, 14, "chart", "answer times of the target or a hop over time"),
    entry(A::ZoomIn, &[Char('+'), Char('=')], CHART, 1, "zoom in", "on a chart: a shorter time"),
    entry(A::ZoomOut, &[Char('-'), Char('_')], CHART, 2, "zoom out", "on a chart: a longer time, up to the whole session"),
    entry(A::Past, &[Char('T')], TRAVEL, 20, "past", "show another instant on every screen; again: back to now"),
    entry(A::EventBack, &[Char('<')], TRAVEL, 3, "event", "the screen as it was at the event before"),
    entry(A::EventOn, &[Char('>')], TRAVEL, 4, "next event", "the same at the next event"),
    entry(A::MinuteBack, &[Char(',')], TRAVEL, 5, "minute", "the screen as it was a minute earlier"),
    entry(A::MinuteOn, &[Char('.')], TRAVEL, 6, "minute on", "a minute later"),
    entry(A::FindingBack, &[Char('{')], TRAVEL, 7, "finding", "where the finding before opened or cleared"),
    entry(A::FindingOn, &[Char('}')], TRAVEL, 8, "next finding", "where the next one did"),
    entry(A::Play, &[Char(' ')], TRAVEL, 2, "play", "in the past: let it go on, or stand still"),
    entry(A::Faster, &[Char(')')], TRAVEL, 9, "faster", "play faster, up to 100 times"),
    entry(A::Slower, &[Char('(')], TRAVEL, 10, "slower", "play slower, down to as it was"),
    entry(A::GoTo, &[Char('t')], TRAVEL, 1, "time", "show an instant: 14:05, -10m, +10m, start, end"),
    entry(A::Palette, &[Char(':')], SCREENS, 16, "command", "find an action by name, or open a runbook by its path"),
    entry(A::Help, &[Char('?')], SCREENS, 9, "keys", "this list"),
    entry(A::Leave, &[Char('q'), Ctrl('c')], SCREENS, 9, "leave", "leave; asks while something is under way, Ctrl-C twice does not"),
];

/// What the footer offers at a place, most important first.
pub fn footer(place: Place) -> Vec<&'static Entry> {
    let mut shown: Vec<_> = ACTIONS
        .iter()
        .filter(|e| e.footer > 0 && e.places.has(place))
        .collect();
    shown.sort_by_key(|e| e.footer);
    shown
}

/// A key as people write it.
pub fn key_name(key: Key) -> String {
    match key {
        Char(' ') => "Space".into(),
        Char(c) => c.to_string(),
        Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
        Key::Alt(c) => format!("Alt-{c}"),
        BackTab => "Shift-Tab".into(),
        PageDown => "PgDn".into(),
        PageUp => "PgUp".into(),
        Key::F(n) => format!("F{n}"),
        named => format!("{named:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keymap::Keymap;
    use super::*;

    fn find(place: Place, key: Key) -> Option<Action> {
        Keymap::default().find(place, key)
    }

    #[test]
    fn keys_do_not_collide() {
        for place in Place::all() {
            let mut seen = std::collections::HashMap::new();
            for e in ACTIONS.iter().filter(|e| e.places.has(place)) {
                for key in e.keys {
                    let other = seen.insert(*key, e.action);
                    assert_eq!(other, None, "{} at {place:?}", key_name(*key));
                }
            }
        }
    }

    #[test]
    fn every_action_has_a_key_a_place_and_words() {
        for e in ACTIONS {
            assert!(!e.keys.is_empty() && !e.name.is_empty() && !e.help.is_empty());
            let place = Place::all().find(|p| e.places.has(*p));
            let place = place.unwrap_or_else(|| panic!("{:?} works nowhere", e.action));
            assert_eq!(find(place, e.keys[0]), Some(e.action));
        }
    }

    #[test]
    fn there_is_a_way_back_from_everywhere() {
        for place in Place::all() {
            assert_eq!(find(place, Key::Esc), Some(Action::Back), "{place:?}");
            assert_eq!(find(place, Ctrl('c')), Some(Action::Leave), "{place:?}");
        }
    }

    #[test]
    fn text_keys_mean_nothing_while_typing() {
        for c in ' '..='~' {
            for place in [Place::Input, Place::Palette] {
                assert_eq!(find(place, Char(c)), None, "{c}");
            }
        }
    }
}
