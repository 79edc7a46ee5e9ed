//! Conditions: small expressions over findings and measured facts, such as
//! `finding("packet-loss") and ping.loss >= 5 %`. A runbook's decisions carry them (`when:`), and
//! so do its probe blocks (`expect:`). Parsed once, evaluated as often as wanted.
//!
//! What is not known stays unknown: the logic has three values (Kleene), so a condition is true
//! or false only where no missing fact could change it.

mod names;
mod observed;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

pub use names::{NAMES, Name, Unit, name};
pub use parse::{ConditionError, MAX_LENGTH, parse, parse_of};

use super::catalogue;
use super::finding::{Code, PlaceKind};
use super::text::SafeText;

/// Most codes of a list that are told by name.
const NAMED: usize = 3;

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not.
    False,
    /// A fact that it needs is not known.
    Unknown,
}

impl Verdict {
    const fn of(holds: bool) -> Self {
        if holds { Verdict::True } else { Verdict::False }
    }
    const fn not(self) -> Self {
        match self {
            Verdict::True => Verdict::False,
            Verdict::False => Verdict::True,
            Verdict::Unknown => Verdict::Unknown,
        }
    }
    /// In a word.
    pub const fn label(self) -> &'static str {
        match self {
            Verdict::True => "holds",
            Verdict::False => "does not hold",
            Verdict::Unknown => "not known",
        }
    }
}

/// A measured value, numbers in the unit of their name.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

/// Comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// One of these findings is open.
    Finding(Vec<Code>),
    /// An aspect was tested and is clean.
    RuledOut(String),
    Compare(&'static Name, Op, Value),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// A parsed condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: SafeText,
    root: Node,
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(to)
    }
}

/// What is known at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Codes of the findings that are open.
    pub findings: BTreeSet<Code>,
    /// Whether the verdict is firm: a fault that is not among the findings is not there.
    pub firm: bool,
    /// Whether devices were asked; without that nothing is known of their faults.
    pub devices: bool,
    /// Codes that could not be judged although the verdict is firm.
    pub unjudged: BTreeSet<Code>,
    /// Aspects found clean: `loss`, `mtu`, `dns`.
    pub clean: BTreeSet<String>,
    pub(crate) values: BTreeMap<&'static str, Value>,
}

impl Facts {
    /// Notes a measured value. Values that are no numbers are left out: they are not known.
    pub fn set(&mut self, name: &'static Name, value: Value) {
        if !matches!(value, Value::Number(n) if !n.is_finite()) {
            self.values.insert(name.name, value);
        }
    }
    /// A measured value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }
    /// A measured value for a person: `ping.loss 12 %`.
    pub fn shown(&self, name: &'static Name) -> String {
        match self.get(name.name) {
            None => format!("{} not known", name.name),
            Some(Value::Flag(true)) => format!("{} yes", name.name),
            Some(Value::Flag(false)) => format!("{} no", name.name),
            Some(Value::Text(t)) => format!("{} {t}", name.name),
            Some(Value::Number(n)) => {
                let digits = digits(*n);
                let unit = match name.unit {
                    Unit::Percent => " %",
                    Unit::Milliseconds => " ms",
                    Unit::Days => " d",
                    Unit::Bytes => " bytes",
                    Unit::Count | Unit::Flag | Unit::Text => "",
                };
                format!("{} {n:.digits$}{unit}", name.name)
            }
        }
    }

    fn finding(&self, code: &Code) -> Verdict {
        if self.findings.contains(code) {
            return Verdict::True;
        }
        let of_device = catalogue::entry(code).is_some_and(|e| {
            matches!(e.place, PlaceKind::Device | PlaceKind::Interface)
                && *code != catalogue::LOCAL_INTERFACE_DOWN
        });
        let judged = self.firm && (self.devices || !of_device) && !self.unjudged.contains(code);
        if judged {
            Verdict::False
        } else {
            Verdict::Unknown
        }
    }
}

impl Condition {
    /// As written.
    pub fn text(&self) -> &SafeText {
        &self.text
    }

    /// What is known of it.
    pub fn eval(&self, facts: &Facts) -> Verdict {
        eval(&self.root, facts)
    }

    /// The facts it rests on, for a person, in the order they are written.
    pub fn measured(&self, facts: &Facts) -> Vec<String> {
        let mut out = Vec::new();
        walk(&self.root, &mut |node| {
            let line = match node {
                Node::Compare(name, _, _) => facts.shown(name),
                Node::Finding(codes) => {
                    let open: Vec<&str> = codes
                        .iter()
                        .filter(|c| facts.findings.contains(*c))
                        .map(Code::as_str)
                        .collect();
                    let any = |v| codes.iter().any(|c| facts.finding(c) == v);
                    match (open.is_empty(), any(Verdict::Unknown)) {
                        (false, _) => format!("{} is open", open.join(", ")),
                        (true, true) => format!("{} not known", listed(codes)),
                        (true, false) => format!("no {}", listed(codes)),
                    }
                }
                Node::RuledOut(what) if facts.clean.contains(what) => format!("{what} is clean"),
                Node::RuledOut(what) => format!("{what} not ruled out"),
                Node::Not(_) | Node::All(_) | Node::Any(_) => return,
            };
            if !out.contains(&line) {
                out.push(line);
            }
        });
        out
    }

    /// Codes it names.
    pub fn codes(&self) -> Vec<&Code> {
        let mut out = Vec::new();
        walk(&self.root, &mut |node| {
            if let Node::Finding(codes) = node {
                out.extend(codes);
            }
        });
        out
    }
}

/// Decimals that tell a number from its neighbours: 0.02 ms is not 0 ms.
fn digits(n: f64) -> usize {
    match n.abs() {
        _ if n.fract() == 0.0 => 0,
        small if small < 0.01 => 3,
        small if small < 1.0 => 2,
        large if large < 100.0 => 1,
        _ => 0,
    }
}

/// The first codes by name, how many others.
fn listed(codes: &[Code]) -> String {
    let names: Vec<&str> = codes.iter().map(Code::as_str).take(NAMED).collect();
    match codes.len() - names.len() {
        0 => names.join(", "),
        others => format!("{} and {others} others", names.join(", ")),
    }
}

fn walk<'n>(node: &'n Node, visit: &mut dyn FnMut(&'n Node)) {
    visit(node);
    match node {
        Node::Not(inner) => walk(inner, visit),
        Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|p| walk(p, visit)),
        Node::Finding(_) | Node::RuledOut(_) | Node::Compare(..) => {}
    }
}

fn eval(node: &Node, facts: &Facts) -> Verdict {
    match node {
        Node::Finding(codes) => any(codes.iter().map(|c| facts.finding(c))),
        Node::RuledOut(what) if facts.clean.contains(what) => Verdict::True,
        // Not tested to the end is not the same as faulty.
        Node::RuledOut(_) => Verdict::Unknown,
        Node::Compare(name, op, value) => match facts.get(name.name) {
            Some(have) => compare(have, *op, value),
            None => Verdict::Unknown,
        },
        Node::Not(inner) => eval(inner, facts).not(),
        Node::All(parts) => any(parts.iter().map(|p| eval(p, facts).not())).not(),
        Node::Any(parts) => any(parts.iter().map(|p| eval(p, facts))),
    }
}

fn any(parts: impl Iterator<Item = Verdict>) -> Verdict {
    parts.fold(Verdict::False, |all, one| match (all, one) {
        (Verdict::True, _) | (_, Verdict::True) => Verdict::True,
        (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
        (Verdict::False, Verdict::False) => Verdict::False,
    })
}

fn compare(have: &Value, op: Op, want: &Value) -> Verdict {
    let order = match (have, want) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Flag(a), Value::Flag(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => {
            Some(a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()))
        }
        _ => None,
    };
    let Some(order) = order else {
        return Verdict::Unknown;
    };
    Verdict::of(match op {
        Op::Equal => order.is_eq(),
        Op::NotEqual => order.is_ne(),
        Op::Less => order.is_lt(),
        Op::LessEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        Op::GreaterEqual => order.is_ge(),
    })
}
