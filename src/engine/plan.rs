//! Which probes should be running, given what has been seen. A pure function of the window.
//!
//! The engine starts what is newly wanted and stops what no longer is; so "try TCP when ICMP
//! stays silent" or "ping the hops once loss is seen" is a line here and nothing elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::diagnose::{self, expected_services, judged_series, last_answer};
use crate::model::observation::{Method, Outcome, Refusal};
use crate::model::target::{Host, TargetId, TargetKind};
use crate::model::time::Mono;
use crate::model::window::{TargetWindow, Window};

mod names;
mod task;
#[cfg(test)]
mod tests;

pub use names::role;
pub use task::{Plan, Probes, Reach, Task, Via};

/// The ways of pinging by ICMP echo.
const ECHOES: [Method; 2] = [Method::IcmpRaw, Method::IcmpDatagram];
/// TCP ports tried on a host about which nothing else was said.
const USUAL_PORTS: [u16; 3] = [443, 80, 22];
/// Silence from the start after which another method is tried as well.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same once a method was answered: a lost ping or two are no reason. Shorter than what it
/// takes to call a target unreachable.
const LATELY: Duration = Duration::from_secs(3);

/// How long a target may leave echoes unanswered that answers TCP, before it is pinged by that as
/// well: the silence of the first echo is known much later, and somebody waits for the verdict.
const ECHO_LAGS: Duration = Duration::from_secs(1);

/// Everything that should be running now.
pub fn wanted(window: &Window, reach: Reach, now: Mono) -> Plan {
    let mut tasks = Plan::default();
    tasks.want(Task::Local, &TargetId::local());
    for id in &window.order {
        let Some(t) = window.targets.get(id) else {
            continue;
        };
        names::serials(t, now, &mut tasks);
        names::authorities(t, &mut tasks);
        match &t.target.kind {
            TargetKind::Local => local(window, t, reach, &mut tasks),
            TargetKind::Dns { name, .. } => names::dns_target(window, t, name, &mut tasks),
            TargetKind::Snmp { .. } => {
                tasks.want(Task::Devices(id.clone()), id);
            }
            TargetKind::Host(_) | TargetKind::Port { .. } | TargetKind::Url(_) => {
                tasks.want(Task::Resolve(id.clone()), id);
                host(window, t, reach, now, &mut tasks);
            }
        }
    }
    names::over_tcp(window, &mut tasks);
    tasks
}

fn local(window: &Window, t: &TargetWindow, reach: Reach, tasks: &mut Plan) {
    let id = &t.target.id;
    let Some(local) = &window.local else { return };
    for gw in local.value.default_routes.iter().filter_map(|r| r.gateway) {
        let via = if reach.icmp(gw) {
            Via::Icmp
        } else {
            Via::Tcp(443)
        };
        tasks.want(
            Task::Ping {
                addr: gw,
                via,
                slow: true,
            },
            id,
        );
    }
    // With no other target the resolvers themselves are the question.
    if window.order.len() == 1 {
        for server in &local.value.resolvers.servers {
            tasks.want(
                Task::Dns {
                    server: *server,
                    named: false,
                    name: "localhost".into(),
                    liveness: true,
                },
                id,
            );
        }
    }
    tasks.want(Task::Devices(id.clone()), id);
}

fn host(window: &Window, t: &TargetWindow, reach: Reach, now: Mono, tasks: &mut Plan) {
    let id = &t.target.id;
    if let Some(Host::Name(name)) = t.target.host()
        && t.resolution
            .as_ref()
            .is_some_and(|r| r.how.method != Method::HostsFile)
    {
        names::ask_configured(window, id, name, tasks);
    }
    for addr in t.addresses() {
        let addr = *addr;
        ports(t, addr, tasks);
        pings(t, addr, reach, now, tasks);
        traces(t, addr, reach, tasks);
        let alive = diagnose::last_answer(t, addr).is_some();
        // The place of a black hole is found without a traceroute, and both may run at once.
        if alive {
            tasks.want(Task::Pmtu { addr }, id);
        }
        services(t, addr, tasks);
        hop_pings(t, addr, reach, now, tasks);
    }
}

/// Whether a TCP port answered, by SYN/ACK or RST.
fn answers(t: &TargetWindow, dst: SocketAddr) -> bool {
    let series = t.tcp.get(&dst);
    series.is_some_and(|r| r.iter().any(|d| is_answer(&d.value.outcome)))
}

fn is_answer<T>(outcome: &Outcome<T>) -> bool {
    matches!(
        outcome,
        Outcome::Ok(_)
            | Outcome::Refused {
                why: Refusal::TcpReset,
                ..
            }
    )
}

fn candidate_ports(t: &TargetWindow) -> Vec<u16> {
    let mut ports: Vec<u16> = t.target.tcp_port().into_iter().collect();
    ports.extend(
        USUAL_PORTS
            .iter()
            .filter(|p| !ports.contains(p))
            .copied()
            .collect::<Vec<_>>(),
    );
    ports
}

/// The TCP port to ping by: the one asked for if it answers, else one that does. One that ceased
/// to answer is given up only for another that goes on.
fn tcp_port(t: &TargetWindow, addr: IpAddr) -> Option<u16> {
    let answering: Vec<u16> = candidate_ports(t)
        .into_iter()
        .filter(|p| answers(t, SocketAddr::new(addr, *p)))
        .collect();
    let goes_on = |p: &&u16| {
        t.tcp.get(&SocketAddr::new(addr, **p)).is_some_and(|r| {
            let silent = r.run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }));
            silent.count() < 2
        })
    };
    answering
        .iter()
        .find(goes_on)
        .or(answering.first())
        .copied()
}

/// Whether the target does not answer a way of pinging: not at all so far, or no longer. Not
/// before that way had its time.
fn is_silent(t: &TargetWindow, addr: IpAddr, methods: &[Method], now: Mono) -> bool {
    let series = || {
        t.pings
            .iter()
            .filter(|((a, method, _), _)| *a == addr && methods.contains(method))
            .map(|(_, s)| s)
    };
    let answered = series()
        .filter_map(|s| s.points().rev().find(|p| p.rtt.is_some()))
        .map(|p| p.sent)
        .max();
    let first = series()
        .filter_map(|s| s.points().next())
        .map(|p| p.sent)
        .min();
    match (answered, first) {
        (Some(last), _) => now.since(last) >= LATELY,
        (None, Some(first)) => now.since(first) >= PATIENCE,
        (None, None) => false,
    }
}

/// Whether the whole path was looked along and the address answered nothing yet.
fn is_unheard(t: &TargetWindow, addr: IpAddr) -> bool {
    let mut paths = t.paths.iter().filter(|((a, _), _)| *a == addr);
    paths.any(|(_, p)| p.rounds() > 0) && last_answer(t, addr).is_none()
}

/// Whether no echo was ever answered, while a TCP port was a while ago.
fn ignores_echoes(t: &TargetWindow, addr: IpAddr, now: Mono) -> bool {
    let echoed = t
        .pings
        .iter()
        .any(|((a, method, _), s)| *a == addr && ECHOES.contains(method) && s.answered() > 0);
    let tcp = t.tcp.iter().filter(|(dst, _)| dst.ip() == addr);
    let first = tcp
        .flat_map(|(_, r)| r.iter().find(|d| is_answer(&d.value.outcome)))
        .map(|d| d.at.mono)
        .min();
    !echoed && first.is_some_and(|at| now.since(at) >= ECHO_LAGS)
}

fn ports(t: &TargetWindow, addr: IpAddr, tasks: &mut Plan) {
    let id = &t.target.id;
    let asked = t.target.tcp_port();
    if let Some(port) = asked {
        tasks.want(
            Task::Tcp {
                dst: SocketAddr::new(addr, port),
                asked: true,
            },
            id,
        );
        let dst = SocketAddr::new(addr, port);
        let in_vain = t.tcp.get(&dst).is_some_and(|r| r.total() >= 2) && !answers(t, dst);
        if !in_vain {
            return;
        }
    }
    for port in USUAL_PORTS.iter().filter(|p| Some(**p) != asked) {
        tasks.want(
            Task::Tcp {
                dst: SocketAddr::new(addr, *port),
                asked: false,
            },
            id,
        );
    }
}

fn pings(t: &TargetWindow, addr: IpAddr, reach: Reach, now: Mono, tasks: &mut Plan) {
    let id = &t.target.id;
    let mut want = |via| {
        tasks.want(
            Task::Ping {
                addr,
                via,
                slow: false,
            },
            id,
        );
    };
    let tcp = tcp_port(t, addr);
    let silent = |methods: &[Method]| is_silent(t, addr, methods, now);
    if reach.icmp(addr) {
        want(Via::Icmp);
        // Who loses echoes may only ration them.
        let doubtful = || loses(t, addr, now) || diagnose::tcp_is_doubtful(t, addr);
        if silent(&ECHOES) || ignores_echoes(t, addr, now) || doubtful() {
            tcp.into_iter().for_each(|p| want(Via::Tcp(p)));
        }
        return;
    }
    if let Some(port) = tcp {
        want(Via::Tcp(port));
        if !silent(&[Method::TcpConnect]) {
            return;
        }
    }
    want(Via::Udp);
    if silent(&[Method::UdpErrorQueue]) || is_unheard(t, addr) {
        want(Via::System);
    }
}

fn traces(t: &TargetWindow, addr: IpAddr, reach: Reach, tasks: &mut Plan) {
    let id = &t.target.id;
    let first = if reach.icmp(addr) {
        Via::Icmp
    } else {
        Via::Udp
    };
    tasks.want(Task::Trace { addr, via: first }, id);
    // Flows of ICMP all go one way; whether another one loses is seen by others.
    // Pings over UDP or TCP are flows of many kinds: they show by themselves that some are lost.
    if first == Via::Icmp || diagnose::is_uneven(t, addr) {
        tasks.want(Task::Ways { addr }, id);
    }
    // Where on the way does a filtered port end?
    if let Some(port) = t.target.tcp_port() {
        let dst = SocketAddr::new(addr, port);
        let silent = t.tcp.get(&dst).is_some_and(|r| {
            let run = r.run_of(|s| matches!(s.outcome, Outcome::Timeout { .. }));
            run.count() >= 2
        });
        if silent {
            tasks.want(
                Task::Trace {
                    addr,
                    via: Via::Tcp(port),
                },
                id,
            );
        }
    }
    // The target ignores the first method but answers TCP: how far is it?
    let in_vain = t.paths.iter().any(|((a, m), p)| {
        *a == addr && *m != Method::TcpConnect && p.rounds() >= 3 && p.reached_ttl().is_none()
    });
    if let Some(port) = tcp_port(t, addr).filter(|_| in_vain) {
        tasks.want(
            Task::Trace {
                addr,
                via: Via::Tcp(port),
            },
            id,
        );
    }
}

fn services(t: &TargetWindow, addr: IpAddr, tasks: &mut Plan) {
    let id = &t.target.id;
    let open = |port: u16| {
        t.tcp
            .get(&SocketAddr::new(addr, port))
            .is_some_and(|r| r.iter().any(|d| d.value.outcome.ok().is_some()))
    };
    let asked = !matches!(t.target.kind, TargetKind::Host(_));
    let (tls, http) = expected_services(t, &open);
    for (port, is_tls) in tls
        .map(|p| (p, true))
        .into_iter()
        .chain(http.map(|p| (p, false)))
    {
        if !open(port) {
            continue;
        }
        let (target, dst) = (id.clone(), SocketAddr::new(addr, port));
        tasks.want(
            if is_tls {
                Task::Tls { target, dst, asked }
            } else {
                Task::Http { target, dst, asked }
            },
            id,
        );
    }
}

/// Whether pings of the address were lost lately and answered again, more than once: an outage is
/// something else.
fn loses(t: &TargetWindow, addr: IpAddr, now: Mono) -> bool {
    let from = now.minus(Duration::from_secs(60));
    let mut echoes = t
        .pings
        .iter()
        .filter(|((a, method, _), _)| *a == addr && ECHOES.contains(method));
    echoes.any(|(_, s)| {
        let mut lost_before = false;
        let came_back = s.since(from).filter(|p| {
            let answered = p.rtt.is_some();
            std::mem::replace(&mut lost_before, !answered) && answered
        });
        came_back.count() >= 2
    })
}

/// Once the target loses packets, its hops are pinged as well: traceroute probes are too few to
/// place a small loss, because routers ration their answers to them.
fn hop_pings(t: &TargetWindow, addr: IpAddr, reach: Reach, now: Mono, tasks: &mut Plan) {
    let Some(series) = judged_series(t, addr) else {
        return;
    };
    let (sent, lost) = series.loss_since(now.minus(Duration::from_secs(60)));
    if lost < 2 || sent < 15 {
        return;
    }
    let Some(path) = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p)
        .max_by_key(|p| (p.reached_ttl().is_some(), p.rounds()))
    else {
        return;
    };
    let end = path.reached_ttl().unwrap_or(u8::MAX);
    for (_, stats) in path.hops().filter(|(ttl, _)| *ttl < end) {
        let Some(hop) = stats.address().filter(|a| *a != addr) else {
            continue;
        };
        let via = if reach.icmp(hop) {
            Via::Icmp
        } else {
            Via::Tcp(443)
        };
        tasks.want(
            Task::Ping {
                addr: hop,
                via,
                slow: false,
            },
            &t.target.id,
        );
    }
}
