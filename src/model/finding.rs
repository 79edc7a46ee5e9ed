//! Findings: named faults with a place and the evidence for them.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::observation::ObsId;
use super::target::TargetId;
use super::text::SafeText;
use super::time::human;

/// How bad it is for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, no action.
    Info,
    /// Users suffer, or soon will.
    Warning,
    /// Users are cut off.
    Critical,
}

impl Severity {
    /// In a word.
    pub const fn label(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Stable kebab-case name of a fault from the catalogue (see [`super::catalogue`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code of this program's catalogue.
    pub const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
    /// A code read from a file or typed by a person.
    pub fn from_name(name: &str) -> Self {
        Self(Cow::Owned(SafeText::capped(name, 64).as_str().to_owned()))
    }
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What sort of place a fault is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaceKind {
    /// This host.
    Local,
    /// A router on the path.
    Hop,
    /// Between two neighbours on the path.
    Link,
    /// A DNS server.
    Resolver,
    /// The target itself.
    Endpoint,
    /// A polled device.
    Device,
    /// An interface, of this host or of a device.
    Interface,
    /// A server behind a load balancer.
    Backend,
}

/// Where a fault is. A link is named by its last good end (`hop`, `address`, `name`) and its
/// first bad end (`to_*`, null where that is silent).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// What sort of place.
    pub kind: PlaceKind,
    /// Distance in hops; 0 is this host.
    pub hop: Option<u8>,
    /// Address.
    pub address: Option<IpAddr>,
    /// Name, where one is known without asking.
    pub name: Option<SafeText>,
    /// First bad end of a link: distance.
    pub to_hop: Option<u8>,
    /// First bad end of a link: address.
    pub to_address: Option<IpAddr>,
    /// First bad end of a link: name.
    pub to_name: Option<SafeText>,
    /// Other routers of a loop, members of an ECMP group.
    pub also: Vec<IpAddr>,
}

impl Location {
    /// A place of that kind, all else unknown.
    pub const fn of(kind: PlaceKind) -> Self {
        Self {
            kind,
            hop: None,
            address: None,
            name: None,
            to_hop: None,
            to_address: None,
            to_name: None,
            also: Vec::new(),
        }
    }
    /// The same with an address.
    pub const fn at(kind: PlaceKind, address: IpAddr) -> Self {
        let mut place = Self::of(kind);
        place.address = Some(address);
        place
    }
    /// One line for a person: `after hop 2 (10.0.2.1)`, `resolver 10.0.0.53`.
    pub fn describe(&self) -> String {
        let end = |hop: Option<u8>, addr: Option<IpAddr>, name: &Option<SafeText>| match (
            hop, addr, name,
        ) {
            (Some(0), _, _) => "this host".to_owned(),
            (Some(h), Some(a), _) => format!("hop {h} ({a})"),
            (Some(h), None, _) => format!("hop {h} (silent)"),
            (None, Some(a), _) => a.to_string(),
            (None, None, Some(n)) => n.to_string(),
            (None, None, None) => String::new(),
        };
        let from = end(self.hop, self.address, &self.name);
        match self.kind {
            PlaceKind::Link => {
                let to = end(self.to_hop, self.to_address, &self.to_name);
                match (from.is_empty(), to.is_empty()) {
                    (false, false) => format!("between {from} and {to}"),
                    (false, true) => format!("after {from}"),
                    (true, false) => format!("before {to}"),
                    (true, true) => "on the path".into(),
                }
            }
            PlaceKind::Local => "this host".into(),
            PlaceKind::Hop => format!("at {from}"),
            PlaceKind::Resolver => format!("resolver {from}"),
            PlaceKind::Endpoint => format!("endpoint {from}").trim_end().to_owned(),
            PlaceKind::Device => format!(
                "device {}",
                self.name.as_ref().map_or(from, |n| n.to_string())
            ),
            PlaceKind::Interface => format!(
                "interface {}",
                self.name.as_ref().map_or(from, |n| n.to_string())
            ),
            PlaceKind::Backend => format!("backend {from}"),
        }
    }
}

/// One line of evidence and the observations it was taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Numbers of the observations, newest last (at most a handful; the text has the counts).
    pub observations: Vec<ObsId>,
    /// One line.
    pub text: SafeText,
}

impl Evidence {
    /// A line of evidence.
    pub fn new(observations: impl IntoIterator<Item = ObsId>, text: impl Into<SafeText>) -> Self {
        Self {
            observations: observations.into_iter().collect(),
            text: text.into(),
        }
    }
}

/// How a fault comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flap {
    /// How often it was there.
    pub count: u32,
    /// Share of the time since it was first there (0–1).
    pub duty: f64,
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.duty.clamp(0.0, 1.0) * 100.0;
        write!(
            f,
            "comes and goes: {} times, there {percent:.0} % of the time",
            self.count
        )
    }
}

/// Something that changed near the start of a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NearbyChange {
    /// When it was seen.
    pub at: Timestamp,
    /// What changed, in one line.
    pub text: SafeText,
}

impl NearbyChange {
    /// How long before or after an instant: `12 s before`.
    pub fn away(&self, since: Timestamp) -> String {
        let by = self.at.duration_since(since);
        match by.as_secs() {
            0 => "at the same time".into(),
            s if s < 0 => format!("{} before", human(by.unsigned_abs())),
            _ => format!("{} after", human(by.unsigned_abs())),
        }
    }
}

/// Identity of a finding over time: what, of whom, where it matters. While the key stays the
/// same it is the same finding, however its numbers change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FindingKey(pub String);

/// What a rule concludes from a window of observations, before time is taken into account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Name of the fault.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// 0 to 1, from how much evidence was seen.
    pub confidence: f64,
    /// Whom it hurts: the target as typed.
    pub subject: TargetId,
    /// Further targets that suffer from the same fault on their way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<TargetId>,
    /// Where.
    pub location: Location,
    /// Tells two findings of one code and subject apart (an address, a resolver, a name).
    pub discriminator: SafeText,
    /// When the evidence began.
    pub since: Timestamp,
    /// When it ended; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Milliseconds from the start of the program until it was first emitted.
    pub opened_after_ms: u64,
    /// One sentence with the numbers in it.
    pub summary: SafeText,
    /// Where it comes and goes: how often, and for how much of the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flap: Option<Flap>,
    /// What changed near its start, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<NearbyChange>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Stock commands that show the same.
    pub reproduce: Vec<SafeText>,
    /// Runbooks whose front matter names the code.
    pub runbooks: Vec<SafeText>,
}

impl Finding {
    /// Its identity over time.
    pub fn key(&self) -> FindingKey {
        FindingKey(format!(
            "{}|{}|{}",
            self.code, self.subject, self.discriminator
        ))
    }
    /// Whether it hurts that target, alone or with others.
    pub fn concerns(&self, target: &TargetId) -> bool {
        self.subject == *target || self.shared.contains(target)
    }
    /// Confidence in a word.
    pub fn confidence_word(&self) -> &'static str {
        match self.confidence {
            c if c >= 0.95 => "certain",
            c if c >= 0.8 => "very likely",
            c if c >= 0.6 => "likely",
            _ => "possible",
        }
    }
}

/// What was tested of a target and found clean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuledOut {
    /// The target.
    pub subject: TargetId,
    /// Short name of what is clean: `loss`, `path`, `mtu`, `dns`, `tls`, `http`, `port`.
    pub what: SafeText,
    /// One line with the counts ("0 of 120 probes lost").
    pub text: SafeText,
}

/// State of a target as a whole. There is no `Ok` before the verdict is firm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "why")]
pub enum TargetState {
    /// Not enough seen yet.
    Learning,
    /// Firm and clean.
    Ok,
    /// A finding of severity warning.
    Degraded(SafeText),
    /// A finding of severity critical.
    Down(SafeText),
    /// It can't be known from here, and why.
    Unknown(SafeText),
}

impl TargetState {
    /// In a word.
    pub const fn label(&self) -> &'static str {
        match self {
            TargetState::Learning => "learning",
            TargetState::Ok => "ok",
            TargetState::Degraded(_) => "degraded",
            TargetState::Down(_) => "down",
            TargetState::Unknown(_) => "unknown",
        }
    }
}
