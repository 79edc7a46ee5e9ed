//! Pings of one address by one method: fast until the verdict can be firm, then once a second.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::World;
use crate::diagnose;
use crate::engine::plan::Via;
use crate::model::observation::{Afterwards, Body, How, Method, Outcome, PingSample};
use crate::model::time::Rtt;
use crate::model::window::PingSeries;
use crate::probe::ping::{CLOSED_UDP_PORT, PingVia, Pinger};

/// Spacing while the verdict is not firm: at most ten a second to one target.
const FAST: Duration = Duration::from_millis(100);
/// Spacing of the very first, out of the burst that a target may begin with: somebody waits, and
/// most targets are well. Fifty, so that the rest of the burst is left for path, MTU and services.
const FIRST: Duration = Duration::from_millis(40);
/// How long that lasts at most, and no longer than nothing is lost.
const FIRST_LASTS: Duration = Duration::from_secs(2);
/// How many pings the fast start has: a verdict on loss takes sixty, and twice as many where some
/// are lost.
const START: u32 = 120;
/// How long it lasts at most, where this host or the method is slow.
const START_LASTS: Duration = Duration::from_secs(30);
/// Spacing after that.
const STEADY: Duration = Duration::from_secs(1);
/// Spacing while loss is seen.
const SUSPICIOUS: Duration = Duration::from_millis(200);
/// Targets that need not be spread.
const FEW: usize = 8;
/// More targets than this leave in steps.
const MANY: usize = 100;
/// The steps in which they do.
const STEP_NS: u64 = 4_000_000;
/// Time after which a method that could not be used is tried again.
const REOPEN: Duration = Duration::from_secs(5);
/// Waiting time before anything answered: long enough for a router whose ARP fails to say so.
const FIRST_TIMEOUT: Duration = Duration::from_millis(3500);
/// Least waiting time once answers are known.
const TIMEOUT: Duration = Duration::from_millis(1200);
/// Pings after which a way that nobody answers gives room to another that is answered: both spend
/// what one address may be asked.
const IN_VAIN: u32 = 10;
/// The first pings by the host's own program, for which somebody waits, and their spacing.
const PROGRAM_START: u32 = 4;
const PROGRAM: Duration = Duration::from_millis(500);
/// Its least waiting time: what routers say of a dead target is heard by others as well.
const PROGRAM_TIMEOUT: Duration = Duration::from_millis(1000);
/// Packets of a TCP connection that is closed at once.
const HANDSHAKE: usize = 3;
/// Pings under way at once.
const IN_FLIGHT: usize = 64;

/// Runs until cancelled.
pub async fn run(world: &World, addr: IpAddr, via: Via, slow: bool) {
    // One for all pings.
    let mine = Arc::new(world.clone());
    let (way, method, port) = match via {
        Via::Icmp => (PingVia::Icmp, Method::IcmpRaw, None),
        Via::Udp => (
            PingVia::Udp {
                port: CLOSED_UDP_PORT,
            },
            Method::UdpErrorQueue,
            None,
        ),
        Via::Tcp(port) => (PingVia::Tcp { port }, Method::TcpConnect, Some(port)),
        Via::System => (PingVia::System, Method::SystemPing, None),
    };
    let pinger = loop {
        match Pinger::open(addr, way, &world.sockets, &world.rights) {
            Ok(pinger) => break pinger,
            // Said at once, so that nobody waits for an answer to what was never asked.
            Err(need) => {
                let sample = PingSample {
                    size: None,
                    dst: addr,
                    port,
                    seq: 0,
                    sent: world.clock.mono(),
                    outcome: Outcome::CannotTry { need },
                    afterwards: Afterwards::default(),
                };
                world.tell(How::best(method), Body::Ping(sample)).await;
                world.pause(REOPEN).await;
            }
        }
    };
    let pinger = Arc::new(pinger);
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let share = Duration::from_secs_f64(world.targets as f64 / world.rate);
    let (first, fast) = (FIRST.max(share), FAST.max(share));
    let mut begun = (world.clock.mono(), 0);
    let mut audience = world.audience.clone();
    let mut next = Instant::now() + offset(addr, world.targets, fast);
    let mut seq = 0u32;
    loop {
        sleep_until(together(next, world)).await;
        let now = world.clock.mono();
        // A target that joins has its fast start as well.
        if audience.has_changed().unwrap_or(false) {
            audience.mark_unchanged();
            begun = (now, seq);
        }
        let history = History::of(world, addr);
        let starting = seq.wrapping_sub(begun.1) < START && now.since(begun.0) < START_LASTS;
        let begins = now.since(begun.0) < FIRST_LASTS && !history.lossy;
        let fast = if begins && starting { first } else { fast };
        let pause = match via {
            Via::System if seq < PROGRAM_START => PROGRAM,
            _ if seq >= IN_VAIN && history.is_answered_otherwise(world, addr, via) => STEADY,
            // Its answers are rationed anyway.
            Via::Udp => spacing(&history, via, slow, fast.max(FAST), starting),
            Via::Tcp(_) if wants_calm(world, addr) => STEADY,
            _ => spacing(&history, via, slow, fast, starting),
        };
        // After a stall the pace is taken up again; what was missed is not made up for, since no
        // responder is asked more than ten times in any second.
        next = (next + pause).max(Instant::now());
        // A UDP answer is an ICMP error, of which the target has few: rather not ask than take
        // its silence for loss.
        if via == Via::Udp && !world.budget.take(addr, now) {
            continue;
        }
        // All places taken means that nothing is answered in time: the next tick tries again.
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let packets = if matches!(via, Via::Tcp(_)) {
            HANDSHAKE
        } else {
            1
        };
        world.leave(addr, packets, 1).await;
        let timeout = match via {
            Via::System => PROGRAM_TIMEOUT
                .max(slowest_hop(world, addr) * 4)
                .max(history.slowest * 3)
                .min(FIRST_TIMEOUT),
            _ => history.timeout(),
        };
        let (world, pinger, n) = (Arc::clone(&mine), Arc::clone(&pinger), seq);
        seq = seq.wrapping_add(1);
        tokio::spawn(async move {
            let (how, sample) = pinger.ping(n, timeout).await;
            let failed = matches!(sample.outcome, Outcome::CannotTry { .. });
            world.tell(how, Body::Ping(sample)).await;
            if failed {
                // What can't be tried now can't be tried ten times a second either: hold the place.
                tokio::time::sleep(STEADY).await;
            }
            drop(place);
        });
    }
}

/// Many targets start one after the other, so that they don't all speak at once, then and in every
/// round after that. A few start at once: somebody waits.
fn offset(addr: IpAddr, targets: usize, every: Duration) -> Duration {
    if targets <= FEW {
        return Duration::ZERO;
    }
    let mut hasher = DefaultHasher::new();
    addr.hash(&mut hasher);
    every.mul_f64((hasher.finish() % 4096) as f64 / 4096.0)
}

/// With very many targets those whose time is almost the same leave together.
fn together(next: Instant, world: &World) -> Instant {
    if world.targets <= MANY {
        return next;
    }
    let now = Instant::now();
    let due = world.clock.mono().plus(next.saturating_duration_since(now));
    next + Duration::from_nanos(due.0.next_multiple_of(STEP_NS) - due.0)
}

/// What the session knows of this address by now.
struct History {
    answered: bool,
    slowest: Duration,
    lossy: bool,
}

impl History {
    fn of(world: &World, addr: IpAddr) -> Self {
        let (_, slowest, lossy, answered) = world
            .of_audience(|t| t.best_ping_of(addr).map(|(_, s)| Self::of_series(s)))
            .unwrap_or_default();
        Self {
            answered,
            slowest,
            lossy,
        }
    }

    /// Answers, by which the longest series is known; slowest answer; loss; whether any.
    fn of_series(s: &PingSeries) -> (u32, Duration, bool, bool) {
        let answered = s.answered() > 0;
        let lost_lately = s.points().rev().take(60).any(|p| p.rtt.is_none());
        let slowest = s.quality().max().map_or(Duration::ZERO, Rtt::duration);
        (s.answered(), slowest, answered && lost_lately, answered)
    }

    /// Whether the address answers pings, but none that are sent this way.
    fn is_answered_otherwise(&self, world: &World, addr: IpAddr, via: Via) -> bool {
        let mine = |method: Method| match via {
            Via::Icmp => matches!(method, Method::IcmpRaw | Method::IcmpDatagram),
            Via::Udp => method == Method::UdpErrorQueue,
            Via::Tcp(_) => method == Method::TcpConnect,
            Via::System => method == Method::SystemPing,
        };
        let answered = world.of_audience(|t| {
            let pings = t.pings.iter().filter(|((a, ..), _)| *a == addr);
            let mut mine = pings.filter(|((_, method, _), _)| mine(*method));
            Some(mine.any(|(_, s)| s.answered() > 0))
        });
        self.answered && answered == Some(false)
    }

    fn timeout(&self) -> Duration {
        if self.answered {
            TIMEOUT.max(self.slowest * 3).min(FIRST_TIMEOUT)
        } else {
            FIRST_TIMEOUT
        }
    }
}

/// Whether connections should be made at leisure, to see whether only their number is limited.
fn wants_calm(world: &World, addr: IpAddr) -> bool {
    world.of_audience(|t| Some(diagnose::wants_calm(t, addr))) == Some(true)
}

/// The slowest answer of the routers on the way.
fn slowest_hop(world: &World, addr: IpAddr) -> Duration {
    let slowest = world.of_audience(|t| {
        let paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
        paths
            .flat_map(|(_, p)| p.hops())
            .filter_map(|(_, h)| h.summary())
            .map(|s| s.max)
            .max()
    });
    slowest.map_or(Duration::ZERO, Rtt::duration)
}

fn spacing(h: &History, via: Via, slow: bool, fast: Duration, starting: bool) -> Duration {
    if slow || via == Via::System {
        return STEADY;
    }
    match (starting, h.lossy) {
        (true, _) => fast,
        (false, true) => fast.max(SUSPICIOUS),
        (false, false) => STEADY.max(fast),
    }
}
