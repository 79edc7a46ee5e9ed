//! Faults of what stands behind a service's address.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `backend-down`.
pub const BACKEND_DOWN: Code = Code::known("backend-down");

pub(super) const DOWN: Entry = Entry {
    code: BACKEND_DOWN,
    place: PlaceKind::Backend,
    severity: Severity::Warning,
    meaning: "The service answers some requests and fails others at the same time: one of the servers behind it is down and still gets its share.",
    inferred_from: "requests that are answered 502, 503 or 504, or cut by a reset, between others that are answered well, at least twice; or one address of several of a name that fails every request while another one serves them",
    fooled_by: "a service that is overloaded or limits its clients fails some requests, too; look at which ones share a header. An outage that began or ended just now is not meant: there all good requests come before or after all bad ones",
    next: "look at the load balancer's list of backends for one that is down and not taken out; see that health checks are on, and ask each backend by itself",
};
