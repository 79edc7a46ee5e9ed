//! Asks an SNMP v2c agent for the system group and its interfaces.
//!
//! One request is in flight at a time. Tables are read column by column, because agents that
//! lack one column then still give the others; what could not be read is said in the note.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_snmp::{
    Auth, Client, ClientBuilder, Error, Oid, OidOrdering, Retry, Value, VarBind, WalkAbortReason,
    WalkMethod, WalkOptions, oid,
};
use tokio::time::Instant;

use super::wire::{Notice, Wire, refusal_of};
use super::{Addresses, Limits, addresses};
use crate::model::device::{DeviceAnswer, DeviceReport, SnmpAccess, SnmpInterface, SnmpStatus};
use crate::model::observation::{How, Method, Outcome, Refusal};
use crate::model::target::Host;
use crate::model::text::SafeText;
use crate::model::time::Rtt;

/// Longest text taken from an agent, in bytes (DisplayString is at most 255, RFC 2579; some
/// agents don't know).
const TEXT_CAP: usize = 1024;
/// Rows asked for at once of the first column, and of the others where the agent managed that
/// with more rows than one answer holds. Agents have been seen to lose rows above about 50.
const FIRST_REPETITIONS: u32 = 10;
const LATER_REPETITIONS: u32 = 25;

/// Polls an agent. `resolve` finds the addresses of a name; the second is tried if the first
/// does not answer.
pub async fn poll<R, RF>(
    name: &SafeText,
    access: &SnmpAccess,
    resolve: &R,
    limits: &Limits,
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
                let outcome = poll_address(addr, access, limits).await;
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
        Some(Outcome::Ok(status)) => Outcome::Ok(DeviceAnswer::Snmp(status)),
        Some(Outcome::Refused { by, why, after }) => Outcome::Refused { by, why, after },
        Some(Outcome::Timeout { after }) => Outcome::Timeout { after },
        Some(Outcome::CannotTry { need }) => Outcome::CannotTry { need },
        None => Outcome::CannotTry {
            need: SafeText::new("an address"),
        },
    };
    let report = DeviceReport {
        device: name.clone(),
        outcome,
    };
    (How::best(Method::SnmpV2c), report)
}

async fn poll_address(addr: IpAddr, access: &SnmpAccess, limits: &Limits) -> Outcome<SnmpStatus> {
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
            return Outcome::Ok(status(&client, answer.varbinds, limits, deadline).await);
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

/// sysDescr.0, sysUpTime.0, sysName.0 (RFC 3418).
fn system_objects() -> [Oid; 3] {
    [
        oid!(1, 3, 6, 1, 2, 1, 1, 1, 0),
        oid!(1, 3, 6, 1, 2, 1, 1, 3, 0),
        oid!(1, 3, 6, 1, 2, 1, 1, 5, 0),
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

async fn status(
    client: &Client<Wire>,
    system: Vec<VarBind>,
    limits: &Limits,
    deadline: Instant,
) -> SnmpStatus {
    let objects = system_objects();
    let value = |i: usize| {
        let wanted = objects.get(i)?;
        let found = system.iter().find(|v| v.oid == *wanted)?;
        (!found.value.is_exception()).then_some(&found.value)
    };
    let mut notes = Vec::new();
    if (0..objects.len()).all(|i| value(i).is_none()) {
        notes.push("the agent shows this community no system group (its view is too small)".into());
    }
    let text = |i: usize| value(i).map(text_of).unwrap_or_default();
    let (description, name) = (text(0), text(2));
    let uptime_ticks = value(1).and_then(Value::as_u32).unwrap_or_else(|| {
        notes.push("the agent does not tell sysUpTime".into());
        0
    });
    let interfaces = interfaces(client, limits, deadline, &mut notes).await;
    let note = (!notes.is_empty()).then(|| SafeText::new(notes.join("; ")));
    SnmpStatus {
        name,
        description,
        uptime_ticks,
        interfaces,
        note,
    }
}

fn text_of(value: &Value) -> SafeText {
    value
        .as_bytes()
        .map(|b| SafeText::from_bytes_capped(b, TEXT_CAP))
        .unwrap_or_default()
}

/// The columns read, in this order. ifOperStatus comes first: it is what is looked for.
fn columns() -> [(&'static str, Oid); 5] {
    [
        ("ifOperStatus", oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 8)),
        ("ifAdminStatus", oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 7)),
        ("ifDescr", oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, 2)),
        ("ifName", oid!(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)),
        ("ifAlias", oid!(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18)),
    ]
}

/// Values of one column by ifIndex.
type Column = BTreeMap<u32, Value>;

async fn interfaces(
    client: &Client<Wire>,
    limits: &Limits,
    deadline: Instant,
    notes: &mut Vec<String>,
) -> Vec<SnmpInterface> {
    let mut read: BTreeMap<&'static str, Column> = BTreeMap::new();
    let mut repetitions = FIRST_REPETITIONS;
    for (name, base) in columns() {
        let (column, end) = walk(client, &base, repetitions, limits, deadline).await;
        if end == End::Complete && column.len() > FIRST_REPETITIONS as usize {
            repetitions = LATER_REPETITIONS;
        }
        read.insert(name, column);
        if let Some(note) = end.note(name) {
            notes.push(note);
        }
        // An agent that is gone is not asked four more times.
        if matches!(end, End::Silence | End::Gone(_)) {
            notes.push("the columns after it were not asked for".into());
            break;
        }
    }
    let empty = Column::new();
    let column = |name: &str| read.get(name).unwrap_or(&empty);
    let mut missing_status = 0usize;
    let indexes = ["ifOperStatus", "ifAdminStatus", "ifDescr"];
    let indexes: std::collections::BTreeSet<u32> = indexes
        .iter()
        .flat_map(|c| column(c).keys().copied())
        .collect();
    let rows = indexes.into_iter().take(limits.rows).map(|index| {
        let number = |name| column(name).get(&index).and_then(Value::as_i32);
        let text = |name| column(name).get(&index).map(text_of);
        let (admin, oper) = (number("ifAdminStatus"), number("ifOperStatus"));
        if admin.is_none() || oper.is_none() {
            missing_status += 1;
        }
        let name = text("ifName").filter(|t| !t.is_empty());
        let name = name.or_else(|| text("ifDescr")).filter(|t| !t.is_empty());
        SnmpInterface {
            index,
            name: name.unwrap_or_else(|| SafeText::new(format!("ifIndex {index}"))),
            alias: text("ifAlias").unwrap_or_default(),
            // Without the column nothing says that it was shut on purpose.
            admin_up: admin.is_none_or(|n| n == 1),
            oper_status: oper
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| (1..=7).contains(n))
                .unwrap_or(4),
        }
    });
    let rows: Vec<SnmpInterface> = rows.collect();
    if missing_status > 0 {
        notes.push(format!(
            "{missing_status} interfaces lack ifAdminStatus or ifOperStatus"
        ));
    }
    rows
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Complete,
    /// At the limit of rows.
    Cut(usize),
    /// The agent answered rows in an order that would never end.
    Disorder,
    /// No answer, or no time left.
    Silence,
    /// Somebody said that the agent can't be reached any more.
    Gone(String),
    /// Something else went wrong.
    Failed(String),
}

impl End {
    fn note(&self, column: &str) -> Option<String> {
        Some(match self {
            End::Complete => return None,
            End::Cut(rows) => format!("{column} was cut after {rows} rows"),
            End::Disorder => format!(
                "the agent repeats rows of {column} or sends them out of order; some may be missing"
            ),
            End::Silence => format!("no answer in time while {column} was read"),
            End::Gone(why) => format!("the agent went away while {column} was read: {why}"),
            End::Failed(why) => format!("{column} could not be read: {why}"),
        })
    }
}

/// Reads one column: by GETBULK, and by GETNEXT if the agent answers that with an error.
async fn walk(
    client: &Client<Wire>,
    base: &Oid,
    repetitions: u32,
    limits: &Limits,
    deadline: Instant,
) -> (Column, End) {
    let options = WalkOptions {
        method: WalkMethod::GetBulk,
        max_repetitions: repetitions,
        ordering: OidOrdering::Strict,
        result_limit: Some(limits.rows),
    };
    let (column, end) = walk_with(client, base, options, deadline).await;
    if !matches!(end, End::Failed(_)) {
        return (column, end);
    }
    let options = WalkOptions {
        method: WalkMethod::GetNext,
        ..options
    };
    let (again, end_again) = walk_with(client, base, options, deadline).await;
    if again.len() >= column.len() {
        (again, end_again)
    } else {
        (column, end)
    }
}

async fn walk_with(
    client: &Client<Wire>,
    base: &Oid,
    options: WalkOptions,
    deadline: Instant,
) -> (Column, End) {
    let mut column = Column::new();
    let mut stream = match client.walk_with(base.clone(), options) {
        Ok(stream) => stream,
        Err(e) => return (column, End::Failed(format!("{:?}", e.kind()))),
    };
    let end = loop {
        match tokio::time::timeout_at(deadline, stream.next()).await {
            Err(_) => break End::Silence,
            Ok(None) => break End::Complete,
            Ok(Some(Err(e))) => break end_of(&e, options),
            Ok(Some(Ok(row))) => {
                // A row of these tables has ifIndex alone for its index.
                if let Some([index]) = row.oid.strip_prefix(base).as_ref().map(Oid::arcs) {
                    column.insert(*index, row.value);
                }
            }
        }
    };
    (column, end)
}

fn end_of(error: &Error, options: WalkOptions) -> End {
    match error.exchange_source() {
        Error::Timeout { .. } => End::Silence,
        Error::WalkAborted { reason, .. } => match reason {
            WalkAbortReason::ResultLimitExceeded { .. } => {
                End::Cut(options.result_limit.unwrap_or(0))
            }
            _ => End::Disorder,
        },
        Error::Snmp { status, .. } => End::Failed(format!("the agent says {status}")),
        Error::Network { source, .. } => End::Gone(match notice(source).1 {
            Refusal::Icmp(error) => error.label(),
            Refusal::Kernel(text) | Refusal::Protocol(text) => text.to_string(),
            Refusal::TcpReset => "reset".into(),
        }),
        other => End::Failed(format!("{:?}", other.kind())),
    }
}
