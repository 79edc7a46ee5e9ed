//! Private keys in PEM form, over as many lines as they take.

use super::PLACEHOLDER;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Masks the body of every private key; `None` if there is none. A key without its end line is
/// masked as far as it looks like one.
pub(super) fn mask(text: &str, placeholder: impl Fn(&str) -> String) -> Option<String> {
    if !text.contains("PRIVATE KEY") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head_end, label)) = next_key(rest) {
        let (head, body) = rest.split_at(head_end);
        let end_line = format!("-----END {label}-----");
        let (key, after) = match body.find(&end_line) {
            Some(at) => body.split_at(at),
            None => body.split_at(plausible(body)),
        };
        out.push_str(head);
        if key.trim_start().starts_with(PLACEHOLDER) {
            out.push_str(key);
        } else {
            out.push(' ');
            out.push_str(&placeholder(key.trim()));
            out.push(if after.starts_with(DASHES) { ' ' } else { '\n' });
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// End of the next `-----BEGIN … PRIVATE KEY…-----` and its label.
fn next_key(text: &str) -> Option<(usize, &str)> {
    for (at, _) in text.match_indices(BEGIN) {
        let start = at + BEGIN.len();
        let label = text[start..].split(DASHES).next().unwrap_or("");
        let end = start + label.len() + DASHES.len();
        let plain = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b' ');
        if plain && label.contains("PRIVATE KEY") && end <= text.len() {
            return Some((end, label));
        }
    }
    None
}

/// How far a key without an end goes: the rest of its line and all lines of base64 or headers.
fn plausible(body: &str) -> usize {
    let mut end = 0;
    for (n, line) in body.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        let base64 = bare
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=\\".contains(&b));
        let header = ["Proc-Type:", "DEK-Info:", "Comment:", "Version:"]
            .iter()
            .any(|h| bare.starts_with(h));
        if n > 0 && !base64 && !header {
            break;
        }
        end += line.len();
    }
    end
}
