//! Putting a finding together without repeating its dozen fields in every rule.

use jiff::Timestamp;

use crate::model::finding::{Code, Evidence, Finding, Location, Severity};
use crate::model::observation::ObsId;
use crate::model::target::TargetId;
use crate::model::text::SafeText;

/// Most observations that one line of evidence refers to.
const REFERENCES: usize = 6;

/// A finding in the making.
pub struct Build(Finding);

impl Build {
    /// Starts one.
    pub fn new(
        code: Code,
        severity: Severity,
        subject: &TargetId,
        location: Location,
        since: Timestamp,
    ) -> Self {
        Self(Finding {
            code,
            severity,
            confidence: 0.9,
            subject: subject.clone(),
            shared: Vec::new(),
            location,
            discriminator: SafeText::default(),
            since,
            until: None,
            opened_after_ms: 0,
            summary: SafeText::default(),
            flap: None,
            changes: Vec::new(),
            evidence: Vec::new(),
            reproduce: Vec::new(),
            runbooks: Vec::new(),
        })
    }
    /// Tells it apart from others of its code and subject.
    pub fn which(mut self, text: impl ToString) -> Self {
        self.0.discriminator = SafeText::new(text.to_string());
        self
    }
    /// Another severity than it was started with.
    pub fn severity(mut self, s: Severity) -> Self {
        self.0.severity = s;
        self
    }
    /// 0 to 1.
    pub fn confidence(mut self, c: f64) -> Self {
        self.0.confidence = (c.clamp(0.0, 1.0) * 100.0).round() / 100.0;
        self
    }
    /// The one sentence.
    pub fn summary(mut self, text: impl Into<SafeText>) -> Self {
        self.0.summary = text.into();
        self
    }
    /// A line of evidence with the observations behind it (the newest few are kept).
    pub fn evidence(
        mut self,
        ids: impl IntoIterator<Item = ObsId>,
        text: impl Into<SafeText>,
    ) -> Self {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let skip = ids.len().saturating_sub(REFERENCES);
        self.0
            .evidence
            .push(Evidence::new(ids.into_iter().skip(skip), text));
        self
    }
    /// Stock commands that show the same.
    pub fn reproduce(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.0
            .reproduce
            .extend(lines.into_iter().map(SafeText::new));
        self
    }
    /// Done.
    pub fn done(self) -> Finding {
        self.0
    }
}
