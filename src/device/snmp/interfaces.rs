//! ifTable and ifXTable (RFC 2863): names, states, speeds and counters of the interfaces.

use std::collections::{BTreeMap, BTreeSet};

use async_snmp::{Oid, Value, oid};

use super::reader::Reader;
use super::text_of;
use super::walk::Column;
use crate::model::device::{Count, Counters, SnmpInterface};
use crate::model::text::SafeText;

/// One value for each interface, by ifIndex.
type ByIndex = BTreeMap<u32, Value>;

/// What of the interfaces seldom changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    indexes: BTreeSet<u32>,
    table_change: Option<u32>,
    texts: BTreeMap<&'static str, ByIndex>,
}

fn entry(column: u32) -> Oid {
    oid!(1, 3, 6, 1, 2, 1, 2, 2, 1).child(column)
}

fn extension(column: u32) -> Oid {
    oid!(1, 3, 6, 1, 2, 1, 31, 1, 1, 1).child(column)
}

/// Rows of these tables have ifIndex alone for their index.
fn by_index(column: Column) -> ByIndex {
    let one = |(index, value): (Vec<u32>, Value)| match index[..] {
        [index] => Some((index, value)),
        _ => None,
    };
    column.into_iter().filter_map(one).collect()
}

/// Reads all interfaces. `table_change` is ifTableLastChange: while it and the rows stay the same,
/// names and speeds are those of the poll before.
pub(super) async fn read(r: &mut Reader<'_>, table_change: Option<u32>) -> Vec<SnmpInterface> {
    // ifOperStatus comes first: it is what is looked for.
    let oper = by_index(r.column("ifOperStatus", &entry(8)).await);
    let admin = by_index(r.column("ifAdminStatus", &entry(7)).await);
    let seen: BTreeSet<u32> = oper.keys().copied().collect();
    let old = r.known.names.take();
    let names = match old {
        Some(names) if names.indexes == seen && names.table_change == table_change => names,
        _ => names(r, seen, table_change).await,
    };
    let counters = counters(r).await;
    let empty = ByIndex::new();
    let column = |name: &str| names.texts.get(name).unwrap_or(&empty);
    let known = [&oper, &admin, column("ifDescr")];
    let indexes: BTreeSet<u32> = known.iter().flat_map(|c| c.keys().copied()).collect();
    let mut missing_status = 0usize;
    let rows = indexes.into_iter().take(r.limits.rows).map(|index| {
        let number = |column: &ByIndex| column.get(&index).and_then(Value::as_i32);
        let text = |name| column(name).get(&index).map(text_of);
        let (admin, oper) = (number(&admin), number(&oper));
        if admin.is_none() || oper.is_none() {
            missing_status += 1;
        }
        let name = text("ifName").filter(|t| !t.is_empty());
        let name = name.or_else(|| text("ifDescr")).filter(|t| !t.is_empty());
        let (counters, last_change) = counters.get(&index).copied().unwrap_or_default();
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
            speed: speed(
                column("ifHighSpeed").get(&index),
                column("ifSpeed").get(&index),
            ),
            last_change,
            counters,
        }
    });
    let rows: Vec<SnmpInterface> = rows.collect();
    if missing_status > 0 {
        r.notes.push(format!(
            "{missing_status} interfaces lack ifAdminStatus or ifOperStatus"
        ));
    }
    // Names of an agent that fell silent meanwhile are not all of them.
    r.known.names = (!r.gone).then_some(names);
    rows
}

async fn names(r: &mut Reader<'_>, indexes: BTreeSet<u32>, table_change: Option<u32>) -> Names {
    let mut names = Names {
        indexes,
        table_change,
        texts: BTreeMap::new(),
    };
    for (name, base) in [
        ("ifDescr", entry(2)),
        ("ifName", extension(1)),
        ("ifAlias", extension(18)),
        ("ifHighSpeed", extension(15)),
    ] {
        let column = by_index(r.column(name, &base).await);
        names.texts.insert(name, column);
    }
    let fast = names.texts.get("ifHighSpeed");
    // Slow interfaces round to 0 Mbit/s there.
    let all_told = fast.is_some_and(|f| {
        let told = |i| f.get(i).and_then(Value::as_u32).is_some_and(|n| n >= 10);
        names.indexes.iter().all(told)
    });
    if !all_told {
        let column = by_index(r.column("ifSpeed", &entry(5)).await);
        names.texts.insert("ifSpeed", column);
    }
    names
}

/// ifHighSpeed is in Mbit/s, rounded; ifSpeed is in bit/s and stands at its end where that is not
/// enough. Both may be 0 for what has no speed of its own.
fn speed(high: Option<&Value>, low: Option<&Value>) -> Option<u64> {
    let high = high.and_then(Value::as_u32).map(u64::from);
    let low = low.and_then(Value::as_u32).filter(|n| *n != u32::MAX);
    let low = low.map(u64::from).filter(|n| *n > 0);
    match (high, low) {
        (Some(high), _) if high >= 10 => Some(high.saturating_mul(1_000_000)),
        (_, Some(low)) => Some(low),
        (Some(high), None) if high > 0 => Some(high.saturating_mul(1_000_000)),
        _ => None,
    }
}

/// The columns of counters, 64 bits wide where the RFC has them.
const OCTETS_IN: usize = 0;

fn counter_columns() -> [Oid; 10] {
    [
        extension(6),
        extension(10),
        extension(7),
        extension(11),
        entry(14),
        entry(20),
        entry(13),
        entry(19),
        extension(19),
        entry(9),
    ]
}

/// Octets and packets of agents without the wide ones.
fn narrow_columns() -> [Oid; 4] {
    [entry(10), entry(16), entry(11), entry(17)]
}

/// Counters and ifLastChange by ifIndex.
async fn counters(r: &mut Reader<'_>) -> BTreeMap<u32, (Counters, Option<u32>)> {
    let mut all: BTreeMap<u32, (Counters, Option<u32>)> = BTreeMap::new();
    let Some(rows) = r.rows("counters of interfaces", &counter_columns()).await else {
        return all;
    };
    for (at, column) in rows.columns.into_iter().enumerate() {
        for (index, value) in by_index(column) {
            let ticks = rows.ticks.get([index].as_slice()).copied();
            let (counters, last_change) = all.entry(index).or_default();
            counters.ticks = counters.ticks.or(ticks);
            match at {
                8 => counters.discontinuity = value.as_u32(),
                9 => *last_change = value.as_u32(),
                _ => *slot(counters, at) = count(&value),
            }
        }
    }
    // The object must exist for the interface; a speed of 0 says nothing about that.
    let lacking = |(c, _): &(Counters, _)| slot_of(c, OCTETS_IN).is_none();
    if all.values().any(lacking)
        && let Some(rows) = r.rows("narrow counters", &narrow_columns()).await
    {
        for (at, column) in rows.columns.into_iter().enumerate() {
            for (index, value) in by_index(column) {
                let ticks = rows.ticks.get([index].as_slice()).copied();
                let (counters, _) = all.entry(index).or_default();
                let slot = slot(counters, at);
                if slot.is_none() {
                    *slot = count(&value);
                    counters.ticks = ticks.or(counters.ticks);
                }
            }
        }
    }
    all
}

fn count(value: &Value) -> Option<Count> {
    match value {
        Value::Counter64(n) => Some(Count {
            value: *n,
            wide: true,
        }),
        Value::Counter32(n) => Some(Count {
            value: u64::from(*n),
            wide: false,
        }),
        _ => None,
    }
}

/// The counter that a column fills, in the order of [`counter_columns`].
fn slot(c: &mut Counters, column: usize) -> &mut Option<Count> {
    match column {
        0 => &mut c.in_octets,
        1 => &mut c.out_octets,
        2 => &mut c.in_packets,
        3 => &mut c.out_packets,
        4 => &mut c.in_errors,
        5 => &mut c.out_errors,
        6 => &mut c.in_discards,
        _ => &mut c.out_discards,
    }
}

fn slot_of(c: &Counters, column: usize) -> Option<Count> {
    let mut copy = *c;
    *slot(&mut copy, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        let gauge = Value::Gauge32;
        for (high, low, expected) in [
            (Some(10_000), Some(u32::MAX), Some(10_000_000_000)),
            (Some(1), Some(1_544_000), Some(1_544_000)),
            (Some(0), Some(0), None),
            (Some(0), Some(64_000), Some(64_000)),
            (Some(100), None, Some(100_000_000)),
            (Some(0), Some(u32::MAX), None),
            (None, Some(u32::MAX), None),
            (None, None, None),
        ] {
            let (h, l) = (high.map(gauge), low.map(gauge));
            assert_eq!(speed(h.as_ref(), l.as_ref()), expected, "{high:?} {low:?}");
        }
    }
}
