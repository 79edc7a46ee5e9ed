//! The servers of a zone side by side: pure.

use std::net::SocketAddr;

use serde::Serialize;

use crate::model::observation::{DnsSample, Outcome, Refusal};
use crate::model::service::{DnsTransport, DnssecFault};
use crate::model::text::SafeText;

/// One server by one transport.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: SafeText,
    /// Its address.
    pub server: SocketAddr,
    /// UDP or TCP.
    pub transport: DnsTransport,
    /// Time to its answer in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Serial number of its copy of the zone.
    pub serial: Option<u32>,
    /// Why it is of no use, if so.
    pub trouble: Option<SafeText>,
    /// The servers that it names for the zone, lower case, sorted; empty where not asked.
    pub ns: Vec<SafeText>,
}

/// Servers that give the same answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Record type.
    pub rtype: SafeText,
    /// Response code.
    pub rcode: SafeText,
    /// `TYPE data` of each record, sorted.
    pub records: Vec<SafeText>,
    /// Who gives it.
    pub servers: Vec<SafeText>,
}

/// One thing wrong with a zone's servers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneFault {
    /// A server does not serve the zone by this transport.
    Lame {
        /// Its name.
        name: SafeText,
        /// Its address.
        server: SocketAddr,
        /// The transport.
        transport: DnsTransport,
        /// What it does instead.
        why: SafeText,
    },
    /// A name server without an address.
    NoAddress {
        /// Its name.
        name: SafeText,
    },
    /// Servers have different copies of the zone.
    SerialsDiffer {
        /// Each serial number and who has it.
        serials: Vec<(u32, Vec<SafeText>)>,
    },
    /// Servers answer differently.
    AnswersDiffer {
        /// To this type.
        rtype: SafeText,
    },
    /// Servers, or the parent, name different servers for the zone.
    NsDiffer {
        /// Who names other servers than the first one.
        who: SafeText,
        /// Servers that it does not name.
        lacks: Vec<SafeText>,
        /// Servers that only it names.
        adds: Vec<SafeText>,
    },
    /// Something wrong with signatures.
    Dnssec {
        /// Who says so.
        server: SafeText,
        /// What.
        fault: DnssecFault,
    },
}

/// A server that was asked: its samples.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its name.
    pub name: SafeText,
    /// SOA of the zone.
    pub soa: DnsSample,
    /// NS of the zone.
    pub ns: Option<DnsSample>,
    /// The questions of the user.
    pub answers: Vec<DnsSample>,
}

/// What the servers of a zone have told, compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// Each server by each transport.
    pub views: Vec<View>,
    /// Answers, those that most give first.
    pub groups: Vec<Group>,
    /// What is wrong.
    pub faults: Vec<ZoneFault>,
}

/// How a server is named in words.
fn who(name: &SafeText, s: &DnsSample) -> SafeText {
    SafeText::new(format!(
        "{} {}",
        server_name(name, s),
        s.asked.transport.label()
    ))
}

fn server_name(name: &SafeText, s: &DnsSample) -> String {
    if s.server.port() == 53 {
        format!("{name} {}", s.server.ip())
    } else {
        format!("{name} {}", s.server)
    }
}

/// Names servers; the transport is told only where both are not in the list.
fn names(of: &[(&SafeText, &DnsSample)]) -> Vec<SafeText> {
    let mut all: Vec<SafeText> = Vec::new();
    for (name, s) in of {
        let both = of
            .iter()
            .any(|(_, o)| o.server == s.server && o.asked.transport != s.asked.transport);
        let label = if both {
            SafeText::new(server_name(name, s))
        } else {
            who(name, s)
        };
        if !all.contains(&label) {
            all.push(label);
        }
    }
    all
}

/// Compares. `parent`: the servers that the parent names, where it was asked; `homeless`: name
/// servers without an address.
pub fn compare(told: &[Told], parent: Option<&[SafeText]>, homeless: &[SafeText]) -> Compared {
    let views: Vec<View> = told.iter().map(view).collect();
    let mut faults: Vec<ZoneFault> = homeless
        .iter()
        .map(|name| ZoneFault::NoAddress { name: name.clone() })
        .collect();
    faults.extend(views.iter().filter_map(|v| {
        Some(ZoneFault::Lame {
            name: v.name.clone(),
            server: v.server,
            transport: v.transport,
            why: v.trouble.clone()?,
        })
    }));
    let mut serials: Vec<(u32, Vec<(&SafeText, &DnsSample)>)> = Vec::new();
    for (v, t) in views.iter().zip(told) {
        let Some(serial) = v.serial else { continue };
        match serials.iter_mut().find(|(s, _)| *s == serial) {
            Some((_, by)) => by.push((&t.name, &t.soa)),
            None => serials.push((serial, vec![(&t.name, &t.soa)])),
        }
    }
    if serials.len() > 1 {
        let serials = serials.iter().map(|(s, by)| (*s, names(by))).collect();
        faults.push(ZoneFault::SerialsDiffer { serials });
    }
    let groups = groups(told, &views);
    let mut types: Vec<&SafeText> = groups.iter().map(|g| &g.rtype).collect();
    types.dedup();
    for rtype in types {
        if groups.iter().filter(|g| g.rtype == *rtype).count() > 1 {
            let rtype = rtype.clone();
            faults.push(ZoneFault::AnswersDiffer { rtype });
        }
    }
    faults.extend(ns_faults(&views, parent));
    faults.extend(signature_faults(told));
    Compared {
        views,
        groups,
        faults,
    }
}

fn view(t: &Told) -> View {
    let s = &t.soa;
    let answer = s.outcome.ok();
    let serial = answer.filter(|a| a.aa).and_then(|a| {
        let soa = a.records.iter().find(|r| r.rtype.as_str() == "SOA")?;
        soa.data.as_str().split(' ').nth(2)?.parse().ok()
    });
    let mut ns: Vec<SafeText> =
        t.ns.as_ref()
            .and_then(|s| s.outcome.ok())
            .filter(|a| a.aa)
            .map(|a| {
                let own = a.records.iter().filter(|r| r.rtype.as_str() == "NS");
                own.map(|r| SafeText::new(r.data.as_str().to_ascii_lowercase()))
                    .collect()
            })
            .unwrap_or_default();
    ns.sort();
    ns.dedup();
    View {
        name: t.name.clone(),
        server: s.server,
        transport: s.asked.transport,
        rtt_ms: answer.map(|a| a.rtt.as_ms()),
        serial,
        trouble: serial.is_none().then(|| trouble(&s.outcome)),
        ns,
    }
}

fn trouble(outcome: &Outcome<crate::model::observation::DnsAnswer>) -> SafeText {
    match outcome {
        Outcome::Ok(a) if a.rcode.as_str() != "NOERROR" => a.rcode.clone(),
        Outcome::Ok(a) if !a.aa && a.ra => "not authoritative: answers like a resolver".into(),
        Outcome::Ok(a) if !a.aa => "not authoritative (no AA bit)".into(),
        Outcome::Ok(_) => "it has no SOA of the zone".into(),
        Outcome::Timeout { after } => SafeText::new(format!("no answer within {after}")),
        Outcome::CannotTry { need } => SafeText::new(format!("not asked: needs {need}")),
        Outcome::Refused { why, .. } => match why {
            Refusal::Icmp(e) => SafeText::new(e.label()),
            Refusal::TcpReset => "connection refused (RST)".into(),
            Refusal::Kernel(w) | Refusal::Protocol(w) => w.clone(),
        },
    }
}

/// Answers of the servers that serve the zone, by what they say.
fn groups(told: &[Told], views: &[View]) -> Vec<Group> {
    type By<'t> = Vec<(&'t SafeText, &'t DnsSample)>;
    let mut all: Vec<(Group, By)> = Vec::new();
    for (t, _) in told.iter().zip(views).filter(|(_, v)| v.serial.is_some()) {
        for s in &t.answers {
            let (rcode, records) = match s.outcome.ok() {
                Some(a) => {
                    let kept = a.records.iter().filter(|r| r.rtype.as_str() != "RRSIG");
                    let mut records: Vec<SafeText> = kept
                        .map(|r| SafeText::new(format!("{} {}", r.rtype, r.data)))
                        .collect();
                    records.sort();
                    (a.rcode.clone(), records)
                }
                None => (trouble(&s.outcome), Vec::new()),
            };
            let known = all
                .iter_mut()
                .find(|(g, _)| g.rtype == s.rtype && g.rcode == rcode && g.records == records);
            match known {
                Some((_, by)) => by.push((&t.name, s)),
                None => all.push((
                    Group {
                        rtype: s.rtype.clone(),
                        rcode,
                        records,
                        servers: Vec::new(),
                    },
                    vec![(&t.name, s)],
                )),
            }
        }
    }
    let mut all: Vec<Group> = all
        .into_iter()
        .map(|(group, by)| Group {
            servers: names(&by),
            ..group
        })
        .collect();
    all.sort_by(|a, b| {
        let size = b.servers.len().cmp(&a.servers.len());
        a.rtype.cmp(&b.rtype).then(size)
    });
    all
}

fn ns_faults(views: &[View], parent: Option<&[SafeText]>) -> Vec<ZoneFault> {
    let Some(first) = views.iter().find(|v| !v.ns.is_empty()) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut differ = |who: SafeText, named: &[SafeText]| {
        let not_in = |these: &[SafeText], those: &[SafeText]| -> Vec<SafeText> {
            these
                .iter()
                .filter(|n| !those.contains(n))
                .cloned()
                .collect()
        };
        let (lacks, adds) = (not_in(&first.ns, named), not_in(named, &first.ns));
        if !(lacks.is_empty() && adds.is_empty()) {
            faults.push(ZoneFault::NsDiffer { who, lacks, adds });
        }
    };
    if let Some(parent) = parent {
        let named: Vec<SafeText> = parent
            .iter()
            .map(|n| SafeText::new(n.as_str().to_ascii_lowercase()))
            .collect();
        differ("the parent".into(), &named);
    }
    for v in views.iter().filter(|v| !v.ns.is_empty()) {
        differ(
            SafeText::new(format!("{} {}", v.name, v.server.ip())),
            &v.ns,
        );
    }
    faults
}

/// Each fault of a signature once, by the first who shows it.
fn signature_faults(told: &[Told]) -> Vec<ZoneFault> {
    let mut seen: Vec<&DnssecFault> = Vec::new();
    let mut faults = Vec::new();
    for t in told {
        for s in std::iter::once(&t.soa).chain(&t.answers) {
            for fault in &s.security.faults {
                if seen.contains(&fault) || seen.len() >= 32 {
                    continue;
                }
                seen.push(fault);
                faults.push(ZoneFault::Dnssec {
                    server: who(&t.name, s),
                    fault: fault.clone(),
                });
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{DnsAnswer, DnsRecord, ServerRole};
    use crate::model::service::DnsAsked;
    use crate::model::time::Rtt;

    fn sample(server: &str, rtype: &str, data: &[&str], aa: bool) -> DnsSample {
        let record = |d: &&str| DnsRecord {
            name: "z".into(),
            rtype: rtype.into(),
            ttl: 5,
            data: (*d).into(),
        };
        DnsSample {
            server: server.parse().unwrap(),
            role: ServerRole::Authoritative,
            name: "z".into(),
            rtype: rtype.into(),
            liveness_only: false,
            asked: DnsAsked::default(),
            outcome: Outcome::Ok(DnsAnswer {
                rcode: "NOERROR".into(),
                rtt: Rtt(1),
                aa,
                tc: false,
                ra: !aa,
                ad: false,
                records: data.iter().map(record).collect(),
                soa: None,
                detail: Default::default(),
            }),
            security: Default::default(),
            channel: None,
        }
    }

    fn told(name: &str, addr: &str, serial: u32, data: &[&str], ns: &[&str]) -> Told {
        let soa = format!("ns.z admin.z {serial} 1 1 1 1");
        Told {
            name: name.into(),
            soa: sample(addr, "SOA", &[&soa], true),
            ns: Some(sample(addr, "NS", ns, true)),
            answers: vec![sample(addr, "A", data, true)],
        }
    }

    #[test]
    fn equal_servers_have_no_fault() {
        let a = told(
            "a",
            "10.0.0.1:53",
            7,
            &["10.1.1.1", "10.1.1.2"],
            &["a", "B"],
        );
        let b = told(
            "b",
            "10.0.0.2:53",
            7,
            &["10.1.1.2", "10.1.1.1"],
            &["b", "a"],
        );
        let parent = ["A".into(), "b".into()];
        let all = compare(&[a, b], Some(&parent), &[]);
        assert_eq!(all.faults, []);
        assert_eq!(all.groups.len(), 1);
        assert_eq!(all.groups[0].servers.len(), 2);
    }

    #[test]
    fn every_difference_is_named() {
        let a = told("a", "10.0.0.1:53", 7, &["10.1.1.1"], &["a", "b"]);
        let b = told("b", "10.0.0.2:53", 8, &["10.1.1.2"], &["a", "b", "c"]);
        let mut c = told("c", "10.0.0.3:53", 8, &["10.1.1.1"], &[]);
        c.soa = sample("10.0.0.3:53", "SOA", &["ns.z admin.z 8 1 1 1 1"], false);
        let all = compare(&[a, b, c], Some(&["a".into()]), &["d".into()]);
        let kinds: Vec<&str> = all
            .faults
            .iter()
            .map(|f| match f {
                ZoneFault::Lame { .. } => "lame",
                ZoneFault::NoAddress { .. } => "homeless",
                ZoneFault::SerialsDiffer { .. } => "serials",
                ZoneFault::AnswersDiffer { .. } => "answers",
                ZoneFault::NsDiffer { .. } => "ns",
                ZoneFault::Dnssec { .. } => "dnssec",
            })
            .collect();
        assert_eq!(
            kinds,
            ["homeless", "lame", "serials", "answers", "ns", "ns"]
        );
        // The lame one's answer is not among those compared.
        assert!(all.groups.iter().all(|g| g.servers.len() == 1));
    }
}
