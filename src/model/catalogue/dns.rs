//! Faults of names and resolvers that need more than the answer to one question.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `dnssec-bogus`.
pub const DNSSEC_BOGUS: Code = Code::known("dnssec-bogus");

pub(super) const BOGUS: Entry = Entry {
    code: DNSSEC_BOGUS,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The DNSSEC signatures of the name are not valid: whoever uses a validating resolver can't resolve it.",
    inferred_from: "SERVFAIL to the plain question and an answer to the same one with checking disabled (CD), again and again; extended errors (RFC 8914) and the dates of the signatures are quoted where there are any",
    fooled_by: "a resolver whose own clock or trust anchor is wrong: then every signed name fails at that one alone; a failure that passes just then is asked about a second time",
    next: "look at the dates of the signatures and at the DS of the parent (delv, dig +dnssec); sign the zone anew, or have the parent take the DS out until it is mended",
};
