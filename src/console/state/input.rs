//! One line of text being typed.

use unicode_segmentation::UnicodeSegmentation;

use super::key::Key;

/// Longest input in bytes; more is refused at the key.
const CAP: usize = 2000;

/// One line of text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    text: String,
    /// Byte position, always on a cluster boundary.
    cursor: usize,
}

impl Input {
    /// An input that holds `text`, cursor at its end.
    pub fn with(text: &str) -> Self {
        let mut input = Self::default();
        input.insert(text);
        input
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before and after the cursor.
    pub fn halves(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Inserts typed or pasted text: line breaks and other controls become spaces, so that a
    /// paste can neither confirm nor hide anything.
    pub fn insert(&mut self, raw: &str) {
        let room = CAP.saturating_sub(self.text.len());
        let mut clean = String::new();
        for c in raw.replace("\r\n", "\n").chars() {
            let c = if c.is_control() { ' ' } else { c };
            if clean.len() + c.len_utf8() > room {
                break;
            }
            clean.push(c);
        }
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
    }

    /// Takes an editing key; false if it means nothing here.
    pub fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace | Key::Ctrl('h') => {
                let from = self.before();
                self.text.replace_range(from..self.cursor, "");
                self.cursor = from;
            }
            Key::Delete => {
                let to = self.after();
                self.text.replace_range(self.cursor..to, "");
            }
            Key::Left | Key::Ctrl('b') => self.cursor = self.before(),
            Key::Right | Key::Ctrl('f') => self.cursor = self.after(),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Ctrl('u') => {
                self.text.replace_range(..self.cursor, "");
                self.cursor = 0;
            }
            Key::Ctrl('k') => self.text.truncate(self.cursor),
            Key::Ctrl('w') => {
                let head = self.text[..self.cursor].trim_end();
                let from = head.rfind(' ').map_or(0, |i| i + 1);
                self.text.replace_range(from..self.cursor, "");
                self.cursor = from;
            }
            _ => return false,
        }
        true
    }

    fn before(&self) -> usize {
        let head = &self.text[..self.cursor];
        head.grapheme_indices(true)
            .next_back()
            .map_or(0, |(i, _)| i)
    }

    fn after(&self) -> usize {
        let tail = &self.text[self.cursor..];
        self.cursor + tail.graphemes(true).next().map_or(0, str::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_paste_is_one_line() {
        let mut i = Input::with("a ");
        i.insert("b\r\nc\nd\x1b[2J");
        assert_eq!(i.text(), "a b c d [2J");
    }

    #[test]
    fn editing_keys_work_on_clusters() {
        let mut i = Input::with("one two e\u{301}");
        i.key(Key::Backspace);
        assert_eq!(i.text(), "one two ");
        i.key(Key::Ctrl('w'));
        assert_eq!(i.text(), "one ");
        i.key(Key::Home);
        i.key(Key::Delete);
        i.key(Key::Right);
        i.key(Key::Ctrl('k'));
        assert_eq!(i.text(), "n");
        assert!(!i.key(Key::F(3)));
    }

    proptest! {
        #[test]
        fn no_sequence_of_keys_breaks_it(keys in proptest::collection::vec(0u8..12, 0..60)) {
            let mut i = Input::with("aé日e\u{301} x");
            for k in keys {
                let key = match k {
                    0 => Key::Left, 1 => Key::Right, 2 => Key::Backspace, 3 => Key::Delete,
                    4 => Key::Home, 5 => Key::End, 6 => Key::Ctrl('w'), 7 => Key::Ctrl('k'),
                    8 => Key::Ctrl('u'), 9 => Key::Char('日'), 10 => Key::Char('\u{301}'),
                    _ => Key::Char('z'),
                };
                i.key(key);
                let (a, b) = i.halves();
                prop_assert_eq!(a.len() + b.len(), i.text().len());
            }
        }
    }

    #[test]
    fn it_is_bounded() {
        let i = Input::with(&"x".repeat(5000));
        assert_eq!(i.text().len(), CAP);
    }
}
