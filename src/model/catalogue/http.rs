//! Faults of HTTP that need more than one response.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `http-redirect-loop`.
pub const HTTP_REDIRECT_LOOP: Code = Code::known("http-redirect-loop");

pub(super) const REDIRECT_LOOP: Entry = Entry {
    code: HTTP_REDIRECT_LOOP,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The service redirects in a circle: no client that follows ever gets an answer.",
    inferred_from: "redirects of the same host that lead back to a URL that was asked before with the same method, more than once; five requests are made at most",
    fooled_by: "a site that lets in only who brings back a cookie: the probe keeps none, so where the circle sets one it is a warning only; a circle by way of another host or of more than five URLs is not seen",
    next: "see which member should not redirect: often the service thinks that it is asked over plain HTTP (look at X-Forwarded-Proto behind a proxy that ends TLS), or two rules on trailing slash or www. undo each other",
};
