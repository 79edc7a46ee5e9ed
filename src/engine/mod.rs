//! The async world: runs the probes of the plan, judges what they see, records it, and does what
//! the console asks. Knows nothing of screens: `check` is the same engine with another last step.
//!
//! ```text
//! probes ─facts→ Core ─window→ judge ─changes→ recorder ─events read back→ ┐
//! console ─commands→ Core ─────────────────────────────────────batches→ console / check
//! ```

mod core;
mod desk;
mod origins;
pub mod plan;
pub mod recorder;
pub mod replay;
pub mod schedule;
pub mod seen;
mod trial;

pub use desk::Recording;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::model::command::{Batch, Command};
use crate::model::device::Device;
use crate::model::origin::OriginSources;
use crate::model::target::{Target, TargetId, TargetKind};
use crate::model::thresholds::Thresholds;
use crate::model::window::Window;
use crate::net::pace::Budget;
use crate::net::sockets::Sockets;
use crate::probe::resolve::Family;
use crate::probe::tls::Roots;
use crate::runbook::library::Library;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Facts that may wait for the engine; a probe that finds the queue full waits with its next.
const FACTS: usize = 1024;
/// Batches that may wait for the console; the engine goes on collecting while it is full.
const BATCHES: usize = 4;
/// Commands that may wait for the engine.
const COMMANDS: usize = 64;

/// Makes the devices of a target that is added while the engine runs, and tells the redactor of
/// its secrets.
pub type Adopt = Arc<dyn Fn(&Target) -> Vec<Device> + Send + Sync>;

/// What an engine is made of.
pub struct Setup {
    /// The clocks.
    pub clock: Clock,
    /// Targets in the user's order; this host last if it is to be watched.
    pub targets: Vec<Target>,
    /// Devices to poll.
    pub devices: Vec<Device>,
    /// What comes with a target that is added later.
    pub adopt: Adopt,
    /// Limits of the rules.
    pub thresholds: Thresholds,
    /// What this process may do.
    pub rights: Rights,
    /// Trusted roots.
    pub roots: Roots,
    /// Probing sockets, and with them the way out of this host.
    pub sockets: Sockets,
    /// Packets a second that all targets share.
    pub rate: f64,
    /// Probes that are switched on.
    pub probes: plan::Probes,
    /// Flows that traceroutes look at.
    pub flows: u16,
    /// Address families wanted.
    pub family: Family,
    /// Runbooks.
    pub library: Library,
    /// Where to look up who hops belong to; none where nobody reads it.
    pub origins: Option<OriginSources>,
    /// The recorder; none for a headless check.
    pub recording: Option<Recording>,
}

/// The ends of a running engine.
pub struct Engine {
    /// Requests; the sender waits while it is full.
    pub commands: mpsc::Sender<Command>,
    /// News; closed when the engine has finished writing.
    pub batches: mpsc::Receiver<Batch>,
    /// Ends after the last batch.
    pub done: JoinHandle<()>,
    /// How the recorder ended, once it has.
    pub left: oneshot::Receiver<recorder::Leave>,
}

/// Starts the engine on the current tokio runtime.
pub fn start(setup: Setup) -> Engine {
    let (facts_in, facts) = mpsc::channel(FACTS);
    let (commands, requests) = mpsc::channel(COMMANDS);
    let (batches_in, batches) = mpsc::channel(BATCHES);
    let window = Window::new(setup.targets.iter().cloned());
    let (keeper, seen) = seen::share(window);
    let reach = plan::Reach {
        icmp_v4: setup.rights.icmp(false),
        icmp_v6: setup.rights.icmp(true),
    };
    let world = schedule::World {
        clock: setup.clock,
        rights: Arc::new(setup.rights),
        sockets: setup.sockets,
        family: setup.family,
        roots: Arc::new(setup.roots),
        devices: Arc::new(owned(setup.devices, &setup.targets)),
        budget: Arc::new(Budget::limited(setup.rate)),
        resolv_conf: PathBuf::from("/etc/resolv.conf"),
        facts: facts_in,
        seen,
        targets: setup.targets.len().max(1),
        rate: setup.rate,
        probes: setup.probes,
        flows: Arc::new(AtomicU16::new(setup.flows)),
        audience: watch::channel(Arc::new(BTreeSet::new())).1,
    };
    let owners = setup.origins.map(|sources| {
        let source = world.sockets.source().clone();
        origins::Owners::new(sources, source)
    });
    let core = core::Core::new(world, keeper, reach, setup.thresholds, owners);
    let (ended, left) = oneshot::channel();
    let desk = desk::Desk::new(setup.library, setup.recording, Some(ended));
    let done = tokio::spawn(core.run(facts, requests, batches_in, desk, setup.adopt));
    Engine {
        commands,
        batches,
        done,
        left,
    }
}

/// A device that a target names belongs to that target, the others to this host's row.
fn owned(devices: Vec<Device>, targets: &[Target]) -> Vec<(TargetId, Device)> {
    let owner = |d: &Device| {
        targets.iter().find(|t| match (&t.kind, &d.snmp) {
            (TargetKind::Snmp { host, port, .. }, Some(s)) => *host == s.host && *port == s.port,
            _ => false,
        })
    };
    devices
        .into_iter()
        .map(|d| (owner(&d).map_or_else(TargetId::local, |t| t.id.clone()), d))
        .collect()
}
