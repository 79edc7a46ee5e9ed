//! Offline tables of autonomous systems and places: `.mmdb` files of any vendor, and pfx2as text.
//!
//! They are read into memory once. What is wrong with one is said, and the program goes on
//! without it.

use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::Reader;
use serde_json::Value;

use crate::model::origin::{Asn, GeoPlace, OriginSources};
use crate::model::text::SafeText;

use super::pfx2as::Prefixes;

/// No table is larger, in bytes.
const LARGEST: u64 = 1 << 30;
/// Most bytes of a name of a table.
const MAX_NAME: usize = 128;

/// The tables that could be read.
#[derive(Default)]
pub struct Tables {
    asn: Option<Table>,
    geo: Option<Table>,
}

enum Table {
    Mmdb(Reader<Vec<u8>>),
    Prefixes(Prefixes),
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (asn, geo) = (self.asn.is_some(), self.geo.is_some());
        write!(f, "Tables {{ asn: {asn}, geo: {geo} }}")
    }
}

impl Tables {
    /// Reads the files; blocks on the disk. The second value says what is wrong with them.
    pub fn load(sources: &OriginSources) -> (Self, Vec<SafeText>) {
        let mut problems = Vec::new();
        let mut open = |path: Option<&Path>, what: &str| {
            let path = path?;
            match open(path) {
                Ok((table, None)) => Some(table),
                Ok((table, Some(left_out))) => {
                    let shown = path.display();
                    problems.push(SafeText::new(format!("the {what} {shown}: {left_out}")));
                    Some(table)
                }
                Err(why) => {
                    let shown = path.display();
                    problems.push(SafeText::new(format!(
                        "cannot use the {what} {shown}: {why}"
                    )));
                    None
                }
            }
        };
        let mut tables = Self {
            asn: open(sources.asn.as_deref(), "AS table"),
            geo: open(sources.geo.as_deref(), "table of places"),
        };
        if matches!(tables.geo, Some(Table::Prefixes(_))) {
            tables.geo = None;
            problems.push("the table of places is a pfx2as text; that holds no places".into());
        }
        (tables, problems)
    }

    /// The autonomous system of an address. Takes microseconds.
    pub fn asn(&self, addr: IpAddr) -> Option<Asn> {
        match self.asn.as_ref()? {
            Table::Prefixes(p) => p.lookup(addr),
            Table::Mmdb(reader) => {
                let (record, prefix) = look(reader, addr)?;
                read_asn(&record, prefix)
            }
        }
    }

    /// The place of an address. Takes microseconds.
    pub fn place(&self, addr: IpAddr) -> Option<GeoPlace> {
        match self.geo.as_ref()? {
            Table::Prefixes(_) => None,
            Table::Mmdb(reader) => read_place(&look(reader, addr)?.0),
        }
    }
}

fn open(path: &Path) -> Result<(Table, Option<String>), String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(|e| e.to_string())?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1 GiB".into());
    }
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => return Err("it is compressed; unpack it with gunzip first".into()),
        [b'B', b'Z', b'h', ..] => {
            return Err("it is compressed; unpack it with bunzip2 first".into());
        }
        _ => {}
    }
    if is_mmdb(&bytes) {
        let reader = Reader::from_source(bytes).map_err(|e| e.to_string())?;
        return Ok((Table::Mmdb(reader), None));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| "it is neither an .mmdb file nor pfx2as text".to_owned())?;
    let (prefixes, left_out) = Prefixes::parse(text)?;
    Ok((Table::Prefixes(prefixes), left_out))
}

/// The mark of the metadata stands in the last 128 KiB, by the format's definition.
fn is_mmdb(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";
    let tail = bytes.len().saturating_sub(128 * 1024 + MARK.len());
    bytes
        .get(tail..)
        .is_some_and(|t| t.windows(MARK.len()).any(|w| w == MARK))
}

/// The record of an address and the network that it is for.
fn look(reader: &Reader<Vec<u8>>, addr: IpAddr) -> Option<(Value, Option<SafeText>)> {
    let found = reader.lookup(addr).ok()?;
    let prefix = found.network().ok().map(|n| SafeText::new(n.to_string()));
    Some((found.decode::<Value>().ok()??, prefix))
}

/// MaxMind and DB-IP say `autonomous_system_number`, IPinfo says `asn: "AS64500"`.
fn read_asn(record: &Value, prefix: Option<SafeText>) -> Option<Asn> {
    let number =
        ["autonomous_system_number", "asn"]
            .iter()
            .find_map(|key| match record.get(key)? {
                Value::Number(n) => u32::try_from(n.as_u64()?).ok(),
                Value::String(s) => s.trim_start_matches(['A', 'S', 'a', 's']).parse().ok(),
                _ => None,
            })?;
    let name = ["autonomous_system_organization", "as_name", "name", "org"]
        .iter()
        .find_map(|key| text(record.get(key)?));
    Some(Asn {
        number,
        prefix,
        name,
    })
}

/// MaxMind nests (`country.iso_code`, `city.names.en`), IPinfo does not.
fn read_place(record: &Value) -> Option<GeoPlace> {
    let inner = |value: &Value| {
        text(value)
            .or_else(|| text(value.get("iso_code")?))
            .or_else(|| text(value.get("names")?.get("en")?))
    };
    let first = |keys: &[&str]| keys.iter().find_map(|key| inner(record.get(key)?));
    let place = GeoPlace {
        country: first(&["country_code", "country", "registered_country"]),
        city: first(&["city"]),
    };
    (place != GeoPlace::default()).then_some(place)
}

fn text(value: &Value) -> Option<SafeText> {
    let text = value.as_str()?;
    (!text.is_empty()).then(|| SafeText::capped(text, MAX_NAME))
}

#[cfg(test)]
mod tests {
    use super::super::mmdb_maker::{Mmdb, map, number, text as entry};
    use super::*;

    fn sources(dir: &Path, asn: &[u8], geo: &[u8]) -> OriginSources {
        let (a, g) = (dir.join("asn"), dir.join("geo"));
        std::fs::write(&a, asn).unwrap();
        std::fs::write(&g, geo).unwrap();
        OriginSources {
            asn: Some(a),
            geo: Some(g),
            ..OriginSources::default()
        }
    }

    #[test]
    fn tables_of_both_vendors_are_read() {
        let maxmind = Mmdb::new()
            .with(
                "203.0.113.0/24",
                map(&[
                    ("autonomous_system_number", number(64_500)),
                    (
                        "autonomous_system_organization",
                        entry("Example \u{1b}[2J Net"),
                    ),
                ]),
            )
            .with(
                "2001:db8::/32",
                map(&[("autonomous_system_number", number(64_501))]),
            )
            .build();
        let city = Mmdb::new()
            .with(
                "203.0.113.0/24",
                map(&[
                    ("country", map(&[("iso_code", entry("DE"))])),
                    ("city", map(&[("names", map(&[("en", entry("Berlin"))]))])),
                ]),
            )
            .build();
        let dir = tempfile::tempdir().unwrap();
        let (tables, problems) = Tables::load(&sources(dir.path(), &maxmind, &city));
        assert_eq!(problems, Vec::<SafeText>::new());
        let addr = "203.0.113.9".parse().unwrap();
        let asn = tables.asn(addr).unwrap();
        assert_eq!(asn.to_string(), "AS64500 Example \\e[2J Net");
        assert_eq!(asn.prefix.unwrap().as_str(), "203.0.113.0/24");
        assert_eq!(tables.place(addr).unwrap().to_string(), "Berlin, DE");
        assert_eq!(
            tables.asn("2001:db8::1".parse().unwrap()).unwrap().number,
            64_501
        );
        assert_eq!(tables.asn("198.51.100.1".parse().unwrap()), None);

        let ipinfo = Mmdb::new()
            .with(
                "198.51.100.0/24",
                map(&[
                    ("asn", entry("AS64502")),
                    ("as_name", entry("Other")),
                    ("country_code", entry("NL")),
                ]),
            )
            .build();
        let (tables, _) = Tables::load(&sources(dir.path(), &ipinfo, &ipinfo));
        let addr = "198.51.100.1".parse().unwrap();
        assert_eq!(tables.asn(addr).unwrap().to_string(), "AS64502 Other");
        assert_eq!(tables.place(addr).unwrap().to_string(), "NL");
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let broken = Mmdb::new().with("203.0.113.0/24", map(&[])).build();
        let cut = &broken[broken.len() - 60..];
        let (tables, problems) = Tables::load(&sources(dir.path(), b"\x1f\x8bx", cut));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].as_str().contains("gunzip"), "{problems:?}");
        assert_eq!(tables.asn("203.0.113.1".parse().unwrap()), None);
        let (_, problems) = Tables::load(&sources(
            dir.path(),
            b"1.0.0.0\t8\t1\nbad\n",
            b"1.0.0.0\t8\t1\n",
        ));
        assert!(problems[0].as_str().contains("line 2"), "{problems:?}");
        assert!(problems[1].as_str().contains("no places"), "{problems:?}");
        let absent = OriginSources {
            asn: Some(dir.path().join("none")),
            ..OriginSources::default()
        };
        assert!(Tables::load(&absent).1[0].as_str().contains("No such file"));
    }
}
