//! DNS: every resolver's answer to each question, side by side.

mod beside;

use std::collections::BTreeMap;

use super::{change, head, wait};
use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::console::state::screen::Screen;
use crate::console::state::table::{Column, Row, Table};
use crate::model::compare::Measure;
use crate::model::observation::{DnsAnswer, DnsSample, Outcome, ServerRole};
use crate::model::service::{DnssecFault, DnssecState};
use crate::model::text::SafeText;
use crate::model::window::{DnsKey, Recent};

type Asked<'a> = Vec<(&'a DnsKey, &'a Recent<DnsSample>)>;

/// The pane.
pub fn doc(app: &App, cols: usize) -> Doc {
    let mut doc = Doc::new();
    head(app, &mut doc, Screen::Dns, cols);
    change::section(app, &mut doc, cols, |m| matches!(m, Measure::Dns(_)));
    let Some(t) = app.current() else {
        return doc;
    };
    let mut questions: BTreeMap<(SafeText, SafeText), Asked> = BTreeMap::new();
    for (key, recent) in &t.dns {
        let question = (key.name.clone(), key.rtype.clone());
        questions.entry(question).or_default().push((key, recent));
    }
    if questions.is_empty() {
        wait(app, &mut doc, "no question to ask about this target");
    }
    for ((name, rtype), asked) in &questions {
        doc.heading(format!("{name} {rtype}"));
        let (title, rows) = table(app, asked).lines(cols, app.symbols);
        doc.line(title);
        doc.lines(rows);
        differences(app, asked, &mut doc, cols);
        told(app, asked, &mut doc, cols);
    }
    beside::doc(app, t, &mut doc, cols);
    doc
}

fn table(app: &App, asked: &Asked) -> Table {
    let mut table = Table::new([
        Column::new("RESOLVER").flex(10),
        Column::new("SAYS").flex(10),
        Column::new("TIME").right(),
        Column::new("FAILED").right().drop(3),
        Column::new("FLAGS").drop(4),
        Column::new("TTL").right().drop(2),
        Column::new("ANSWER").flex(14),
    ]);
    for (key, recent) in asked {
        let Some(last) = recent.last() else { continue };
        table.row(row(app, key, recent, &last.value));
    }
    table
}

fn row(app: &App, key: &DnsKey, recent: &Recent<DnsSample>, last: &DnsSample) -> Row {
    let s = app.symbols;
    let mut server = if key.server.port() == 53 {
        key.server.ip().to_string()
    } else {
        key.server.to_string()
    };
    if last.role == ServerRole::Named {
        server.push_str(" (named)");
    }
    let failed = recent.iter().filter(|d| !facts::dns_good(&d.value)).count();
    let failed = Line::plain(format!("{failed}/{}", recent.iter().len()));
    let Some(a) = last.outcome.ok() else {
        let (word, why) = match &last.outcome {
            Outcome::Timeout { after } => ("no answer", format!("waited {after}")),
            Outcome::CannotTry { need } => ("not tried", need.to_string()),
            other => ("refused", facts::trouble(other).unwrap_or_default()),
        };
        return Row::new(vec![
            Line::plain(server),
            Line::of(Role::Critical, format!("{} {word}", s.critical)),
            Line::new(),
            failed,
            Line::new(),
            Line::new(),
            Line::of(Role::Muted, why),
        ]);
    };
    let says = match a.rcode.as_str() {
        "NOERROR" if a.records.is_empty() && !last.liveness_only => {
            Line::of(Role::Muted, "no such records")
        }
        "NOERROR" => Line::of(Role::Ok, format!("{} NOERROR", s.ok)),
        _ if last.liveness_only => Line::of(Role::Ok, format!("{} alive", s.ok)),
        "NXDOMAIN" => Line::of(Role::Warning, format!("{} NXDOMAIN", s.warning)),
        code => Line::of(Role::Critical, format!("{} {code}", s.critical)),
    };
    let ttl = a.records.iter().map(|r| r.ttl).min();
    Row::new(vec![
        Line::plain(server),
        says,
        Line::plain(a.rtt.to_string()),
        failed,
        Line::of(Role::Muted, flags(a)),
        Line::plain(ttl.map(|t| t.to_string()).unwrap_or_default()),
        answer(a),
    ])
}

fn answer(a: &DnsAnswer) -> Line {
    if a.records.is_empty() {
        if let Some(n) = &a.detail.negative {
            let text = format!("says zone {} #{}; kept {} s", n.zone, n.serial, n.ttl_s);
            return Line::of(Role::Muted, text);
        }
        return match &a.soa {
            Some(soa) => Line::of(Role::Muted, format!("SOA {soa}")),
            None => Line::new(),
        };
    }
    let all: Vec<_> = a.records.iter().map(|r| r.data.as_str()).collect();
    Line::plain(all.join(", "))
}

fn flags(a: &DnsAnswer) -> String {
    let all = [(a.aa, "aa"), (a.tc, "tc"), (a.ra, "ra"), (a.ad, "ad")];
    let set: Vec<_> = all.iter().filter(|f| f.0).map(|f| f.1).collect();
    set.join(" ")
}

/// Says where resolvers give different records.
fn differences(app: &App, asked: &Asked, doc: &mut Doc, cols: usize) {
    let mut sets: Vec<Vec<&SafeText>> = asked
        .iter()
        .filter_map(|(_, r)| r.last()?.value.outcome.ok())
        .filter(|a| a.rcode.as_str() == "NOERROR")
        .map(|a| {
            let mut data: Vec<_> = a.records.iter().map(|r| &r.data).collect();
            data.sort();
            data
        })
        .collect();
    sets.sort();
    sets.dedup();
    if sets.len() > 1 {
        let text = Line::of(
            Role::Warning,
            format!(
                "{} the resolvers give {} different answers",
                app.symbols.warning,
                sets.len()
            ),
        );
        doc.paragraph(text, cols, 1);
    }
}

/// What the newest answers say beside their records: extended errors, DNSSEC, truncation.
fn told(app: &App, asked: &Asked, doc: &mut Doc, cols: usize) {
    let s = app.symbols;
    for (key, recent) in asked {
        let Some(last) = recent.last().map(|d| &d.value) else {
            continue;
        };
        let by = key.server.ip();
        let mut say = |role: Role, sign: &str, text: String| {
            doc.paragraph(Line::of(role, format!("{sign} {text}")), cols, 1);
        };
        match last.security.state {
            DnssecState::Bogus => say(
                Role::Critical,
                s.critical,
                format!("{by}: DNSSEC validation fails; with checking disabled it answers"),
            ),
            DnssecState::FailsAnyway => say(
                Role::Muted,
                s.warning,
                format!("{by}: fails with checking disabled as well: not DNSSEC"),
            ),
            _ => {}
        }
        for fault in last.security.faults.iter().take(3) {
            say(
                Role::Warning,
                s.warning,
                format!("{by}: {}", dnssec_fault(fault)),
            );
        }
        let Some(a) = last.outcome.ok() else { continue };
        for e in a.detail.errors.iter().take(3) {
            say(
                Role::Warning,
                s.warning,
                format!("{by} explains: {}", e.label()),
            );
        }
        let d = &a.detail;
        if let (Some(udp), Some(tcp)) = (d.phases.truncated_udp, d.phases.connect) {
            let exchange = d.phases.exchange;
            say(
                Role::Muted,
                " ",
                format!(
                    "{by}: truncated over UDP after {udp}; TCP connected in {tcp}, answered in {exchange}"
                ),
            );
        }
    }
}

fn dnssec_fault(f: &DnssecFault) -> String {
    match f {
        DnssecFault::Expired { signature: g } => {
            format!(
                "signature of {} {} expired {}",
                g.owner,
                g.covers,
                day(g.expiration)
            )
        }
        DnssecFault::NotYetValid { signature: g } => format!(
            "signature of {} {} is not valid before {}",
            g.owner,
            g.covers,
            day(g.inception)
        ),
        DnssecFault::ExpiresSoon {
            signature: g,
            hours,
        } => {
            format!("signature of {} {} expires in {hours} h", g.owner, g.covers)
        }
        DnssecFault::ValidationFails { reason: Some(why) } => format!("validation fails: {why}"),
        DnssecFault::ValidationFails { reason: None } => {
            "validation fails; it does not say why".into()
        }
        DnssecFault::NoKeyForDs { zone, .. } => {
            format!("no key of {zone} fits a DS of its parent")
        }
        DnssecFault::SignatureMissing { zone } => {
            format!("{zone} has a DS and its answer is not signed")
        }
    }
}

fn day(t: jiff::Timestamp) -> String {
    crate::model::time::date_time_utc(t)
}
