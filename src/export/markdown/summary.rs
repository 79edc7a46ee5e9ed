//! The first paragraph: since when, who, what. Proposed, for people to rewrite.

use std::collections::BTreeMap;

use crate::model::target::TargetId;
use crate::model::time::{date_time_utc, human};

use super::escape::text;
use super::stretch::{End, Stretch};
use super::{ASK, View};

/// Most targets that the summary names.
const NAMED: usize = 8;

pub(super) fn section(view: &View<'_>) -> String {
    let mut out = String::from("## Summary\n\n_Proposed from the record; edit freely._\n\n");
    let leads = leads(view);
    let span = span(view);
    match leads.as_slice() {
        [] => out.push_str(&format!(
            "{span}no fault that users would notice was found from where the console ran.\n"
        )),
        [only] => {
            let (who, what) = (
                view.target(&only.finding.subject),
                text(&only.finding.summary),
            );
            let place = match only.finding.location.describe() {
                place if place.is_empty() => String::new(),
                place => format!(" Where: {}.", text(place)),
            };
            out.push_str(&format!("{span}{who} suffered: {what}.{place}\n"));
        }
        many => {
            out.push_str(&format!("{span}{} targets suffered:\n\n", many.len()));
            for lead in many.iter().take(NAMED) {
                let (who, what) = (
                    view.target(&lead.finding.subject),
                    text(&lead.finding.summary),
                );
                out.push_str(&format!("- {who}: {what}\n"));
            }
            if many.len() > NAMED {
                out.push_str(&format!("- and {} more\n", many.len() - NAMED));
            }
        }
    }
    out.push_str(&format!(
        "\n{ASK} **Impact on people:** who could not do what, how many, since when? \
         (users, requests, support tickets, SLA)\n\n\
         {ASK} **Impact on money:** what did it cost, or what will it?\n"
    ));
    out
}

fn span(view: &View<'_>) -> String {
    let bound = if view.metrics.start_is_bound() {
        " at the latest"
    } else {
        ""
    };
    match (view.metrics.start(), view.metrics.end()) {
        (Some(from), Some(to)) => {
            let took = match to.duration_since(from).try_into() {
                Ok(took) => format!(" ({})", human(took)),
                Err(_) => String::new(),
            };
            let (from, to) = (date_time_utc(from), date_time_utc(to));
            match bound.is_empty() {
                true => format!("Between {from} and {to}{took}, "),
                false => format!("From {from}{bound} until {to}, "),
            }
        }
        (Some(from), None) => format!("Since {}{bound}, ", date_time_utc(from)),
        (None, _) => "In the time recorded, ".into(),
    }
}

/// The fault to name for each target: one that is open, else the worst, else the last.
fn leads<'a>(view: &View<'a>) -> Vec<Stretch<'a>> {
    let weight = |s: &Stretch<'_>| {
        let open = matches!(s.end, End::Open(_));
        (open, s.finding.severity, s.finding.since)
    };
    let mut leads: BTreeMap<&TargetId, Stretch<'a>> = BTreeMap::new();
    let mut order = Vec::new();
    for stretch in view.faults() {
        let subject = &stretch.finding.subject;
        match leads.get_mut(subject) {
            Some(lead) if weight(lead) >= weight(&stretch) => {}
            Some(lead) => *lead = stretch,
            None => {
                order.push(subject);
                leads.insert(subject, stretch);
            }
        }
    }
    order.iter().filter_map(|id| leads.remove(id)).collect()
}
