//! Questions to DNS servers: those of the targets, and those that explain the answers.

use std::net::SocketAddr;
use std::time::Duration;

use super::World;
use super::services::{Cadence, Turns};
use crate::diagnose::seems_slow;
use crate::engine::plan::role;
use crate::model::observation::{Body, DnsSample, Outcome};
use crate::probe::dns::authority::ask_authorities;
use crate::probe::dns::{Options, Transport, ask};

/// Longest wait for a DNS answer.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// The same after one question was not answered in time: slow and dead are two faults. Where that
/// was answered all others wait as long.
const PATIENT: Duration = Duration::from_secs(3);
/// Packets of a question over TCP, and the answers it takes.
const OVER_TCP: (usize, usize) = (7, 4);
/// Questions over TCP in a row that fail, after which it is asked less often.
const TRIES: u32 = 4;
/// Time between those.
const AGAIN: Duration = Duration::from_millis(700);
/// How often a server is asked over TCP that did not answer.
const WATCHED: Duration = Duration::from_secs(10);
/// Packets that asking the servers of a zone takes at least.
const WALK: usize = 10;
/// How often a resolver is asked which version of a zone it has.
const SERIALS: Duration = Duration::from_secs(60);
/// How often a server is asked over TCP that answered.
const SELDOM: Duration = Duration::from_secs(300);

/// What is known of a server from the questions so far.
#[derive(Default)]
struct Heard {
    /// It takes so long that the usual wait may be too short.
    slow: bool,
    /// Questions in a row that were not answered.
    in_vain: u32,
    /// Some were answered and others not: that is looked at closely.
    turns: Turns,
}

impl Heard {
    fn take(&mut self, sample: &DnsSample) {
        match &sample.outcome {
            Outcome::Timeout { .. } => self.in_vain = self.in_vain.saturating_add(1),
            Outcome::Ok(a) => {
                self.slow = a.rtt.duration() * 2 > TIMEOUT;
                self.in_vain = 0;
            }
            _ => self.in_vain = 0,
        }
        self.turns.take(match &sample.outcome {
            Outcome::Ok(_) => Some(true),
            Outcome::Timeout { .. } => Some(false),
            _ => None,
        });
    }

    fn patience(&self) -> Duration {
        if self.slow || (1..3).contains(&self.in_vain) {
            PATIENT
        } else {
            TIMEOUT
        }
    }
}

pub async fn questions(world: &World, server: SocketAddr, named: bool, name: &str, liveness: bool) {
    let types = if liveness { ["A", "A"] } else { ["A", "AAAA"] };
    let mut heard = Heard::default();
    for n in 1u32.. {
        for (i, rtype) in types.into_iter().enumerate() {
            // One question tells whether a server lives, and it has answered.
            if liveness && i > 0 && heard.in_vain == 0 {
                break;
            }
            // After silence both are asked at once: a dead server is known sooner, and a lost
            // question is known from it.
            if heard.in_vain > 0 {
                let ask = |rtype| question(world, server, named, name, rtype, liveness, &heard);
                let [first, second] = types;
                let (a, b) = tokio::join!(ask(first), ask(second));
                // What was answered counts last.
                let answered = |s: &DnsSample| s.outcome.ok().is_some();
                let mut both = [a, b];
                both.sort_by_key(answered);
                both.iter().for_each(|s| heard.take(s));
                break;
            }
            let sample = question(world, server, named, name, rtype, liveness, &heard).await;
            heard.take(&sample);
        }
        let n = if heard.turns.is_curious() { 0 } else { n };
        Cadence::SERVICE.wait(world, n).await;
    }
}

/// Asks once, and tells it.
async fn question(
    world: &World,
    server: SocketAddr,
    named: bool,
    name: &str,
    rtype: &str,
    liveness: bool,
    heard: &Heard,
) -> DnsSample {
    world.leave(server.ip(), 1, 1).await;
    let options = Options {
        liveness_only: liveness,
        source: world.sockets.source().clone(),
        ..Options::within(heard.patience())
    };
    let (how, sample) = ask(server, role(named), name, rtype, &options).await;
    if sample.security.cd_retry.is_some() {
        // Asked already, with checking disabled and once more: who comes next waits for it.
        let now = world.clock.mono();
        let _ = world.budget.delay(server.ip(), 2, 2, now);
        let _ = world.budget.delay_in_all(2, now);
    }
    world.tell(how, Body::Dns(sample.clone())).await;
    sample
}

/// Once, and again only while that fails or the server seems slow.
pub async fn over_tcp(world: &World, server: SocketAddr, named: bool) {
    let mut options = Options {
        transport: Transport::Tcp,
        cd_retry: false,
        source: world.sockets.source().clone(),
        ..Options::within(TIMEOUT)
    };
    let mut failed = 0u32;
    loop {
        let Some((name, rtype)) = asked(world, server) else {
            // Whoever used it has just gone.
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        world.leave(server.ip(), OVER_TCP.0, OVER_TCP.1).await;
        // One patient question tells slow from blocked; the verdict must not wait for more.
        options.timeout = if failed == 1 { PATIENT } else { TIMEOUT };
        let (how, sample) = ask(server, role(named), &name, &rtype, &options).await;
        failed = match sample.outcome.ok() {
            Some(_) => 0,
            None => failed.saturating_add(1),
        };
        world.tell(how, Body::Dns(sample)).await;
        match failed {
            0 => until_doubted(world, server).await,
            1..TRIES => tokio::time::sleep(AGAIN).await,
            _ => tokio::time::sleep(WATCHED).await,
        }
    }
}

/// Waits until a server that takes TCP should be asked again: after a long time, or sooner where
/// it seems slow, since a handshake tells what the way to it takes.
async fn until_doubted(world: &World, server: SocketAddr) {
    let begun = world.clock.mono();
    loop {
        tokio::time::sleep(WATCHED).await;
        let now = world.clock.mono();
        let seen = world.seen.borrow();
        let ids = world.audience.borrow();
        let targets = ids.iter().filter_map(|id| seen.targets.get(id));
        if now.since(begun) >= SELDOM || seems_slow(targets, server, now) {
            return;
        }
    }
}

/// Which version of the zone a resolver has.
pub async fn serial(world: &World, server: SocketAddr, named: bool, name: &str) {
    let options = Options {
        cd_retry: false,
        source: world.sockets.source().clone(),
        ..Options::within(TIMEOUT)
    };
    loop {
        world.leave(server.ip(), 1, 1).await;
        let (how, sample) = ask(server, role(named), name, "SOA", &options).await;
        let failed = sample.outcome.ok().is_none();
        world.tell(how, Body::Dns(sample)).await;
        world.pause(if failed { WATCHED } else { SERIALS }).await;
    }
}

/// The servers of the zone of a name: once where all is well, now and then where it is not.
pub async fn authorities(world: &World, name: &str, rtype: &str) {
    let options = Options {
        cd_retry: false,
        source: world.sockets.source().clone(),
        ..Options::within(TIMEOUT)
    };
    for n in 1u32.. {
        let resolvers = who_answers(world, name);
        world.leave_in_all(WALK).await;
        let all = ask_authorities(name, rtype, &resolvers, world.family, &options).await;
        // What was asked beyond that is owed by who comes next.
        let now = world.clock.mono();
        let _ = world
            .budget
            .delay_in_all(all.len().saturating_sub(WALK), now);
        let well = !all.is_empty() && all.iter().all(|(_, s)| serves(s));
        for (how, sample) in all {
            world.tell(how, Body::Dns(sample)).await;
        }
        let wait = match (well, n) {
            (true, _) => SELDOM * 2,
            (false, ..3) => AGAIN,
            (false, _) => SERIALS,
        };
        tokio::time::sleep(wait).await;
    }
}

fn serves(s: &DnsSample) -> bool {
    let told = s.asked.delegated.as_ref();
    s.outcome.ok().is_some() && told.is_some_and(|d| d.lame.is_none())
}

/// The servers that were asked for a name and answered anything.
fn who_answers(world: &World, name: &str) -> Vec<SocketAddr> {
    let seen = world.seen.borrow();
    let ids = world.audience.borrow();
    let mut found = Vec::new();
    for t in ids.iter().filter_map(|id| seen.targets.get(id)) {
        for (key, r) in t.dns.iter().filter(|(k, _)| k.name.as_str() == name) {
            let heard = r.iter().any(|d| d.value.outcome.ok().is_some());
            if heard && !found.contains(&key.server) {
                found.push(key.server);
            }
        }
    }
    found
}

/// A question that the server has answered over UDP.
fn asked(world: &World, server: SocketAddr) -> Option<(String, String)> {
    let seen = world.seen.borrow();
    let ids = world.audience.borrow();
    let mut keys = ids
        .iter()
        .filter_map(|id| seen.targets.get(id))
        .flat_map(|t| t.dns.keys());
    let key = keys.find(|k| k.server == server)?;
    Some((key.name.to_string(), key.rtype.to_string()))
}
