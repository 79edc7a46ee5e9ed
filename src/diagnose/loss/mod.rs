//! Packet loss that reaches the target, and the hops that only look lossy.
//!
//! Loss is judged at the target. Where it begins is a change point: hops before it lose nothing,
//! hops from it on lose what the target loses. A hop whose silence does not go on to the target
//! rations its replies; that is information, not loss.

mod end;
mod place;
mod quiet;

use std::net::IpAddr;

use end::Other;
pub(super) use end::{EndLoss, end_loss};
pub use end::{judged_series, tcp_is_doubtful, wants_calm};

use super::build::Build;
use super::facts::{Facts, name_of};
use super::quality::is_parted;
use super::reach::{is_echo, is_unreachable};
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::Method;
use crate::model::stats::wilson;
use crate::model::target::{TargetId, TargetKind};
use crate::model::window::{PathWindow, TargetWindow};

/// Pushes `packet-loss`, `icmp-rate-limited` and `silent-hop`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if is_unreachable(out, t, *addr) {
            continue;
        }
        let mut lossy = end_loss(f, t, *addr);
        if let Some(loss) = lossy.as_ref().filter(|_| !is_parted(out, t, *addr)) {
            match doubt(f, t, *addr, loss) {
                Other::Agrees => out.push(packet_loss(f, t, *addr, loss)),
                Other::Pending => {}
                Other::Denies(method, sent, lost) => {
                    out.push(quiet::rationed_end(t, *addr, loss, (method, sent, lost)));
                    lossy = None;
                }
                Other::Limits(calm) => {
                    out.push(quiet::limited_end(t, *addr, loss, calm));
                    lossy = None;
                }
            }
        }
        quiet::judge(f, t, *addr, lossy.as_ref(), out);
    }
}

/// Pushes `packet-loss` of the first link, where nothing but this host is asked about: its gateways
/// are all there is to judge it by.
pub fn first_link(f: &Facts, out: &mut Vec<Finding>) {
    let (Some(local), Some(t)) = (&f.window.local, f.window.targets.get(&TargetId::local())) else {
        return;
    };
    if f.window.order.len() > 1 {
        return;
    }
    for gw in local.value.default_routes.iter().filter_map(|r| r.gateway) {
        let gone = out
            .iter()
            .any(|x| x.code == code::GATEWAY_UNREACHABLE && x.location.address == Some(gw));
        let Some(loss) = end_loss(f, t, gw).filter(|_| !gone) else {
            continue;
        };
        match end::is_limited(f, t, gw, &loss) {
            Other::Limits(calm) => out.push(quiet::limited_end(t, gw, &loss, calm)),
            Other::Agrees => out.push(packet_loss(f, t, gw, &loss)),
            Other::Pending | Other::Denies(..) => {}
        }
    }
}

/// Whether the target only rations its answers to one way of pinging.
pub(super) fn is_rationed(f: &Facts, t: &TargetWindow, addr: IpAddr) -> bool {
    let loss = end_loss(f, t, addr);
    loss.is_some_and(|l| matches!(doubt(f, t, addr, &l), Other::Denies(..) | Other::Limits(_)))
}

/// Whether another way of pinging speaks against loss on the way. Where the ways may take different
/// paths there is nothing to doubt. Connections that are lost are what users lose, whatever echoes
/// say, unless only their number is limited.
fn doubt(f: &Facts, t: &TargetWindow, addr: IpAddr, loss: &EndLoss) -> Other {
    if loss.method == Method::TcpConnect {
        return end::is_limited(f, t, addr, loss);
    }
    let Some(path) = best_path(t, addr) else {
        return end::other(f, t, addr, loss);
    };
    let hops = place::hop_losses(f, t, addr, path);
    let placed = place::change_point(&hops, loss.share()) < hops.len();
    let balanced = path.hops().any(|(_, h)| h.addresses.len() > 1);
    if balanced {
        return Other::Agrees;
    }
    match end::other(f, t, addr, loss) {
        // Where the hops lose as well, which are pinged by echoes, only a way that is none and
        // that loses nothing at all speaks against it.
        Other::Denies(method, _, lost) if placed && (is_echo(method) || lost > 0) => Other::Agrees,
        other => other,
    }
}

/// The traceroute by which an address is judged: one that reaches it, with most rounds.
pub(super) fn best_path(t: &TargetWindow, addr: IpAddr) -> Option<&PathWindow> {
    t.paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p.as_ref())
        .max_by_key(|p| (p.reached_ttl().is_some(), p.rounds()))
}

/// Probes and losses of each TTL within the window, counted in one pass.
struct Traced([(u32, u32); 256]);

impl Traced {
    fn of(f: &Facts, path: &PathWindow) -> Self {
        let mut counts = [(0, 0); 256];
        let recent = path.kept().filter(|(_, at, _)| at.mono >= f.horizon());
        for hop in recent.flat_map(|(_, _, r)| &r.hops) {
            if let Some((sent, lost)) = counts.get_mut(usize::from(hop.ttl)) {
                *sent += 1;
                *lost += u32::from(hop.answer.from().is_none());
            }
        }
        Self(counts)
    }
    fn at(&self, ttl: u8) -> (u32, u32) {
        self.0.get(usize::from(ttl)).copied().unwrap_or_default()
    }
    fn share(&self, ttl: u8) -> f64 {
        let (sent, lost) = self.at(ttl);
        f64::from(lost) / f64::from(sent.max(1))
    }
}

fn packet_loss(f: &Facts, t: &TargetWindow, addr: IpAddr, loss: &EndLoss) -> Finding {
    let share = loss.share();
    let severity = if share >= f.thresholds.loss_critical {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let path = best_path(t, addr);
    let mut place = Location::of(PlaceKind::Link);
    let mut lines = Vec::new();
    if let Some(path) = path {
        let hops = place::hop_losses(f, t, addr, path);
        let k = place::change_point(&hops, share);
        match k.checked_sub(1).and_then(|i| hops.get(i)) {
            Some(good) => {
                place.hop = Some(good.ttl);
                place.address = Some(good.addr);
            }
            None => place.hop = Some(0),
        }
        match hops.get(k) {
            Some(bad) => {
                place.to_hop = Some(bad.ttl);
                place.to_address = Some(bad.addr);
            }
            None => {
                place.to_hop = path.reached_ttl();
                place.to_address = Some(addr);
            }
        }
        if let Some(ttl) = place::parting(t, addr) {
            lines.push(format!(
                "flows part at hop {ttl}: what one router there carries says nothing of the others"
            ));
        }
        for h in &hops {
            let how = if h.direct {
                "pings"
            } else {
                "traceroute probes"
            };
            lines.push(format!(
                "hop {} ({}): {} of {} {how} lost",
                h.ttl, h.addr, h.lost, h.sent
            ));
        }
    } else {
        place.to_address = Some(addr);
        if t.target.kind == TargetKind::Local {
            (place.hop, place.to_hop) = (Some(0), Some(1));
        }
    }
    let (low, high) = wilson(loss.lost, loss.sent);
    let begins = place.describe();
    let mut b = Build::new(code::PACKET_LOSS, severity, &t.target.id, place, loss.first)
        .which(addr)
        .confidence(0.5 + 0.5 * (low / share.max(0.001)).min(1.0))
        .summary(format!(
            "{:.0} % packet loss to {}, beginning {begins}",
            share * 100.0,
            name_of(t, addr)
        ))
        .evidence(
            loss.ids.clone(),
            format!(
                "{} of {} pings to {addr} lost (95 % interval {:.1} to {:.1} %)",
                loss.lost,
                loss.sent,
                low * 100.0,
                high * 100.0
            ),
        );
    for line in lines {
        b = b.evidence([], line);
    }
    b.reproduce(reproduce::loss(addr)).done()
}
