//! What is wrong at a cut, out of what was seen there: pure.

use hickory_proto::rr::Name;

use super::MAX_QUESTIONS;
use super::types::{Asked, CutFault, Ds, End, NameServer, Said};
use crate::model::observation::DnsSample;
use crate::model::service::DnssecFault;
use crate::model::text::SafeText;
use crate::probe::dns::name;

/// Faults between the keys of a zone and the DS records of its parent.
pub(super) fn key_faults(zone: &Name, ds: &[Ds], s: &DnsSample) -> Vec<DnssecFault> {
    let Some(a) = s.outcome.ok() else {
        return Vec::new();
    };
    let mut faults = s.security.faults.clone();
    let keys = &a.detail.keys;
    let fits = |d: &Ds| {
        let mut keys = keys.iter();
        keys.any(|k| k.key_tag == d.key_tag && k.algorithm_number == d.algorithm)
    };
    if !ds.iter().any(fits) {
        faults.push(DnssecFault::NoKeyForDs {
            zone: shown(zone),
            ds: ds.iter().map(|d| d.key_tag).collect(),
            keys: keys.iter().map(|k| k.key_tag).collect(),
        });
    }
    faults
}

pub(super) fn no_address(servers: &[NameServer]) -> Vec<CutFault> {
    let without = servers.iter().filter(|s| s.addresses.is_empty());
    without
        .map(|s| CutFault::NoAddress {
            name: s.name.clone(),
            why: SafeText::new(if s.needs_glue {
                "it lies within the zone and the parent has no glue for it"
            } else {
                "its name leads to no address"
            }),
        })
        .collect()
}

pub(super) fn lame(asked: &[Asked]) -> Vec<CutFault> {
    let fault = |a: &Asked| {
        let why = match &a.said {
            Said::Lame { why } | Said::Refused { why } => why.clone(),
            Said::Silent => "no answer".into(),
            _ => return None,
        };
        Some(CutFault::Lame {
            name: a.name.clone(),
            server: a.server,
            why,
        })
    };
    asked.iter().filter_map(fault).collect()
}

pub(super) fn too_many() -> End {
    End::TooLong {
        why: SafeText::new(format!("more than {MAX_QUESTIONS} questions")),
    }
}

pub(super) fn shown(n: &Name) -> SafeText {
    SafeText::capped(&name::print(n), name::MAX_TEXT)
}
