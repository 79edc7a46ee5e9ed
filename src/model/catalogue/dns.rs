//! Faults of names and resolvers that need more than the answer to one question.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `dnssec-bogus`.
pub const DNSSEC_BOGUS: Code = Code::known("dnssec-bogus");
/// `dns-tcp-blocked`.
pub const DNS_TCP_BLOCKED: Code = Code::known("dns-tcp-blocked");
/// `resolver-slow`.
pub const RESOLVER_SLOW: Code = Code::known("resolver-slow");
/// `resolvers-disagree`.
pub const RESOLVERS_DISAGREE: Code = Code::known("resolvers-disagree");
/// `lame-delegation`.
pub const LAME_DELEGATION: Code = Code::known("lame-delegation");

pub(super) const BOGUS: Entry = Entry {
    code: DNSSEC_BOGUS,
    place: PlaceKind::Endpoint,
    severity: Severity::Critical,
    meaning: "The DNSSEC signatures of the name are not valid: whoever uses a validating resolver can't resolve it.",
    inferred_from: "SERVFAIL to the plain question and an answer to the same one with checking disabled (CD), again and again; extended errors (RFC 8914) and the dates of the signatures are quoted where there are any",
    fooled_by: "a resolver whose own clock or trust anchor is wrong: then every signed name fails at that one alone; a failure that passes just then is asked about a second time",
    next: "look at the dates of the signatures and at the DS of the parent (delv, dig +dnssec); sign the zone anew, or have the parent take the DS out until it is mended",
};
pub(super) const TCP_BLOCKED: Entry = Entry {
    code: DNS_TCP_BLOCKED,
    place: PlaceKind::Resolver,
    severity: Severity::Warning,
    meaning: "The resolver answers over UDP and not over TCP: answers that do not fit a UDP packet can't be had.",
    inferred_from: "several questions over TCP in a row that were refused, met silence or were cut off, beside answers over UDP; critical where an answer was truncated and no other resolver takes TCP",
    fooled_by: "a path MTU black hole, where the connection opens and large answers vanish: that is looked for and wins",
    next: "let TCP port 53 through wherever UDP port 53 is (RFC 7766); check that the resolver listens on TCP and is not out of connections",
};
pub(super) const SLOW: Entry = Entry {
    code: RESOLVER_SLOW,
    place: PlaceKind::Resolver,
    severity: Severity::Warning,
    meaning: "The resolver itself takes long, even for names that it has just resolved, or leaves questions unanswered that its clients ask again after a timeout: connections by name start late.",
    inferred_from: "answers to questions that were answered before within their time to live, most of them 300 ms or more above what a TCP handshake with the resolver takes; 600 ms in all where it takes no TCP; or three of twelve questions and more unanswered between answered ones, or all of one type",
    fooled_by: "a group of resolvers behind one address that do not share their caches, for a name that is slow at its source",
    next: "look at load, query rate and upstream of the resolver; ask the same question ten times with dig and compare with another resolver",
};
pub(super) const DISAGREE: Entry = Entry {
    code: RESOLVERS_DISAGREE,
    place: PlaceKind::Resolver,
    severity: Severity::Warning,
    meaning: "One resolver answers otherwise than the others in a way that matters: which answer a program gets is chance.",
    inferred_from: "the same question at every resolver, more than once: NXDOMAIN, no address or a null address against addresses; private against public ones; or, where sets have nothing in common, never change and are not chosen for who asks (private, or kept for an hour and longer), an older serial of the zone. Other differences are no fault: content networks and round robin answer differently everywhere",
    fooled_by: "a record that was added or removed a moment ago: caches agree once the time to live shown is over; a resolver of a company beside a public one, each right in its own world",
    next: "ask the servers of the zone (dig +norecurse); drop the name from the cache of the resolver that is behind, or take the resolver that is not meant for these names out of the configuration",
};
pub(super) const LAME: Entry = Entry {
    code: LAME_DELEGATION,
    place: PlaceKind::Resolver,
    severity: Severity::Warning,
    meaning: "A zone is delegated to a server that does not serve it: resolvers lose time on it, and fail where it is the only one.",
    inferred_from: "the servers of the zone asked without recursion: REFUSED, SERVFAIL, an answer without authority (AA) or none, again and again, while another server of the zone or of the one above answers as it should; critical where none is of use and resolvers say SERVFAIL",
    fooled_by: "a network that lets only its resolvers ask outside, or answers in the name of others: without an answer with authority nothing is said; a server that is silent to this host alone is information only while resolvers resolve the name",
    next: "load the zone on the named server, or have the parent zone take it out of the delegation; compare with dig +norecurse NS at the parent",
};
