//! `warroom dns --trace`: the walk down the delegations.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, json};

use super::{Job, text, types_for};
use crate::cli::CliError;
use crate::cli::probe::session::{Sample, Verdict, Voice, World};
use crate::model::observation::{Body, Outcome};
use crate::model::target::{Host, parse_host_port};
use crate::probe::dns::walk::{
    AddressFrom, Asked, Cut, CutFault, End, From, NameServer, Said, Walker,
};
use crate::probe::resolve;

/// Cells of a row.
pub(super) const HEADER: &[&str] = &[
    "server", "method", "name", "type", "rcode", "rtt_ms", "aa", "answers", "result",
];

/// Where `--trace[=FROM]` begins.
pub(super) async fn from(job: &Job, world: &World) -> Result<From, CliError> {
    let text = job.args.trace.as_deref().unwrap_or("");
    let mut from = From {
        start: None,
        port: 53,
        family: world.common.family(),
        options: job.options(world),
        keys: job.args.dnssec,
    };
    if text.is_empty() {
        return Ok(from);
    }
    let (host, port) =
        parse_host_port(text).map_err(|why| CliError::usage(format!("--trace={text}: {why}")))?;
    let (_, found) = resolve::resolve(&host, &world.resolvers, from.family, job.timeout()).await;
    let addr: Option<IpAddr> = found.outcome.ok().and_then(|a| a.first().copied());
    let Some(addr) = addr else {
        return Err(CliError::could_not_run(format!(
            "cannot resolve {host}, where the walk is to begin; give its address"
        )));
    };
    let name = match host {
        Host::Name(name) => name,
        Host::Addr(addr) => addr.to_string(),
    };
    from.start = Some((name, addr));
    from.port = port.unwrap_or(53);
    Ok(from)
}

pub(super) async fn run(
    job: &Job,
    world: &World,
    voice: &Voice,
    name: &str,
) -> Result<Verdict, CliError> {
    let from = from(job, world).await?;
    let mut verdict = Verdict {
        good: true,
        ..Verdict::default()
    };
    let mut walks = Vec::new();
    for rtype in types_for(job, name) {
        let mut walker = Walker::new(name, rtype, from.clone()).map_err(CliError::usage)?;
        let mut cuts = Vec::new();
        let mut asked = Vec::new();
        while let Some(Some(cut)) = voice.unless_stopped(walker.step()).await {
            asked.clear();
            for (how, sample) in walker.samples() {
                if sample.name.as_str().eq_ignore_ascii_case(cut.name.as_str())
                    && sample.rtype.as_str() == rtype
                {
                    asked.push((how.clone(), sample.clone()));
                }
                voice
                    .sample(Sample {
                        plain: None,
                        rows: vec![super::zone::row(&how, &sample)],
                        how,
                        body: Body::Dns(sample),
                    })
                    .await;
            }
            for line in cut_lines(&cut) {
                voice.note(line).await;
            }
            verdict.good &= !cut.faults.iter().any(is_serious);
            cuts.push(cut);
        }
        let end = walker.end().cloned();
        verdict.good &= matches!(end, Some(End::Answer));
        let useful = cuts
            .last()
            .and_then(|c| c.asked.iter().find(|a| a.said.is_use()))
            .map(|a| a.server);
        let answer = asked.into_iter().find(|(_, s)| Some(s.server) == useful);
        verdict
            .lines
            .extend(end_lines(name, rtype, end.as_ref(), answer.as_ref()));
        walks.push(json!({
            "name": name,
            "type": rtype,
            "cuts": cuts,
            "end": end,
            "answer": answer.map(|(how, s)| json!({"method": how.method, "sample": s})),
        }));
    }
    let mut doc = Map::new();
    doc.insert("walks".into(), json!(walks));
    verdict.json = doc;
    Ok(verdict)
}

/// A zone whose servers merely have signatures near their end is well.
fn is_serious(f: &CutFault) -> bool {
    match f {
        CutFault::Dnssec { fault } => super::question::is_serious(fault),
        _ => true,
    }
}

/// One zone in lines.
pub(super) fn cut_lines(cut: &Cut) -> Vec<String> {
    let signed = match &cut.ds {
        None => String::new(),
        Some(ds) if ds.is_empty() => ", no DS at the parent".into(),
        Some(ds) => {
            let tags: Vec<_> = ds.iter().map(|d| d.key_tag.to_string()).collect();
            format!(", DS {}", tags.join(" "))
        }
    };
    let zone = if cut.zone.as_str() == "." {
        "the root".to_owned()
    } else {
        cut.zone.to_string()
    };
    let servers = text::count(cut.servers.len(), "server");
    let mut lines = vec![format!("{zone}: {servers}{signed}")];
    if cut.ds.is_some() {
        lines.extend(cut.servers.iter().map(|s| format!("    ns {}", server(s))));
    }
    lines.extend(cut.asked.iter().map(|a| format!("    {}", asked(a))));
    for f in &cut.faults {
        let word = if is_serious(f) { "fault" } else { "soon" };
        lines.extend(fault(f).map(|text| format!("    {word}: {text}")));
    }
    lines
}

fn server(s: &NameServer) -> String {
    let addresses: Vec<_> = s.addresses.iter().map(ToString::to_string).collect();
    let from = match (s.from, s.needs_glue) {
        (AddressFrom::Start, _) => "start",
        (AddressFrom::Glue, true) => "glue",
        (AddressFrom::Glue, false) => "given by the parent",
        (AddressFrom::LookedUp, _) => "no glue, looked up",
        (AddressFrom::Nowhere, true) => "NO GLUE",
        (AddressFrom::Nowhere, false) => "no address",
    };
    format!("{} {} ({from})", s.name, addresses.join(" ")).replace("  ", " ")
}

fn at(server: SocketAddr) -> String {
    if server.port() == 53 {
        server.ip().to_string()
    } else {
        server.to_string()
    }
}

fn asked(a: &Asked) -> String {
    let said = match &a.said {
        Said::Referral { zone } => format!("refers to {zone}"),
        Said::Answer => "answers".into(),
        Said::Alias { to } => format!("says: alias of {to}"),
        Said::NoData => "says: no records of this type".into(),
        Said::NoName => "says: no such name".into(),
        Said::Lame { why } => format!("LAME: {why}"),
        Said::Silent => "SILENT (asked twice)".into(),
        Said::Refused { why } => format!("FAILS: {why}"),
    };
    let time = a.rtt_ms.map(|t| format!(" in {t:.2} ms"));
    let at = at(a.server);
    let name = if at.contains(a.name.as_str()) {
        String::new()
    } else {
        format!("{} ", a.name)
    };
    format!(
        "{name}{at} {said}{} [{}]",
        time.unwrap_or_default(),
        a.method.label()
    )
}

/// What the line of the server itself does not say.
fn fault(f: &CutFault) -> Option<String> {
    match f {
        CutFault::Lame { .. } => None,
        CutFault::NoAddress { name, why } => Some(format!("name server {name}: {why}")),
        CutFault::NsMismatch {
            parent_only,
            zone_only,
        } => {
            let list = |n: &[crate::model::text::SafeText]| {
                let all: Vec<_> = n.iter().map(|n| n.as_str()).collect();
                all.join(" ")
            };
            let mut parts = Vec::new();
            if !parent_only.is_empty() {
                parts.push(format!("only the parent names {}", list(parent_only)));
            }
            if !zone_only.is_empty() {
                parts.push(format!("only the zone names {}", list(zone_only)));
            }
            Some(format!("parent and zone differ: {}", parts.join("; ")))
        }
        CutFault::Dnssec { fault } => Some(text::dnssec_fault(fault)),
    }
}

fn end_lines(
    name: &str,
    rtype: &str,
    end: Option<&End>,
    answer: Option<&(
        crate::model::observation::How,
        crate::model::observation::DnsSample,
    )>,
) -> Vec<String> {
    let said = match end {
        None => "the walk was ended before it was done".to_owned(),
        Some(End::Answer) => "answered by the zone's own server".into(),
        Some(End::NoData) => "the name has no records of this type".into(),
        Some(End::NoName) => "the name does not exist".into(),
        Some(End::Dead { zone }) => format!("no server of {zone} is of use"),
        Some(End::TooLong { why }) => format!("given up: {why}"),
    };
    let mut lines = vec![format!("{name} {rtype}: {said}")];
    let fine = matches!(end, Some(End::Answer | End::NoData | End::NoName));
    if let Some((_, s)) = answer.filter(|_| fine)
        && let Outcome::Ok(a) = &s.outcome
    {
        let shown = a.records.iter().filter(|r| r.rtype.as_str() != "RRSIG");
        lines.extend(shown.map(|r| format!("    {}", text::record(r))));
        if let Some(n) = &a.detail.negative {
            lines.push(format!(
                "    zone {} serial {}; kept {} s by resolvers",
                n.zone, n.serial, n.ttl_s
            ));
        }
        let signatures = a.detail.signatures.iter();
        lines.extend(signatures.map(|g| format!("    {}", text::signature(g))));
    }
    lines
}
