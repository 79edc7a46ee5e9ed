//! `warroom dns --authoritative`: every server of the zone side by side.

use serde_json::{Map, json};

use super::{Job, servers, text, types_for, walk};
use crate::cli::CliError;
use crate::cli::check::summary;
use crate::cli::probe::session::{Sample, Verdict, Voice, World};
use crate::model::observation::{Body, DnsSample, How};
use crate::model::target::Target;
use crate::model::text::SafeText;
use crate::probe::dns::zone::judge::{Compared, View, ZoneFault, compare};
use crate::probe::dns::zone::{ask_all, by_resolver, by_walk};

/// Cells of a row.
pub(super) const HEADER: &[&str] = walk::HEADER;

pub(super) async fn run(
    job: &Job,
    world: &World,
    voice: &Voice,
    name: &str,
    target: &Target,
) -> Result<Verdict, CliError> {
    let options = job.options(world);
    let found = if job.args.trace.is_some() {
        let from = walk::from(job, world).await?;
        let Some((cuts, zone)) = voice.unless_stopped(by_walk(name, from)).await else {
            return Ok(Verdict::default());
        };
        for line in cuts.iter().flat_map(walk::cut_lines) {
            voice.note(line).await;
        }
        zone
    } else {
        let known = servers(job, world, voice, target).await?;
        let family = world.common.family();
        let looked = by_resolver(name, &known.list, family, &options);
        let Some(zone) = voice.unless_stopped(looked).await else {
            return Ok(Verdict::default());
        };
        zone
    };
    let zone = found.map_err(|why| {
        CliError::could_not_run(format!("cannot find the servers of {name}: {why}"))
    })?;
    let types = types_for(job, name);
    let asked = ask_all(&zone, name, &types, &options);
    let Some((told, samples, unreachable)) = voice.unless_stopped(asked).await else {
        return Ok(Verdict::default());
    };
    for (how, sample) in samples {
        voice
            .sample(Sample {
                plain: None,
                rows: vec![row(&how, &sample)],
                how,
                body: Body::Dns(sample),
            })
            .await;
    }
    let homeless: Vec<SafeText> = zone
        .servers
        .iter()
        .filter(|(_, addrs)| addrs.is_empty())
        .map(|(name, _)| name.clone())
        .collect();
    let all = compare(&told, zone.parent.as_deref(), &homeless);
    let mut lines = vec![format!(
        "zone {}: {}, asked at {}",
        zone.zone,
        text::count(zone.servers.len(), "server"),
        text::count(all.views.len() / 2, "address")
    )];
    lines.extend(report(&all));
    if !unreachable.is_empty() {
        let list: Vec<_> = unreachable.iter().map(ToString::to_string).collect();
        lines.push(format!("not asked, no route from here: {}", list.join(" ")));
    }
    let serious = |f: &ZoneFault| match f {
        ZoneFault::Dnssec { fault, .. } => super::question::is_serious(fault),
        _ => true,
    };
    let good = !all.views.is_empty() && !all.faults.iter().any(serious);
    let mut doc = Map::new();
    doc.insert("zone".into(), json!(zone.zone));
    doc.insert("parent_ns".into(), json!(zone.parent));
    doc.insert("servers".into(), json!(all.views));
    doc.insert("answers".into(), json!(all.groups));
    doc.insert("faults".into(), json!(all.faults));
    doc.insert("not_asked_no_route".into(), json!(unreachable));
    Ok(Verdict {
        good,
        lines,
        json: doc,
    })
}

fn report(all: &Compared) -> Vec<String> {
    let mut lines: Vec<String> = all.views.iter().map(view).collect();
    for g in &all.groups {
        let what = if g.records.is_empty() {
            format!("{} without records", g.rcode)
        } else {
            let records: Vec<_> = g.records.iter().map(|r| r.as_str()).collect();
            format!("{}: {}", g.rcode, records.join("; "))
        };
        let by = g.servers.len();
        lines.push(format!(
            "{} from {by} of {}: {what}",
            g.rtype,
            of(all, &g.rtype)
        ));
        let split = all.groups.iter().filter(|o| o.rtype == g.rtype).count() > 1;
        if split {
            let names: Vec<_> = g.servers.iter().map(|s| s.as_str()).collect();
            lines.push(format!("    {}", names.join(", ")));
        }
    }
    lines.extend(all.faults.iter().map(|f| format!("fault: {}", fault(f))));
    if all.faults.is_empty() {
        lines.push("all servers serve the zone, alike".into());
    }
    lines
}

/// How many were asked for this type.
fn of(all: &Compared, rtype: &SafeText) -> usize {
    let same = all.groups.iter().filter(|g| g.rtype == *rtype);
    same.map(|g| g.servers.len()).sum()
}

fn view(v: &View) -> String {
    let at = if v.server.port() == 53 {
        v.server.ip().to_string()
    } else {
        v.server.to_string()
    };
    let said = match (&v.trouble, v.serial) {
        (Some(why), _) => why.to_string(),
        (None, Some(serial)) => format!("serial {serial}"),
        (None, None) => String::new(),
    };
    let time = v.rtt_ms.map(|t| format!(" in {t:.2} ms"));
    format!(
        "    {} {at} {}: {said}{}",
        v.name,
        v.transport.label(),
        time.unwrap_or_default()
    )
}

fn fault(f: &ZoneFault) -> String {
    let list = |all: &[SafeText]| {
        let all: Vec<_> = all.iter().map(|n| n.as_str()).collect();
        all.join(", ")
    };
    match f {
        ZoneFault::Lame {
            name,
            server,
            transport,
            why,
        } => format!(
            "{name} {} does not serve the zone over {}: {why}",
            server.ip(),
            transport.label()
        ),
        ZoneFault::NoAddress { name } => format!("name server {name} has no address"),
        ZoneFault::SerialsDiffer { serials } => {
            let each: Vec<_> = serials
                .iter()
                .map(|(serial, by)| format!("{serial} at {}", list(by)))
                .collect();
            format!("the serial numbers differ: {}", each.join("; "))
        }
        ZoneFault::AnswersDiffer { rtype } => format!("the answers to {rtype} differ"),
        ZoneFault::NsDiffer { who, lacks, adds } => {
            let mut parts = Vec::new();
            if !lacks.is_empty() {
                parts.push(format!("does not name {}", list(lacks)));
            }
            if !adds.is_empty() {
                parts.push(format!("also names {}", list(adds)));
            }
            format!("{who} {}", parts.join(" and "))
        }
        ZoneFault::Dnssec { server, fault } => {
            format!("{} (from {server})", text::dnssec_fault(fault))
        }
    }
}

/// One question of a walk or of a comparison.
pub(super) fn row(how: &How, s: &DnsSample) -> Vec<String> {
    let a = s.outcome.ok();
    vec![
        s.server.to_string(),
        how.method.label().into(),
        s.name.to_string(),
        s.rtype.to_string(),
        a.map(|a| a.rcode.to_string()).unwrap_or_default(),
        a.map(|a| format!("{:.3}", a.rtt.as_ms()))
            .unwrap_or_default(),
        a.map(|a| a.aa.to_string()).unwrap_or_default(),
        a.map(|a| a.records.len().to_string()).unwrap_or_default(),
        match a {
            Some(a) => {
                let section = if a.records.is_empty() {
                    &a.detail.authority
                } else {
                    &a.records
                };
                let data = section.iter().filter(|r| r.rtype.as_str() != "RRSIG");
                let data: Vec<_> = data.map(|r| format!("{} {}", r.rtype, r.data)).collect();
                data.join("; ")
            }
            None => summary::refusal_text(&s.outcome),
        },
    ]
}
