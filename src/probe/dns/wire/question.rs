//! A question, and whether a message answers it.

use std::net::SocketAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use hickory_proto::serialize::binary::DecodeError;

use crate::model::observation::Refusal;
use crate::model::text::SafeText;

use super::{Failure, Reply};
use crate::probe::dns::name;
use crate::probe::dns::options::Options;

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(super) server: SocketAddr,
    name: Name,
    rtype: RecordType,
    recurse: bool,
    cd: bool,
    dnssec: bool,
    edns_bytes: Option<u16>,
}

/// What a message is to our question.
pub(super) enum Heard {
    Answer(Box<Reply>),
    /// The server does not know EDNS (RFC 6891 7).
    NoEdns,
    /// Not ours.
    Stray,
    /// Ours, but broken.
    Broken(String),
}

impl Question {
    pub(crate) fn new(
        server: SocketAddr,
        name: Name,
        rtype: RecordType,
        options: &Options,
    ) -> Self {
        Self {
            server,
            name,
            rtype,
            recurse: options.recurse,
            cd: options.cd,
            dnssec: options.dnssec,
            edns_bytes: options.edns_bytes,
        }
    }

    pub(super) fn wants_edns(&self) -> bool {
        self.edns_bytes.is_some()
    }

    /// The query with a fresh random id.
    pub(super) fn encode(&self, edns: bool) -> Result<(u16, Vec<u8>), Failure> {
        let id =
            getrandom::u32().map_err(|e| Failure::NoSocket(format!("random numbers: {e}")))? as u16;
        Ok((id, self.encode_as(id, edns)?))
    }

    /// The query with this id.
    pub(super) fn encode_as(&self, id: u16, edns: bool) -> Result<Vec<u8>, Failure> {
        let mut m = Message::new(id, MessageType::Query, OpCode::Query);
        m.metadata.recursion_desired = self.recurse;
        m.metadata.checking_disabled = self.cd;
        // Asks for an honest AD bit without asking for signatures (RFC 6840 5.7).
        m.metadata.authentic_data = true;
        m.add_query(Query::query(self.name.clone(), self.rtype));
        if let (true, Some(bytes)) = (edns, self.edns_bytes) {
            let mut e = Edns::new();
            e.set_max_payload(bytes);
            e.set_dnssec_ok(self.dnssec);
            m.set_edns(e);
        }
        m.to_vec()
            .map_err(|_| Failure::NoSocket("a name that fits a DNS message".into()))
    }

    /// Judges one message.
    pub(super) fn hear(&self, id: u16, edns: bool, raw: &[u8]) -> Heard {
        let (Some(got_id), Some(&[flags, flags2])) = (
            raw.first_chunk::<2>().map(|b| u16::from_be_bytes(*b)),
            raw.get(2..4).and_then(|b| b.first_chunk::<2>()),
        ) else {
            return Heard::Stray;
        };
        if got_id != id || flags & 0x80 == 0 {
            return Heard::Stray;
        }
        let truncated = flags & 0x02 != 0;
        let message = match decode(raw) {
            Ok(m) => m,
            // A server may cut anywhere; the header is enough to go on with TCP.
            Err(_) if truncated => Message::new(id, MessageType::Response, OpCode::Query),
            Err(why) => {
                // A server without EDNS may send back just a header that says FORMERR.
                if edns && flags2 & 0x0f == 1 {
                    return Heard::NoEdns;
                }
                return Heard::Broken(format!("malformed answer: {why}"));
            }
        };
        let code = u16::from(message.metadata.response_code);
        match message.queries.as_slice() {
            [q] if self.is_asked(q) => {}
            // Errors may come without the question; truncated messages may be cut before it.
            [] if code != 0 && code != 3 => {}
            [] if truncated => {}
            [] => return Heard::Broken("malformed answer: it repeats no question".into()),
            _ => return Heard::Stray,
        }
        if edns && message.edns.is_none() && matches!(code, 1 | 4) {
            return Heard::NoEdns;
        }
        Heard::Answer(Box::new(Reply {
            from: self.server,
            message,
            truncated,
            asked: Some(self.name.clone()),
            bytes: u32::try_from(raw.len()).unwrap_or(u32::MAX),
        }))
    }

    fn is_asked(&self, q: &Query) -> bool {
        q.query_type == self.rtype
            && q.query_class == DNSClass::IN
            && name::same(&q.name, &self.name)
    }

    pub(super) fn protocol(&self, why: impl AsRef<str>) -> Failure {
        Failure::Refused {
            by: Some(self.server.ip()),
            why: Refusal::Protocol(SafeText::new(why)),
        }
    }
}

/// A message out of bytes, or what is wrong with them.
pub(in crate::probe::dns) fn decode(raw: &[u8]) -> Result<Message, String> {
    Message::from_vec(raw).map_err(|e| match &e {
        // The names in errors are printed by us.
        DecodeError::EdnsNameNotRoot(n) => {
            format!("the EDNS record belongs to {}", name::print(n))
        }
        other => other.to_string(),
    })
}
