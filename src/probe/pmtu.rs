//! What is the largest packet that gets through, and if large ones vanish, where?
//!
//! Positive answers decide: a size has passed when the destination answered it. Silence means
//! something only beside a smaller packet of the same moment that was answered, because hosts
//! ration their ICMP errors and paths lose packets. What a router says is a hint that is tried,
//! never a result by itself.
//!
//! Where neither ICMP nor UDP is answered, data over TCP finds the size if the protocol of an open
//! port is known; acknowledgements are the answers then.

mod by_tcp;
mod ladder;
mod place;
mod program;
mod rungs;
mod search;
mod sizes;
mod speech;
mod tcp;
mod volley;

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::model::observation::{How, Method, Outcome, Pmtu, PmtuHow, PmtuSample};
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt};
use crate::net::exchange::{Exchange, Shot};
use crate::net::pace::Budget;
use crate::net::refusal;
use crate::net::socket::{Kind, ProbeSocket};
use crate::net::sockets::Sockets;
use crate::sys::privileges::Rights;

use by_tcp::Search as TcpSearch;
use ladder::Caller;
use program::Program;
use search::{Look, Search};
use sizes::Bounds;
pub use speech::Speech;
use volley::Gunner;

/// The most that one measurement may take.
const MOST_TIME: Duration = Duration::from_secs(12);
/// How long another kind of packet is tried where large echoes vanish: what passes does so at once.
const SECOND_OPINION: Duration = Duration::from_millis(2500);
/// Head start of each method before the next is tried as well.
const HEAD_START: Duration = Duration::from_millis(250);
/// Longest wait for a TCP port where nothing else was answered, and least where something was.
const TCP_WAITS: (Duration, Duration) = (Duration::from_millis(1000), Duration::from_millis(60));

/// Ports that may be tried with data, and the longest wait for a handshake: a SYN that is lost is
/// repeated after a second.
const DATA_PORTS: usize = 3;
const HANDSHAKE: Duration = Duration::from_millis(1500);

/// Which packets to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtuVia {
    /// ICMP echo, by a socket or by the host's own `ping`.
    Icmp,
    /// UDP to closed ports.
    Udp,
    /// TCP: data where [`Ask::data`] says what to tell a port, and what a handshake tells.
    Tcp,
}

/// What is wanted of a measurement.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Distance as a traceroute found it; it makes naming the place cheaper.
    pub known_hops: Option<u8>,
    /// Largest size to try, in bytes of the whole packet; `None` for all that the first link
    /// takes.
    pub most: Option<u32>,
    /// The one way to use; `None` for the best that is answered.
    pub via: Option<MtuVia>,
    /// TCP ports that may be open, for what a handshake tells of sizes. Four are tried.
    pub ports: Vec<u16>,
    /// TCP ports that may be sent data if nothing else is answered, and what they are told; the
    /// first that is open. Three are tried.
    pub data: Vec<(u16, Speech)>,
    /// Connections to it hang, so large echoes that vanish need no second opinion.
    pub hangs: bool,
}

/// Measures the path MTU towards `dst` by ICMP echo where permitted and answered, else by UDP
/// to a closed port, else by the host's own ping, else by data over TCP. Takes less than a second
/// mostly, 12 s, 160 packets and 12 connections with data at most.
pub async fn measure(
    dst: IpAddr,
    sockets: &Sockets,
    rights: &Rights,
    budget: &Budget,
    ask: &Ask,
) -> (How, PmtuSample) {
    let clock = sockets.clock();
    let begun = clock.mono();
    let mut found = search(dst, sockets, rights, budget, ask).await;
    if ask.via.is_none()
        && !ask.hangs
        && let Some(other) = contradiction(dst, sockets, rights, budget, ask, &found).await
    {
        found = other;
    }
    let patience = match found.sample.outcome {
        Outcome::Ok(_) => TCP_WAITS.1.max(found.patience),
        _ => TCP_WAITS.0,
    };
    // Afterwards, so that the kernel knows what routers said.
    found.sample.tcp = tcp::ask(dst, &ask.ports, patience, clock, sockets.source()).await;
    found.sample.took = Rtt::from_duration(clock.mono().since(begun));
    (found.how, found.sample)
}

/// Where large echoes vanish: what another kind of packet says, if those pass. Many hosts and
/// filters drop large echoes and nothing else, which is no black hole.
async fn contradiction(
    dst: IpAddr,
    sockets: &Sockets,
    rights: &Rights,
    budget: &Budget,
    ask: &Ask,
    found: &Found,
) -> Option<Found> {
    let pmtu = found.sample.outcome.ok()?;
    let PmtuHow::Silent { first_bad, .. } = pmtu.how else {
        return None;
    };
    let echo = [Method::IcmpRaw, Method::IcmpDatagram, Method::SystemPing];
    if !echo.contains(&found.how.method) {
        return None;
    }
    let by = |via| Ask {
        via: Some(via),
        ..ask.clone()
    };
    let (udp, tcp) = (by(MtuVia::Udp), by(MtuVia::Tcp));
    let (udp, tcp) = tokio::join!(
        timeout(SECOND_OPINION, search(dst, sockets, rights, budget, &udp)),
        timeout(SECOND_OPINION, search(dst, sockets, rights, budget, &tcp)),
    );
    let passes = |other: &Found| {
        let theirs = other.sample.outcome.ok();
        theirs.is_some_and(|p| p.mtu >= first_bad && !matches!(p.how, PmtuHow::Silent { .. }))
    };
    let mut other = [udp.ok(), tcp.ok()].into_iter().flatten().find(passes)?;
    other.how.why_not_better = Some(SafeText::new(format!(
        "{dst} answers no {} packets above {} bytes",
        found.how.method.label(),
        pmtu.mtu
    )));
    other.sample.echoes = Some(pmtu.clone());
    Some(other)
}

struct Found {
    how: How,
    sample: PmtuSample,
    patience: Duration,
}

impl Found {
    fn only(how: How, dst: IpAddr, outcome: Outcome<Pmtu>) -> Self {
        Self {
            how,
            sample: PmtuSample::of(dst, outcome),
            patience: Duration::ZERO,
        }
    }
}

/// One way of asking.
#[derive(Clone, Debug)]
struct Way {
    method: Method,
    kind: Kind,
    program: Option<Program>,
}

async fn search(
    dst: IpAddr,
    sockets: &Sockets,
    rights: &Rights,
    budget: &Budget,
    ask: &Ask,
) -> Found {
    let (clock, v6) = (sockets.clock(), dst.is_ipv6());
    let ways = ways(rights, v6, ask.via, sockets);
    let mut how = How {
        method: ways.first().map_or(Method::TcpConnect, |w| w.method),
        why_not_better: rights.why_no_icmp(v6),
    };
    let end = clock.mono().plus(MOST_TIME);
    if ask.via == Some(MtuVia::Tcp) {
        how = How::best(Method::TcpData);
        let found = by_data(dst, sockets, budget, ask, end).await;
        return found.unwrap_or_else(|need| Found::only(how, dst, Outcome::CannotTry { need }));
    }
    let mut link_mtu = None;
    let mut searches: Vec<Option<Search<'_>>> = Vec::new();
    for way in &ways {
        let exchange = match sockets.exchange(way.kind, dst, false) {
            Ok(exchange) => exchange,
            Err(e) => return Found::only(how, dst, refusal::outcome_of(&e, Rtt(0))),
        };
        let link = link_mtu.or_else(|| ProbeSocket::link_mtu(sockets.source(), dst));
        let Some(link) = link else {
            return Found::only(how, dst, no_route(&exchange));
        };
        link_mtu = Some(link);
        let rationed = way.kind == Kind::Udp;
        let mut gunner = Gunner::new(exchange, clock, budget, rationed, end);
        if let Some(program) = &way.program {
            gunner.hand_over(program.clone());
        }
        let spare = Program::find(sockets.source())
            .filter(|_| rationed && way.program.is_none() && ask.via != Some(MtuVia::Udp));
        let search = Search::new(gunner, link, ask.most, ask.known_hops, spare);
        searches.push(Some(search));
    }
    let looks = race(&mut searches).await;
    let mut unanswered = Vec::new();
    let mut refused = None;
    for ((look, way), search) in looks.into_iter().zip(&ways).zip(searches) {
        how.method = way.method;
        match (look, search) {
            (Some(Look::Open(bounds)), Some(search)) => {
                how.why_not_better = match unanswered.as_slice() {
                    [] => why_not_better(rights, v6, way.kind),
                    list => Some(SafeText::new(list.join(", "))),
                };
                return finish(search, bounds, how, dst).await;
            }
            (Some(Look::Refused(outcome)), _) => {
                unanswered.push(format!("{} is refused", way.method.label()));
                refused = refused.or(Some((how.clone(), outcome)));
            }
            // Nothing, or nothing until another way was answered.
            (Some(Look::Unanswered) | None, _) => {
                unanswered.push(format!("{} is not answered", way.method.label()));
            }
            (Some(Look::Open(_)), None) => {}
        }
    }
    if let Some((how, outcome)) = refused {
        return Found::only(how, dst, outcome);
    }
    let mut unanswered = unanswered.join(", ");
    if ask.via.is_none() {
        match by_data(dst, sockets, budget, ask, end).await {
            Ok(mut found) => {
                found.how.why_not_better = Some(SafeText::new(unanswered));
                return found;
            }
            Err(why) => unanswered = format!("{unanswered}, and by TCP it needs {why}"),
        }
    }
    let mut need = format!("small packets that {dst} answers: {unanswered}");
    if let Some(why) = rights.why_no_icmp(v6) {
        need = format!("{need}; {why}");
    }
    let socket = ways.iter().rev().find(|w| w.program.is_none());
    how.method = socket.map_or(how.method, |w| w.method);
    let need = SafeText::new(need);
    Found::only(how, dst, Outcome::CannotTry { need })
}

/// By data over TCP, to the first port that is open.
///
/// # Errors
/// What it would need.
async fn by_data(
    dst: IpAddr,
    sockets: &Sockets,
    budget: &Budget,
    ask: &Ask,
    end: Mono,
) -> Result<Found, SafeText> {
    let clock = sockets.clock();
    if ask.data.is_empty() {
        let need = "a TCP port whose protocol is known, to send it segments of chosen sizes \
                    (--data tls, http or filler); a handshake tells only the MSS";
        return Err(need.into());
    }
    let Some(link) = ProbeSocket::link_mtu(sockets.source(), dst) else {
        return Err("the MTU of the first link, which this kernel does not tell".into());
    };
    for (port, speech) in ask.data.iter().take(DATA_PORTS) {
        let caller = Caller {
            dst: (dst, *port).into(),
            speech: speech.clone(),
            clock,
            source: sockets.source().clone(),
            patience: HANDSHAKE,
            end,
        };
        // Routers may answer what the destination does not.
        let exchange = sockets.exchange(Kind::Udp, dst, false).ok();
        let gunner = exchange.map(|x| Gunner::new(x, clock, budget, true, end));
        let search = TcpSearch::new(caller, gunner, link, ask.most, ask.known_hops);
        if let Some((outcome, claims)) = search.run().await {
            let mut found = Found::only(How::best(Method::TcpData), dst, outcome);
            found.sample.claims = claims;
            found.sample.data_port = Some(*port);
            return Ok(found);
        }
    }
    let ports: Vec<String> = ask.data.iter().map(|(port, _)| port.to_string()).collect();
    let need = format!("an open port, which {} is not", ports.join(", "));
    Err(SafeText::new(need))
}

async fn finish(mut search: Search<'_>, bounds: Bounds, mut how: How, dst: IpAddr) -> Found {
    let outcome = search.run(bounds).await;
    let (claims, by_program, patience) = search.done();
    if by_program && how.method != Method::SystemPing {
        let why = format!("{dst} rations its answers to {}", how.method.label());
        how = How {
            method: Method::SystemPing,
            why_not_better: Some(SafeText::new(why)),
        };
    }
    let mut sample = PmtuSample::of(dst, outcome);
    sample.claims = claims;
    Found {
        how,
        sample,
        patience,
    }
}

/// The first looks of all ways, each with a head start before the next, until one is answered.
/// A way that was cut short has no look.
async fn race(searches: &mut [Option<Search<'_>>]) -> Vec<Option<Look>> {
    let found = CancellationToken::new();
    let one = async |search: Option<&mut Search<'_>>, turn: u32| {
        let search = search?;
        let look = async {
            tokio::time::sleep(HEAD_START * turn).await;
            search.first_look().await
        };
        let look = found.run_until_cancelled(look).await;
        if matches!(look, Some(Look::Open(_))) {
            found.cancel();
        }
        look
    };
    let mut each = searches.iter_mut().map(Option::as_mut);
    let (a, b, c) = (
        each.next().flatten(),
        each.next().flatten(),
        each.next().flatten(),
    );
    let (a, b, c) = tokio::join!(one(a, 0), one(b, 1), one(c, 2));
    vec![a, b, c]
}

/// Ways to try, best first: three at most.
fn ways(rights: &Rights, v6: bool, via: Option<MtuVia>, sockets: &Sockets) -> Vec<Way> {
    let socket = |method, kind| Way {
        method,
        kind,
        program: None,
    };
    let echo = match (rights.raw(v6), rights.dgram(v6)) {
        (Ok(()), _) => Some(socket(Method::IcmpRaw, Kind::IcmpRaw)),
        (Err(_), Ok(())) => Some(socket(Method::IcmpDatagram, Kind::IcmpDatagram)),
        (Err(_), Err(_)) => None,
    };
    let program = match echo {
        Some(_) => None,
        None => Program::find(sockets.source()).map(|program| Way {
            method: Method::SystemPing,
            kind: Kind::Udp,
            program: Some(program),
        }),
    };
    let udp = Some(socket(Method::UdpErrorQueue, Kind::Udp));
    let all = match via {
        None => [echo, udp, program],
        Some(MtuVia::Icmp) => [echo, program, None],
        Some(MtuVia::Udp) => [udp, None, None],
        Some(MtuVia::Tcp) => [None, None, None],
    };
    all.into_iter().flatten().collect()
}

fn why_not_better(rights: &Rights, v6: bool, kind: Kind) -> Option<SafeText> {
    match kind {
        Kind::IcmpRaw => None,
        Kind::IcmpDatagram => rights.raw(v6).clone().err(),
        Kind::Udp => rights.why_no_icmp(v6),
    }
}

/// What the kernel says to a packet that has nowhere to go.
fn no_route(exchange: &Exchange) -> Outcome<Pmtu> {
    match exchange.launch(Shot::of(0, sizes::SMALL as usize)) {
        Err(e) => refusal::outcome_of(&e, Rtt(0)),
        Ok(_) => Outcome::CannotTry {
            need: "the MTU of the first link, which this kernel does not tell".into(),
        },
    }
}
