//! A window over the observations: what rules judge and screens show, folded once.
//!
//! [`Window::take`] files each observation under its target and probe, keeps a bounded history
//! and throws the rest away. The live console, the headless check and replay share it.

mod changes;
mod device;
mod levels;
mod path;
mod ping;
mod point;
mod quality;
mod service;

pub use changes::{Changes, Noticed};
pub use device::{DeviceWindow, RateAt, Track};
pub use levels::{Level, Levels, middle};
pub use path::{
    Balance, DeadFlow, FlowPath, Group, Hint, HopStats, PathWindow, flow_lines, flow_numbers,
    groups, return_hops,
};
pub use ping::{PingSeries, SaidNo};
pub use point::PingPoint;
pub use quality::Quality;
pub use service::{Beside, DnsKey, Recent};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::local::LocalState;
use super::observation::{
    Body, DnsSample, How, HttpSample, Method, ObsId, Observation, PmtuSample, Resolution,
    TcpSample, TlsSample,
};
use super::service::DnsTransport;
use super::target::{Target, TargetId};
use super::text::SafeText;
use super::time::Stamp;

/// One ping series: address, method, and TCP port where the method is a TCP handshake.
pub type PingKey = (IpAddr, Method, Option<u16>);

/// Everything seen lately.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Targets in the order the user gave them; this host, if it is watched, last.
    pub order: Vec<TargetId>,
    /// What was seen of each.
    pub targets: BTreeMap<TargetId, TargetWindow>,
    /// The last look at the local tables.
    pub local: Option<Dated<LocalState>>,
    /// The last looks, oldest first.
    pub locals: Recent<LocalState>,
    /// What changed at this host.
    pub changes: Changes,
    /// Questions over TCP by DNS server. What a server does is filed once, whoever's name it was
    /// asked for.
    pub dns_tcp: BTreeMap<SocketAddr, Recent<DnsSample>>,
    /// Time of the newest observation.
    pub newest: Option<Stamp>,
    /// No rules are asked about it: of many targets it keeps what a screen shows.
    screen_only: bool,
}

/// Something with the observation that it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated<T> {
    /// The observation.
    pub id: ObsId,
    /// When.
    pub at: Stamp,
    /// How.
    pub how: How,
    /// What.
    pub value: T,
}

/// What was seen of one target.
#[derive(Clone, Debug)]
pub struct TargetWindow {
    /// The target.
    pub target: Target,
    /// Last resolution of its name.
    pub resolution: Option<Dated<Resolution>>,
    /// Addresses of the last resolution that succeeded. A resolver that dies later does not take
    /// them away: what is known to be there is still probed.
    pub known: Vec<IpAddr>,
    /// Pings by address, method and TCP port.
    /// Boxed: a map makes room for eleven at once, and most targets have one.
    pub pings: BTreeMap<PingKey, Box<PingSeries>>,
    /// Traceroutes by address and method.
    pub paths: BTreeMap<(IpAddr, Method), Box<PathWindow>>,
    /// Path MTU by address, newest last.
    pub pmtu: BTreeMap<IpAddr, Recent<PmtuSample>>,
    /// TCP ports.
    pub tcp: BTreeMap<SocketAddr, Recent<TcpSample>>,
    /// DNS answers by server, name and type.
    pub dns: BTreeMap<DnsKey, Recent<DnsSample>>,
    /// What was asked to explain those answers.
    pub beside: Beside,
    /// TLS sessions.
    pub tls: BTreeMap<SocketAddr, Recent<TlsSample>>,
    /// HTTP responses.
    pub http: BTreeMap<SocketAddr, Recent<HttpSample>>,
    /// Device polls: one series for each device and kind of poll.
    pub devices: BTreeMap<(SafeText, Method), DeviceWindow>,
    /// What changed: path, certificates, names.
    pub changes: Changes,
    /// What changed at its devices, which may be why another target suffers.
    pub device_changes: Changes,
}

impl TargetWindow {
    /// Nothing seen yet.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            resolution: None,
            known: Vec::new(),
            pings: BTreeMap::new(),
            paths: BTreeMap::new(),
            pmtu: BTreeMap::new(),
            tcp: BTreeMap::new(),
            dns: BTreeMap::new(),
            beside: Beside::default(),
            tls: BTreeMap::new(),
            http: BTreeMap::new(),
            devices: BTreeMap::new(),
            changes: Changes::default(),
            device_changes: Changes::default(),
        }
    }

    /// What an observation that is about to be filed shows to have changed.
    fn changed_by(&self, body: &Body, method: Method) -> Vec<String> {
        match body {
            Body::Trace(r) => {
                let path = self.paths.get(&(r.dst, method));
                path.map(|p| changes::of_path(p, r)).unwrap_or_default()
            }
            Body::Tls(s) => {
                let known = self.tls.get(&s.dst);
                known.map(|k| changes::of_tls(k, s)).unwrap_or_default()
            }
            Body::Dns(s) => {
                let known = self.dns.get(&DnsKey::of(s));
                known.map(|k| changes::of_dns(k, s)).unwrap_or_default()
            }
            Body::Resolve(r) => {
                let now = r.outcome.ok();
                now.map(|now| changes::of_addresses(&r.name, &self.known, now))
                    .unwrap_or_default()
            }
            Body::Device(d) => {
                let known = self.devices.get(&(d.device.clone(), method));
                let both = known.zip(d.agent());
                both.map(|(k, now)| changes::of_device(k, &d.device, now))
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Forgets pings and traceroutes, so that their figures start anew.
    pub fn restart(&mut self) {
        self.pings.clear();
        self.paths.clear();
    }

    /// Addresses of the target, in the order of use; empty before its name is resolved for the
    /// first time.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.known
    }

    /// The series to show and to judge loss by: [`TargetWindow::best_ping_of`] of the first
    /// address that has answers.
    pub fn best_ping(&self) -> Option<(&PingKey, &PingSeries)> {
        let mut first = None;
        for addr in self.addresses() {
            let found = self.best_ping_of(*addr);
            if found.is_some_and(|(_, s)| s.answered() > 0) {
                return found;
            }
            first = first.or(found);
        }
        first
    }

    /// Of the series towards one address (a hop's as well as the target's) the one to judge by:
    /// with answers, by a method whose answers are not rationed, with most answers.
    pub fn best_ping_of(&self, addr: IpAddr) -> Option<(&PingKey, &PingSeries)> {
        self.pings
            .iter()
            .filter(|((a, ..), _)| *a == addr)
            .max_by_key(|((_, method, _), s)| {
                (
                    s.answered() > 0,
                    !method.answers_are_rationed(),
                    s.answered(),
                    s.sent(),
                )
            })
            .map(|(key, s)| (key, s.as_ref()))
    }

    /// The traceroute to show: the one that reached its destination, else the one that got
    /// farthest, else the one with most rounds.
    pub fn best_path(&self) -> Option<(&(IpAddr, Method), &PathWindow)> {
        self.paths
            .iter()
            .max_by_key(|(_, p)| (p.reached_ttl().is_some(), p.farthest(), p.rounds()))
            .map(|(key, p)| (key, p.as_ref()))
    }
}

impl Window {
    /// A window for these targets.
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        let mut window = Self::default();
        for target in targets {
            window.add(target);
        }
        window
    }

    /// The same for a screen, which of many targets needs less than the rules do.
    pub fn for_screen(targets: impl IntoIterator<Item = Target>) -> Self {
        Self {
            screen_only: true,
            ..Self::new(targets)
        }
    }

    /// Adds a target; one that is there already stays as it is.
    pub fn add(&mut self, target: Target) {
        self.add_at(self.order.len(), target);
    }

    /// Adds one later: before this host, if that is last.
    pub fn join(&mut self, target: Target) {
        let local = self.order.last() == Some(&TargetId::local());
        self.add_at(self.order.len() - usize::from(local), target);
    }

    fn add_at(&mut self, place: usize, target: Target) {
        if !self.targets.contains_key(&target.id) {
            self.order.insert(place, target.id.clone());
            self.targets
                .insert(target.id.clone(), TargetWindow::new(target));
        }
    }

    /// Forgets a target and all that was seen of it.
    pub fn remove(&mut self, id: &TargetId) {
        self.order.retain(|t| t != id);
        self.targets.remove(id);
    }

    /// Files one observation. One about an unknown target is dropped: it cannot be shown.
    pub fn take(&mut self, obs: &Observation) {
        if self.newest.is_none_or(|n| n.mono <= obs.at.mono) {
            self.newest = Some(obs.at);
        }
        if let Body::Local(state) = &obs.body {
            let changed = changes::of_host(self.local.as_ref(), state);
            self.changes.notice(obs.at, obs.id, changed);
            self.local = Some(dated(obs, state));
            self.locals.push(dated(obs, state));
            return;
        }
        if let Body::Dns(s) = &obs.body
            && s.asked.transport == DnsTransport::Tcp
        {
            let series = self.dns_tcp.entry(s.server).or_default();
            // The same fact may come once for each target that uses the server.
            if series.last().is_none_or(|d| d.at != obs.at) {
                series.push(dated(obs, s));
            }
            return;
        }
        let room = ping::room(self.order.len(), self.screen_only);
        let Some(t) = self.targets.get_mut(&obs.target) else {
            return;
        };
        let changed = t.changed_by(&obs.body, obs.how.method);
        let log = match &obs.body {
            Body::Device(_) => &mut t.device_changes,
            _ => &mut t.changes,
        };
        log.notice(obs.at, obs.id, changed);
        match &obs.body {
            Body::Local(_) => {}
            Body::Resolve(r) => {
                if let Some(addrs) = r.outcome.ok() {
                    t.known.clone_from(addrs);
                }
                t.resolution = Some(dated(obs, r));
            }
            Body::Ping(p) => t
                .pings
                .entry((p.dst, obs.how.method, p.port))
                .or_default()
                .take(obs, p, room),
            Body::Trace(r) => t
                .paths
                .entry((r.dst, obs.how.method))
                .or_default()
                .take(obs, r),
            Body::Pmtu(p) => t.pmtu.entry(p.dst).or_default().push(dated(obs, p)),
            Body::Tcp(s) => t.tcp.entry(s.dst).or_default().push(dated(obs, s)),
            Body::Dns(s) => match t.beside.place(s) {
                Some(series) => series.push(dated(obs, s)),
                None => t.dns.entry(DnsKey::of(s)).or_default().push(dated(obs, s)),
            },
            Body::Tls(s) => t.tls.entry(s.dst).or_default().push(dated(obs, s)),
            Body::Http(s) => t.http.entry(s.dst).or_default().push(dated(obs, s)),
            Body::Device(d) => t
                .devices
                .entry((d.device.clone(), obs.how.method))
                .or_default()
                .take(dated(obs, d)),
        }
    }
}

fn dated<T: Clone>(obs: &Observation, value: &T) -> Dated<T> {
    Dated {
        id: obs.id,
        at: obs.at,
        how: obs.how.clone(),
        value: value.clone(),
    }
}
