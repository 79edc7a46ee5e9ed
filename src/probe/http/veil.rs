//! Secrets of an exchange are masked in all that is shown of it: credentials in request headers,
//! cookies, values of telling query parameters, and what the server repeats of them.

use crate::model::mask::{self, is_secret};
use crate::model::secret::{MASK, Secret};
use crate::model::text::SafeText;

/// Shorter values are masked by the name of their field only: they are parts of other words.
const LEAST: usize = 4;

/// Values that must not be shown.
#[derive(Clone, Debug, Default)]
pub struct Veil {
    secrets: Vec<Secret>,
}

impl Veil {
    /// Adds a value, and its parts where it is a scheme with credentials or a list of cookies.
    pub fn add(&mut self, value: &str) {
        let mut push = |text: &str| {
            let text = text.trim();
            let secret = Secret::new(text);
            if text.len() >= LEAST && !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        };
        push(value);
        if let Some((_, credentials)) = value.trim().split_once(' ') {
            push(credentials);
        }
        for cookie in value.split(';') {
            if let Some((_, v)) = cookie.split_once('=') {
                push(v);
            }
        }
        // The longest first, so that no tail of one stays.
        self.secrets
            .sort_by_key(|s| std::cmp::Reverse(s.expose().len()));
    }

    /// Whether a text of ours holds one of them.
    pub(super) fn hides(&self, text: &str) -> bool {
        self.secrets.iter().any(|s| text.contains(s.expose()))
    }

    /// Text from the network, at most `cap` bytes of it.
    pub(super) fn text(&self, raw: &[u8], cap: usize) -> SafeText {
        if self.secrets.is_empty() {
            return SafeText::from_bytes_capped(raw, cap);
        }
        let mut bytes = raw.to_vec();
        for secret in &self.secrets {
            bytes = replace(&bytes, secret.expose().as_bytes());
        }
        SafeText::from_bytes_capped(&bytes, cap)
    }

    /// A header field of a response.
    pub(super) fn field(&self, name: &str, value: &[u8], cap: usize) -> SafeText {
        if name.eq_ignore_ascii_case("set-cookie") {
            let value = String::from_utf8_lossy(value);
            let (pair, rest) = value.split_once(';').unwrap_or((&value, ""));
            let cookie = pair.split('=').next().unwrap_or_default();
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!(";{rest}")
            };
            return self.text(format!("{cookie}={MASK}{rest}").as_bytes(), cap);
        }
        if is_secret(name) {
            return SafeText::new(MASK);
        }
        match std::str::from_utf8(value) {
            Ok(text) if text.contains("://") || text.contains('?') => {
                self.text(mask::url(text).as_bytes(), cap)
            }
            _ => self.text(value, cap),
        }
    }
}

fn replace(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(i) = rest.windows(secret.len()).position(|w| w == secret) {
        out.extend_from_slice(rest.get(..i).unwrap_or_default());
        out.extend_from_slice(MASK.as_bytes());
        rest = rest.get(i + secret.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_masked_where_it_comes_back() {
        let mut veil = Veil::default();
        veil.add("Bearer abcdefgh12");
        veil.add("sid=q1w2e3r4; theme=dark");
        let said = veil.text(b"you sent Bearer abcdefgh12 and q1w2e3r4, abcdefgh12", 200);
        assert_eq!(said.as_str(), "you sent *** and ***, ***");
        assert!(!format!("{veil:?}").contains("q1w2"));
        let cookie = veil.field("Set-Cookie", b"sid=other; Path=/; Secure", 200);
        assert_eq!(cookie.as_str(), "sid=***; Path=/; Secure");
        assert_eq!(veil.field("X-Auth-Token", b"abc", 200).as_str(), "***");
        let to = veil.field("location", b"https://h/?sig=1234&a=b", 200);
        assert_eq!(to.as_str(), "https://h/?sig=***&a=b");
        assert_eq!(veil.field("server", b"nginx", 200).as_str(), "nginx");
    }
}
