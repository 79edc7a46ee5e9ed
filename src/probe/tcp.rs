//! Does a TCP port answer, and how fast? A SYN and what comes of it, with what the kernel knows.
//!
//! It sends no data and judges nothing. It may listen for a banner, where the user asked for one.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::observation::{How, IcmpError, Method, Outcome, Refusal, TcpDetails, TcpSample};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::refusal;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End, Ended};
use crate::sys::clock::Clock;

/// Most bytes of a banner.
const BANNER: usize = 256;

/// Connects once and closes at once. RST and ICMP errors are refusals, silence is a timeout; a
/// lost SYN shows as the second that its repetition took, and as such in the details.
pub async fn connect(
    dst: SocketAddr,
    asked: bool,
    timeout: Duration,
    clock: Clock,
    source: &Source,
) -> (How, TcpSample) {
    connect_and_listen(dst, asked, timeout, None, clock, source).await
}

/// [`connect`], and where `banner` is given waits that long for what an open port says first.
pub async fn connect_and_listen(
    dst: SocketAddr,
    asked: bool,
    timeout: Duration,
    banner: Option<Duration>,
    clock: Clock,
    source: &Source,
) -> (How, TcpSample) {
    let (outcome, details) = match Attempt::start(dst, None, source, clock) {
        Err(e) => (refusal::outcome_of(&e, Rtt(0)), None),
        Ok(attempt) => {
            let ended = attempt.end(timeout).await;
            let mut details = details(&attempt, ended.as_ref());
            let open = matches!(&ended, Some(e) if matches!(e.end, End::Open { .. }));
            if let (true, Some(wait)) = (open, banner) {
                let said = attempt.banner(BANNER, wait).await;
                details.banner = said.map(|b| first_line(&b));
            }
            let outcome = match ended {
                None => Outcome::Timeout {
                    after: Rtt::from_duration(timeout),
                },
                Some(ended) => judge(ended),
            };
            (outcome, Some(Box::new(details)))
        }
    };
    let sample = TcpSample {
        dst,
        asked,
        outcome,
        details,
    };
    (How::best(Method::TcpConnect), sample)
}

fn details(attempt: &Attempt, ended: Option<&Ended>) -> TcpDetails {
    let Some(info) = attempt.info() else {
        return TcpDetails::default();
    };
    let mut details = TcpDetails {
        // The count of an attempt that ended is taken before its socket forgets it.
        syn_retransmits: ended
            .map_or(0, |e| e.retransmits)
            .max(info.syn_retransmits()),
        retransmits: info.total_retrans,
        ..TcpDetails::default()
    };
    let said = |n: u32| (n > 0).then_some(n);
    match ended {
        Some(Ended {
            end: End::Open { .. },
            after,
            ..
        }) => {
            details.handshake = Some(*after);
            details.kernel_rtt = info.handshake_rtt();
            details.min_rtt = details
                .kernel_rtt
                .and(Some(info.min_rtt).filter(|r| r.0 > 0));
            details.snd_mss = said(info.snd_mss);
            details.adv_mss = said(info.adv_mss);
            details.pmtu = said(info.pmtu);
            details.reply_ttl = attempt.hop_limit();
        }
        Some(Ended {
            end: End::Icmp { ttl, .. },
            ..
        }) => details.reply_ttl = *ttl,
        _ => {}
    }
    details
}

fn judge(ended: Ended) -> Outcome<Rtt> {
    match ended.end {
        End::Open { rtt } => Outcome::Ok(rtt),
        End::Reset { rtt } => Outcome::Refused {
            by: None,
            why: Refusal::TcpReset,
            after: rtt,
        },
        // Nothing is between this host and the error: the way, not the port.
        End::Icmp { by, error, rtt, .. } => Outcome::Refused {
            by,
            why: Refusal::Icmp(error),
            after: rtt,
        },
        End::Kernel(e) => refusal::outcome_of(&e, ended.after),
    }
}

/// The first line that is not empty; of a binary protocol the bytes as they are.
fn first_line(said: &[u8]) -> SafeText {
    let line = said
        .split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|l| !l.is_empty())
        .unwrap_or(said);
    SafeText::from_bytes_capped(line, BANNER)
}

/// True if an ICMP error says that the host lives though the port does not.
pub(super) fn host_lives(error: IcmpError) -> bool {
    matches!(error, IcmpError::PortUnreachable)
}
