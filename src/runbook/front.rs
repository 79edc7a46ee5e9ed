//! Front matter: a small part of YAML (scalars, lists, maps one level deep). What it does not
//! understand is a warning, never a failure.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One word or line.
    Scalar(String),
    /// `[a, b]` or `- a` lines.
    List(Vec<String>),
    /// `key: value` lines, indented.
    Map(Vec<(String, String)>),
}

impl Value {
    /// Its words as a list; a scalar is a list of one.
    pub fn items(&self) -> Vec<&str> {
        match self {
            Value::Scalar(s) => vec![s.as_str()],
            Value::List(items) => items.iter().map(String::as_str).collect(),
            Value::Map(_) => Vec::new(),
        }
    }
    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Scalar(s) => Some(s),
            _ => None,
        }
    }
}

/// Front matter as it was understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// Keys in order, with the line of each (from 1).
    pub entries: Vec<(String, Value, u32)>,
    /// What was odd.
    pub warnings: Vec<String>,
}

impl Front {
    /// Value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(k, _, _)| k == key)
            .map(|(_, v, _)| v)
    }
}

/// Most keys, and most items of one, that are kept.
const MAX_ENTRIES: usize = 1000;

const KNOWN: &[&str] = &[
    "title",
    "summary",
    "findings",
    "severity",
    "owner",
    "reviewed",
    "parameters",
    "escalation",
    "tags",
    "description",
    "review_every",
    "links",
    "id",
];

/// Splits front matter off: its lines (without the marks) and the byte where the body begins.
pub fn split(text: &str) -> Option<(&str, usize)> {
    let after = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))?;
    let start = text.len() - after.len();
    let mut at = start;
    for line in after.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == "---" || bare == "..." {
            return Some((text.get(start..at)?, at + line.len()));
        }
        at += line.len();
    }
    None
}

/// Reads the lines of front matter, the first of which is line 2 of the file.
pub fn parse(text: &str) -> Front {
    let mut front = Front::default();
    let mut line_number = 1u32;
    for line in text.lines() {
        line_number = line_number.saturating_add(1);
        let bare = uncommented(line);
        if bare.trim().is_empty() {
            continue;
        }
        if front.entries.len() >= MAX_ENTRIES || front.warnings.len() >= 50 {
            front.warnings.push(format!(
                "line {line_number}: the front matter is too long, the rest is left out"
            ));
            break;
        }
        let indented = bare.starts_with([' ', '\t']) || bare.starts_with("- ") || bare == "-";
        if indented {
            continued(&mut front, bare.trim(), line_number);
        } else {
            key_line(&mut front, bare, line_number);
        }
    }
    front
}

fn key_line(front: &mut Front, line: &str, number: u32) {
    let Some((key, value)) = line
        .split_once(':')
        .filter(|(_, v)| v.is_empty() || v.starts_with([' ', '\t']))
    else {
        front.warnings.push(format!(
            "line {number}: not understood in front matter: {line}"
        ));
        return;
    };
    let key = unquoted(key.trim());
    if !KNOWN.contains(&key.as_str()) {
        front.warnings.push(format!(
            "line {number}: unknown key `{key}` in front matter"
        ));
    }
    let value = value.trim();
    let value = match value {
        "|" | ">" | "|-" | ">-" => Value::Scalar(String::new()),
        _ => match value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            Some(inside) => Value::List(
                inside
                    .split(',')
                    .map(|i| unquoted(i.trim()))
                    .filter(|i| !i.is_empty())
                    .collect(),
            ),
            None => Value::Scalar(unquoted(value)),
        },
    };
    front.entries.push((key, value, number));
}

fn continued(front: &mut Front, line: &str, number: u32) {
    let Some((key, value, _)) = front.entries.last_mut() else {
        front.warnings.push(format!(
            "line {number}: an indented line without a key before it"
        ));
        return;
    };
    let empty = matches!(value, Value::Scalar(s) if s.is_empty());
    let item = line
        .strip_prefix("- ")
        .or_else(|| (line == "-").then_some(""));
    let pair = line
        .split_once(": ")
        .or_else(|| line.strip_suffix(':').map(|k| (k, "")));
    let added = match (item, pair) {
        (Some(item), _) if empty => Some(Value::List(vec![unquoted(item.trim())])),
        (None, Some((k, v))) if empty => {
            Some(Value::Map(vec![(unquoted(k.trim()), unquoted(v.trim()))]))
        }
        _ => None,
    };
    match (added, value) {
        (Some(new), value) => *value = new,
        (None, Value::List(items)) if item.is_some() && items.len() < MAX_ENTRIES => {
            items.push(unquoted(item.unwrap_or_default().trim()));
        }
        (None, Value::Map(map)) if pair.is_some() && map.len() < MAX_ENTRIES => {
            let (k, v) = pair.unwrap_or_default();
            map.push((unquoted(k.trim()), unquoted(v.trim())));
        }
        (None, Value::Scalar(s)) if s.len() < 4096 => {
            s.push(' ');
            s.push_str(line);
        }
        _ => {
            let message = format!("line {number}: not understood under `{key}` in front matter");
            front.warnings.push(message);
        }
    }
    if let Some((_, Value::Scalar(s), _)) = front.entries.last_mut() {
        *s = s.trim().to_owned();
    }
}

fn uncommented(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let quoted = line.contains(['"', '\'']);
    let cut = line.find(" #").filter(|_| !quoted).unwrap_or(line.len());
    line.get(..cut).unwrap_or(line).trim_end()
}

fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inside.to_owned();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_part_of_yaml_is_read() {
        let text = "---\ntitle: \"A: b\" \nfindings: [a, 'b']\nowner: net # who\nparameters:\n  target: host\nescalation:\n  - ana\n  - bo\n---\n# Body\n";
        let (inside, body) = split(text).unwrap();
        assert_eq!(&text[body..], "# Body\n");
        let front = parse(inside);
        assert_eq!(front.warnings, Vec::<String>::new());
        assert_eq!(front.get("title").unwrap().text(), Some("A: b"));
        assert_eq!(front.get("findings").unwrap().items(), ["a", "b"]);
        assert_eq!(front.get("owner").unwrap().text(), Some("net"));
        assert_eq!(front.get("escalation").unwrap().items(), ["ana", "bo"]);
        assert_eq!(
            front.get("parameters"),
            Some(&Value::Map(vec![("target".into(), "host".into())]))
        );
    }

    #[test]
    fn unknown_keys_warn_and_oddities_never_fail() {
        assert_eq!(parse("weather: nice\n").warnings.len(), 1);
        assert!(!parse("- a\n  b: {c\n!!x\n").warnings.is_empty());
        assert_eq!(split("---\nno end\n"), None);
        assert_eq!(split("text\n---\n"), None);
    }
}
