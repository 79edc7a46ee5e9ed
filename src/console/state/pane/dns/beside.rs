//! What was asked to explain the answers: over TCP, and at the servers of the zone themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::console::state::app::App;
use crate::console::state::doc::{Doc, Line, Role};
use crate::console::state::facts;
use crate::model::observation::{DnsSample, Outcome};
use crate::model::window::TargetWindow;

/// One line for each server that was asked over TCP, and one for each server of the zones.
pub(super) fn doc(app: &App, t: &TargetWindow, doc: &mut Doc, cols: usize) {
    let servers: BTreeSet<SocketAddr> = t.dns.keys().map(|k| k.server).collect();
    let over_tcp = servers.iter().filter_map(|server| {
        let last = app.window.dns_tcp.get(server)?.last()?;
        Some((server, &last.value))
    });
    let over_tcp: Vec<_> = over_tcp.collect();
    if !over_tcp.is_empty() {
        doc.heading("over TCP");
    }
    for (server, sample) in over_tcp {
        doc.paragraph(tcp(app, *server, sample), cols, 1);
    }
    let mut zones: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for (key, asked) in &t.beside.authorities {
        let Some(last) = asked.last() else { continue };
        if let Some(told) = &last.value.asked.delegated {
            let line = authority(app, key.server, &last.value);
            zones.entry(told.zone.as_str()).or_default().push(line);
        }
    }
    for (zone, lines) in zones {
        doc.heading(format!("servers of {zone}"));
        for line in lines {
            doc.paragraph(line, cols, 1);
        }
    }
}

fn tcp(app: &App, server: SocketAddr, sample: &DnsSample) -> Line {
    let s = app.symbols;
    match &sample.outcome {
        Outcome::Ok(a) => {
            let connect = a.detail.phases.connect.unwrap_or_default();
            let exchange = a.detail.phases.exchange;
            Line::of(
                Role::Ok,
                format!(
                    "{} {}: connected in {connect}, {} in {exchange}",
                    s.ok,
                    server.ip(),
                    a.rcode
                ),
            )
        }
        other => Line::of(
            Role::Warning,
            format!("{} {}: {}", s.warning, server.ip(), trouble(other)),
        ),
    }
}

fn authority(app: &App, server: SocketAddr, sample: &DnsSample) -> Line {
    let s = app.symbols;
    let told = sample.asked.delegated.as_deref();
    let name = told.map_or("", |d| d.server.as_str());
    let lame = told.and_then(|d| d.lame.as_ref());
    match (&sample.outcome, lame) {
        (_, Some(why)) => Line::of(
            Role::Warning,
            format!(
                "{} {name} {}: does not serve it: {why}",
                s.warning,
                server.ip()
            ),
        ),
        (Outcome::Ok(a), None) => {
            let said = match a.aa {
                true => a.rcode.as_str(),
                false => "refers further down",
            };
            Line::of(
                Role::Ok,
                format!("{} {name} {}: {said} in {}", s.ok, server.ip(), a.rtt),
            )
        }
        // Many networks let only their resolvers ask: that is no fault of the server.
        (other, None) => Line::of(
            Role::Muted,
            format!("{name} {}: {}", server.ip(), trouble(other)),
        ),
    }
}

fn trouble<T>(outcome: &Outcome<T>) -> String {
    match outcome {
        Outcome::Timeout { after } => format!("no answer in {after}"),
        other => facts::trouble(other).unwrap_or_default(),
    }
}
