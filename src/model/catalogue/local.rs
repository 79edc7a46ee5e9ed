//! Faults of this host that others have to tell it.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `local-clock-wrong`.
pub const LOCAL_CLOCK_WRONG: Code = Code::known("local-clock-wrong");

pub(super) const CLOCK_WRONG: Entry = Entry {
    code: LOCAL_CLOCK_WRONG,
    place: PlaceKind::Local,
    severity: Severity::Warning,
    meaning: "The clock of this host is wrong: certificates look expired or not yet valid, logs can't be set beside those of others, and what is signed by time is refused.",
    inferred_from: "two sources that have nothing to do with each other: the Date headers of two servers that are both more than two minutes ahead of this host or both behind it, or one of them and another server's certificate that only its dates speak against; no server agrees with this host",
    fooled_by: "two servers that share a wrong clock, such as two guests of one hypervisor; copies of a cache (Age) do not count",
    next: "compare with another clock: timedatectl, chronyc tracking; start the time service, and look at certificates again after that",
};
