//! The probing sockets of a session: one of each kind and family, shared by all destinations and
//! kept to the end.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::exchange::{Exchange, Hub};
use super::socket::{Kind, ProbeSocket, RawSocket};
use super::source::Source;
use crate::sys::clock::Clock;

/// Kind, IPv6, whether packets may be fragmented, and which one where several are wanted.
type Key = (Kind, bool, bool, Which);

/// Which socket of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    /// From a port that the kernel chooses; 0 is shared by all.
    Number(u16),
    /// From this port.
    Port(u16),
}

/// Opens sockets as they are wanted and hands them out again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sockets {
    clock: Clock,
    source: Source,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Opened while the process had the right to, not used yet.
    ready: Mutex<BTreeMap<Key, RawSocket>>,
    hubs: Mutex<BTreeMap<Key, Arc<Hub<ProbeSocket>>>>,
}

impl Sockets {
    /// Sockets that leave by `source`. Nothing is opened yet.
    pub fn new(clock: Clock, source: Source) -> Self {
        Self {
            clock,
            source,
            inner: Arc::default(),
        }
    }

    /// The same with the raw sockets opened now, as far as that is permitted, so that the right
    /// can be given up. `fragment` as in [`Sockets::exchange`].
    pub fn opened(clock: Clock, source: Source, fragment: bool) -> Self {
        let open = |v6| RawSocket::open(Kind::IcmpRaw, v6, fragment, &source).ok();
        let ready = [false, true]
            .into_iter()
            .filter_map(|v6| Some(((Kind::IcmpRaw, v6, fragment, Which::Number(0)), open(v6)?)))
            .collect();
        let inner = Inner {
            ready: Mutex::new(ready),
            hubs: Mutex::default(),
        };
        Self {
            clock,
            source,
            inner: Arc::new(inner),
        }
    }

    /// The clocks.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The way out of this host.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Towards `dst` by a socket of this kind; with `fragment` too large packets are cut up instead
    /// of being refused. Needs tokio's context.
    ///
    /// # Errors
    /// Those of [`RawSocket::open`], and of the random source.
    pub fn exchange(&self, kind: Kind, dst: IpAddr, fragment: bool) -> io::Result<Exchange> {
        self.exchange_of((kind, dst.is_ipv6(), fragment, Which::Number(0)), dst)
    }

    /// The same, unfragmented, by socket `number` of this kind: another source port, and so
    /// another flow. Number 0 is the one that all share.
    ///
    /// # Errors
    /// Those of [`Sockets::exchange`].
    pub fn exchange_by(&self, kind: Kind, dst: IpAddr, number: u16) -> io::Result<Exchange> {
        self.exchange_of((kind, dst.is_ipv6(), false, Which::Number(number)), dst)
    }

    /// By UDP from a source port of one's choice, which all destinations share.
    ///
    /// # Errors
    /// Those of [`Sockets::exchange`]; the port is in use, or needs a right (below 1024).
    pub fn exchange_from(&self, port: u16, dst: IpAddr) -> io::Result<Exchange> {
        self.exchange_of((Kind::Udp, dst.is_ipv6(), false, Which::Port(port)), dst)
    }

    fn exchange_of(&self, key: Key, dst: IpAddr) -> io::Result<Exchange> {
        let mut hubs = lock(&self.inner.hubs);
        let hub = match hubs.get(&key) {
            Some(hub) => Arc::clone(hub),
            None => {
                let hub = Arc::new(self.open(key)?);
                hubs.insert(key, Arc::clone(&hub));
                hub
            }
        };
        Ok(Exchange::new(hub, dst))
    }

    fn open(&self, key: Key) -> io::Result<Hub<ProbeSocket>> {
        let (kind, v6, fragment, which) = key;
        let ready = lock(&self.inner.ready).remove(&key);
        let wire = match (ready, which) {
            (Some(raw), _) => ProbeSocket::of(raw)?,
            (None, Which::Port(port)) => {
                ProbeSocket::of(RawSocket::open_udp(v6, port, &self.source)?)?
            }
            (None, Which::Number(_)) => ProbeSocket::open(kind, v6, fragment, &self.source)?,
        };
        Hub::new(wire, self.source.clone(), self.clock)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The maps are whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
