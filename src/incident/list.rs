//! All incidents at a glance.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::event::Milestone;
use crate::model::incident::Incident;
use crate::model::target::TargetId;
use crate::model::text::SafeText;

use super::error::{Error, Result};
use super::folder::Folder;
use super::follow::read;
use super::store::Store;

/// One entry of the list. What can't be read is listed with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Name of the folder.
    pub name: SafeText,
    /// What is in it, or why that can't be said.
    pub summary: std::result::Result<Summary, SafeText>,
}

/// An incident in a line.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Title.
    pub title: SafeText,
    /// When it was opened.
    pub opened: Timestamp,
    /// When its last event was written.
    pub last: Timestamp,
    /// Declared severity.
    pub severity: Option<u8>,
    /// Its latest milestone.
    pub phase: Option<Milestone>,
    /// Findings that are open.
    pub open_findings: usize,
    /// Writing sessions.
    pub writers: usize,
    /// Events.
    pub events: usize,
    /// Targets anybody looked at.
    pub targets: BTreeSet<TargetId>,
    /// Those that are watched still.
    #[serde(skip)]
    pub watched: BTreeSet<TargetId>,
    /// What the last console began with.
    #[serde(skip)]
    pub begun_with: BTreeSet<TargetId>,
    /// Lines that could not be read.
    pub problems: usize,
}

impl Store {
    /// All incidents, oldest first. An absent folder holds none.
    pub fn list(&self) -> Result<Vec<Listing>> {
        let names = self.names()?;
        Ok(names.iter().map(|name| self.listing(name)).collect())
    }

    /// The incident to go on with when the console starts: the newest one that watches exactly
    /// these targets, or whose last console began with them, that is not resolved and was opened less than twelve hours before `now`.
    pub fn resumable(&self, targets: &BTreeSet<TargetId>, now: Timestamp) -> Option<Folder> {
        let limit = SignedDuration::from_hours(12);
        // Names begin with the day, which spares reading all of them.
        let days =
            [now - SignedDuration::from_hours(24), now].map(|t| t.strftime("%Y-%m-%d").to_string());
        let names = self.names().ok()?;
        names
            .iter()
            .rev()
            .filter(|n| days.iter().any(|d| n.starts_with(d)))
            .find_map(|name| {
                let summary = self.listing(name).summary.ok()?;
                let fits = [&summary.watched, &summary.begun_with].contains(&targets)
                    && summary.phase != Some(Milestone::Resolved)
                    && now.duration_since(summary.opened) < limit;
                fits.then(|| Folder::existing(&self.root.join(name)).ok())?
            })
    }

    fn listing(&self, name: &str) -> Listing {
        Listing {
            name: name.into(),
            summary: summary(&self.root.join(name)).map_err(|e| SafeText::new(e.to_string())),
        }
    }
}

fn summary(path: &std::path::Path) -> Result<Summary> {
    let journal = read(&Folder::existing(path)?)?;
    let incident = Incident::fold(journal.events);
    let last = incident.timeline.iter().map(|e| e.at).max();
    let (Some(opened), Some(last)) = (incident.opened.or(last), last) else {
        return Err(Error::NotAnIncident {
            path: path.to_owned(),
            why: "no event in it can be read",
        });
    };
    Ok(Summary {
        opened,
        last,
        severity: incident.severity,
        phase: incident.phase(),
        open_findings: incident.open.len(),
        writers: incident.writers.len(),
        events: incident.timeline.len(),
        problems: journal.problems.len(),
        watched: incident.watched(),
        begun_with: incident.begun_with,
        title: incident.title,
        targets: incident.targets,
    })
}
