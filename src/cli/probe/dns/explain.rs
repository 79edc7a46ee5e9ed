//! `warroom dns --explain`: what programs on this host get for a name, and why.

use std::net::IpAddr;

use serde_json::{Map, json};

use super::{Job, question, servers, text};
use crate::cli::CliError;
use crate::cli::probe::session::{Sample, Verdict, Voice, World};
use crate::cli::setup::Vantage;
use crate::model::observation::Body;
use crate::model::target::Target;
use crate::probe::dns::explain::plan::Source;
use crate::probe::dns::explain::{Candidate, Explained, Files, explain};

pub(super) async fn run(
    job: &Job,
    world: &World,
    voice: &Voice,
    name: &str,
    target: &Target,
) -> Result<Verdict, CliError> {
    // Without a usable resolver the rest is still worth explaining.
    let resolvers = match servers(job, world, voice, target).await {
        Ok(found) => found.list,
        Err(e) => {
            voice.note(e.message.clone()).await;
            Vec::new()
        }
    };
    let options = job.options(world);
    let files = Files::here(&Vantage::here(&world.rights).host);
    let absolute = job.absolute(name);
    let asked = explain(name, absolute, &resolvers, &files, &options);
    let Some((e, samples)) = voice.unless_stopped(asked).await else {
        return Ok(Verdict::default());
    };
    for (how, sample) in samples {
        voice
            .sample(Sample {
                plain: None,
                rows: vec![question::row(&how, &sample)],
                how,
                body: Body::Dns(sample),
            })
            .await;
    }
    let good = e.library.is_ok() && e.differences.is_empty();
    let mut doc = Map::new();
    doc.insert("name".into(), json!(name));
    doc.insert("absolute".into(), json!(absolute));
    doc.insert("explanation".into(), json!(e));
    Ok(Verdict {
        good,
        lines: lines(name, absolute, &e),
        json: doc,
    })
}

fn list(all: &[IpAddr]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(" ")
}

fn lines(name: &str, absolute: bool, e: &Explained) -> Vec<String> {
    let mut lines = vec![match &e.nsswitch {
        Some(all) => {
            let shown: Vec<String> = all.iter().map(source).collect();
            format!("nsswitch   hosts: {}", shown.join(" "))
        }
        None => "nsswitch   no hosts line; glibc then takes: files dns".into(),
    }];
    for s in e.nsswitch.iter().flatten() {
        if let Some(what) = s.explained() {
            lines.push(format!("           {}: {what} (not asked here)", s.name));
        }
    }
    lines.push(match e.hosts_file.as_slice() {
        [] => "/etc/hosts not there".into(),
        found => format!("/etc/hosts {}", list(found)),
    });
    let s = &e.settings;
    let search: Vec<_> = s.search.iter().map(|d| d.as_str()).collect();
    let search = if search.is_empty() {
        "empty".to_owned()
    } else {
        format!("{} ({})", search.join(" "), s.search_from)
    };
    lines.push(format!("search     {search}"));
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let first = if absolute {
        "the final dot: tried as it is only".to_owned()
    } else if dots >= s.ndots as usize {
        format!("{dots} dots, ndots {}: first as it is", s.ndots)
    } else {
        format!("{dots} dots, ndots {}: search list first", s.ndots)
    };
    lines.push(format!(
        "           {first}; {} s and {} attempts for each server",
        s.timeout_s, s.attempts
    ));
    lines.extend(e.candidates.iter().flat_map(candidate));
    lines.push(match &e.by_the_rules {
        Some((from, found)) => format!("by rule    {} from {from}", list(found)),
        None => "by rule    nothing".into(),
    });
    lines.push(match &e.library {
        Ok(found) => format!("C library  {}", list(found)),
        Err(why) => format!("C library  fails: {why}"),
    });
    lines.extend(e.differences.iter().map(|d| format!("differs    {d}")));
    lines
}

fn source(s: &Source) -> String {
    match &s.action {
        Some(a) => format!("{} [{a}]", s.name),
        None => s.name.to_string(),
    }
}

fn candidate(c: &Candidate) -> Vec<String> {
    let mut lines = vec![format!("asked      {}.", c.name)];
    lines.extend(c.said.iter().map(|s| {
        format!(
            "           @{} {} {}",
            s.server,
            text::gist(s.said.as_str(), s.addresses.is_empty()),
            list(&s.addresses)
        )
        .trim_end()
        .to_owned()
    }));
    lines
}
