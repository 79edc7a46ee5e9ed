//! Name constraints (RFC 5280 4.2.1.10): for which names may a CA vouch? DNS names, addresses
//! and directory names; other kinds of names play no part in TLS.

use std::net::IpAddr;

use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::prelude::X509Name;

use super::super::cert;
use super::super::names::address;
use super::certs::Cert;

/// Most comparisons for one chain; the lists may have thousands of entries on both sides.
const MAX_COMPARED: usize = 250_000;

/// Why the CA may not vouch for a name of `c`, if so.
pub(super) fn broken(ca: &Cert<'_>, c: &Cert<'_>) -> Option<String> {
    let rules = match ca.x.name_constraints() {
        Ok(Some(found)) => found.value,
        Ok(None) => return None,
        Err(_) => return Some("its name constraints cannot be read".into()),
    };
    let names = names_of(c);
    let permitted = rules.permitted_subtrees.as_deref().unwrap_or(&[]);
    let excluded = rules.excluded_subtrees.as_deref().unwrap_or(&[]);
    if names.len().saturating_mul(permitted.len() + excluded.len()) > MAX_COMPARED {
        return Some("too many name constraints to compare".into());
    }
    for name in &names {
        if let Some(rule) = excluded.iter().find(|s| covers(s, name) == Some(true)) {
            return Some(format!(
                "{} is excluded by {}",
                shown(name),
                shown(&rule.base)
            ));
        }
        let answers: Vec<bool> = permitted.iter().filter_map(|s| covers(s, name)).collect();
        if !answers.is_empty() && !answers.contains(&true) {
            return Some(format!("{} is not among what is permitted", shown(name)));
        }
    }
    None
}

fn names_of<'c>(c: &'c Cert<'_>) -> Vec<GeneralName<'c>> {
    let mut names = Vec::new();
    if let Ok(Some(san)) = c.x.subject_alternative_name() {
        names.extend(san.value.general_names.iter().cloned());
    }
    if c.x.subject().iter().next().is_some() {
        names.push(GeneralName::DirectoryName(c.x.subject().clone()));
    }
    names
}

/// Whether the rule covers the name; `None` if it is about another kind of names.
fn covers(rule: &GeneralSubtree<'_>, name: &GeneralName<'_>) -> Option<bool> {
    match (&rule.base, name) {
        (GeneralName::DNSName(base), GeneralName::DNSName(n)) => Some(dns(base, n)),
        (GeneralName::IPAddress(base), GeneralName::IPAddress(n)) => Some(ip(base, n)),
        (GeneralName::DirectoryName(base), GeneralName::DirectoryName(n)) => {
            Some(directory(base, n))
        }
        _ => None,
    }
}

/// `example.com` covers itself and everything below; a leading dot only what is below.
fn dns(base: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let base = base.to_ascii_lowercase();
    if base.is_empty() {
        return true;
    }
    if base.starts_with('.') {
        return name.len() > base.len() && name.ends_with(&base);
    }
    // A wildcard name stands for names below its suffix.
    name == base
        || name
            .strip_suffix(&base)
            .is_some_and(|front| front.ends_with('.'))
}

/// Address and mask, 8 or 32 octets.
fn ip(base: &[u8], name: &[u8]) -> bool {
    let half = base.len() / 2;
    if base.len() != name.len() * 2 || !matches!(name.len(), 4 | 16) {
        return false;
    }
    let (net, mask) = base.split_at(half);
    name.iter()
        .zip(net)
        .zip(mask)
        .all(|((a, n), m)| a & m == n & m)
}

/// The base is a prefix of the name, relative name by relative name.
fn directory(base: &X509Name<'_>, name: &X509Name<'_>) -> bool {
    let mut theirs = name.iter();
    base.iter().all(|wanted| theirs.next() == Some(wanted))
}

fn shown(n: &GeneralName<'_>) -> String {
    match n {
        GeneralName::DNSName(d) => (*d).to_owned(),
        GeneralName::IPAddress(raw) if raw.len() == 8 || raw.len() == 32 => {
            let (net, mask) = raw.split_at(raw.len() / 2);
            let bits: u32 = mask.iter().map(|b| b.count_ones()).sum();
            address(net).map_or_else(|| "an address".into(), |a: IpAddr| format!("{a}/{bits}"))
        }
        GeneralName::IPAddress(raw) => {
            address(raw).map_or_else(|| "an address".into(), |a| a.to_string())
        }
        GeneralName::DirectoryName(d) => cert::name(d).to_string(),
        _ => "a name".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_rules_by_label() {
        for (base, name, want) in [
            ("example.com", "example.com", true),
            ("example.com", "a.b.EXAMPLE.com", true),
            ("example.com", "badexample.com", false),
            (".example.com", "example.com", false),
            (".example.com", "a.example.com", true),
            ("", "anything", true),
            ("example.com", "*.example.com", true),
        ] {
            assert_eq!(dns(base, name), want, "{base} {name}");
        }
    }

    #[test]
    fn addresses_by_mask() {
        assert!(ip(&[10, 0, 0, 0, 255, 0, 0, 0], &[10, 9, 8, 7]));
        assert!(!ip(&[10, 0, 0, 0, 255, 0, 0, 0], &[11, 9, 8, 7]));
        assert!(!ip(&[10, 0, 0, 0], &[10, 0]));
        assert!(!ip(&[0; 32], &[10, 0, 0, 1]));
    }
}
