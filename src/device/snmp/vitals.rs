//! Load, memory and temperature of a device, from whichever objects it has.

use std::collections::BTreeMap;

use async_snmp::{Oid, Value, oid};

use super::reader::Reader;
use super::text_of;
use super::walk::Column;
use crate::model::device::{Cpu, Memory, SnmpStatus, Temperature};
use crate::model::text::SafeText;

/// Sensors kept of one device.
const MOST_SENSORS: usize = 256;

fn ucd(group: u32, object: u32) -> Oid {
    oid!(1, 3, 6, 1, 4, 1, 2021)
        .child(group)
        .child(object)
        .child(0)
}

fn load_average(n: u32) -> Oid {
    // laLoadInt: a hundred times the average.
    oid!(1, 3, 6, 1, 4, 1, 2021, 10, 1, 5).child(n)
}

/// Fills in the uptimes, load, memory and temperatures.
pub(super) async fn read(r: &mut Reader<'_>, status: &mut SnmpStatus) {
    let (host, boots, seconds) = (
        oid!(1, 3, 6, 1, 2, 1, 25, 1, 1, 0),
        oid!(1, 3, 6, 1, 6, 3, 10, 2, 1, 2, 0),
        oid!(1, 3, 6, 1, 6, 3, 10, 2, 1, 3, 0),
    );
    let wanted = [
        host.clone(),
        boots.clone(),
        seconds.clone(),
        ucd(4, 5),
        ucd(4, 6),
        ucd(4, 14),
        ucd(4, 15),
        ucd(4, 27),
        ucd(11, 11),
        load_average(1),
        load_average(2),
        load_average(3),
    ];
    let found = r.objects(&wanted).await;
    let number = |oid: &Oid| found.get(oid).and_then(unsigned);
    let ticks = |oid: &Oid| number(oid).and_then(|n| u32::try_from(n).ok());
    status.host_ticks = ticks(&host);
    status.engine_boots = ticks(&boots);
    status.engine_seconds = ticks(&seconds);
    let average = |n| Some(number(&load_average(n))? as f64 / 100.0);
    let load = match (average(1), average(2), average(3)) {
        (Some(a), Some(b), Some(c)) => Some([a, b, c]),
        _ => None,
    };
    status.cpu = cpu(r, number(&ucd(11, 11)), load).await;
    let kib = |object| Some(number(&ucd(4, object))?.saturating_mul(1024));
    status.memory = match ucd_memory(kib(5), kib(6), kib(14), kib(15), kib(27)) {
        Some(memory) => Some(memory),
        None => memory(r).await,
    };
    status.temperatures = temperatures(r).await;
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(n) => u64::try_from(*n).ok(),
        other => other.as_u64(),
    }
}

fn numbers(column: &Column) -> BTreeMap<u32, i64> {
    let one = |(index, value): (&Vec<u32>, &Value)| {
        let number = match value {
            Value::Integer(n) => i64::from(*n),
            other => i64::try_from(other.as_u64()?).ok()?,
        };
        match index[..] {
            [index] => Some((index, number)),
            _ => None,
        }
    };
    column.iter().filter_map(one).collect()
}

/// A share in percent; anything else is no share.
fn percent(n: i64) -> Option<f64> {
    (0..=100).contains(&n).then(|| n as f64 / 100.0)
}

async fn cpu(r: &mut Reader<'_>, idle: Option<u64>, load: Option<[f64; 3]>) -> Option<Cpu> {
    let made = |busy: f64, processors: usize, by: &str| Cpu {
        busy,
        processors: u32::try_from(processors).unwrap_or(u32::MAX),
        load,
        by: by.into(),
    };
    // cpmCPUTotal5minRev: processors of one device have different work, the busiest counts.
    let cisco = oid!(1, 3, 6, 1, 4, 1, 9, 9, 109, 1, 1, 1, 1, 8);
    let cisco = numbers(&r.optional("cpmCPUTotal5minRev", &cisco).await);
    let busiest = cisco.values().filter_map(|n| percent(*n)).reduce(f64::max);
    if let Some(busy) = busiest {
        return Some(made(busy, cisco.len(), "cpmCPUTotal5minRev"));
    }
    // hrProcessorLoad: one row for each core, the mean of the last minute.
    let cores = oid!(1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2);
    let cores = numbers(&r.optional("hrProcessorLoad", &cores).await);
    let shares: Vec<f64> = cores.values().filter_map(|n| percent(*n)).collect();
    if !shares.is_empty() {
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        return Some(made(mean, shares.len(), "hrProcessorLoad"));
    }
    let idle = percent(i64::try_from(idle?).ok()?)?;
    Some(made(1.0 - idle, 1, "ssCpuIdle"))
}

/// Linux keeps files in memory that nobody else wants: what buffers and caches hold can be had.
fn ucd_memory(
    total: Option<u64>,
    free: Option<u64>,
    buffers: Option<u64>,
    cached: Option<u64>,
    available: Option<u64>,
) -> Option<Memory> {
    let (total, free) = (total?, free?);
    // memSysAvail is the kernel's own estimate, which knows what of the caches cannot be had.
    let available = available
        .filter(|n| *n > 0)
        .unwrap_or_else(|| free + buffers.unwrap_or(0) + cached.unwrap_or(0));
    (total > 0).then(|| Memory {
        total,
        used: total.saturating_sub(available),
        by: "UCD memory".into(),
    })
}

async fn memory(r: &mut Reader<'_>) -> Option<Memory> {
    // ciscoMemoryPoolUsed and -Free; the first pool is the processor's.
    let pool = |n| oid!(1, 3, 6, 1, 4, 1, 9, 9, 48, 1, 1, 1).child(n);
    let used = numbers(&r.optional("ciscoMemoryPoolUsed", &pool(5)).await);
    if let Some((index, used)) = used.first_key_value() {
        let free = numbers(&r.optional("ciscoMemoryPoolFree", &pool(6)).await);
        let sizes = (u64::try_from(*used), free.get(index).copied());
        if let (Ok(used), Some(Ok(free))) = (sizes.0, sizes.1.map(u64::try_from)) {
            return Some(Memory {
                total: used.saturating_add(free),
                used,
                by: "ciscoMemoryPool".into(),
            });
        }
    }
    // Last, since it makes some agents look at every mounted file system.
    let storage = |n| oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1).child(n);
    let kinds = r.optional("hrStorageType", &storage(2)).await;
    if kinds.is_empty() {
        return None;
    }
    let units = numbers(&r.optional("hrStorageAllocationUnits", &storage(4)).await);
    let sizes = numbers(&r.optional("hrStorageSize", &storage(5)).await);
    let used = numbers(&r.optional("hrStorageUsed", &storage(6)).await);
    let names = r.optional("hrStorageDescr", &storage(3)).await;
    let rows: Vec<Storage> = kinds
        .iter()
        .filter_map(|(index, kind)| {
            let [i] = index[..] else { return None };
            let unit = u64::try_from(*units.get(&i)?).ok()?;
            let bytes = |n: Option<&i64>| Some(u64::try_from(*n?).ok()?.saturating_mul(unit));
            Some(Storage {
                ram: kind.as_oid() == Some(&oid!(1, 3, 6, 1, 2, 1, 25, 2, 1, 2)),
                name: names.get(index).map(text_of).unwrap_or_default(),
                size: bytes(sizes.get(&i))?,
                used: bytes(used.get(&i))?,
            })
        })
        .collect();
    storage_memory(&rows)
}

struct Storage {
    ram: bool,
    name: SafeText,
    size: u64,
    used: u64,
}

/// The largest storage of type RAM, without what other rows say is only cached there.
fn storage_memory(rows: &[Storage]) -> Option<Memory> {
    let ram = rows.iter().filter(|s| s.ram && s.size > 0);
    let ram = ram.max_by_key(|s| s.size)?;
    let only_cached = |s: &&Storage| {
        let name = s.name.as_str().to_ascii_lowercase();
        !s.ram && (name == "memory buffers" || name == "cached memory")
    };
    let cached = rows.iter().filter(only_cached).map(|s| s.used);
    Some(Memory {
        total: ram.size,
        used: ram.used.saturating_sub(cached.sum()),
        by: "hrStorage".into(),
    })
}

async fn temperatures(r: &mut Reader<'_>) -> Vec<Temperature> {
    let mut all = entity_sensors(r).await;
    all.extend(vendor_sensors(r).await);
    all.truncate(MOST_SENSORS);
    all
}

/// ENTITY-SENSOR-MIB (RFC 3433): sensors that measure degrees Celsius (8) and work (1).
async fn entity_sensors(r: &mut Reader<'_>) -> Vec<Temperature> {
    let sensor = |n| oid!(1, 3, 6, 1, 2, 1, 99, 1, 1, 1).child(n);
    let kinds = numbers(&r.optional("entPhySensorType", &sensor(1)).await);
    if !kinds.values().any(|k| *k == 8) {
        return Vec::new();
    }
    let scales = numbers(&r.optional("entPhySensorScale", &sensor(2)).await);
    let precisions = numbers(&r.optional("entPhySensorPrecision", &sensor(3)).await);
    let values = numbers(&r.optional("entPhySensorValue", &sensor(4)).await);
    let states = numbers(&r.optional("entPhySensorOperStatus", &sensor(5)).await);
    if r.known.sensor_names.is_empty() {
        let names = oid!(1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 7);
        let column = r.optional("entPhysicalName", &names).await;
        let named = column.into_iter().filter_map(|(index, v)| match index[..] {
            [index] => Some((index, v)),
            _ => None,
        });
        r.known.sensor_names = named.collect();
    }
    let names = &r.known.sensor_names;
    let celsius = kinds.iter().filter(|(_, kind)| **kind == 8);
    celsius
        .filter(|(i, _)| states.get(i).is_none_or(|s| *s == 1))
        .filter_map(|(i, _)| {
            let value = scaled(
                *values.get(i)?,
                scales.get(i).copied().unwrap_or(9),
                precisions.get(i).copied().unwrap_or(0),
            )?;
            let name = names.get(i).map(text_of).filter(|t| !t.is_empty());
            Some(Temperature {
                name: name.unwrap_or_else(|| SafeText::new(format!("sensor {i}"))),
                celsius: value,
                limit: None,
                too_hot: None,
            })
        })
        .collect()
}

/// EntitySensorDataScale counts powers of a thousand, 9 is units; the precision is a number of
/// decimal places. What no place on earth has is no temperature.
fn scaled(value: i64, scale: i64, precision: i64) -> Option<f64> {
    if !(1..=17).contains(&scale) || !(-8..=9).contains(&precision) {
        return None;
    }
    let exponent = (scale - 9) * 3 - precision;
    let celsius = value as f64 * 10f64.powi(i32::try_from(exponent).ok()?);
    (-100.0..=300.0).contains(&celsius).then_some(celsius)
}

/// ciscoEnvMonTemperatureStatusTable: the device has a limit and an opinion of its own.
async fn vendor_sensors(r: &mut Reader<'_>) -> Vec<Temperature> {
    let sensor = |n| oid!(1, 3, 6, 1, 4, 1, 9, 9, 13, 1, 3, 1).child(n);
    let states = numbers(&r.optional("ciscoEnvMonTemperatureState", &sensor(6)).await);
    if states.is_empty() {
        return Vec::new();
    }
    let values = numbers(
        &r.optional("ciscoEnvMonTemperatureStatusValue", &sensor(3))
            .await,
    );
    let limits = numbers(
        &r.optional("ciscoEnvMonTemperatureThreshold", &sensor(4))
            .await,
    );
    let names = r
        .optional("ciscoEnvMonTemperatureStatusDescr", &sensor(2))
        .await;
    // notPresent(5) and notFunctioning(6) measure nothing.
    let working = states.iter().filter(|(_, s)| (1..=4).contains(*s));
    working
        .filter_map(|(i, state)| {
            Some(Temperature {
                name: names.get([*i].as_slice()).map(text_of).unwrap_or_default(),
                celsius: *values.get(i)? as f64,
                limit: limits.get(i).map(|n| *n as f64),
                too_hot: Some(*state > 1),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_have_scale_and_precision() {
        assert_eq!(scaled(415, 9, 1), Some(41.5));
        assert_eq!(scaled(41_500, 8, 0), Some(41.5));
        assert_eq!(scaled(41, 9, 0), Some(41.0));
        assert_eq!(scaled(i64::from(i32::MAX), 9, 0), None);
        assert_eq!(scaled(41, 0, 0), None);
        assert_eq!(scaled(41, 9, 99), None);
    }

    #[test]
    fn cached_memory_is_not_used() {
        let used = |m: Option<Memory>| m.map(|m| m.used);
        assert_eq!(
            used(ucd_memory(Some(100), Some(5), Some(10), Some(60), None)),
            Some(25)
        );
        assert_eq!(
            used(ucd_memory(Some(100), Some(5), Some(10), Some(60), Some(50))),
            Some(50)
        );
        assert_eq!(used(ucd_memory(Some(0), Some(0), None, None, None)), None);
        let row = |ram, name: &str, size, used| Storage {
            ram,
            name: name.into(),
            size,
            used,
        };
        let rows = [
            row(true, "Physical memory", 100, 95),
            row(false, "Memory buffers", 100, 10),
            row(false, "Cached memory", 60, 60),
            row(false, "Swap space", 50, 50),
        ];
        assert_eq!(used(storage_memory(&rows)), Some(25));
        assert_eq!(used(storage_memory(&rows[..1])), Some(95));
        assert_eq!(used(storage_memory(&rows[1..])), None);
    }
}
