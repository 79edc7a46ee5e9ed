//! Which questions about names should be asked, and of whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::task::{Plan, Task};
use crate::diagnose;
use crate::model::observation::{DnsSample, Outcome, ServerRole};
use crate::model::target::{TargetId, TargetKind};
use crate::model::time::Mono;
use crate::model::window::{TargetWindow, Window};

/// Unanswered questions after which a server is asked over TCP as well.
const SILENT: usize = 3;

pub(super) fn dns_target(window: &Window, t: &TargetWindow, name: &str, tasks: &mut Plan) {
    let id = &t.target.id;
    if let TargetKind::Dns {
        resolver: Some((_, port)),
        ..
    } = &t.target.kind
    {
        tasks.want(Task::Resolve(id.clone()), id);
        for addr in t.addresses() {
            // Do only large answers vanish?
            if stalls(window, SocketAddr::new(*addr, *port)) {
                tasks.want(Task::Pmtu { addr: *addr }, id);
            }
            tasks.want(
                Task::Dns {
                    server: SocketAddr::new(*addr, *port),
                    named: true,
                    name: name.to_owned(),
                    liveness: false,
                },
                id,
            );
        }
        return;
    }
    ask_configured(window, id, name, tasks);
}

pub(super) fn ask_configured(window: &Window, id: &TargetId, name: &str, tasks: &mut Plan) {
    let Some(local) = &window.local else { return };
    for server in &local.value.resolvers.servers {
        tasks.want(
            Task::Dns {
                server: *server,
                named: false,
                name: name.to_owned(),
                liveness: false,
            },
            id,
        );
    }
}

/// Each server that answers over UDP is asked over TCP as well, for one of those who use it: what
/// it says about the server holds for all.
pub(super) fn over_tcp(window: &Window, tasks: &mut Plan) {
    let mut heard: BTreeMap<(SocketAddr, bool), &TargetId> = BTreeMap::new();
    let wanted = tasks.0.iter().filter_map(|(task, ids)| match task {
        Task::Dns { server, named, .. } => Some(((*server, *named), ids)),
        _ => None,
    });
    for (server, ids) in wanted {
        if heard.contains_key(&server) {
            continue;
        }
        let known = |id: &&TargetId| {
            let t = window.targets.get(*id);
            t.is_some_and(|t| answers(t, server.0) || is_silent(t, server.0))
        };
        if let Some(id) = ids.iter().find(known) {
            heard.insert(server, id);
        }
    }
    let found: Vec<_> = heard.into_iter().map(|(s, id)| (s, id.clone())).collect();
    for ((server, named), id) in found {
        tasks.want(Task::DnsTcp { server, named }, &id);
    }
}

/// Whom the zone of a name is delegated to, and whether they serve it.
pub(super) fn authorities(t: &TargetWindow, tasks: &mut Plan) {
    if let Some((name, rtype)) = diagnose::authorities_wanted(t) {
        let (name, rtype) = (name.to_owned(), rtype.to_owned());
        tasks.want(Task::Authorities { name, rtype }, &t.target.id);
    }
}

/// Where resolvers differ, which version of the zone each of them has.
pub(super) fn serials(t: &TargetWindow, now: Mono, tasks: &mut Plan) {
    for (server, role, name) in diagnose::serials_wanted(t, now) {
        let named = role == ServerRole::Named;
        tasks.want(
            Task::DnsSerial {
                server,
                named,
                name,
            },
            &t.target.id,
        );
    }
}

/// Whether connections to the server open, and no answer comes over them.
fn stalls(window: &Window, server: SocketAddr) -> bool {
    let Some(asked) = window.dns_tcp.get(&server) else {
        return false;
    };
    asked.run_of(DnsSample::hangs).count() >= 2
}

/// Whether the server said anything to a question of this target.
fn answers(t: &TargetWindow, server: SocketAddr) -> bool {
    let mut asked = t.dns.iter().filter(|(k, _)| k.server == server);
    asked.any(|(_, r)| {
        r.iter()
            .any(|d| d.value.outcome.ok().is_some() || d.value.is_cut_off(d.how.method))
    })
}

/// Whether the server left several questions of this target unanswered and answered none: whether it
/// answers over TCP tells a dead one from a filter.
fn is_silent(t: &TargetWindow, server: SocketAddr) -> bool {
    let asked = t.dns.iter().filter(|(k, _)| k.server == server);
    let lost = asked.flat_map(|(_, r)| r.iter());
    lost.filter(|d| matches!(d.value.outcome, Outcome::Timeout { .. }))
        .count()
        >= SILENT
}

/// Role of a server in the sample that a DNS task makes.
pub const fn role(named: bool) -> ServerRole {
    if named {
        ServerRole::Named
    } else {
        ServerRole::Configured
    }
}
