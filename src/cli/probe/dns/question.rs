//! The plain question: every server, every type, every transport asked for.

use std::time::Duration;

use serde_json::{Map, json};

use super::{Job, Servers, judged_name, text, types_for};
use crate::cli::CliError;
use crate::cli::check::summary;
use crate::cli::probe::session::{Sample, Verdict, Voice, World};
use crate::model::observation::{Body, DnsSample, How};
use crate::model::service::DnssecFault;
use crate::model::target::Host;
use crate::model::time::Rtt;
use crate::probe::dns::{self, Options};

/// Most answers in the JSON document; a run until ^C may go on for days.
const MAX_ANSWERS: usize = 10_000;

/// Cells of a row.
pub(super) const HEADER: &[&str] = &[
    "server",
    "method",
    "name",
    "type",
    "rcode",
    "rtt_ms",
    "result",
    "flags",
    "answer_bytes",
    "edns_bytes",
    "ttl_s",
    "negative_ttl_s",
    "soa_serial",
    "ede",
    "udp_ms",
    "connect_ms",
    "tls_ms",
    "exchange_ms",
    "dnssec",
    "faults",
];

/// Asks and says what came of it.
pub(super) async fn run(
    job: &Job,
    world: &World,
    voice: &Voice,
    name: &str,
    servers: Servers,
    host: Option<Host>,
) -> Result<Verdict, CliError> {
    let interval = job.args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let mut tally = Tally::default();
    let mut n = 0u32;
    let mut next = tokio::time::Instant::now();
    'rounds: while job.args.repeat.again(n, 1) && voice.wait_until(next).await {
        next += interval;
        n += 1;
        for server in &servers.list {
            let judged = judged_name(job, host.as_ref(), *server)?;
            for (at, transport) in job.ways.to(*server, &judged, job.roots.as_ref()) {
                let options = Options {
                    transport,
                    sections: job.args.no_recurse,
                    ..job.options(world)
                };
                for rtype in types_for(job, name) {
                    let asked = dns::ask(at, servers.role, name, rtype, &options);
                    let Some((how, sample)) = voice.unless_stopped(asked).await else {
                        break 'rounds;
                    };
                    tally.take(&how, &sample);
                    voice
                        .sample(Sample {
                            plain: Some(text::lines(&how, &sample).join("\n")),
                            rows: vec![row(&how, &sample)],
                            how,
                            body: Body::Dns(sample),
                        })
                        .await;
                }
            }
        }
    }
    let mut lines = tally.differences();
    if !job.absolute(name) && !name.contains('.') && host.is_none() {
        lines.push(format!(
            "asked for exactly '{name}.'; programs here also try the search list: --explain"
        ));
    }
    let mut doc = Map::new();
    doc.insert("answers".into(), json!(tally.answers));
    doc.insert("answers_left_out".into(), json!(tally.left_out));
    doc.insert("differences".into(), json!(tally.differences()));
    Ok(Verdict {
        good: tally.good(),
        lines,
        json: doc,
    })
}

#[derive(Default)]
struct Tally {
    bad: bool,
    answers: Vec<serde_json::Value>,
    /// Answers beyond the most that the document holds.
    left_out: u64,
    /// For each type what was answered, and by whom.
    said: Vec<(String, Vec<String>, Vec<String>)>,
}

impl Tally {
    fn good(&self) -> bool {
        !self.bad && !self.answers.is_empty()
    }

    fn take(&mut self, how: &How, s: &DnsSample) {
        let answered = s.outcome.ok();
        self.bad |= answered.is_none_or(|a| a.rcode.as_str() != "NOERROR");
        self.bad |= s.security.faults.iter().any(is_serious);
        let tls = s.channel.as_ref().and_then(|c| c.tls.as_ref());
        self.bad |= tls.is_some_and(|t| !t.faults.is_empty());
        if let Some(a) = answered {
            let mut data: Vec<String> = a
                .records
                .iter()
                .filter(|r| r.rtype.as_str() != "RRSIG")
                .map(|r| format!("{} {}", r.rtype, r.data))
                .collect();
            data.sort();
            data.insert(0, a.rcode.to_string());
            let who = text::who(s);
            let room = self.said.len() < 64;
            let known = self
                .said
                .iter_mut()
                .find(|(t, d, _)| *t == s.rtype.as_str() && *d == data);
            match known {
                Some((_, _, by)) if !by.contains(&who) => by.push(who),
                Some(_) => {}
                // Servers that answer anew each time are not worth an endless list.
                None if room => {
                    self.said.push((s.rtype.to_string(), data, vec![who]));
                }
                None => {}
            }
        }
        if self.answers.len() >= MAX_ANSWERS {
            self.left_out += 1;
            return;
        }
        let ms = |t: Option<Rtt>| t.map(Rtt::as_ms);
        let phases = answered.map(|a| a.detail.phases);
        self.answers.push(json!({
            "method": how.method,
            "flags": answered.map(text::flags),
            "rtt_ms": ms(answered.map(|a| a.rtt)),
            "truncated_udp_ms": ms(phases.and_then(|p| p.truncated_udp)),
            "connect_ms": ms(phases.and_then(|p| p.connect)),
            "tls_ms": ms(phases.and_then(|p| p.tls)),
            "exchange_ms": ms(phases.map(|p| p.exchange)),
            "dnssec": s.security.state,
            "faults": text::faults(s),
            "sample": s,
        }));
    }

    /// In words, which servers or transports disagree.
    fn differences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut types: Vec<&str> = self.said.iter().map(|(t, ..)| t.as_str()).collect();
        types.dedup();
        for rtype in types {
            let groups: Vec<_> = self.said.iter().filter(|(t, ..)| t == rtype).collect();
            if groups.len() < 2 || lines.iter().any(|l: &String| l.starts_with(rtype)) {
                continue;
            }
            lines.push(format!("{rtype}: {} different answers", groups.len()));
            for (_, data, by) in groups {
                lines.push(format!("    {}: {}", by.join(", "), data.join("; ")));
            }
        }
        lines
    }
}

/// A signature that ends soon is worth a line, not a bad exit status.
pub(super) fn is_serious(f: &DnssecFault) -> bool {
    !matches!(f, DnssecFault::ExpiresSoon { .. })
}

pub(super) fn row(how: &How, s: &DnsSample) -> Vec<String> {
    let answer = s.outcome.ok();
    let ms = |t: Option<Rtt>| t.map(|t| format!("{:.3}", t.as_ms())).unwrap_or_default();
    let detail = answer.map(|a| &a.detail);
    let phases = detail.map(|d| d.phases);
    let negative = detail.and_then(|d| d.negative.as_ref());
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    vec![
        s.server.to_string(),
        how.method.label().into(),
        s.name.to_string(),
        s.rtype.to_string(),
        answer.map(|a| a.rcode.to_string()).unwrap_or_default(),
        ms(answer.map(|a| a.rtt)),
        match answer {
            Some(a) => {
                let data: Vec<_> = a.records.iter().map(|r| r.data.as_str()).collect();
                data.join(" ")
            }
            None => summary::refusal_text(&s.outcome),
        },
        answer.map(text::flags).unwrap_or_default(),
        number(detail.map(|d| d.bytes)),
        number(detail.and_then(|d| Some(d.edns.as_ref()?.payload_bytes.into()))),
        number(answer.and_then(|a| a.records.iter().map(|r| r.ttl).min())),
        number(negative.map(|n| n.ttl_s)),
        number(negative.map(|n| n.serial)),
        detail
            .map(|d| {
                let all: Vec<_> = d.errors.iter().map(|e| e.label()).collect();
                all.join("; ")
            })
            .unwrap_or_default(),
        ms(phases.and_then(|p| p.truncated_udp)),
        ms(phases.and_then(|p| p.connect)),
        ms(phases.and_then(|p| p.tls)),
        ms(phases.map(|p| p.exchange)),
        text::state_word(s.security.state).into(),
        text::faults(s).join("; "),
    ]
}
