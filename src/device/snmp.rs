//! Asks an SNMP v2c agent for its state: system group, interfaces, BGP sessions, vital signs.
//!
//! One request is in flight at a time. Tables are read column by column, because agents that
//! lack one column then still give the others; what could not be read is said in the note.
//! Between polls it is remembered what an agent does not have, and what seldom changes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_snmp::{
    Auth, Client, ClientBuilder, Error, ErrorStatus, Oid, Retry, Value, VarBind, oid,
};
use tokio::time::Instant;

use super::wire::{Notice, Wire, refusal_of};
use super::{Addresses, Limits, addresses};
use crate::model::device::{DeviceAnswer, DeviceReport, NOT_ALLOWED, SnmpAccess, SnmpStatus};
use crate::model::observation::{How, Method, Outcome, Refusal};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;

mod bgp;
mod interfaces;
mod reader;
mod vitals;
mod walk;

pub use reader::Known;
use reader::Reader;

/// Longest text taken from an agent, in bytes (DisplayString is at most 255, RFC 2579; some
/// agents don't know).
const TEXT_CAP: usize = 1024;
/// Polls an agent. `resolve` finds the addresses of a name; the second is tried if the first
/// does not answer. `known` is what earlier polls of the same agent left.
pub async fn poll<R, RF>(
    name: &SafeText,
    access: &SnmpAccess,
    resolve: &R,
    limits: &Limits,
    known: &mut Known,
) -> (How, DeviceReport)
where
    R: Fn(Host) -> RF,
    RF: Future<Output = Addresses>,
{
    let mut first: Option<Outcome<SnmpStatus>> = None;
    match addresses(&access.host, resolve).await {
        Err(need) => first = Some(Outcome::CannotTry { need }),
        Ok(found) => {
            for addr in found {
                let outcome = poll_address(addr, access, limits, known).await;
                let done = matches!(outcome, Outcome::Ok(_));
                if done || first.is_none() {
                    first = Some(outcome);
                }
                if done {
                    break;
                }
            }
        }
    }
    let outcome = match first {
        Some(Outcome::Ok(status)) => Outcome::Ok(DeviceAnswer::Snmp(Box::new(status))),
        Some(Outcome::Refused { by, why, after }) => Outcome::Refused { by, why, after },
        Some(Outcome::Timeout { after }) => Outcome::Timeout { after },
        Some(Outcome::CannotTry { need }) => Outcome::CannotTry { need },
        None => Outcome::CannotTry {
            need: SafeText::new("an address"),
        },
    };
    let report = DeviceReport {
        device: name.clone(),
        asked: SafeText::new(access.to_string()),
        outcome,
    };
    (How::best(Method::SnmpV2c), report)
}

async fn poll_address(
    addr: IpAddr,
    access: &SnmpAccess,
    limits: &Limits,
    known: &mut Known,
) -> Outcome<SnmpStatus> {
    let started = Instant::now();
    let deadline = started + limits.total;
    let wire = match Wire::open(SocketAddr::new(addr, access.port)).await {
        Ok(wire) => wire,
        Err(e) => {
            return Outcome::Refused {
                by: None,
                why: refusal_of(&e),
                after: Rtt::from_duration(started.elapsed()),
            };
        }
    };
    let client = match client(wire, access, limits) {
        Ok(client) => client,
        Err(e) => {
            let need = SafeText::new(format!("an SNMP client: {e}"));
            return Outcome::CannotTry { need };
        }
    };
    let asked = tokio::time::timeout_at(deadline, client.get_many(&system_objects())).await;
    let failed = match asked {
        Ok(Ok(answer)) => {
            let mut reader = Reader::new(&client, limits, deadline, known);
            return Outcome::Ok(status(&mut reader, answer.varbinds).await);
        }
        Ok(Err(e)) => Some(e),
        Err(_) => None,
    };
    let after = Rtt::from_duration(started.elapsed());
    match failed {
        Some(e) => failure(&e, addr, after),
        None => Outcome::Timeout { after },
    }
}

fn client(wire: Wire, access: &SnmpAccess, limits: &Limits) -> async_snmp::Result<Client<Wire>> {
    let retry = Retry::fixed(limits.retries, Duration::ZERO).unwrap_or_else(|_| Retry::none());
    ClientBuilder::new(Auth::v2c(access.community.expose()))
        .request_timeout(limits.timeout)
        .retry(retry)
        .build_with_transport(wire)
}

/// sysDescr.0, sysUpTime.0, sysName.0 (RFC 3418), ifTableLastChange.0 (RFC 2863).
fn system_objects() -> [Oid; 4] {
    [
        oid!(1, 3, 6, 1, 2, 1, 1, 1, 0),
        oid!(1, 3, 6, 1, 2, 1, 1, 3, 0),
        oid!(1, 3, 6, 1, 2, 1, 1, 5, 0),
        oid!(1, 3, 6, 1, 2, 1, 31, 1, 5, 0),
    ]
}

/// What an error means for the poll as a whole.
fn failure(error: &Error, addr: IpAddr, after: Rtt) -> Outcome<SnmpStatus> {
    let protocol = |text: String| Outcome::Refused {
        by: Some(addr),
        why: Refusal::Protocol(SafeText::capped(&text, TEXT_CAP)),
        after,
    };
    match error.exchange_source() {
        Error::Timeout { .. } => Outcome::Timeout { after },
        Error::Network { source, .. } => {
            let (by, why) = notice(source);
            Outcome::Refused { by, why, after }
        }
        Error::Snmp {
            status: ErrorStatus::AuthorizationError | ErrorStatus::NoAccess,
            ..
        } => protocol(NOT_ALLOWED.into()),
        Error::Snmp { status, .. } => protocol(format!("error status {status}")),
        // Not the error's own words: some of them quote what the agent sent.
        Error::MalformedResponse { .. } | Error::Decode(_) => {
            protocol("what came back is not an SNMP answer".into())
        }
        other => protocol(format!("{:?}", other.kind())),
    }
}

/// Who refused and why, out of an error of the socket.
fn notice(error: &std::io::Error) -> (Option<IpAddr>, Refusal) {
    let notice = error.get_ref().and_then(|e| e.downcast_ref::<Notice>());
    match notice {
        Some(notice) => (notice.by, notice.why.clone()),
        None => (None, refusal_of(error)),
    }
}

async fn status(reader: &mut Reader<'_>, system: Vec<VarBind>) -> SnmpStatus {
    let objects = system_objects();
    let value = |i: usize| {
        let wanted = objects.get(i)?;
        let found = system.iter().find(|v| v.oid == *wanted)?;
        (!found.value.is_exception()).then_some(&found.value)
    };
    if (0..objects.len()).all(|i| value(i).is_none()) {
        let text = "the agent shows this community no system group (its view is too small)";
        reader.notes.push(text.into());
    }
    let text = |i: usize| value(i).map(text_of).unwrap_or_default();
    let uptime = value(1).and_then(Value::as_u32).unwrap_or_else(|| {
        reader
            .notes
            .push("the agent does not tell sysUpTime".into());
        0
    });
    reader.known.begin(uptime);
    let mut status = SnmpStatus {
        name: text(2),
        description: text(0),
        uptime_ticks: uptime,
        interfaces: interfaces::read(reader, value(3).and_then(Value::as_u32)).await,
        ..SnmpStatus::default()
    };
    status.peers = bgp::read(reader).await;
    vitals::read(reader, &mut status).await;
    let notes = &reader.notes;
    status.note = (!notes.is_empty()).then(|| SafeText::new(notes.join("; ")));
    status
}

fn text_of(value: &Value) -> SafeText {
    value
        .as_bytes()
        .map(|b| SafeText::from_bytes_capped(b, TEXT_CAP))
        .unwrap_or_default()
}
