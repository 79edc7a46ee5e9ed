//! CAIDA's text tables of prefixes and autonomous systems: `203.0.113.0<tab>24<tab>64500`.
//!
//! A prefix that several systems announce lists them (`64500_64501`, sets as `64500,64501`); the
//! first one is kept. A line that is none of this is left out and named.

use std::net::IpAddr;

use crate::model::origin::Asn;
use crate::model::text::SafeText;

/// Bad lines that are named; the rest is counted.
const NAMED: usize = 3;

/// Prefixes by their first address and length.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    v4: Vec<(u32, u8, u32)>,
    v6: Vec<(u128, u8, u32)>,
    /// Lengths that occur, longest first.
    lengths: (Vec<u8>, Vec<u8>),
}

impl Prefixes {
    /// Reads a table; the second value names what was left out.
    ///
    /// # Errors
    /// If no line of it is an entry.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<String>), String> {
        let mut table = Self::default();
        let (mut named, mut bad) = (Vec::new(), 0usize);
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(why) = table.add(line) {
                bad += 1;
                if named.len() < NAMED {
                    named.push(format!("line {} ({why})", i + 1));
                }
            }
        }
        if table.v4.is_empty() && table.v6.is_empty() {
            return Err(match named.first() {
                Some(first) => format!("no line is prefix, length and AS number; {first}"),
                None => "it is empty".into(),
            });
        }
        table.v4.sort_unstable();
        table.v6.sort_unstable();
        table.lengths = (
            lengths(table.v4.iter().map(|e| e.1)),
            lengths(table.v6.iter().map(|e| e.1)),
        );
        let left_out = (bad > 0).then(|| {
            let more = match bad - named.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            format!("left out: {}{more}", named.join(", "))
        });
        Ok((table, left_out))
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let mut fields = line.split_whitespace();
        let (Some(base), Some(len), Some(systems), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("not three fields".into());
        };
        let base: IpAddr = base.parse().map_err(|_| "no address".to_owned())?;
        let most = if base.is_ipv6() { 128 } else { 32 };
        let len: u8 = len
            .parse()
            .ok()
            .filter(|l| *l <= most)
            .ok_or("no prefix length")?;
        let first = systems.split(['_', ',', '{', '}']).find(|s| !s.is_empty());
        let number: u32 = first.and_then(|n| n.parse().ok()).ok_or("no AS number")?;
        match base {
            IpAddr::V4(a) => self.v4.push((cut4(a.to_bits(), len), len, number)),
            IpAddr::V6(a) => self.v6.push((cut6(a.to_bits(), len), len, number)),
        }
        Ok(())
    }

    /// The longest prefix that holds an address.
    pub(super) fn lookup(&self, addr: IpAddr) -> Option<Asn> {
        let (len, number) = match addr {
            IpAddr::V4(a) => find(&self.v4, &self.lengths.0, |len| cut4(a.to_bits(), len))?,
            IpAddr::V6(a) => find(&self.v6, &self.lengths.1, |len| cut6(a.to_bits(), len))?,
        };
        let base: IpAddr = match addr {
            IpAddr::V4(a) => std::net::Ipv4Addr::from_bits(cut4(a.to_bits(), len)).into(),
            IpAddr::V6(a) => std::net::Ipv6Addr::from_bits(cut6(a.to_bits(), len)).into(),
        };
        Some(Asn {
            number,
            prefix: Some(SafeText::new(format!("{base}/{len}"))),
            name: None,
        })
    }
}

fn find<T: Ord + Copy>(
    entries: &[(T, u8, u32)],
    lengths: &[u8],
    cut: impl Fn(u8) -> T,
) -> Option<(u8, u32)> {
    lengths.iter().find_map(|len| {
        let wanted = (cut(*len), *len);
        let i = entries.partition_point(|(base, l, _)| (*base, *l) < wanted);
        let (base, l, number) = *entries.get(i)?;
        ((base, l) == wanted).then_some((*len, number))
    })
}

fn lengths(all: impl Iterator<Item = u8>) -> Vec<u8> {
    let set: std::collections::BTreeSet<u8> = all.collect();
    set.into_iter().rev().collect()
}

fn cut4(bits: u32, len: u8) -> u32 {
    bits & u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
}

fn cut6(bits: u128, len: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# comment\n203.0.113.0\t24\t64500\n203.0.113.128\t25\t64501_64502\n\
        0.0.0.0\t0\t64000\n2001:db8::\t32\t64503,64504\n10.0.0.0\t33\t1\nnonsense\n10.0.0.0\t8\tx\n\
        10.0.0.0 8 1 2\n10.0.0.0 8\n";

    #[test]
    fn the_longest_prefix_wins() {
        let (table, _) = Prefixes::parse(TABLE).unwrap();
        let at = |a: &str| {
            let asn = table.lookup(a.parse().unwrap())?;
            Some((asn.number, asn.prefix.unwrap().to_string()))
        };
        assert_eq!(at("203.0.113.7"), Some((64_500, "203.0.113.0/24".into())));
        assert_eq!(
            at("203.0.113.200"),
            Some((64_501, "203.0.113.128/25".into()))
        );
        assert_eq!(at("198.51.100.1"), Some((64_000, "0.0.0.0/0".into())));
        assert_eq!(at("2001:db8::9"), Some((64_503, "2001:db8::/32".into())));
        assert_eq!(at("2001:db9::9"), None);
    }

    #[test]
    fn bad_lines_are_named_and_a_table_of_them_refused() {
        let (_, left_out) = Prefixes::parse(TABLE).unwrap();
        assert_eq!(
            left_out.unwrap(),
            "left out: line 6 (no prefix length), line 7 (not three fields), \
             line 8 (no AS number) and 2 more"
        );
        let why = Prefixes::parse("<html>\n").unwrap_err();
        assert!(why.contains("line 1"), "{why}");
        assert!(Prefixes::parse("").unwrap_err().contains("empty"));
    }
}
