//! One async task for each probe of the plan: cadence, limits, and where the facts go.

mod dns;
mod path;
mod ping;
mod services;
mod trace;
mod ways;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::plan::{Probes, Task};
use super::seen::Seen;
use crate::model::device::Device;
use crate::model::observation::{Body, How};
use crate::model::target::{Target, TargetId};
use crate::model::time::Stamp;
use crate::model::window::TargetWindow;
use crate::net::pace::Budget;
use crate::net::sockets::Sockets;
use crate::probe::resolve::Family;
use crate::probe::tls::Roots;
use crate::probe::trace::MOST_FLOWS;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// One fact on its way to the engine.
#[derive(Debug)]
pub struct Fact {
    /// Whom it is about: every target at the address that was asked.
    pub targets: Arc<BTreeSet<TargetId>>,
    /// When it was known.
    pub at: Stamp,
    /// How it was learned.
    pub how: How,
    /// What was seen.
    pub body: Body,
}

/// What every probe task needs.
#[derive(Clone)]
pub struct World {
    /// The clocks.
    pub clock: Clock,
    /// What this process may do.
    pub rights: Arc<Rights>,
    /// Probing sockets, and with them the way out of this host.
    pub sockets: Sockets,
    /// Address families wanted.
    pub family: Family,
    /// Trusted roots.
    pub roots: Arc<Roots>,
    /// Devices to poll, each under the target that it belongs to.
    pub devices: Arc<Vec<(TargetId, Device)>>,
    /// Packets that may leave, and ICMP errors that others may be made to send.
    pub budget: Arc<Budget>,
    /// Where resolvers are configured.
    pub resolv_conf: PathBuf,
    /// The facts; bounded, a full queue makes the probe wait (and so probe less).
    pub facts: mpsc::Sender<Fact>,
    /// What the engine has seen so far, for tasks that adapt to it.
    pub seen: Seen,
    /// Number of targets, by which rates are shared.
    pub targets: usize,
    /// Packets a second that all targets share.
    pub rate: f64,
    /// Probes that are switched on.
    pub probes: Probes,
    /// Flows that traceroutes look at; may change while they run.
    pub flows: Arc<AtomicU16>,
    /// Targets that the task works for; one more may join while it runs.
    pub audience: watch::Receiver<Arc<BTreeSet<TargetId>>>,
}

impl World {
    /// Hands a fact over. While the queue is full the probe waits here; when the engine has gone
    /// the fact has no reader and is dropped.
    pub async fn tell(&self, how: How, body: Body) {
        let fact = Fact {
            targets: Arc::clone(&self.audience.borrow()),
            at: self.clock.now(),
            how,
            body,
        };
        let _ = self.facts.send(fact).await;
    }

    /// The target that has seen most, by whatever measure; the others of the audience know less.
    fn of_audience<T: Ord>(&self, measure: impl Fn(&TargetWindow) -> Option<T>) -> Option<T> {
        let seen = self.seen.borrow();
        let ids = self.audience.borrow();
        ids.iter()
            .filter_map(|id| seen.targets.get(id))
            .filter_map(measure)
            .max()
    }

    /// Waits until so many packets may leave to `to`, of which it will answer so many itself.
    async fn leave(&self, to: IpAddr, packets: usize, answers: usize) {
        let now = self.clock.mono();
        self.wait(self.budget.delay(to, packets, answers, now))
            .await;
        self.leave_in_all(packets).await;
    }

    /// The same for questions to servers whose work they are, however many.
    async fn leave_in_all(&self, packets: usize) {
        let now = self.clock.mono();
        self.wait(self.budget.delay_in_all(packets, now)).await;
    }

    async fn wait(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Flows that a traceroute looks at, from 1.
    fn flows(&self) -> u16 {
        self.flows.load(Ordering::Relaxed).clamp(1, MOST_FLOWS)
    }

    /// Waits, but not while a target has joined that knows nothing yet.
    async fn pause(&self, time: Duration) {
        let mut audience = self.audience.clone();
        audience.mark_unchanged();
        let joined = audience.changed();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            Ok(()) = joined => {}
        }
    }

    fn target(&self, id: &TargetId) -> Option<Target> {
        self.seen.borrow().targets.get(id).map(|t| t.target.clone())
    }
}

/// Starts the probe of a task; it runs until the token is cancelled.
pub fn start(task: Task, world: World, stop: CancellationToken) {
    tokio::spawn(async move {
        stop.run_until_cancelled(probe(&task, &world)).await;
    });
}

/// The probe of a task. Boxed, each in its own size: a thousand pings must not take the room of a
/// thousand TLS judgements.
fn probe<'a>(task: &'a Task, world: &'a World) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    match task {
        Task::Local => Box::pin(services::local(world)),
        Task::Resolve(id) => Box::pin(services::resolve(world, id)),
        Task::Ping { addr, via, slow } => Box::pin(ping::run(world, *addr, *via, *slow)),
        Task::Trace { addr, via } => Box::pin(trace::run(world, *addr, *via)),
        Task::Ways { addr } => Box::pin(ways::run(world, *addr)),
        Task::Pmtu { addr } => Box::pin(path::mtu(world, *addr)),
        Task::Tcp { dst, asked } => Box::pin(services::tcp(world, *dst, *asked)),
        Task::Dns {
            server,
            named,
            name,
            liveness,
        } => Box::pin(dns::questions(world, *server, *named, name, *liveness)),
        Task::Authorities { name, rtype } => Box::pin(dns::authorities(world, name, rtype)),
        Task::DnsSerial {
            server,
            named,
            name,
        } => Box::pin(dns::serial(world, *server, *named, name)),
        Task::DnsTcp { server, named } => Box::pin(dns::over_tcp(world, *server, *named)),
        Task::Tls { target, dst, asked } => Box::pin(services::tls(world, target, *dst, *asked)),
        Task::Http { target, dst, asked } => Box::pin(services::http(world, target, *dst, *asked)),
        Task::Devices(id) => Box::pin(services::devices(world, id)),
    }
}
