//! Text becomes a condition. Small and bounded: no names of the author's own, no functions but
//! two, no nesting beyond [`MAX_DEPTH`].

use super::names::{NAMES, Name, Unit, name};
use super::{Condition, Node, Op, Value};
use crate::model::catalogue;
use crate::model::finding::Code;
use crate::model::text::SafeText;

/// Longest condition in bytes.
pub const MAX_LENGTH: usize = 1024;
/// Deepest nesting of brackets and `not`.
const MAX_DEPTH: usize = 16;
/// What `ruled_out` may name, as findings do.
const ASPECTS: &[&str] = &[
    "loss", "latency", "path", "mtu", "port", "dns", "tls", "http", "device",
];

/// Why a condition can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct ConditionError {
    /// Where, from 1, in bytes.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Reads a condition whose names are written in full: `ping.loss < 1 %`.
pub fn parse(text: &str) -> Result<Condition, ConditionError> {
    parse_of(text, "")
}

/// Reads a condition in which a name without a dot is one of `probe`: of `ping`, `loss` is
/// `ping.loss`.
pub fn parse_of(text: &str, probe: &str) -> Result<Condition, ConditionError> {
    if text.len() > MAX_LENGTH {
        return Err(ConditionError {
            column: MAX_LENGTH,
            message: format!("longer than {MAX_LENGTH} bytes"),
        });
    }
    let mut parser = Parser {
        text,
        at: 0,
        probe,
        depth: 0,
    };
    let root = parser.any()?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.wrong("expected `and`, `or` or the end"));
    }
    Ok(Condition {
        text: SafeText::new(text.trim()),
        root,
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    probe: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
    fn wrong(&self, message: impl Into<String>) -> ConditionError {
        ConditionError {
            column: self.at + 1,
            message: message.into(),
        }
    }
    /// Takes a sign if it is next.
    fn sign(&mut self, sign: &str) -> bool {
        self.space();
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }
    /// Takes a word if it is next.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let there = word_of(self.rest()) == word;
        if there {
            self.at += word.len();
        }
        there
    }

    fn any(&mut self) -> Result<Node, ConditionError> {
        let mut parts = vec![self.all()?];
        while self.word("or") || self.sign("||") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Node::Any))
    }

    fn all(&mut self) -> Result<Node, ConditionError> {
        let mut parts = vec![self.not()?];
        while self.word("and") || self.sign("&&") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Node::All))
    }

    fn not(&mut self) -> Result<Node, ConditionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(format!("nested deeper than {MAX_DEPTH}")));
        }
        let negated = self.word("not") || self.sign("!");
        let node = if negated {
            Node::Not(Box::new(self.not()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.wrong("expected `)`"));
            }
            inner
        } else {
            self.fact()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn fact(&mut self) -> Result<Node, ConditionError> {
        self.space();
        let word = word_of(self.rest());
        match word {
            "finding" => {
                self.at += word.len();
                self.codes().map(Node::Finding)
            }
            "ruled_out" => {
                self.at += word.len();
                let from = self.at;
                let [what] = &self.strings()?[..] else {
                    return Err(self.wrong("expected one aspect, as ruled_out(\"loss\")"));
                };
                if !ASPECTS.contains(&what.as_str()) {
                    self.at = from + 1;
                    let known = ASPECTS.join(", ");
                    return Err(self.wrong(format!("`{what}` is none of {known}")));
                }
                Ok(Node::RuledOut(what.clone()))
            }
            "" => {
                Err(self
                    .wrong("expected finding(\"…\"), ruled_out(\"…\") or a name such as ping.loss"))
            }
            _ => self.comparison(word),
        }
    }

    fn codes(&mut self) -> Result<Vec<Code>, ConditionError> {
        let from = self.at;
        let names = self.strings()?;
        let mut codes = Vec::with_capacity(names.len());
        for text in names {
            let code = Code::from_name(&text);
            if catalogue::entry(&code).is_none() {
                self.at = from + 1;
                return Err(self.wrong(format!(
                    "unknown finding `{text}`; `warroom explain` lists them"
                )));
            }
            codes.push(code);
        }
        Ok(codes)
    }

    /// `("a", "b")`.
    fn strings(&mut self) -> Result<Vec<String>, ConditionError> {
        if !self.sign("(") {
            return Err(self.wrong("expected `(`"));
        }
        let mut out = Vec::new();
        loop {
            out.push(self.string()?);
            if self.sign(")") {
                return Ok(out);
            }
            if !self.sign(",") {
                return Err(self.wrong("expected `,` or `)`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, ConditionError> {
        if !self.sign("\"") {
            return Err(self.wrong("expected a text in double quotes"));
        }
        let Some(end) = self.rest().find('"') else {
            return Err(self.wrong("the text in quotes has no end"));
        };
        let inside = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end + 1;
        Ok(inside)
    }

    fn comparison(&mut self, word: &str) -> Result<Node, ConditionError> {
        let full = if word.contains('.') || self.probe.is_empty() {
            word.to_owned()
        } else {
            format!("{}.{word}", self.probe)
        };
        let Some(name) = name(&full) else {
            return Err(self.wrong(unknown(&full)));
        };
        self.at += word.len();
        let signs = [
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            ("<=", Op::LessEqual),
            (">=", Op::GreaterEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        let Some((_, op)) = signs.into_iter().find(|(sign, _)| self.sign(sign)) else {
            return if name.unit == Unit::Flag {
                Ok(Node::Compare(name, Op::Equal, Value::Flag(true)))
            } else {
                Err(self.wrong(format!("expected a comparison, as `{full} < 5`")))
            };
        };
        let ordered = !matches!(op, Op::Equal | Op::NotEqual);
        if ordered && matches!(name.unit, Unit::Flag | Unit::Text) {
            return Err(self.wrong(format!("{full} has no order: compare with == or !=")));
        }
        let value = self.value(name)?;
        Ok(Node::Compare(name, op, value))
    }

    fn value(&mut self, name: &Name) -> Result<Value, ConditionError> {
        self.space();
        match name.unit {
            Unit::Flag if self.word("true") => Ok(Value::Flag(true)),
            Unit::Flag if self.word("false") => Ok(Value::Flag(false)),
            Unit::Flag => Err(self.wrong("expected true or false")),
            Unit::Text if self.rest().starts_with('"') => self.string().map(Value::Text),
            Unit::Text => {
                let word = word_of(self.rest());
                if word.is_empty() {
                    return Err(self.wrong("expected a word"));
                }
                self.at += word.len();
                Ok(Value::Text(word.to_owned()))
            }
            _ => self.number(name).map(Value::Number),
        }
    }

    fn number(&mut self, name: &Name) -> Result<f64, ConditionError> {
        let rest = self.rest();
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest.get(..digits).unwrap_or_default().parse::<f64>() else {
            return Err(self.wrong("expected a number"));
        };
        self.at += digits;
        self.space();
        let unit = match self.rest().chars().next() {
            Some('%') => "%",
            _ => match word_of(self.rest()) {
                "and" | "or" => "",
                word => word,
            },
        };
        let factor = match (name.unit, unit) {
            (Unit::Percent, "" | "%") | (Unit::Count, "") | (Unit::Milliseconds, "ms") => 1.0,
            (Unit::Milliseconds, "s") => 1000.0,
            (Unit::Days, "d" | "days") | (Unit::Bytes, "" | "bytes") => 1.0,
            (Unit::Milliseconds, _) => return Err(self.wrong("expected a time in ms or s")),
            (Unit::Days, _) => return Err(self.wrong("expected a number of days, as 21 d")),
            _ => return Err(self.wrong(format!("{} is not counted in `{unit}`", name.name))),
        };
        self.at += unit.len();
        Ok(number * factor)
    }
}

fn unknown(full: &str) -> String {
    let probe = full.split('.').next().unwrap_or_default();
    let near: Vec<&str> = NAMES
        .iter()
        .map(|n| n.name)
        .filter(|n| n.split('.').next() == Some(probe))
        .collect();
    if near.is_empty() {
        format!("unknown name `{full}`; docs/runbooks.md lists the names")
    } else {
        format!("unknown name `{full}`; there is {}", near.join(", "))
    }
}

fn word_of(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn one_or(mut parts: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

/// Reads a literal for a name, as test files write them: `12 %`, `true`, `SERVFAIL`.
pub(super) fn literal(name: &Name, text: &str) -> Result<Value, ConditionError> {
    let mut parser = Parser {
        text,
        at: 0,
        probe: "",
        depth: 0,
    };
    let value = parser.value(name)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.wrong("expected one value"));
    }
    Ok(value)
}
