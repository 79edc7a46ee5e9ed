//! Values that the program itself handled, in every form in which they may turn up.

use std::fmt;
use std::sync::{Arc, RwLock};

use regex_lite::Regex;

use crate::model::secret::Secret;
use crate::model::text::SafeText;

use super::hmac::hex;
use super::shapes;

/// Shorter values are not masked: the letter `a` as a password would mask every word.
const MIN: usize = 4;
/// Values shorter than this are masked only where they stand alone as a word.
const MIN_ANYWHERE: usize = 8;

/// The secrets that the program handles, shared by whoever learns one and the redactor.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Vec<Known>>>, Arc<RwLock<Patterns>>);

/// Why a pattern of one's own is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {name} can't be used: {why}")]
pub struct PatternError {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Patterns of one's own, tried after the built-in rules.
#[derive(Clone, Default)]
pub(super) struct Patterns(Vec<(String, Regex)>);

impl Patterns {
    /// Masks the first group of every match, or all of it where the pattern has no group.
    pub(super) fn mask(&self, line: &str, by: impl Fn(&str, &str) -> String) -> String {
        let mut line = line.to_owned();
        for (name, regex) in &self.0 {
            let masked = regex.replace_all(&line, |caps: &regex_lite::Captures<'_>| {
                shapes::masked_by(&line, caps, |_| true, |secret| by(name, secret))
            });
            if masked != line {
                line = masked.into_owned();
            }
        }
        line
    }
}

/// A secret and the forms to look for.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) value: String,
    /// Longest first.
    pub(super) forms: Vec<Form>,
}

/// One way a secret may be written.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) text: String,
    /// True if it counts only between characters that can't belong to a word.
    pub(super) whole_word: bool,
}

impl Secrets {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a secret: a community, a password, a token. Values of less than four
    /// characters are left out, since masking them would mask everything.
    pub fn add(&self, secret: &Secret) {
        let value = secret.expose();
        if value.chars().count() < MIN {
            return;
        }
        let mut all = match self.0.write() {
            Ok(all) => all,
            Err(poisoned) => poisoned.into_inner(),
        };
        if all.iter().any(|k| k.value == value) {
            return;
        }
        all.push(Known::new(value));
        // A secret that contains another one goes first.
        all.sort_by_key(|k| std::cmp::Reverse(k.value.len()));
    }

    /// Adds a pattern of one's own to the rules; its first group is the secret, or all of the
    /// match. From then on it holds for everyone who shares these secrets.
    ///
    /// # Errors
    /// If it is no regular expression, or matches the empty text.
    pub fn add_pattern(&self, name: &str, pattern: &str) -> Result<(), PatternError> {
        let refused = |why: String| PatternError {
            name: name.to_owned(),
            why,
        };
        let regex = Regex::new(pattern).map_err(|e| refused(e.to_string()))?;
        if regex.is_match("") {
            return Err(refused("it matches the empty text, so everything".into()));
        }
        let mut all = match self.1.write() {
            Ok(all) => all,
            Err(poisoned) => poisoned.into_inner(),
        };
        all.0.push((name.to_owned(), regex));
        Ok(())
    }

    pub(super) fn patterns(&self) -> Patterns {
        match self.1.read() {
            Ok(all) => all.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// How many values and patterns are known.
    pub(super) fn count(&self) -> usize {
        let own = self.patterns().0.len();
        own + match self.0.read() {
            Ok(all) => all.len(),
            Err(poisoned) => poisoned.into_inner().len(),
        }
    }

    pub(super) fn snapshot(&self) -> Vec<Known> {
        match self.0.read() {
            Ok(all) => all.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.snapshot().len())
    }
}

impl Known {
    fn new(value: &str) -> Self {
        let mut texts = vec![
            value.to_owned(),
            SafeText::capped(value, usize::MAX).as_str().to_owned(),
            percent(value, false),
            percent(value, true),
            hex(value.as_bytes()),
            hex(value.as_bytes()).to_uppercase(),
        ];
        if let Ok(json) = serde_json::to_string(value) {
            texts.push(json.trim_matches('"').to_owned());
        }
        for shift in 0..3 {
            let inside = base64_inside(value.as_bytes(), shift);
            texts.push(inside.replace('+', "-").replace('/', "_"));
            texts.push(inside);
        }
        texts.retain(|t| t == value || t.len() >= MIN_ANYWHERE);
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        let forms = texts
            .into_iter()
            .map(|text| Form {
                whole_word: text.chars().count() < MIN_ANYWHERE,
                text,
            })
            .collect();
        Self {
            value: value.to_owned(),
            forms,
        }
    }
}

/// Percent-encoding of all that is not unreserved (RFC 3986 section 2.3).
fn percent(value: &str, lower: bool) -> String {
    let mut out = String::new();
    for b in value.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else if lower {
            out.push_str(&format!("%{b:02x}"));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// The characters of a base64 text that depend on `value` alone when it stands `shift` bytes
/// (modulo 3) into what was encoded, as the password in `user:password` does.
fn base64_inside(value: &[u8], shift: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = Vec::with_capacity((value.len() + shift) * 8);
    for byte in std::iter::repeat_n(&0u8, shift).chain(value) {
        bits.extend((0..8).rev().map(|i| byte >> i & 1));
    }
    let skip = (shift * 8).div_ceil(6);
    bits.chunks_exact(6)
        .skip(skip)
        .map(|six| six.iter().fold(0usize, |n, bit| n << 1 | usize::from(*bit)))
        .filter_map(|n| ALPHABET.get(n).map(|c| char::from(*c)))
        .collect()
}

/// Replaces every occurrence of `form` in `text`; `None` if there is none.
pub(super) fn replace(text: &str, form: &Form, by: &str) -> Option<String> {
    if form.text.is_empty() || !text.contains(&form.text) {
        return None;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, hit) in text.match_indices(&form.text) {
        let before = text[..at].chars().next_back();
        let after = text[at + hit.len()..].chars().next();
        if form.whole_word && (before.is_some_and(word) || after.is_some_and(word)) {
            continue;
        }
        out.push_str(&text[rest..at]);
        out.push_str(by);
        rest = at + hit.len();
    }
    if rest == 0 {
        return None;
    }
    out.push_str(&text[rest..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_at_every_shift() {
        // `user:hunter2hunter2` and friends, as base64(1) writes them.
        for (encoded, shift) in [
            ("aHVudGVyMmh1bnRlcjI=", 0),
            ("OmhVbnRlcg==", 9),
            ("dXNlcjpodW50ZXIyaHVudGVyMg==", 5),
            ("YWI6aHVudGVyMmh1bnRlcjI=", 3),
            ("YTpodW50ZXIyaHVudGVyMg==", 2),
        ] {
            let found = encoded.contains(&base64_inside(b"hunter2hunter2", shift % 3));
            assert_eq!(found, shift != 9, "{encoded}");
        }
    }

    #[test]
    fn short_values_count_as_words_only() {
        let secrets = Secrets::new();
        secrets.add(&Secret::new("abc"));
        assert!(secrets.snapshot().is_empty());
        secrets.add(&Secret::new("lab1"));
        let known = secrets.snapshot();
        let form = known[0].forms.iter().find(|f| f.text == "lab1").unwrap();
        assert_eq!(
            replace("-c lab1 host", form, "X").as_deref(),
            Some("-c X host")
        );
        assert_eq!(replace("lab10 slab1", form, "X"), None);
    }

    #[test]
    fn debug_tells_nothing() {
        let secrets = Secrets::new();
        secrets.add(&Secret::new("hunter2hunter2"));
        assert_eq!(format!("{secrets:?}"), "Secrets(1)");
    }
}
