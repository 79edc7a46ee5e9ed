//! An accepted message becomes the model's answer, if it makes sense.

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use jiff::Timestamp;

use crate::model::observation::{DnsAnswer, DnsRecord};
use crate::model::service::{
    DnsDetail, DnsPhases, EdnsInfo, ExtendedError, Negative, Signature, ZoneKey,
};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

use super::raw::{self, Fields};
use super::wire::Reply;
use super::{codes, name, rdata, types};

/// Most CNAMEs followed within one answer; resolvers stop near here as well.
const MAX_CNAMES: usize = 16;
/// Most records kept of one section.
const MAX_RECORDS: usize = 512;
/// Most signatures kept of one answer.
const MAX_SIGNATURES: usize = 64;
/// Most extended errors kept of one answer.
const MAX_ERRORS: usize = 16;

/// How an answer is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The UDP answer was truncated.
    pub(super) truncated: bool,
    /// From the first query to the answer.
    pub(super) rtt: Rtt,
    /// Where the time went.
    pub(super) phases: DnsPhases,
    /// Whether the other sections are kept.
    pub(super) sections: bool,
    /// Now; the dates of signatures are relative to it (RFC 4034 3.1.5).
    pub(super) now: Timestamp,
}

/// Reads the answer.
///
/// # Errors
/// If the CNAMEs of the answer form a loop or go on too long.
pub(super) fn read(reply: &Reply, how: Reading) -> Result<DnsAnswer, String> {
    let m = &reply.message;
    let aliases = match &reply.asked {
        Some(asked) => chain(m, asked)?,
        None => Vec::new(),
    };
    let soa = m.authorities.iter().find_map(|r| match &r.data {
        RData::SOA(_) => Some(SafeText::capped(
            &format!("{} {}", name::print(&r.name), rdata::print(&r.data)),
            4096,
        )),
        _ => None,
    });
    let mut detail = Box::new(detail(m, how));
    detail.bytes = reply.bytes;
    detail.aliases = aliases
        .iter()
        .map(|n| SafeText::capped(&name::print(n), name::MAX_TEXT))
        .collect();
    Ok(DnsAnswer {
        rcode: SafeText::new(rcode(m)),
        rtt: how.rtt,
        aa: m.metadata.authoritative,
        tc: how.truncated || m.metadata.truncation,
        ra: m.metadata.recursion_available,
        ad: m.metadata.authentic_data,
        records: records(&m.answers),
        soa,
        detail,
    })
}

fn records(section: &[Record]) -> Vec<DnsRecord> {
    section
        .iter()
        .take(MAX_RECORDS)
        .map(rdata::record)
        .collect()
}

fn detail(m: &Message, how: Reading) -> DnsDetail {
    let other = |section: &[Record]| {
        if how.sections {
            records(section)
        } else {
            Vec::new()
        }
    };
    DnsDetail {
        bytes: 0,
        cd: m.metadata.checking_disabled,
        rd: m.metadata.recursion_desired,
        edns: m.edns.as_ref().map(|e| EdnsInfo {
            payload_bytes: e.max_payload(),
            version: e.version(),
            dnssec_ok: e.flags().dnssec_ok,
            nsid: e.option(EdnsCode::NSID).map(nsid),
        }),
        errors: errors(m),
        phases: how.phases,
        aliases: Vec::new(),
        negative: negative(m),
        signatures: signatures(m, how.now),
        keys: keys(m),
        authority: other(&m.authorities),
        additional: other(&m.additionals),
    }
}

fn nsid(option: &EdnsOption) -> SafeText {
    let bytes: Vec<u8> = option.try_into().unwrap_or_default();
    SafeText::from_bytes_capped(&bytes, 255)
}

/// Extended errors (RFC 8914): option 15 is INFO-CODE and UTF-8 text.
fn errors(m: &Message) -> Vec<ExtendedError> {
    let Some(edns) = &m.edns else {
        return Vec::new();
    };
    let all = edns.options().get_all(EdnsCode::from(15));
    let error = |option: &&EdnsOption| {
        let bytes: Vec<u8> = (*option).try_into().ok()?;
        let mut f = Fields::of(&bytes);
        let code = f.u16()?;
        let text = f.rest();
        // Some servers end the text with a zero octet; it is not part of it.
        let text = text.strip_suffix(&[0]).unwrap_or(text);
        Some(ExtendedError {
            code,
            name: SafeText::new(codes::extended_error(code)),
            text: SafeText::from_bytes_capped(text, 512),
        })
    };
    all.iter().take(MAX_ERRORS).filter_map(error).collect()
}

/// What the SOA of a negative answer says. A referral has none and is none.
fn negative(m: &Message) -> Option<Negative> {
    let code = u16::from(m.metadata.response_code);
    let has_data = m
        .answers
        .iter()
        .any(|r| !matches!(r.data, RData::CNAME(_)) && r.record_type() != RecordType::RRSIG);
    if !(code == 3 || code == 0 && !has_data) {
        return None;
    }
    m.authorities.iter().find_map(|r| match &r.data {
        RData::SOA(soa) => Some(Negative {
            no_such_name: code == 3,
            zone: SafeText::capped(&name::print(&r.name), name::MAX_TEXT),
            primary: SafeText::capped(&name::print(&soa.mname), name::MAX_TEXT),
            serial: soa.serial,
            minimum_s: soa.minimum,
            ttl_s: soa.minimum.min(r.ttl),
        }),
        _ => None,
    })
}

fn signatures(m: &Message, now: Timestamp) -> Vec<Signature> {
    m.answers
        .iter()
        .chain(&m.authorities)
        .filter_map(|r| signature(r, now))
        .take(MAX_SIGNATURES)
        .collect()
}

fn keys(m: &Message) -> Vec<ZoneKey> {
    let key = |r: &Record| {
        let RData::Unknown { rdata, code } = &r.data else {
            return None;
        };
        if *code != RecordType::DNSKEY {
            return None;
        }
        let mut f = Fields::of(&rdata.anything);
        let (flags, _, algorithm) = (f.u16()?, f.u8()?, f.u8()?);
        Some(ZoneKey {
            flags,
            algorithm_number: algorithm,
            algorithm: SafeText::new(codes::algorithm(algorithm)),
            key_tag: raw::key_tag(&rdata.anything),
        })
    };
    m.answers
        .iter()
        .filter_map(key)
        .take(MAX_SIGNATURES)
        .collect()
}

/// One RRSIG record as the model keeps it.
fn signature(r: &Record, now: Timestamp) -> Option<Signature> {
    if r.record_type() != RecordType::RRSIG {
        return None;
    }
    let RData::Unknown { rdata, .. } = &r.data else {
        return None;
    };
    let mut f = Fields::of(&rdata.anything);
    let covers = types::print(RecordType::from(f.u16()?));
    let algorithm = codes::algorithm(f.u8()?);
    f.take(5)?;
    let (expiration, inception) = (moment(f.u32()?, now)?, moment(f.u32()?, now)?);
    let key_tag = f.u16()?;
    let signer = name::print(&f.name()?);
    Some(Signature {
        owner: SafeText::capped(&name::print(&r.name), name::MAX_TEXT),
        covers: SafeText::new(covers),
        algorithm: SafeText::new(algorithm),
        key_tag,
        signer: SafeText::capped(&signer, name::MAX_TEXT),
        inception,
        expiration,
    })
}

/// Seconds modulo 2^32, the instant nearest to now (RFC 1982, RFC 4034 3.1.5).
fn moment(seconds: u32, now: Timestamp) -> Option<Timestamp> {
    let now = now.as_second();
    let ahead = seconds.wrapping_sub(now as u32) as i32;
    Timestamp::from_second(now.checked_add(i64::from(ahead))?).ok()
}

/// The response code's name, its EDNS part included.
pub(crate) fn rcode(m: &Message) -> String {
    types::rcode(u16::from(m.metadata.response_code))
}

/// Follows the CNAMEs of the answer section from `asked` and returns where they end.
///
/// # Errors
/// On a loop or more than 16 links.
pub(crate) fn end_of_chain<'m>(m: &'m Message, asked: &'m Name) -> Result<&'m Name, String> {
    Ok(chain(m, asked)?.last().copied().unwrap_or(asked))
}

/// The names that the CNAMEs lead to, without the one asked for.
fn chain<'m>(m: &'m Message, asked: &'m Name) -> Result<Vec<&'m Name>, String> {
    let mut links = Vec::new();
    let mut at = asked;
    for _ in 0..=MAX_CNAMES {
        let next = m.answers.iter().find_map(|r| match &r.data {
            RData::CNAME(c) if name::same(&r.name, at) => Some(&c.0),
            _ => None,
        });
        match next {
            Some(to) if name::same(to, asked) => {
                return Err(format!("the CNAMEs of {} form a loop", name::print(asked)));
            }
            Some(to) => {
                links.push(to);
                at = to;
            }
            None => return Ok(links),
        }
    }
    Err(format!(
        "more than {MAX_CNAMES} CNAMEs in a row, or a loop, after {}",
        name::print(asked)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_wrap_around_now() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |s: u32| moment(s, now).unwrap().as_second();
        assert_eq!(at(1_800_000_100), 1_800_000_100);
        assert_eq!(at(1_700_000_000), 1_700_000_000);
        // After 2106 the count starts again.
        let late = Timestamp::from_second(4_294_967_000).unwrap();
        let soon = moment(704, late).unwrap();
        assert_eq!(soon.as_second(), 4_294_968_000);
    }
}
