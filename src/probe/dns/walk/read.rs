//! What an answer means to a walk: pure.

use std::net::IpAddr;

use hickory_proto::rr::Name;

use crate::model::observation::{DnsAnswer, DnsRecord, DnsSample, Outcome, Refusal};
use crate::model::text::SafeText;
use crate::probe::dns::name;

use super::types::{Ds, Said};

/// A referral: the zone, its servers, its DS records.
#[derive(Clone, Debug)]
pub(super) struct Referral {
    pub(super) zone: Name,
    pub(super) servers: Vec<(Name, Vec<IpAddr>)>,
    pub(super) ds: Vec<Ds>,
}

/// Most name servers of one zone.
pub(super) const MAX_SERVERS: usize = 32;
/// Most addresses of one name server.
pub(super) const MAX_ADDRESSES: usize = 16;

/// The records of a section of this type, owner parsed.
fn of_type<'r>(
    section: &'r [DnsRecord],
    rtype: &'r str,
) -> impl Iterator<Item = (Name, &'r DnsRecord)> {
    section
        .iter()
        .filter(move |r| r.rtype.as_str() == rtype)
        .filter_map(|r| Some((name::parse(r.name.as_str()).ok()?, r)))
}

/// The referral to a zone below `zone` on the way to `qname`, if the answer is one.
pub(super) fn referral(a: &DnsAnswer, zone: &Name, qname: &Name) -> Option<Referral> {
    let authority = &a.detail.authority;
    let (owner, _) = of_type(authority, "NS").find(|(owner, _)| {
        name::is_within(owner, zone) && !name::same(owner, zone) && name::is_within(qname, owner)
    })?;
    let mut servers: Vec<(Name, Vec<IpAddr>)> = Vec::new();
    for (_, r) in of_type(authority, "NS").filter(|(o, _)| name::same(o, &owner)) {
        let Ok(ns) = name::parse(r.data.as_str()) else {
            continue;
        };
        let known = servers.iter().any(|(n, _)| name::same(n, &ns));
        if !known && servers.len() < MAX_SERVERS {
            let addresses = glue(a, &ns);
            servers.push((ns, addresses));
        }
    }
    let ds = of_type(authority, "DS")
        .filter(|(o, _)| name::same(o, &owner))
        .filter_map(|(_, r)| ds(r))
        .take(MAX_SERVERS)
        .collect();
    Some(Referral {
        zone: owner,
        servers,
        ds,
    })
}

/// DS data out of its presentation form.
pub(super) fn ds(r: &DnsRecord) -> Option<Ds> {
    let mut fields = r.data.as_str().split(' ');
    Some(Ds {
        key_tag: fields.next()?.parse().ok()?,
        algorithm: fields.next()?.parse().ok()?,
        digest_type: fields.next()?.parse().ok()?,
    })
}

fn glue(a: &DnsAnswer, ns: &Name) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for rtype in ["A", "AAAA"] {
        let of_ns = of_type(&a.detail.additional, rtype).filter(|(o, _)| name::same(o, ns));
        found.extend(of_ns.filter_map(|(_, r)| r.data.as_str().parse::<IpAddr>().ok()));
    }
    found.truncate(MAX_ADDRESSES);
    found
}

/// What a server of `zone` said about `qname`.
pub(super) fn said(s: &DnsSample, zone: &Name, qname: &Name) -> Said {
    let a = match &s.outcome {
        Outcome::Ok(a) => a,
        Outcome::Timeout { .. } => return Said::Silent,
        Outcome::CannotTry { need } => return Said::Refused { why: need.clone() },
        Outcome::Refused { why, .. } => {
            return Said::Refused {
                why: match why {
                    Refusal::Icmp(icmp) => SafeText::new(icmp.label()),
                    Refusal::TcpReset => "connection refused (RST)".into(),
                    Refusal::Kernel(w) | Refusal::Protocol(w) => w.clone(),
                },
            };
        }
    };
    let lame = |why: &str| Said::Lame {
        why: SafeText::new(why),
    };
    match a.rcode.as_str() {
        "NOERROR" | "NXDOMAIN" => {}
        other => return lame(other),
    }
    if let Some(r) = referral(a, zone, qname).filter(|_| a.records.is_empty() && !a.aa) {
        let zone = SafeText::capped(&name::print(&r.zone), name::MAX_TEXT);
        return Said::Referral { zone };
    }
    if !a.aa {
        let up = of_type(&a.detail.authority, "NS").next();
        return match up {
            Some((owner, _)) if a.records.is_empty() => lame(&format!(
                "refers to {} instead of answering",
                name::print(&owner)
            )),
            _ if a.ra => lame("not authoritative: answers like a resolver"),
            _ => lame("not authoritative (no AA bit)"),
        };
    }
    if let Some(to) = alias_out(a, zone) {
        return Said::Alias { to };
    }
    let has_data = a.records.iter().any(|r| {
        r.rtype.as_str() == s.rtype.as_str()
            || s.rtype.as_str() == "ANY"
            || r.rtype.as_str() == "CNAME" && s.rtype.as_str() == "CNAME"
    });
    match (has_data, a.rcode.as_str()) {
        (true, _) => Said::Answer,
        (false, "NXDOMAIN") => Said::NoName,
        (false, _) => match a.detail.aliases.last() {
            Some(to) if s.rtype.as_str() != "CNAME" => Said::Alias { to: to.clone() },
            _ => Said::NoData,
        },
    }
}

/// The first name that the aliases lead to outside the zone: what the server says beyond is not
/// its to say.
fn alias_out(a: &DnsAnswer, zone: &Name) -> Option<SafeText> {
    let outside =
        |n: &&SafeText| name::parse(n.as_str()).is_ok_and(|parsed| !name::is_within(&parsed, zone));
    a.detail.aliases.iter().find(outside).cloned()
}

/// Name servers that a zone's own answer names.
pub(super) fn own_servers(a: &DnsAnswer, zone: &Name) -> Vec<Name> {
    let mut all: Vec<Name> = Vec::new();
    for (_, r) in of_type(&a.records, "NS").filter(|(o, _)| name::same(o, zone)) {
        if let Ok(ns) = name::parse(r.data.as_str())
            && !all.iter().any(|n| name::same(n, &ns))
            && all.len() < MAX_SERVERS
        {
            all.push(ns);
        }
    }
    all
}

/// Names of `these` that are not among `those`.
pub(super) fn missing(these: &[Name], those: &[Name]) -> Vec<SafeText> {
    these
        .iter()
        .filter(|n| !those.iter().any(|o| name::same(n, o)))
        .map(|n| SafeText::capped(&name::print(n).to_ascii_lowercase(), name::MAX_TEXT))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service::{DnsDetail, DnsSecurity, ServerRole};

    fn record(name: &str, rtype: &str, data: &str) -> DnsRecord {
        DnsRecord {
            name: name.into(),
            rtype: rtype.into(),
            ttl: 1,
            data: data.into(),
        }
    }

    fn answer(aa: bool, records: Vec<DnsRecord>, authority: Vec<DnsRecord>) -> DnsAnswer {
        DnsAnswer {
            rcode: "NOERROR".into(),
            rtt: crate::model::time::Rtt(1),
            aa,
            tc: false,
            ra: false,
            ad: false,
            records,
            soa: None,
            detail: Box::new(DnsDetail {
                authority,
                ..DnsDetail::default()
            }),
        }
    }

    fn judged(a: DnsAnswer) -> Said {
        let sample = DnsSample {
            server: "10.0.0.1:53".parse().unwrap(),
            role: ServerRole::Named,
            name: "www.a.example".into(),
            rtype: "A".into(),
            liveness_only: false,
            asked: Default::default(),
            outcome: Outcome::Ok(a),
            security: DnsSecurity::default(),
            channel: None,
        };
        let zone = name::parse("example").unwrap();
        said(&sample, &zone, &name::parse("www.a.example").unwrap())
    }

    #[test]
    fn referrals_go_down_and_nowhere_else() {
        let ns = |owner: &str| answer(false, vec![], vec![record(owner, "NS", "ns.other")]);
        let down = judged(ns("a.example"));
        assert_eq!(
            down,
            Said::Referral {
                zone: "a.example".into()
            }
        );
        for up in [".", "example", "b.example", "org"] {
            assert!(matches!(judged(ns(up)), Said::Lame { .. }), "{up}");
        }
    }

    #[test]
    fn only_authority_counts() {
        let data = || vec![record("www.a.example", "A", "10.0.0.9")];
        assert_eq!(judged(answer(true, data(), vec![])), Said::Answer);
        assert!(matches!(
            judged(answer(false, data(), vec![])),
            Said::Lame { .. }
        ));
        assert_eq!(judged(answer(true, vec![], vec![])), Said::NoData);
        let mut refused = answer(false, vec![], vec![]);
        refused.rcode = "REFUSED".into();
        assert_eq!(
            judged(refused),
            Said::Lame {
                why: "REFUSED".into()
            }
        );
        let mut alias = answer(true, data(), vec![]);
        alias.detail.aliases = vec!["x.example".into(), "cdn.org".into()];
        assert_eq!(
            judged(alias),
            Said::Alias {
                to: "cdn.org".into()
            }
        );
    }
}
