//! Looking at an instant that is over: what is asked for, and what comes back.

use std::net::IpAddr;

use jiff::Timestamp;

use super::command::Verdicts;
use super::event::Event;
use super::observation::Observation;
use super::origin::Origin;
use super::target::Target;
use super::text::SafeText;
use super::time::Stamp;

/// What to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Events of the timeline.
    Event,
    /// Minutes.
    Minute,
    /// Findings that open or clear.
    Finding,
}

/// A request to look elsewhere in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// To that instant, or the nearest that is on record.
    To(Timestamp),
    /// One step; back or forward.
    Step {
        /// By what.
        by: Step,
        /// Towards now.
        forward: bool,
    },
    /// Go on by itself, so many times as fast as it was; 0 stands still.
    Play(u32),
    /// No more.
    Leave,
}

/// A part of what was known at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Everything begins anew with this part: what was shown before is from another time.
    pub restart: Option<Restart>,
    /// The instant, once all parts have come; by the clocks of the session that saw it.
    pub at: Stamp,
    /// What is on record at all.
    pub span: (Timestamp, Timestamp),
    /// Whether more parts come before the screen shows that instant.
    pub more: bool,
    /// How fast it goes on by itself.
    pub speed: u32,
    /// Facts.
    pub observations: Vec<Observation>,
    /// Events.
    pub events: Vec<Event>,
    /// Verdicts, if they changed.
    pub verdicts: Option<Verdicts>,
    /// Who addresses belong to.
    pub origins: Vec<(IpAddr, Origin)>,
    /// Targets that came.
    pub added: Vec<Target>,
    /// What is to be known about this instant: nothing was recorded, only figures are left.
    pub remark: Option<SafeText>,
}

/// How to begin anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Restart {
    /// Who was watched.
    pub targets: Vec<Target>,
}
