//! What a TCP handshake tells of sizes: the other side's MSS, and the path MTU that the kernel
//! reckons with. Nothing is sent but the handshake.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::model::observation::TcpMtu;
use crate::net::source::Source;
use crate::net::tcp::{Attempt, End};
use crate::sys::clock::Clock;

/// Most ports tried at once.
const PORTS: usize = 4;

/// The first of these ports that is open, within `patience`; `None` if none is.
pub(super) async fn ask(
    dst: IpAddr,
    ports: &[u16],
    patience: Duration,
    clock: Clock,
    source: &Source,
) -> Option<TcpMtu> {
    let mut tries = JoinSet::new();
    for port in ports.iter().copied().take(PORTS) {
        let source = source.clone();
        tries.spawn(async move { handshake(dst, port, patience, clock, &source).await });
    }
    while let Some(done) = tries.join_next().await {
        if let Ok(Some(found)) = done {
            return Some(found);
        }
    }
    None
}

async fn handshake(
    dst: IpAddr,
    port: u16,
    patience: Duration,
    clock: Clock,
    source: &Source,
) -> Option<TcpMtu> {
    let attempt = Attempt::start(SocketAddr::new(dst, port), None, source, clock).ok()?;
    let ended = attempt.end(patience).await?;
    if !matches!(ended.end, End::Open { .. }) {
        return None;
    }
    let sizes = attempt.segments(dst.is_ipv6())?;
    Some(TcpMtu {
        port,
        mss: sizes.mss,
        pmtu: sizes.pmtu,
        largest: sizes.largest,
    })
}
