//! What an answer says about a hop.

use std::net::IpAddr;

use super::waves::Heard;
use crate::model::observation::{HopAnswer, IcmpError};
use crate::model::time::Rtt;
use crate::net::exchange::{Answer, Said};
use crate::net::tcp::{End, Ended};
use crate::probe::tcp::host_lives;

/// Of two messages about one TTL the one to keep: anything rather than silence; of the same
/// refusal by the same router the longest wait, since packets queue up behind one ARP request
/// and its failure answers them all, the last of them almost at once; else the newer one.
pub(super) fn more_telling(newer: HopAnswer, older: HopAnswer) -> HopAnswer {
    use HopAnswer::{Silent, Unreachable};
    match (newer, older) {
        (Silent, older) => older,
        (
            Unreachable { from, error, rtt },
            Unreachable {
                from: f,
                error: e,
                rtt: r,
            },
        ) if (f, e) == (from, error) && r > rtt => older,
        _ => newer,
    }
}

/// What it means for the round.
pub(super) fn meaning(answer: &HopAnswer) -> Heard {
    match answer {
        HopAnswer::Reached { .. } | HopAnswer::Unreachable { .. } => Heard::End,
        HopAnswer::TimeExceeded { .. } | HopAnswer::Silent => Heard::Router,
    }
}

pub(super) fn is_end(answer: &HopAnswer) -> bool {
    matches!(answer, HopAnswer::Reached { .. })
}

/// An answer to a packet.
pub(super) fn judge(dst: IpAddr, answer: Answer) -> HopAnswer {
    let Answer { said, rtt, ttl, .. } = answer;
    match said {
        Said::Reply { from } => HopAnswer::Reached {
            from,
            rtt,
            return_ttl: ttl,
        },
        Said::Icmp { by, error } => hop_of(dst, by, error, rtt, ttl),
    }
}

/// A handshake's end as a hop's answer. A time-exceeded after a second SYN may belong to either,
/// so its time is unknown and it counts as silence.
pub(super) fn judge_tcp(dst: IpAddr, ended: &Ended) -> Option<HopAnswer> {
    let repeated = ended.retransmits > 0;
    match ended.end {
        End::Open { .. } | End::Reset { .. } if repeated => None,
        End::Open { rtt } | End::Reset { rtt } => Some(HopAnswer::Reached {
            from: dst,
            rtt,
            return_ttl: None,
        }),
        End::Icmp {
            error: IcmpError::TimeExceeded,
            ..
        } if repeated => None,
        End::Icmp {
            by,
            error,
            rtt,
            ttl,
            ..
        } => Some(hop_of(dst, by, error, rtt, ttl)),
        End::Kernel(_) => None,
    }
}

fn hop_of(
    dst: IpAddr,
    by: Option<IpAddr>,
    error: IcmpError,
    rtt: Rtt,
    return_ttl: Option<u8>,
) -> HopAnswer {
    let Some(from) = by else {
        return HopAnswer::Silent; // an error without an author tells of no hop
    };
    match error {
        IcmpError::TimeExceeded => HopAnswer::TimeExceeded {
            from,
            rtt,
            return_ttl,
        },
        error if from == dst && host_lives(error) => HopAnswer::Reached {
            from,
            rtt,
            return_ttl,
        },
        error => HopAnswer::Unreachable { from, rtt, error },
    }
}
