//! A picture of findings and milestones over time: a Mermaid `gantt`, which many wikis draw.

use jiff::Timestamp;

use super::View;
use super::escape::fence;

/// More than this is no picture any more.
const BARS: usize = 20;

pub(super) fn section(view: &View<'_>) -> String {
    let faults = view.faults();
    if faults.is_empty() {
        return String::new();
    }
    let time = |t: Timestamp| t.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut lines = vec![
        "gantt".to_owned(),
        "    dateFormat YYYY-MM-DDTHH:mm:ss".to_owned(),
        "    axisFormat %H:%M".to_owned(),
        "    section Findings".to_owned(),
    ];
    for stretch in faults.iter().take(BARS) {
        let finding = stretch.finding;
        // The scheme says nothing here, and its colon would end the label.
        let subject = finding.subject.as_str();
        let subject = subject.split_once("://").map_or(subject, |(_, rest)| rest);
        let label = plain(&format!("{} {subject}", finding.code));
        let (from, to) = (time(finding.since), time(stretch.known_until()));
        lines.push(format!("    {label} : crit, {from}, {to}"));
    }
    lines.push("    section Milestones".to_owned());
    for (milestone, at) in view.metrics.known() {
        let (label, at) = (milestone.label(), time(at));
        lines.push(format!("    {label} : milestone, {at}, 0d"));
    }
    fence("mermaid", lines)
}

/// A label without anything that means something to the drawing language.
fn plain(label: &str) -> String {
    let plain: String = label
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' | '/' | '@' => c,
            _ => ' ',
        })
        .take(60)
        .collect();
    plain.trim().to_owned()
}
