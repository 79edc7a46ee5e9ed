//! Secrets are masked here, before anything reaches a disk. Pure: text in, text out.
//!
//! Known values go first (whatever the program itself handled, [`Secrets`]), then private keys
//! over all lines, then shapes that network work knows (SNMP communities, device
//! configuration, command lines, tokens). Equal secrets become equal placeholders within one
//! incident: `‹secret:3f9a›`, an HMAC under the incident's key. Addresses, MACs, ASNs, BGP
//! communities and fingerprints stay; they are the evidence.
//!
//! Only this module can make a [`Redacted`] value, and the incident's writer takes nothing else.
//! It must not know a sink, a file or a clock.

mod event;
mod hmac;
mod known;
mod pem;
mod prose;
mod rules;
mod sample;
mod shapes;
mod stream;
mod table;

pub use hmac::{hex, hmac_sha256};
pub use known::{PatternError, Secrets};
pub use rules::{RULES, Rule};
pub use sample::SampleRedactor;
pub use stream::{LONGEST, Piece, Stream};

use std::cell::RefCell;

use crate::model::text::SafeText;

/// How a placeholder begins; whoever counts masked secrets looks for it.
pub const PLACEHOLDER: &str = "‹secret:";

/// The rule that a known value goes by.
pub const KNOWN: &str = "known";

/// One thing that was masked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hit {
    /// Name of the rule: one of [`RULES`], [`KNOWN`], or one from the configuration.
    pub rule: String,
    /// What stands in its place.
    pub placeholder: String,
}

/// The key of one incident's placeholders. Never written into the incident's folder.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// From 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The bytes, for the file that keeps it beside the incidents.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

/// Something that went through a [`Redactor`].
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// What is left.
    pub const fn get(&self) -> &T {
        &self.0
    }
    /// Something made of what is left, and of nothing else.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Redacted<U> {
        Redacted(make(self.0))
    }
    /// What is left, by value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Redacted<Vec<T>> {
    /// Many, each masked by itself.
    pub fn all(list: Vec<Redacted<T>>) -> Self {
        Self(list.into_iter().map(Redacted::into_inner).collect())
    }
}

/// Masks secrets for one incident.
#[derive(Clone, Debug)]
pub struct Redactor {
    key: Key,
    secrets: Secrets,
}

impl Redactor {
    /// For the incident of that key, with the secrets that the program handles.
    pub const fn new(key: Key, secrets: Secrets) -> Self {
        Self { key, secrets }
    }

    /// The placeholder of a secret.
    pub fn placeholder(&self, secret: &str) -> String {
        let mac = hmac_sha256(self.key.expose(), secret.as_bytes());
        format!("{PLACEHOLDER}{}›", hex(&mac[..2]))
    }

    /// Masks raw text of any number of lines, as a command printed it. Give all of it at once:
    /// a secret that spans two pieces is found in neither.
    pub fn raw(&self, text: &str) -> Redacted<String> {
        self.masked(text, &|_, _| {})
    }

    /// [`Redactor::raw`], and what was masked in it. The list tells no secret.
    pub fn explained(&self, text: &str) -> (Redacted<String>, Vec<Hit>) {
        let hits = RefCell::new(Vec::new());
        let masked = self.masked(text, &|rule, placeholder| {
            hits.borrow_mut().push(Hit {
                rule: rule.to_owned(),
                placeholder: placeholder.to_owned(),
            });
        });
        (masked, hits.into_inner())
    }

    fn masked(&self, text: &str, note: &dyn Fn(&str, &str)) -> Redacted<String> {
        let placeholder = |rule: &str, secret: &str| {
            let placeholder = self.placeholder(secret);
            note(rule, &placeholder);
            placeholder
        };
        let mut text = text.to_owned();
        for known in self.secrets.snapshot() {
            let by = self.placeholder(&known.value);
            for form in &known.forms {
                if let Some(masked) = known::replace(&text, form, &by) {
                    note(KNOWN, &by);
                    text = masked;
                }
            }
        }
        if let Some(masked) = pem::mask(&text, |s| placeholder("private-key", s)) {
            text = masked;
        }
        let own = self.secrets.patterns();
        let lines: Vec<_> = text
            .split('\n')
            .map(|line| own.mask(&shapes::mask_line(line, placeholder), placeholder))
            .collect();
        Redacted(lines.join("\n"))
    }

    /// Masks one line.
    pub fn text(&self, text: &SafeText) -> Redacted<SafeText> {
        Redacted(self.safe(text))
    }

    /// Masks lines that belong together. A private key that takes several becomes one line.
    pub fn lines(&self, lines: &[SafeText]) -> Redacted<Vec<SafeText>> {
        Redacted(self.safe_lines(lines))
    }

    fn safe(&self, text: &SafeText) -> SafeText {
        SafeText::capped(&self.raw(text.as_str()).0, usize::MAX)
    }

    fn safe_lines(&self, lines: &[SafeText]) -> Vec<SafeText> {
        if lines.is_empty() {
            return Vec::new();
        }
        let all: Vec<_> = lines.iter().map(SafeText::as_str).collect();
        let masked = self.raw(&all.join("\n")).0;
        let lines = masked.split('\n');
        lines.map(|l| SafeText::capped(l, usize::MAX)).collect()
    }
}

#[cfg(test)]
mod tests;
