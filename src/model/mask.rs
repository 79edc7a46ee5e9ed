//! Which names stand before a secret, and URLs without theirs.
//!
//! What is masked goes by names alone: a value that nobody calls a secret is none.

use std::ops::Range;

use super::secret::{MASK, Secret};

/// Names, or parts of names, of header fields and parameters whose values are secrets.
const PARTS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "pwd",
    "apikey",
    "api-key",
    "api_key",
    "access-key",
    "access_key",
    "accesskey",
    "private-key",
    "private_key",
    "signature",
    "credential",
    "session",
    "jwt",
    "authorization",
    "cookie",
];
/// Whole names.
const NAMES: &[&str] = &[
    "key", "sig", "sid", "code", "auth", "x-auth", "pass", "state",
];

/// Whether the value of a header field or URL parameter of that name is a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|p| name.contains(p)) || NAMES.contains(&name.as_str())
}

/// A URL, or a reference, with user information and telling parameters masked.
pub fn url(text: &str) -> String {
    let (head, parameters) = match text.find(['?', '#']) {
        Some(i) => text.split_at(i),
        None => (text, ""),
    };
    let mut out = match head.find("//") {
        Some(at) => {
            let (scheme, rest) = head.split_at(at + 2);
            let end = rest.find('/').unwrap_or(rest.len());
            match rest.get(..end).and_then(|a| a.rfind('@')) {
                Some(i) => format!("{scheme}{MASK}{}", rest.get(i..).unwrap_or_default()),
                None => head.to_owned(),
            }
        }
        None => head.to_owned(),
    };
    let mut from = 0;
    for value in hidden(parameters) {
        out.push_str(parameters.get(from..value.start).unwrap_or_default());
        out.push_str(MASK);
        from = value.end;
    }
    out.push_str(parameters.get(from..).unwrap_or_default());
    out
}

/// The secrets that [`url`] masks in the parameters of a URL, as they stand there and decoded.
pub fn secrets(text: &str) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    for value in hidden(text) {
        let value = text.get(value).unwrap_or_default();
        let plain = decoded(value);
        // A URL within is no secret, what it holds is.
        let inner = secrets(&plain);
        let all = if inner.is_empty() {
            vec![Secret::new(value), Secret::new(plain)]
        } else {
            inner
        };
        for secret in all {
            if secret.expose() != MASK && !found.contains(&secret) {
                found.push(secret);
            }
        }
    }
    found
}

/// Whether the parameters of a URL hold a mask where a secret was.
pub fn is_masked(text: &str) -> bool {
    let mut values = hidden(text).into_iter();
    values.any(|value| text.get(value) == Some(MASK))
}

/// Where the values are that must not be shown. A secret goes on until the next `&`: what else
/// may part parameters may be a part of it.
fn hidden(text: &str) -> Vec<Range<usize>> {
    const SIGNS: [char; 4] = ['?', '#', '&', ';'];
    let mut found = Vec::new();
    let mut at = text.find(SIGNS).map_or(text.len(), |i| i + 1);
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        let end = rest.find(SIGNS).unwrap_or(rest.len());
        let pair = rest.get(..end).unwrap_or_default();
        let mut next = end;
        if let Some((name, value)) = pair.split_once('=') {
            let start = name.len() + 1;
            if is_secret(&decoded(name)) {
                next = rest.find(['&', '#']).unwrap_or(rest.len());
                if next > start {
                    found.push(at + start..at + next);
                }
            } else if value.contains('%') && !hidden(&decoded(value)).is_empty() {
                found.push(at + start..at + end);
            }
        }
        at += next + 1;
    }
    found
}

/// Percent-encoding undone (RFC 3986 2.1), `+` too, as forms write a blank.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let code = match (first, after) {
            (b'%', [a, b, ..]) => hex(*a).zip(hex(*b)).map(|(a, b)| a * 16 + b),
            (b'+', _) => {
                bytes.push(b' ');
                continue;
            }
            _ => None,
        };
        match code {
            Some(code) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_what_is_secret_and_nothing_else() {
        for (given, shown) in [
            ("https://h/a?b=c&d=e#f", "https://h/a?b=c&d=e#f"),
            ("https://u:p4ss@h/a", "https://***@h/a"),
            ("https://h/@a", "https://h/@a"),
            ("/cb?code=abc123&x=1", "/cb?code=***&x=1"),
            (
                "https://h/#access_token=abc&y=2",
                "https://h/#access_token=***&y=2",
            ),
            (
                "https://h/?X-Amz-Signature=ff00",
                "https://h/?X-Amz-Signature=***",
            ),
            ("https://h/?token=", "https://h/?token="),
        ] {
            assert_eq!(url(given), shown);
        }
    }

    #[test]
    fn secrets_are_found_where_they_are_masked() {
        let found = |text: &str| -> Vec<String> {
            let all = secrets(text);
            all.iter().map(|s| s.expose().to_owned()).collect()
        };
        assert_eq!(found("https://h/a?b=c&d=e"), Vec::<String>::new());
        assert_eq!(found("https://h/?token=ab%2Fcd&x=1"), ["ab%2Fcd", "ab/cd"]);
        assert_eq!(found("/cb?api%5Fkey=q1w2&sig=1%zz"), ["q1w2", "1%zz"]);
        assert_eq!(found("https://h/?token=***"), Vec::<String>::new());
        assert_eq!(found("/?to=https%3A%2F%2Fh%2F%3Ftoken%3Dq1w2"), ["q1w2"]);
        for text in [
            "/?api%5Fkey=q1w2",
            "/?x=1#a?pass=q1w2",
            "//u:q1w2@h/",
            "/?token=a;q1w2",
            "/?token=a?q1w2&x=1",
            "/?to=https%3A%2F%2Fh%2F%3Ftoken%3Dq1w2",
            "/?a;key=q1w2",
        ] {
            assert!(!url(text).contains("q1w2"), "{}", url(text));
        }
        assert_eq!(url("/?token=a;b&c=d"), "/?token=***&c=d");
        assert_eq!(
            url("/?to=https%3A%2F%2Fh%2F%3Fx%3D1"),
            "/?to=https%3A%2F%2Fh%2F%3Fx%3D1"
        );
    }
}
