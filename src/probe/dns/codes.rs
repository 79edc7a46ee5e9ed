//! Registered numbers of DNS, beside record types and rcodes: DNSSEC algorithms, extended
//! errors, service parameters.

/// DNSSEC algorithms (IANA "DNS Security Algorithm Numbers").
const ALGORITHMS: &[(u8, &str)] = &[
    (1, "RSAMD5"),
    (3, "DSA"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (12, "ECC-GOST"),
    (13, "ECDSAP256SHA256"),
    (14, "ECDSAP384SHA384"),
    (15, "ED25519"),
    (16, "ED448"),
];

/// Extended errors by INFO-CODE from 0 (RFC 8914 4 and the IANA registry).
const ERRORS: &[&str] = &[
    "Other Error",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
    "Signature Expired before Valid",
    "Too Early",
    "Unsupported NSEC3 Iterations Value",
    "Unable to conform to policy",
    "Synthesized",
    "Invalid Query Type",
];

/// Keys of service parameters (RFC 9460 14.3.2).
const PARAMS: &[&str] = &[
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
];

/// Mnemonic of a DNSSEC algorithm, or its number.
pub fn algorithm(code: u8) -> String {
    match ALGORITHMS.iter().find(|(c, _)| *c == code) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("ALGORITHM{code}"),
    }
}

/// Name of an extended error, empty where none is registered.
pub fn extended_error(code: u16) -> &'static str {
    ERRORS.get(usize::from(code)).copied().unwrap_or("")
}

/// Extended errors that say that DNSSEC is why there is no answer.
pub fn error_is_about_dnssec(code: u16) -> bool {
    matches!(code, 6..=12 | 25 | 27)
}

/// Name of a service parameter.
pub(super) fn svc_param(key: u16) -> String {
    match PARAMS.get(usize::from(key)) {
        Some(name) => (*name).to_owned(),
        None => format!("key{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        assert_eq!(algorithm(13), "ECDSAP256SHA256");
        assert_eq!(algorithm(200), "ALGORITHM200");
        assert_eq!(extended_error(6), "DNSSEC Bogus");
        assert_eq!(extended_error(22), "No Reachable Authority");
        assert_eq!(extended_error(49_152), "");
        assert!(error_is_about_dnssec(7) && !error_is_about_dnssec(22));
        assert_eq!(svc_param(1), "alpn");
        assert_eq!(svc_param(65_000), "key65000");
    }
}
