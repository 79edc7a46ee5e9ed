//! An accepted message becomes the model's answer, if it makes sense.

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData};

use crate::model::observation::DnsAnswer;
use crate::model::text::SafeText;
use crate::model::time::Rtt;

use super::exchange::Reply;
use super::{name, rdata, types};

/// Most CNAMEs followed within one answer; resolvers stop near here as well.
const MAX_CNAMES: usize = 16;
/// Most records kept of one answer.
const MAX_RECORDS: usize = 512;

/// Reads the answer.
///
/// # Errors
/// If the CNAMEs of the answer form a loop or go on too long.
pub(super) fn read(reply: &Reply, truncated: bool, rtt: Rtt) -> Result<DnsAnswer, String> {
    let m = &reply.message;
    if let Some(asked) = &reply.asked {
        end_of_chain(m, asked)?;
    }
    let soa = m.authorities.iter().find_map(|r| match &r.data {
        RData::SOA(_) => Some(SafeText::capped(
            &format!("{} {}", name::print(&r.name), rdata::print(&r.data)),
            4096,
        )),
        _ => None,
    });
    Ok(DnsAnswer {
        rcode: SafeText::new(rcode(m)),
        rtt,
        aa: m.metadata.authoritative,
        tc: truncated || m.metadata.truncation,
        ra: m.metadata.recursion_available,
        ad: m.metadata.authentic_data,
        records: m
            .answers
            .iter()
            .take(MAX_RECORDS)
            .map(rdata::record)
            .collect(),
        soa,
    })
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
            Some(to) => at = to,
            None => return Ok(at),
        }
    }
    Err(format!(
        "more than {MAX_CNAMES} CNAMEs in a row, or a loop, after {}",
        name::print(asked)
    ))
}
