//! Walks: the columns of a table, one after the other or side by side.
//!
//! Knows OIDs and how agents misbehave, not what the values mean.

use std::collections::BTreeMap;

use async_snmp::{
    Client, Error, Oid, OidOrdering, Value, WalkAbortReason, WalkMethod, WalkOptions, oid,
};
use tokio::time::Instant;

use super::super::Limits;
use super::super::wire::Wire;
use super::notice;
use crate::model::observation::Refusal;

/// Values of one column by index of the row.
pub(super) type Column = BTreeMap<Vec<u32>, Value>;

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
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
    pub fn note(&self, column: &str) -> Option<String> {
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
pub(super) async fn walk(
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
                if let Some(index) = row.oid.strip_prefix(base) {
                    column.insert(index.arcs().to_vec(), row.value);
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

/// Values that one answer of [`side_by_side`] may hold: well below what a datagram carries.
const VALUES_AT_ONCE: usize = 40;

/// Columns read together, and sysUpTime in the answer that brought each row.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub columns: Vec<Column>,
    pub ticks: BTreeMap<Vec<u32>, u32>,
    pub end: Option<End>,
}

/// Reads columns side by side, with sysUpTime in each request: then a rate has the agent's own
/// clock for its time base (RFC 2863 section 3.1.5 tells why it must not be ours). Each column
/// goes on from its own last row, so that one with holes does not shift the others.
pub(super) async fn side_by_side(
    client: &Client<Wire>,
    bases: &[Oid],
    limits: &Limits,
    deadline: Instant,
) -> Rows {
    let uptime = oid!(1, 3, 6, 1, 2, 1, 1, 3);
    let mut rows = Rows {
        columns: vec![Column::new(); bases.len()],
        ..Rows::default()
    };
    let mut cursors: Vec<Option<Oid>> = bases.iter().cloned().map(Some).collect();
    loop {
        let active: Vec<usize> = (0..bases.len()).filter(|i| cursors[*i].is_some()).collect();
        if active.is_empty() {
            rows.end = Some(End::Complete);
            return rows;
        }
        let repetitions = (VALUES_AT_ONCE / active.len()).max(1) as u32;
        let mut asked = vec![uptime.clone()];
        asked.extend(active.iter().filter_map(|i| cursors[*i].clone()));
        let answer = client.get_bulk(&asked, 1, repetitions);
        let answer = match tokio::time::timeout_at(deadline, answer).await {
            Err(_) => {
                rows.end = Some(End::Silence);
                return rows;
            }
            Ok(Err(e)) => {
                rows.end = Some(end_of(&e, WalkOptions::default()));
                return rows;
            }
            Ok(Ok(answer)) => answer,
        };
        let mut answer = answer.into_iter();
        let ticks = answer.next().and_then(|v| v.value.as_u32());
        let mut told = vec![false; active.len()];
        for (n, bind) in answer.enumerate() {
            let slot = n % active.len();
            let Some((i, base)) = active.get(slot).and_then(|i| Some((*i, bases.get(*i)?))) else {
                continue;
            };
            told[slot] = true;
            let Some(cursor) = cursors[i].clone() else {
                continue;
            };
            let index = bind.oid.strip_prefix(base);
            // Past the end of the column, or in an order that would never end.
            let full = rows.columns[i].len() >= limits.rows;
            match index {
                Some(index) if bind.oid > cursor && !full && !bind.value.is_exception() => {
                    let index = index.arcs().to_vec();
                    if let Some(ticks) = ticks {
                        rows.ticks.entry(index.clone()).or_insert(ticks);
                    }
                    rows.columns[i].insert(index, bind.value);
                    cursors[i] = Some(bind.oid);
                }
                _ => cursors[i] = None,
            }
        }
        // An answer that left a column out says nothing more of it.
        for (slot, i) in active.iter().enumerate() {
            if !told[slot] {
                cursors[*i] = None;
            }
        }
    }
}
