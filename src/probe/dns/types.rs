//! Names of record types and response codes as IANA registers them.

use hickory_proto::rr::RecordType;

/// Types that a person asks for or meets in answers.
const TYPES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (39, "DNAME"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (104, "NID"),
    (105, "L32"),
    (106, "L64"),
    (107, "LP"),
    (108, "EUI48"),
    (109, "EUI64"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
    (258, "AVC"),
    (260, "AMTRELAY"),
    (261, "RESINFO"),
];

/// Response codes (RFC 6895 2.3). Codes from 16 need EDNS.
const RCODES: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (23, "BADCOOKIE"),
];

/// A type by its name in any case or as `TYPE123` (RFC 3597). OPT and the zone transfers are not
/// questions for a resolver.
pub fn parse(text: &str) -> Option<RecordType> {
    let text = text.to_ascii_uppercase();
    let code = match TYPES.iter().find(|(_, name)| *name == text) {
        Some((code, _)) => *code,
        None => text.strip_prefix("TYPE")?.parse().ok()?,
    };
    let asked = !matches!(code, 0 | 41 | 249..=254);
    asked.then(|| RecordType::from(code))
}

/// The name of a type.
pub fn print(rtype: RecordType) -> String {
    let code = u16::from(rtype);
    match TYPES.iter().find(|(c, _)| *c == code) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("TYPE{code}"),
    }
}

/// The name of a response code.
pub fn rcode(code: u16) -> String {
    match RCODES.iter().find(|(c, _)| *c == code) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("RCODE{code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (code, name) in TYPES {
            let parsed = parse(&name.to_ascii_lowercase()).expect(name);
            assert_eq!(u16::from(parsed), *code);
            assert_eq!(print(parsed), *name);
        }
        assert_eq!(parse("TYPE1"), parse("A"));
        assert_eq!(print(RecordType::from(4711)), "TYPE4711");
        for bad in [
            "",
            "X",
            "TYPE",
            "TYPE65536",
            "AXFR",
            "TYPE252",
            "OPT",
            "TYPE0",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(rcode(2), "SERVFAIL");
        assert_eq!(rcode(12), "RCODE12");
    }
}
