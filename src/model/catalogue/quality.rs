//! Path quality beyond loss.

use super::Entry;
use crate::model::finding::{Code, PlaceKind, Severity};

/// `ecmp-member-loss`.
pub const ECMP_MEMBER_LOSS: Code = Code::known("ecmp-member-loss");
/// `latency-step`.
pub const LATENCY_STEP: Code = Code::known("latency-step");
/// `latency-high`.
pub const LATENCY_HIGH: Code = Code::known("latency-high");
/// `jitter`.
pub const JITTER: Code = Code::known("jitter");
/// `bufferbloat`.
pub const BUFFERBLOAT: Code = Code::known("bufferbloat");
/// `path-changed`.
pub const PATH_CHANGED: Code = Code::known("path-changed");

pub(super) const MEMBER: Entry = Entry {
    code: ECMP_MEMBER_LOSS,
    place: PlaceKind::Hop,
    severity: Severity::Warning,
    meaning: "Several routers share the load at the named hop and one of them loses what it is given: some connections fail wholly and others never.",
    inferred_from: "probes of several flows, each of which keeps to one router: those through the named one are lost beyond it, far more than those through the others",
    fooled_by: "routers beyond that ration their answers: they do so to all flows alike, so that the difference must be more than chance explains",
    next: "take the named router out of the group until it is well; look at its route and link towards the target, and why the group did not notice",
};

pub(super) const STEP: Entry = Entry {
    code: LATENCY_STEP,
    place: PlaceKind::Link,
    severity: Severity::Warning,
    meaning: "Packets to the target take longer than they did earlier in this session; the rise begins at the named link and goes on to the target.",
    inferred_from: "the median of many pings before and of many since, far more apart than they differ anyway; the named hop and every later one that answers rose as well, the hops before it did not",
    fooled_by: "answers may take another way back, so the longer way may be the one back; what was slow before this session began has no step, see latency-high",
    next: "see whether the path changed at that time (path-changed): a detour is longer; if not, look at the load of the link named and what shapes its traffic",
};

pub(super) const HIGH: Entry = Entry {
    code: LATENCY_HIGH,
    place: PlaceKind::Endpoint,
    severity: Severity::Warning,
    meaning: "The target answers later than the limit that was set, or than any distance explains.",
    inferred_from: "the median round-trip time of many pings against latency_limit (1 s unless set: around the world and back takes 0.4 s, by way of a geostationary satellite 0.7 s)",
    fooled_by: "a target that is slow to answer pings and quick with its service: compare the phases of a request",
    next: "compare the RTT of the hops to see where the time goes; look for a full queue on the way or at the target",
};

pub(super) const SPREAD: Entry = Entry {
    code: JITTER,
    place: PlaceKind::Link,
    severity: Severity::Warning,
    meaning: "Packets to the target are held up for changing times: calls and anything interactive suffer.",
    inferred_from: "the slowest tenth of many answers against their median, late ones all over the time; the named hop and every later one that is known spread as well",
    fooled_by: "a radio link does that by nature: set jitter_limit to what is usual there; a busy target spreads its own answers, which then is placed at its own link",
    next: "look at the load and the queues of the interfaces at both ends of the link; on a radio link at its signal and retries",
};

pub(super) const BLOAT: Entry = Entry {
    code: BUFFERBLOAT,
    place: PlaceKind::Link,
    severity: Severity::Warning,
    meaning: "Packets wait in a queue that fills whenever this host's interface is busy: everything interactive suffers while something large is transferred.",
    inferred_from: "the counters of the interface towards the target and the RTT between each two looks at them: high when it is busy, low when it is idle, several times each. The load is what this host does anyway; none is made",
    fooled_by: "a single transfer that happens to begin when the way gets longer; load of other hosts on the same line is not seen from here, nor is the queue of this host's own interface, behind which the clock of a ping starts",
    next: "shape the traffic below the speed of the line with a fair queue (fq_codel, cake) at the link named, or move the large transfer to another time",
};

pub(super) const CHANGED: Entry = Entry {
    code: PATH_CHANGED,
    place: PlaceKind::Hop,
    severity: Severity::Info,
    meaning: "Packets to the target take another way than earlier in this session.",
    inferred_from: "one router answered at the named hop for several rounds of the same flow, and then another one for several",
    fooled_by: "a router that answers with another of its addresses; load balancing goes back and forth and is not meant",
    next: "nothing by itself: compare the time with that of other findings; ask whoever runs the hop before it why it changed",
};
