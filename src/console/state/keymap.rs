//! Which key does what: the action table's own keys, or those that the user chose.
//!
//! A choice that would make two things of one key, or take away the way back, is refused with what
//! to do instead; there is no order in which one would silently win.

use super::action::{ACTIONS, Action, Entry, Place, READING, TYPING, key_name};
use super::key::Key;
use crate::config::nearest::nearest;

/// The keys of each action, in the order of the action table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    keys: Vec<Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self {
            keys: ACTIONS.iter().map(|e| e.keys.to_vec()).collect(),
        }
    }
}

/// A choice that can't be: which, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Place in the list of choices.
    pub nth: usize,
    /// What is wrong, with advice.
    pub what: String,
}

/// The name of an action as it is written in a configuration.
pub fn action_name(entry: &Entry) -> String {
    entry.name.replace(' ', "-")
}

impl Keymap {
    /// The usual keys with these choices: names of actions, each with its keys. No key at all
    /// leaves an action to the palette.
    ///
    /// # Errors
    /// Every choice that can't be.
    pub fn with<'a>(
        chosen: impl IntoIterator<Item = (&'a str, &'a [String])>,
    ) -> Result<Self, Vec<Refused>> {
        let mut map = Self::default();
        let mut refused = Vec::new();
        let mut by: Vec<Option<usize>> = vec![None; ACTIONS.len()];
        for (nth, (name, keys)) in chosen.into_iter().enumerate() {
            match choose(name, keys) {
                Ok((place, keys)) => {
                    if let (Some(slot), Some(by)) = (map.keys.get_mut(place), by.get_mut(place)) {
                        (*slot, *by) = (keys, Some(nth));
                    }
                }
                Err(what) => refused.push(Refused { nth, what }),
            }
        }
        if refused.is_empty() {
            refused.extend(map.collisions(&by));
        }
        if refused.is_empty() {
            Ok(map)
        } else {
            Err(refused)
        }
    }

    /// Keys that would do two things at one place; said of the choice that made it so.
    fn collisions(&self, by: &[Option<usize>]) -> Vec<Refused> {
        let mut refused: Vec<Refused> = Vec::new();
        let chosen = by
            .iter()
            .enumerate()
            .filter_map(|(i, nth)| Some((i, (*nth)?)));
        for (i, nth) in chosen {
            let (Some(mine), Some(keys)) = (ACTIONS.get(i), self.keys.get(i)) else {
                continue;
            };
            let others = ACTIONS.iter().zip(&self.keys).enumerate();
            for (j, (other, theirs)) in others.filter(|(j, _)| *j != i) {
                let both = keys.iter().find(|k| theirs.contains(k));
                let meet = Place::all().any(|p| mine.places.has(p) && other.places.has(p));
                // Of two choices that collide the later one is told.
                let told = by.get(j).copied().flatten().is_none_or(|their| their < nth);
                if let Some(key) = both.filter(|_| meet && told) {
                    let (name, other) = (action_name(mine), action_name(other));
                    let key = key_name(*key);
                    let what = format!(
                        "'{key}' cannot be '{name}': it is '{other}' already; choose another key, \
                         or give '{other}' another one as well"
                    );
                    refused.push(Refused { nth, what });
                    break;
                }
            }
        }
        refused
    }

    /// The keys of an action, the one to show first.
    pub fn of(&self, action: Action) -> &[Key] {
        let place = ACTIONS.iter().position(|e| e.action == action);
        place
            .and_then(|i| self.keys.get(i))
            .map_or(&[], Vec::as_slice)
    }

    /// The key of an action that is shown; empty where it has none.
    pub fn shown(&self, action: Action) -> String {
        self.of(action)
            .first()
            .map(|k| key_name(*k))
            .unwrap_or_default()
    }

    /// The action of a key at a place.
    pub fn find(&self, place: Place, key: Key) -> Option<Action> {
        // Leaving must be possible whatever lies on top.
        if key == Key::Ctrl('c') {
            return Some(Action::Leave);
        }
        let mut all = ACTIONS.iter().zip(&self.keys);
        let found = all.find(|(e, keys)| e.places.has(place) && keys.contains(&key));
        match found {
            Some((entry, _)) => Some(entry.action),
            // `q` closes what only shows something, as pagers do.
            None if READING.has(place) && key == Key::Char('q') => Some(Action::Back),
            None => None,
        }
    }
}

/// One choice: place in the table, and the keys.
fn choose(name: &str, keys: &[String]) -> Result<(usize, Vec<Key>), String> {
    let names: Vec<String> = ACTIONS.iter().map(action_name).collect();
    let Some(place) = names.iter().position(|n| n == name) else {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let advice = match nearest(name, &known) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(format!("there is no action '{name}'; {advice}"));
    };
    let Some(entry) = ACTIONS.get(place) else {
        return Err(format!("there is no action '{name}'"));
    };
    if entry.action == Action::Choose {
        return Err("'choose' has the digits of the lines; leave it out".into());
    }
    let mut out: Vec<Key> = Vec::new();
    for text in keys {
        let key = parse(text)?;
        if key == Key::Esc && entry.action != Action::Back {
            return Err("Esc always leads back; choose another key".into());
        }
        let types = matches!(key, Key::Char(_))
            && Place::all().any(|p| TYPING.has(p) && entry.places.has(p));
        if types {
            return Err(format!(
                "'{name}' works while one types, where '{text}' is text; choose a key that is no \
                 character, like F2 or Ctrl-O"
            ));
        }
        if !out.contains(&key) {
            out.push(key);
        }
    }
    if entry.action == Action::Back && !out.contains(&Key::Esc) {
        out.push(Key::Esc);
    }
    Ok((place, out))
}

/// A key as people write it: `n`, `Ctrl-F`, `Alt-x`, `F5`, `Space`, `PgDn`, `Shift-Tab`.
fn parse(text: &str) -> Result<Key, String> {
    let lower = text.to_lowercase();
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        let fits = !c.is_control() && unicode_width::UnicodeWidthChar::width(c) == Some(1);
        return match fits {
            true => Ok(Key::Char(c)),
            false => Err("a key is one visible character, or a name like Ctrl-F".into()),
        };
    }
    let after = |prefixes: &[&str]| {
        let mut found = prefixes.iter().filter_map(|p| lower.strip_prefix(p));
        found.next().map(str::to_owned)
    };
    if let Some(rest) = after(&["ctrl-", "ctrl+", "c-", "^"]) {
        return ctrl(&rest, text);
    }
    if after(&["alt-", "alt+", "meta-"]).is_some() {
        let c = text.chars().next_back().filter(|c| c.is_ascii_graphic());
        let one = text
            .trim_start_matches(|c: char| c != '-' && c != '+')
            .chars()
            .count()
            == 2;
        return c
            .filter(|_| one)
            .map(Key::Alt)
            .ok_or_else(|| format!("'{text}' is no key; Alt goes with one character, like Alt-x"));
    }
    if let Some(n) = lower.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
        return match n {
            1..=12 => Ok(Key::F(n)),
            _ => Err(format!("'{text}' is no key; there are F1 to F12")),
        };
    }
    Ok(match lower.as_str() {
        "space" => Key::Char(' '),
        "enter" | "return" => Key::Enter,
        "esc" | "escape" => Key::Esc,
        "tab" => Key::Tab,
        "shift-tab" | "backtab" => Key::BackTab,
        "backspace" => Key::Backspace,
        "delete" | "del" => Key::Delete,
        "insert" | "ins" => Key::Insert,
        "up" => Key::Up,
        "down" => Key::Down,
        "left" => Key::Left,
        "right" => Key::Right,
        "home" => Key::Home,
        "end" => Key::End,
        "pgup" | "pageup" => Key::PageUp,
        "pgdn" | "pagedown" => Key::PageDown,
        _ => {
            return Err(format!(
                "'{text}' is no key; write one character, or a name: Space, Enter, Tab, Shift-Tab, \
                 Up, Down, Left, Right, Home, End, PgUp, PgDn, F1 to F12, Ctrl-F, Alt-x"
            ));
        }
    })
}

fn ctrl(rest: &str, text: &str) -> Result<Key, String> {
    let mut chars = rest.chars();
    let one = chars.next().filter(|c| c.is_ascii_lowercase());
    match (one, chars.next()) {
        (Some('c'), None) => Err("Ctrl-C always leaves; choose another key".into()),
        (Some('z'), None) => {
            Err("Ctrl-Z stops the program for the shell; choose another key".into())
        }
        (Some('l'), None) => Err("Ctrl-L draws the screen anew; choose another key".into()),
        (Some(c @ ('i' | 'm' | 'j' | 'h')), None) => {
            let same = match c {
                'i' => "Tab",
                'h' => "Backspace",
                _ => "Enter",
            };
            Err(format!(
                "terminals send the same for {text} as for {same}; write {same}"
            ))
        }
        (Some(c), None) => Ok(Key::Ctrl(c)),
        _ => Err(format!(
            "'{text}' is no key; Ctrl goes with one letter, like Ctrl-F"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::screen::Screen;
    use super::*;

    fn with(chosen: &[(&str, &[&str])]) -> Result<Keymap, Vec<Refused>> {
        let owned: Vec<(&str, Vec<String>)> = chosen
            .iter()
            .map(|(name, keys)| (*name, keys.iter().map(|k| (*k).to_owned()).collect()))
            .collect();
        Keymap::with(owned.iter().map(|(name, keys)| (*name, keys.as_slice())))
    }

    fn refused(name: &str, keys: &[&str]) -> String {
        let all = with(&[(name, keys)]).expect_err(name);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].what.clone()
    }

    #[test]
    fn names_of_actions_are_unique() {
        let mut names: Vec<String> = ACTIONS.iter().map(action_name).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn a_choice_takes_the_place_of_the_usual_keys() {
        let on = Place::On(Screen::Path);
        let map = with(&[("freeze", &["Ctrl-F", "F5"]), ("page-down", &["PgDn"])]).unwrap();
        assert_eq!(map.find(on, Key::Ctrl('f')), Some(Action::Freeze));
        assert_eq!(map.find(on, Key::F(5)), Some(Action::Freeze));
        assert_eq!(map.find(on, Key::Char('z')), None);
        assert_eq!(map.shown(Action::Freeze), "Ctrl-F");
        assert_eq!(
            map.find(on, Key::Char('n')),
            Some(Action::Note),
            "the rest stays"
        );
        let none = with(&[("export", &[])]).unwrap();
        assert_eq!(
            (none.find(on, Key::Char('e')), none.shown(Action::Export)),
            (None, String::new())
        );
        // Two may change places.
        let swapped = with(&[("pin", &["n"]), ("note", &["p"])]).unwrap();
        assert_eq!(swapped.find(on, Key::Char('n')), Some(Action::Pin));
    }

    #[test]
    fn what_cannot_be_is_refused_with_advice() {
        for (name, keys, advice) in [
            ("frezee", ["x"], "did you mean 'freeze'?"),
            ("nonsense", ["x"], "there are overview, path"),
            ("pin", ["n"], "it is 'note' already"),
            ("freeze", ["Ctrl-F"], "'page-down' already"),
            ("freeze", ["Hyper-x"], "is no key; write one character"),
            ("freeze", ["Ctrl-C"], "always leaves"),
            ("freeze", ["Ctrl-M"], "write Enter"),
            ("freeze", ["Ctrl-1"], "one letter"),
            ("freeze", ["F13"], "F1 to F12"),
            ("freeze", ["Esc"], "leads back"),
            ("freeze", [""], "is no key"),
            ("freeze", ["日"], "one visible character"),
            ("freeze", ["\u{1b}"], "one visible character"),
            ("open", ["o"], "where 'o' is text"),
            ("choose", ["7"], "leave it out"),
        ] {
            let said = refused(name, &keys);
            assert!(said.contains(advice), "{name} = {keys:?}: {said}");
        }
        // Everything wrong is said at once, each of its own.
        let all = with(&[("x1", &[]), ("pin", &["p"]), ("y2", &["q"])]).unwrap_err();
        assert_eq!(all.iter().map(|r| r.nth).collect::<Vec<_>>(), [0, 2]);
        let twice = with(&[("pin", &["Q"]), ("note", &["Q"])]).unwrap_err();
        assert_eq!(twice.iter().map(|r| r.nth).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn keys_at_places_that_never_meet_may_be_the_same() {
        // `x` is "done" in a runbook and "stop" on output; both may move to one key.
        with(&[("done", &["X"]), ("stop", &["X"])]).unwrap();
    }

    #[test]
    fn there_is_a_way_back_and_out_whatever_is_chosen() {
        let map = with(&[("back", &["F10"]), ("leave", &[]), ("keys", &[])]).unwrap();
        for place in Place::all() {
            assert_eq!(map.find(place, Key::Esc), Some(Action::Back), "{place:?}");
            assert_eq!(map.find(place, Key::F(10)), Some(Action::Back), "{place:?}");
            assert_eq!(map.find(place, Key::Ctrl('c')), Some(Action::Leave));
        }
    }

    #[test]
    fn every_name_that_is_shown_can_be_written() {
        for key in ACTIONS.iter().flat_map(|e| e.keys) {
            let name = key_name(*key);
            match parse(&name) {
                Ok(parsed) => assert_eq!(parsed, *key, "{name}"),
                Err(why) => assert!(*key == Key::Ctrl('c'), "{name}: {why}"),
            }
        }
    }
}
