//! Who the addresses on a path belong to, for people to read: reverse names, autonomous systems,
//! places. Nothing waits for it.
//!
//! [`Origins::get`] returns at once what is known, what tables say included, and has the rest looked
//! up behind: the queue is
//! bounded, few questions are under way at once, and resolvers that say nothing are left alone for
//! a while. With every resolver silent nothing takes longer, there is just less to read.
//!
//! ```no_run
//! # use warroom::{model::{local::ResolverConfig, origin::OriginSources}, net::source::Source};
//! # use warroom::probe::origin::Origins;
//! # fn f(resolvers: ResolverConfig) {
//! let sources = OriginSources::default();
//! let (origins, worker) = Origins::new(sources, resolvers, Source::default());
//! tokio::spawn(worker.run());
//! let known = origins.get("203.0.113.1".parse().unwrap());
//! # }
//! ```

mod ask;
#[cfg(test)]
mod mmdb_maker;
mod pfx2as;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::model::local::ResolverConfig;
use crate::model::origin::{Asn, Origin, OriginSources};
use crate::model::text::SafeText;
use crate::net::source::Source;

use ask::{Resolver, Said};
pub use tables::Tables;

/// Addresses that may wait to be looked up. One that finds the queue full is dropped, and comes
/// again with the next [`Origins::get`] of it.
const WAITING: usize = 256;
/// Addresses that are remembered; beyond that the oldest are forgotten.
const REMEMBERED: usize = 8192;
/// Look-ups under way at once, of resolvers that have answered; others are asked for one address
/// at a time. Each question to one that can't be reached may cost a router on the way one of the
/// few ICMP errors that it may send, which a traceroute over it would miss and call loss.
const AT_ONCE: usize = 4;
/// Longest wait for one answer of one resolver.
const LIMIT: Duration = Duration::from_secs(1);
/// Resolvers asked for one thing, in their configured order.
const SERVERS: usize = 2;
/// So many look-ups without any answer (or one, if none can be reached), and resolvers are left
/// alone …
const SILENCES: u32 = 8;
/// … for so long.
const REST: Duration = Duration::from_secs(30);
/// An answer is believed so long, an empty one so long, silence so long.
const KEEP: (Duration, Duration, Duration) = (
    Duration::from_secs(3600),
    Duration::from_secs(600),
    Duration::from_secs(60),
);

/// What is known of addresses. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Origins {
    shared: Arc<Shared>,
    queue: mpsc::Sender<IpAddr>,
    read: watch::Receiver<bool>,
}

/// Looks up what is asked for; see [`Worker::run`].
#[derive(Debug)]
pub struct Worker {
    shared: Weak<Shared>,
    queue: mpsc::Receiver<IpAddr>,
    source: Source,
    read: watch::Sender<bool>,
}

#[derive(Debug)]
struct Shared {
    sources: OriginSources,
    tables: OnceLock<Tables>,
    problems: Mutex<Vec<SafeText>>,
    resolvers: Mutex<ResolverConfig>,
    memory: Mutex<Memory>,
    silence: Mutex<Silence>,
}

#[derive(Debug, Default)]
struct Memory {
    entries: HashMap<IpAddr, Entry>,
    /// By age.
    order: VecDeque<IpAddr>,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    /// When it is to be looked up again; `None` while it is.
    until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Silence {
    in_a_row: u32,
    until: Option<Instant>,
    /// Somebody answered since the last rest.
    heard: bool,
}

/// A short lock; nothing slow is ever done under one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Origins {
    /// Remembers nothing yet. Whoever wants look-ups spawns [`Worker::run`]; tables are read
    /// there, too, because they may be large.
    pub fn new(
        sources: OriginSources,
        resolvers: ResolverConfig,
        source: Source,
    ) -> (Self, Worker) {
        let shared = Arc::new(Shared {
            sources,
            tables: OnceLock::new(),
            problems: Mutex::default(),
            resolvers: Mutex::new(resolvers),
            memory: Mutex::default(),
            silence: Mutex::default(),
        });
        let (to, queue) = mpsc::channel(WAITING);
        let (done, read) = watch::channel(false);
        let worker = Worker {
            shared: Arc::downgrade(&shared),
            queue,
            source,
            read: done,
        };
        let origins = Self {
            shared,
            queue: to,
            read,
        };
        (origins, worker)
    }

    /// What is known of an address now; `None` if nothing is. Never waits.
    pub fn get(&self, addr: IpAddr) -> Option<Origin> {
        let (mut origin, settled) = self.remembered(addr);
        // A look-up may wait long for its turn behind silent resolvers; tables answer at once.
        if let (false, Some(tables)) = (settled, self.shared.tables.get()) {
            origin.asn = origin.asn.or_else(|| tables.asn(addr));
            origin.place = origin.place.or_else(|| tables.place(addr));
        }
        Some(origin).filter(|o| !o.is_empty())
    }

    /// What look-ups have found, and whether they are over. Starts one where that is due.
    fn remembered(&self, addr: IpAddr) -> (Origin, bool) {
        let now = Instant::now();
        let mut memory = lock(&self.shared.memory);
        let known = match memory.entries.get(&addr) {
            Some(Entry {
                origin,
                until: Some(until),
            }) if *until <= now => origin.clone(),
            Some(entry) => return (entry.origin.clone(), entry.until.is_some()),
            None => Origin::default(),
        };
        // Only what is queued is marked as under way; the rest comes again.
        if self.queue.try_send(addr).is_ok() {
            memory.keep(addr, known.clone(), None);
        }
        (known, false)
    }

    /// Returns once the tables are read, or there is nobody who would. It waits for the disk and
    /// never for a resolver.
    pub async fn tables_read(&self) {
        let _ = self.read.clone().wait_for(|read| *read).await;
    }

    /// The resolvers that this host is configured to use now.
    pub fn set_resolvers(&self, resolvers: ResolverConfig) {
        let mut current = lock(&self.shared.resolvers);
        if *current != resolvers {
            *current = resolvers;
            *lock(&self.shared.silence) = Silence::default();
        }
    }

    /// What is wrong with the tables, once they are read.
    pub fn problems(&self) -> Vec<SafeText> {
        lock(&self.shared.problems).clone()
    }
}

impl Memory {
    fn keep(&mut self, addr: IpAddr, origin: Origin, until: Option<Instant>) {
        if self.entries.insert(addr, Entry { origin, until }).is_none() {
            self.order.push_back(addr);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }
}

impl Worker {
    /// Reads the tables, then looks up what is asked for until nobody holds the [`Origins`].
    pub async fn run(mut self) {
        if let Some(shared) = self.shared.upgrade() {
            let sources = shared.sources.clone();
            let loaded = tokio::task::spawn_blocking(move || Tables::load(&sources)).await;
            if let Ok((tables, problems)) = loaded {
                *lock(&shared.problems) = problems;
                let _ = shared.tables.set(tables);
            }
        }
        self.read.send_replace(true);
        let mut open = JoinSet::new();
        while let Some(addr) = self.queue.recv().await {
            while open.len() >= self.at_once() {
                open.join_next().await;
            }
            let Some(shared) = self.shared.upgrade() else {
                break;
            };
            let source = self.source.clone();
            open.spawn(async move { shared.look_up(addr, &source).await });
        }
    }
}

impl Worker {
    fn at_once(&self) -> usize {
        let heard = self.shared.upgrade().map(|s| lock(&s.silence).heard);
        if heard == Some(true) { AT_ONCE } else { 1 }
    }
}

impl Shared {
    async fn look_up(&self, addr: IpAddr, source: &Source) {
        let tables = self.tables.get();
        let mut origin = Origin {
            name: None,
            asn: tables.and_then(|t| t.asn(addr)),
            place: tables.and_then(|t| t.place(addr)),
        };
        // Tables answer at once, so what they say is shown while resolvers are asked.
        lock(&self.memory).keep(addr, origin.clone(), None);
        let mut silent = false;
        if self.sources.reverse_names {
            match self.first(source, |r| r.name(addr)).await {
                Said::This(name) => origin.name = Some(name),
                Said::Nothing => {}
                Said::Silence | Said::Unreachable => silent = true,
            }
        }
        if self.sources.dns_asn && origin.asn.is_none() && is_global(addr) {
            match self.first(source, |r| r.asn(addr)).await {
                Said::This((number, prefix)) => {
                    let name = match self.first(source, |r| r.asn_name(number)).await {
                        Said::This(name) => Some(name),
                        _ => None,
                    };
                    origin.asn = Some(Asn {
                        number,
                        prefix: Some(prefix),
                        name,
                    });
                }
                Said::Nothing => {}
                Said::Silence | Said::Unreachable => silent = true,
            }
        }
        let keep = match (silent, origin.is_empty()) {
            (true, _) => KEEP.2,
            (false, true) => KEEP.1,
            (false, false) => KEEP.0,
        };
        lock(&self.memory).keep(addr, origin, Some(Instant::now() + keep));
    }

    /// Asks the resolvers one after the other until one says something.
    async fn first<'a, T, F>(&self, source: &'a Source, ask: impl Fn(Resolver<'a>) -> F) -> Said<T>
    where
        F: Future<Output = Said<T>>,
    {
        if lock(&self.silence)
            .until
            .is_some_and(|t| t > Instant::now())
        {
            return Said::Silence;
        }
        let servers = lock(&self.resolvers).servers.clone();
        let mut reachable = false;
        for server in servers.into_iter().take(SERVERS) {
            let resolver = Resolver {
                server,
                source,
                limit: LIMIT,
            };
            let said = ask(resolver).await;
            match said {
                Said::Silence => reachable = true,
                Said::Unreachable => {}
                Said::This(_) | Said::Nothing => {
                    *lock(&self.silence) = Silence {
                        heard: true,
                        ..Silence::default()
                    };
                    return said;
                }
            }
        }
        let mut silence = lock(&self.silence);
        silence.in_a_row += 1;
        // To ask again those that can't be reached is of no use and costs ICMP errors.
        if silence.in_a_row >= SILENCES || !reachable {
            *silence = Silence {
                until: Some(Instant::now() + REST),
                ..Silence::default()
            };
        }
        Said::Silence
    }
}

/// Whether the public routing table may hold an address. Others are nobody else's business.
fn is_global(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            !(a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_unspecified()
                || a.is_multicast()
                || first == 100 && (64..128).contains(&second))
        }
        // 2000::/3 is what has been given out.
        IpAddr::V6(a) => a.segments()[0] & 0xe000 == 0x2000,
    }
}
