//! Answers in words.

use crate::cli::check::summary;
use crate::cli::probe::tls::fault_text;
use crate::model::observation::{DnsAnswer, DnsRecord, DnsSample, How, Outcome};
use crate::model::service::{
    DnsDetail, DnsStage, DnsTransport, DnssecFault, DnssecState, Signature,
};
use crate::model::time::date_time_utc;

/// A server and, where it is not plain DNS over UDP, the way it was asked.
pub(super) fn who(s: &DnsSample) -> String {
    match s.asked.transport {
        DnsTransport::Udp => format!("@{}", s.server),
        other => format!("@{} {}", s.server, other.label()),
    }
}

/// One answer, the head line first.
pub(super) fn lines(how: &How, s: &DnsSample) -> Vec<String> {
    let head = format!("@{} {} {}", s.server, s.name, s.rtype);
    let mut lines = match &s.outcome {
        Outcome::Ok(a) => {
            let mut lines = vec![format!(
                "{head}: {} in {} [{}] flags {}",
                a.rcode,
                a.rtt,
                how.method.label(),
                flags(a)
            )];
            lines.extend(answer(a));
            lines
        }
        none => vec![format!(
            "{head}: {} [{}]{}",
            summary::refusal_text(none),
            how.method.label(),
            stage(s)
        )],
    };
    lines.extend(channel(s).iter().map(|l| format!("    {l}")));
    lines.extend(security(s).iter().map(|l| format!("    {l}")));
    lines
}

/// Header flags by their names.
pub(super) fn flags(a: &DnsAnswer) -> String {
    let all = [
        ("aa", a.aa),
        ("tc", a.tc),
        ("rd", a.detail.rd),
        ("ra", a.ra),
        ("ad", a.ad),
        ("cd", a.detail.cd),
    ];
    let set: Vec<_> = all.iter().filter(|(_, on)| *on).map(|(f, _)| *f).collect();
    set.join(" ")
}

/// A record as a line of a zone file.
pub(super) fn record(r: &DnsRecord) -> String {
    format!("{} {} {} {}", r.name, r.ttl, r.rtype, r.data)
}

fn answer(a: &DnsAnswer) -> Vec<String> {
    let shown = |r: &DnsRecord| r.rtype.as_str() != "RRSIG";
    let mut lines: Vec<String> = a
        .records
        .iter()
        .filter(|r| shown(r))
        .map(|r| format!("    {}", record(r)))
        .collect();
    let d = &a.detail;
    if let Some(n) = &d.negative {
        let what = if n.no_such_name {
            "the name does not exist"
        } else {
            "no records of this type"
        };
        lines.push(format!(
            "    {what}, says zone {} (serial {}); kept {} s (SOA minimum {} s)",
            n.zone, n.serial, n.ttl_s, n.minimum_s
        ));
        lines.extend(a.soa.iter().map(|soa| format!("    authority: {soa}")));
    } else if a.rcode.as_str() == "NOERROR" && a.records.is_empty() {
        let referral = d.authority.iter().any(|r| r.rtype.as_str() == "NS");
        let what = if referral {
            "a referral"
        } else {
            "no records, and no SOA that says so"
        };
        lines.push(format!("    {what}"));
    }
    for (section, records) in [("authority", &d.authority), ("additional", &d.additional)] {
        let others = records
            .iter()
            .filter(|r| shown(r) && !(section == "authority" && r.rtype.as_str() == "SOA"));
        lines.extend(others.map(|r| format!("    {section}: {}", record(r))));
    }
    if d.aliases.len() > 1 {
        let names: Vec<_> = d.aliases.iter().map(|n| n.as_str()).collect();
        lines.push(format!("    alias of {}", names.join(" -> ")));
    }
    lines.extend(
        d.errors
            .iter()
            .map(|e| format!("    the server explains (EDE): {}", e.label())),
    );
    lines.push(format!("    {}", size(d)));
    lines.extend(phases(d).map(|l| format!("    {l}")));
    lines
}

fn size(d: &DnsDetail) -> String {
    match &d.edns {
        Some(e) => {
            let nsid = e.nsid.as_ref().map(|n| format!(", server id {n}"));
            let version = if e.version == 0 {
                String::new()
            } else {
                format!(" version {}", e.version)
            };
            format!(
                "{} bytes; EDNS{version} payload {} bytes{}{}",
                d.bytes,
                e.payload_bytes,
                if e.dnssec_ok { ", do" } else { "" },
                nsid.unwrap_or_default()
            )
        }
        None => format!("{} bytes; no EDNS", d.bytes),
    }
}

/// Where the time went, if there is more than one part.
fn phases(d: &DnsDetail) -> Option<String> {
    let p = d.phases;
    let parts: Vec<String> = [
        ("UDP (truncated)", p.truncated_udp),
        ("TCP handshake", p.connect),
        ("TLS handshake", p.tls),
    ]
    .into_iter()
    .filter_map(|(what, t)| t.map(|t| format!("{what} {t}")))
    .collect();
    (!parts.is_empty()).then(|| format!("{}, answer {}", parts.join(", "), p.exchange))
}

/// The stage that failed, where there is more than one.
fn stage(s: &DnsSample) -> String {
    match &s.channel {
        Some(c) if c.stage != DnsStage::Exchange || c.tls.is_some() => {
            format!(" at the {}", c.stage.label())
        }
        _ => String::new(),
    }
}

fn channel(s: &DnsSample) -> Vec<String> {
    let Some(c) = &s.channel else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(t) = &c.tls {
        let alpn = t.alpn.as_ref().map(|a| format!(" {a}"));
        let leaf = t.chain.first();
        let until = leaf.map(|l| format!(", certificate until {}", date_time_utc(l.not_after)));
        lines.push(format!(
            "{}{}{}",
            t.version,
            alpn.unwrap_or_default(),
            until.unwrap_or_default()
        ));
    }
    lines.extend(c.http.iter().map(|h| format!("HTTP: {h}")));
    lines.extend(certificate_faults(s).iter().map(|f| format!("fault: {f}")));
    lines
}

fn certificate_faults(s: &DnsSample) -> Vec<String> {
    let tls = s.channel.as_ref().and_then(|c| c.tls.as_ref());
    tls.map(|t| t.faults.iter().map(fault_text).collect())
        .unwrap_or_default()
}

fn security(s: &DnsSample) -> Vec<String> {
    let mut lines = Vec::new();
    if s.asked.dnssec_ok {
        let signatures = s.outcome.ok().map(|a| a.detail.signatures.as_slice());
        lines.extend(signatures.unwrap_or_default().iter().map(signature));
    }
    let state = s.security.state;
    let worth = s.asked.dnssec_ok || matches!(state, DnssecState::Bogus | DnssecState::FailsAnyway);
    if worth && state != DnssecState::Unknown {
        lines.push(format!("DNSSEC: {}", state.label()));
    }
    if let Some(retry) = &s.security.cd_retry {
        let what = match &retry.outcome {
            Outcome::Ok(rcode) => {
                format!("{rcode}, {}", count(retry.records as usize, "record"))
            }
            none => summary::refusal_text(none),
        };
        lines.push(format!("asked again with checking disabled (CD): {what}"));
    }
    for f in &s.security.faults {
        let word = if super::question::is_serious(f) {
            "fault"
        } else {
            "soon"
        };
        lines.push(format!("{word}: {}", dnssec_fault(f)));
    }
    lines
}

/// One signature in a line.
pub(super) fn signature(g: &Signature) -> String {
    format!(
        "signed: {} by {} key {} {}, {} to {}",
        g.covers,
        g.signer,
        g.key_tag,
        g.algorithm,
        g.inception.strftime("%Y-%m-%d"),
        g.expiration.strftime("%Y-%m-%d")
    )
}

/// `1 server`, `2 servers`.
pub(super) fn count(n: usize, what: &str) -> String {
    let plural = match (n, what.strip_suffix('s')) {
        (1, _) => "",
        (_, Some(_)) => "es",
        _ => "s",
    };
    format!("{n} {what}{plural}")
}

/// An rcode, and what it means without addresses.
pub(super) fn gist(rcode: &str, empty: bool) -> String {
    match (rcode, empty) {
        ("NOERROR", true) => "NOERROR, no addresses".into(),
        (code, _) => code.to_owned(),
    }
}

/// All faults of a sample, certificate and DNSSEC.
pub(super) fn faults(s: &DnsSample) -> Vec<String> {
    let mut all = certificate_faults(s);
    all.extend(s.security.faults.iter().map(dnssec_fault));
    all
}

/// The state in one word.
pub(super) fn state_word(state: DnssecState) -> &'static str {
    match state {
        DnssecState::Unknown => "",
        DnssecState::Unsigned => "unsigned",
        DnssecState::Signed => "signed",
        DnssecState::Authenticated => "authenticated",
        DnssecState::Bogus => "bogus",
        DnssecState::FailsAnyway => "fails anyway",
    }
}

/// A fault in words.
pub(super) fn dnssec_fault(f: &DnssecFault) -> String {
    let of = |g: &Signature| format!("signature of {} {} (key {})", g.owner, g.covers, g.key_tag);
    match f {
        DnssecFault::Expired { signature: g } => {
            format!("{} expired at {}", of(g), date_time_utc(g.expiration))
        }
        DnssecFault::NotYetValid { signature: g } => {
            format!(
                "{} is not valid before {}",
                of(g),
                date_time_utc(g.inception)
            )
        }
        DnssecFault::ExpiresSoon {
            signature: g,
            hours,
        } => format!(
            "{} expires in {hours} h, at {}",
            of(g),
            date_time_utc(g.expiration)
        ),
        DnssecFault::ValidationFails { reason: Some(why) } => {
            format!("the resolver's validation fails: {why}")
        }
        DnssecFault::ValidationFails { reason: None } => {
            "the resolver's validation fails; it does not say why".into()
        }
        DnssecFault::NoKeyForDs { zone, ds, keys } => {
            let list = |tags: &[u16]| {
                let all: Vec<_> = tags.iter().map(ToString::to_string).collect();
                all.join(", ")
            };
            format!(
                "no key of {zone} fits a DS of its parent (DS {}; keys {})",
                list(ds),
                if keys.is_empty() {
                    "none".into()
                } else {
                    list(keys)
                }
            )
        }
        DnssecFault::SignatureMissing { zone } => {
            format!("{zone} has a DS at its parent, and its answer is not signed")
        }
    }
}
