//! Is a certificate for this name? RFC 9525: subjectAltName only, no common name, no partial
//! wildcards.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::model::target::Host;

/// Whether the leaf is for `wanted`.
pub(super) fn is_for(cert: &X509Certificate<'_>, wanted: &Host) -> bool {
    let Ok(Some(san)) = cert.subject_alternative_name() else {
        return false;
    };
    san.value
        .general_names
        .iter()
        .any(|presented| match (presented, wanted) {
            (GeneralName::DNSName(p), Host::Name(w)) => dns_matches(p, w),
            (GeneralName::IPAddress(raw), Host::Addr(w)) => address(raw) == Some(*w),
            _ => false,
        })
}

/// An iPAddress entry: 4 or 16 octets (RFC 5280 4.2.1.6).
pub(super) fn address(raw: &[u8]) -> Option<IpAddr> {
    match raw.len() {
        4 => <[u8; 4]>::try_from(raw)
            .ok()
            .map(|a| Ipv4Addr::from(a).into()),
        16 => <[u8; 16]>::try_from(raw)
            .ok()
            .map(|a| Ipv6Addr::from(a).into()),
        _ => None,
    }
}

/// A `*` stands for exactly one whole label at the left, with two labels or more after it (what
/// browsers, OpenSSL and webpki agree on).
fn dns_matches(presented: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_suffix('.').unwrap_or(wanted);
    if presented.eq_ignore_ascii_case(wanted) {
        return !presented.contains('*');
    }
    let (Some(suffix), Some((first, rest))) =
        (presented.strip_prefix("*."), wanted.split_once('.'))
    else {
        return false;
    };
    !first.is_empty()
        && suffix.contains('.')
        && !suffix.contains('*')
        && suffix.eq_ignore_ascii_case(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_one_label() {
        for (presented, wanted, want) in [
            ("api.example.com", "api.example.com", true),
            ("API.Example.com", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.com", "example.com", false),
            ("*", "localhost", false),
            ("a*.example.com", "api.example.com", false),
            ("*.*.example.com", "a.b.example.com", false),
            ("api.example.com\0.evil.org", "api.example.com", false),
            ("api.example.com.", "api.example.com", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("", "", true),
        ] {
            assert_eq!(dns_matches(presented, wanted), want, "{presented} {wanted}");
        }
    }

    #[test]
    fn addresses_by_length() {
        assert_eq!(address(&[10, 0, 0, 1]), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(address(&[0; 16]), Some("::".parse().unwrap()));
        assert_eq!(address(&[10, 0, 0]), None);
        assert_eq!(address(&[0; 8]), None);
    }
}
