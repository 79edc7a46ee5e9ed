//! Record data in presentation form, by our own hand: ASCII only, nothing decoded twice.

use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use crate::model::observation::DnsRecord;
use crate::model::text::SafeText;

use super::{name, raw, types};

/// Most bytes of one record's data that are shown.
const MAX_DATA: usize = 4096;

/// One record as the model keeps it.
pub(super) fn record(r: &Record) -> DnsRecord {
    DnsRecord {
        name: SafeText::capped(&name::print(&r.name), name::MAX_TEXT),
        rtype: SafeText::new(types::print(r.record_type())),
        ttl: r.ttl,
        data: SafeText::capped(&print(&r.data), MAX_DATA),
    }
}

/// Data of the known types as in a zone file; anything else as RFC 3597 5 writes it.
pub(super) fn print(data: &RData) -> String {
    let n = |name: &Name| self::name::print(name);
    match data {
        RData::A(a) => a.0.to_string(),
        RData::AAAA(a) => a.0.to_string(),
        RData::CNAME(c) => n(&c.0),
        RData::NS(c) => n(&c.0),
        RData::PTR(c) => n(&c.0),
        RData::MX(m) => format!("{} {}", m.preference, n(&m.exchange)),
        RData::SOA(s) => format!(
            "{} {} {} {} {} {} {}",
            n(&s.mname),
            n(&s.rname),
            s.serial,
            // The library keeps these as signed; on the wire they are not (RFC 1035 3.3.13).
            s.refresh as u32,
            s.retry as u32,
            s.expire as u32,
            s.minimum
        ),
        RData::SRV(s) => format!("{} {} {} {}", s.priority, s.weight, s.port, n(&s.target)),
        RData::TXT(t) => {
            let strings: Vec<String> = t.txt_data.iter().map(|s| quoted(s)).collect();
            strings.join(" ")
        }
        RData::CAA(c) => format!("{} {} {}", c.flags(), tag(&c.tag), quoted(&c.value)),
        other => generic(other),
    }
}

/// A character-string in quotes, with `\DDD` for what is not printable ASCII.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for b in bytes {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*b));
            }
            0x20..=0x7e => out.push(char::from(*b)),
            _ => out.push_str(&format!("\\{b:03}")),
        }
    }
    out.push('"');
    out
}

/// CAA tags are letters and digits (RFC 8659 4.1); anything else is shown as it would be in a name.
fn tag(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            0x21..=0x7e => char::from(b).to_string(),
            _ => format!("\\{b:03}"),
        })
        .collect()
}

fn generic(data: &RData) -> String {
    let bytes = match data {
        RData::Unknown { rdata, .. } => rdata.anything.clone(),
        other => {
            let mut bytes = Vec::new();
            let mut encoder = BinEncoder::new(&mut bytes);
            if other.emit(&mut encoder).is_err() {
                return "\\# (not representable)".to_owned();
            }
            bytes
        }
    };
    let code = u16::from(data.record_type());
    if let Some(text) = raw::print(code, &bytes) {
        return text;
    }
    let mut out = format!("\\# {}", bytes.len());
    if !bytes.is_empty() {
        out.push(' ');
    }
    for b in bytes.iter().take(MAX_DATA) {
        out.push_str(&format!("{b:02x}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::rdata::{CAA, MX, NULL, SOA, TXT};
    use hickory_proto::rr::{RecordType, rdata};

    #[test]
    fn common_types() {
        let name = |s: &str| name::parse(s).unwrap();
        let shown = |d: RData| print(&d);
        assert_eq!(
            shown(RData::MX(MX::new(10, name("mail.example.com")))),
            "10 mail.example.com"
        );
        assert_eq!(
            shown(RData::SOA(SOA::new(
                name("ns.example.com"),
                name(r"host\.master.example.com"),
                7,
                -1,
                2,
                3,
                4
            ))),
            r"ns.example.com host\.master.example.com 7 4294967295 2 3 4"
        );
        assert_eq!(
            shown(RData::SRV(rdata::SRV::new(1, 2, 443, name(".")))),
            "1 2 443 ."
        );
        let mut caa = CAA::new_issue(true, None, vec![]);
        caa.value = b"ca.example.net; a=\"b\"".to_vec();
        assert_eq!(
            shown(RData::CAA(caa)),
            r#"128 issue "ca.example.net; a=\"b\"""#
        );
    }

    #[test]
    fn txt_is_quoted_and_escaped() {
        let txt = |parts: Vec<&[u8]>| print(&RData::TXT(TXT::from_bytes(parts)));
        assert_eq!(txt(vec![b"v=spf1 -all", b""]), r#""v=spf1 -all" """#);
        assert_eq!(
            txt(vec![b"\x1b]52;c;ZQ==\x07", b"\"\\", "ä".as_bytes()]),
            r#""\027]52;c;ZQ==\007" "\"\\" "\195\164""#
        );
    }

    #[test]
    fn other_types_are_generic() {
        let data = RData::Unknown {
            code: RecordType::from(4711),
            rdata: NULL::with(vec![1, 0xab]),
        };
        assert_eq!(print(&data), r"\# 2 01ab");
    }

    #[test]
    fn long_data_is_cut_and_says_so() {
        let big = vec![b'x'; 255];
        let parts: Vec<&[u8]> = std::iter::repeat_n(big.as_slice(), 255).collect();
        let r = Record::from_rdata(
            name::parse("t.example").unwrap(),
            60,
            RData::TXT(TXT::from_bytes(parts)),
        );
        let shown = record(&r);
        assert!(shown.data.as_str().len() < MAX_DATA + 32);
        assert!(shown.data.as_str().ends_with(" bytes)"), "{}", shown.data);
    }
}
