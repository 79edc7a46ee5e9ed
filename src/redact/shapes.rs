//! Shapes of secrets that network work meets, one line at a time.
//!
//! A rule names words that must be in the line (a cheap test first), may ask for a context (the
//! command that the line runs) and has a pattern whose capture group is the secret. What stands
//! around the secret stays readable.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use super::PLACEHOLDER;
use super::prose::PROSE;
use super::table::SHAPES;

/// One shape.
struct Rule {
    /// The name people know it by.
    name: &'static str,
    /// One of these must be in the lower-cased line.
    words: &'static [&'static str],
    /// What the line must match, if anything.
    context: Option<Regex>,
    /// The secret is its first group that took part.
    pattern: Regex,
}

/// A word that ends at a blank, or a quoted text.
const WORD: &str = r#"("[^"]*"|'[^']*'|[^\s"']\S*)"#;
/// How a device says in which form the secret follows.
const FORM: &str = r"(?:(?:\d{1,2}|md5|sha\d*|sha512|encrypted|clear|cleartext|plaintext|plain-text|ascii-text|hexadecimal|cipher|simple|irreversible-cipher|hash|ENC)\s+)?";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    SHAPES
        .iter()
        .filter_map(|(name, words, context, pattern)| {
            let pattern = pattern.replace("FORM", FORM).replace("WORD", WORD);
            Some(Rule {
                name,
                words,
                context: match *context {
                    "" => None,
                    context => Some(Regex::new(context).ok()?),
                },
                pattern: Regex::new(&pattern).ok()?,
            })
        })
        .collect()
});

/// Masks what looks like a secret in one line.
/// `placeholder` is given the rule and the secret.
pub(super) fn mask_line(line: &str, placeholder: impl Fn(&str, &str) -> String) -> String {
    let mut line = line.to_owned();
    let mut lower = line.to_lowercase();
    for rule in RULES.iter() {
        if !rule.words.iter().any(|w| lower.contains(w)) {
            continue;
        }
        if rule.context.as_ref().is_some_and(|c| !c.is_match(&line)) {
            continue;
        }
        let masked = rule.pattern.replace_all(&line, |caps: &Captures<'_>| {
            masked(&line, caps, |secret| placeholder(rule.name, secret))
        });
        if masked != line {
            line = masked.into_owned();
            lower = line.to_lowercase();
        }
    }
    line
}

/// The whole match with its secret replaced, or as it was if that is none after all.
fn masked(line: &str, caps: &Captures<'_>, placeholder: impl Fn(&str) -> String) -> String {
    masked_by(line, caps, is_secret, placeholder)
}

/// [`masked`] with one's own idea of what is a secret.
pub(super) fn masked_by(
    line: &str,
    caps: &Captures<'_>,
    is_secret: impl Fn(&str) -> bool,
    placeholder: impl Fn(&str) -> String,
) -> String {
    let Some(whole) = caps.get(0) else {
        return String::new();
    };
    let group = (1..caps.len()).find_map(|i| caps.get(i));
    // A pattern without a group means all of its match.
    let group = match (group, caps.len()) {
        (Some(group), _) => group,
        (None, 1) => whole,
        (None, _) => return whole.as_str().to_owned(),
    };
    let (open, value, close) = unquote(group.as_str());
    let inside_another = line[..group.start()]
        .rsplit_once(PLACEHOLDER)
        .is_some_and(|(_, since)| !since.contains('›'));
    if inside_another || !is_secret(value) {
        return whole.as_str().to_owned();
    }
    let text = whole.as_str();
    let before = &text[..group.start() - whole.start()];
    let after = &text[group.end() - whole.start()..];
    format!("{before}{open}{}{close}{after}", placeholder(value))
}

fn unquote(text: &str) -> (&str, &str, &str) {
    for quote in ["\"", "'"] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return (quote, inner, quote);
        }
    }
    ("", text, "")
}

/// Not a secret: a placeholder, a variable, something masked already, a word of a sentence, a
/// small number, a BGP community.
fn is_secret(value: &str) -> bool {
    let reference = value.starts_with("${")
        || value.starts_with("$(")
        || value.starts_with("{{")
        || (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('$')
            && value[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !value[1..].contains('$'));
    let masked = !value.is_empty() && value.chars().all(|c| "*•xX.…".contains(c));
    let digits = value.chars().all(|c| c.is_ascii_digit());
    let community = value.contains(':') && value.chars().all(|c| c.is_ascii_digit() || c == ':');
    let bare = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let prose = PROSE.iter().any(|w| w.eq_ignore_ascii_case(bare));
    !(bare.is_empty()
        || reference
        || masked
        || (digits && value.len() < 4)
        || community
        || value.chars().all(|c| "=:{}[](),;<>".contains(c))
        || prose
        || value.contains(PLACEHOLDER.trim_end_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_compiles() {
        assert_eq!(RULES.len(), SHAPES.len());
    }
}
