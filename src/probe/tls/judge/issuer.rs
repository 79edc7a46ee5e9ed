//! Is the issuer that nobody sent an intermediate, or a root that is not trusted? Without it that
//! can only be told from traces: what the certificate says about its issuer, the rules it was
//! issued under, and what is known here.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::X509Name;

use super::super::cert;
use super::super::roots::Roots;
use super::certs::Cert;
use crate::model::text::SafeText;
use crate::model::tls::TlsFault;

/// Policies of the CA/Browser Forum: who issues under them may not do so from a root.
const PUBLIC_POLICY: &str = "2.23.140.1.2.";
/// caIssuers of the authority information access extension.
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";
/// More roots than this are a system's, not a person's.
const BY_HAND: usize = 16;
/// Words of a common name that no root has.
const NOT_ROOTS: [&str; 10] = [
    "ica",
    "intermediate",
    "intermediary",
    "issuing",
    "subordinate",
    "sub",
    "subca",
    "inter",
    "int",
    "mid",
];

/// The fault of a way that ends at `index`, whose issuer is not there.
pub(super) fn missing(index: usize, is_leaf: bool, c: &Cert<'_>, roots: &Roots) -> TlsFault {
    let issuer = cert::name(c.x.issuer());
    match why_intermediate(is_leaf, c, roots) {
        Some(why) => TlsFault::ChainIncomplete {
            index,
            issuer,
            why: SafeText::new(why),
        },
        None => TlsFault::UntrustedIssuer { issuer },
    }
}

fn why_intermediate(is_leaf: bool, c: &Cert<'_>, roots: &Roots) -> Option<String> {
    // A root of that very name is trusted, with another key: that is another authority.
    if roots.certs().iter().any(|r| r.subject == c.issuer()) {
        return None;
    }
    let names = common_names(c.x.issuer());
    let says = |words: &[&str]| {
        names.iter().any(|n| {
            n.split(|ch: char| !ch.is_ascii_alphabetic())
                .any(|w| words.contains(&w))
        })
    };
    let url = ca_issuers(c);
    let with_url = |why: &str| match &url {
        Some(u) => format!("{why}; it can be had at {u}"),
        None => why.to_owned(),
    };
    if issuer_has_issuer(c) {
        return Some(with_url(
            "the certificate says that its issuer was issued by another CA",
        ));
    }
    // A name that says "root" is believed; roots may publish themselves, too.
    if says(&["root"]) {
        return None;
    }
    if says(&NOT_ROOTS) {
        return Some(with_url("its name is that of an intermediate"));
    }
    if is_leaf && (public_policy(c) || has_scts(c)) {
        return Some(with_url("public CAs issue servers from intermediates only"));
    }
    if let Some(root) = same_house(c, roots) {
        return Some(with_url(&format!(
            "{root} of the same organisation is trusted here"
        )));
    }
    if let Some(root) = same_first_word(&names, roots) {
        return Some(with_url(&format!("{root}, named alike, is trusted here")));
    }
    match url {
        Some(u) if is_leaf => Some(format!("it can be had at {u}")),
        _ => None,
    }
}

fn common_names(name: &X509Name<'_>) -> Vec<String> {
    name.iter_common_name()
        .filter_map(|a| a.as_str().ok())
        .map(str::to_lowercase)
        .collect()
}

/// Where the certificate says that its issuer's can be had; shown, never fetched.
fn ca_issuers(c: &Cert<'_>) -> Option<SafeText> {
    c.extension(|e| {
        let ParsedExtension::AuthorityInfoAccess(access) = e else {
            return None;
        };
        access
            .accessdescs
            .iter()
            .find_map(|d| match &d.access_location {
                GeneralName::URI(uri) if d.access_method.to_id_string() == CA_ISSUERS => {
                    Some(SafeText::capped(uri, 200))
                }
                _ => None,
            })
    })
}

/// The authority key identifier may name the issuer of the issuer.
fn issuer_has_issuer(c: &Cert<'_>) -> bool {
    c.extension(|e| {
        let ParsedExtension::AuthorityKeyIdentifier(id) = e else {
            return None;
        };
        let names = id.authority_cert_issuer.as_ref()?;
        names.iter().find_map(|n| match n {
            GeneralName::DirectoryName(d) => Some(d.as_raw() != c.issuer()),
            _ => None,
        })
    })
    .unwrap_or(false)
}

fn public_policy(c: &Cert<'_>) -> bool {
    c.extension(|e| match e {
        ParsedExtension::CertificatePolicies(list) => Some(
            list.iter()
                .any(|p| p.policy_id.to_id_string().starts_with(PUBLIC_POLICY)),
        ),
        _ => None,
    })
    .unwrap_or(false)
}

fn has_scts(c: &Cert<'_>) -> bool {
    c.extension(|e| matches!(e, ParsedExtension::SCT(s) if !s.is_empty()).then_some(()))
        .is_some()
}

/// Among roots that were given by hand: one whose common name begins with the same word.
fn same_first_word(names: &[String], roots: &Roots) -> Option<SafeText> {
    if roots.certs().len() > BY_HAND {
        return None;
    }
    let first = |n: &str| {
        let word = n.split_whitespace().next()?.to_owned();
        (word.len() > 2).then_some(word)
    };
    let wanted = first(names.first()?)?;
    roots.certs().iter().find_map(|r| {
        let root = Cert::parse(&r.der).ok()?;
        let theirs = common_names(root.x.subject());
        (first(theirs.first()?)? == wanted).then(|| cert::name(root.x.subject()))
    })
}

/// A trusted root whose organisation is the issuer's.
fn same_house(c: &Cert<'_>, roots: &Roots) -> Option<SafeText> {
    let house = c.x.issuer().iter_organization().next()?.as_str().ok()?;
    if house.is_empty() {
        return None;
    }
    roots.certs().iter().find_map(|r| {
        let root = Cert::parse(&r.der).ok()?;
        let theirs = root.x.subject().iter_organization().next()?.as_str().ok()?;
        (theirs == house).then(|| cert::name(root.x.subject()))
    })
}
