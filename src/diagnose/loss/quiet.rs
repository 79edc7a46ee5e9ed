//! Hops that do not answer, or not always, while the traffic through them is fine: information,
//! never an alarm.

use std::net::IpAddr;

use super::{EndLoss, Traced, best_path, judged_series};
use crate::diagnose::build::Build;
use crate::diagnose::facts::{Facts, address_of_hop, name_of};
use crate::diagnose::reach::heard_lately;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::{Method, ObsId};
use crate::model::stats::wilson;
use crate::model::target::TargetId;
use crate::model::window::{PathWindow, TargetWindow};

/// Pushes `silent-hop` and `icmp-rate-limited`.
pub(super) fn judge(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    lossy: Option<&EndLoss>,
    out: &mut Vec<Finding>,
) {
    // Of a target that does not answer nobody knows whether the traffic arrives.
    if !heard_lately(f, t, addr) {
        return;
    }
    let Some(path) = best_path(t, addr) else {
        return;
    };
    let Some((id, since, _)) = path.kept().next() else {
        return;
    };
    let farthest = path.reached_ttl().or(path.farthest()).unwrap_or(0);
    // A target that rations its answers may have answered a probe that could have gone farther:
    // what another traceroute saw beyond its place are no hops.
    let ways = t.paths.iter().filter(|((a, _), _)| *a == addr);
    let nearest = ways.filter_map(|(_, p)| p.reached_ttl()).min();
    let farthest = nearest.map_or(farthest, |n| n.min(farthest));
    let traced = Traced::of(f, path);
    let end_at_most = lossy.map_or(0.0, |l| wilson(l.lost, l.sent).1);
    // Who does not answer each time may have answered only a probe that could have gone farther:
    // the silence just before its answer may be its own.
    let own = |ttl: u8| {
        let mut between = path.hops().filter(|(n, _)| (ttl..farthest).contains(n));
        answers_in_part(t, addr) && between.all(|(_, h)| h.answered == 0)
    };
    for (ttl, stats) in path.hops().filter(|(ttl, _)| *ttl < farthest && !own(*ttl)) {
        let mut place = Location::of(PlaceKind::Hop);
        place.hop = Some(ttl);
        place.address = stats.address();
        let start = |which, place| {
            Build::new(which, Severity::Info, &t.target.id, place, since.wall)
                .which(format!("{addr} {ttl}"))
        };
        let Some(hop) = stats.address() else {
            if stats.sent >= f.thresholds.path_min_rounds {
                let beyond =
                    address_of_hop(t, addr, farthest).map_or(String::new(), |a| format!(" ({a})"));
                out.push(
                    start(code::SILENT_HOP, place)
                        .summary(silent_hop(&t.target.id, ttl))
                        .evidence(
                            [*id],
                            format!(
                                "0 of {} probes answered at hop {ttl}, while hop {farthest}{beyond} answers",
                                stats.sent
                            ),
                        )
                        .done(),
                );
            }
            continue;
        };
        let (sent, lost) = traced.at(ttl);
        let rations = lost >= 2 && wilson(lost, sent).0 > end_at_most + 0.05;
        if rations && clean_beyond(f, t, addr, path, &traced, ttl, lossy) {
            out.push(rationed(
                start(code::ICMP_RATE_LIMITED, place),
                *id,
                ttl,
                hop,
                lost,
                sent,
            ));
        }
    }
}

/// Whether some pings of an address, by whatever way, were not answered.
fn answers_in_part(t: &TargetWindow, addr: IpAddr) -> bool {
    let mut pings = t.pings.iter().filter(|((a, ..), _)| *a == addr);
    pings.any(|(_, s)| s.answered() > 0 && s.answered() + 2 <= s.sent())
}

fn silent_hop(target: &TargetId, ttl: u8) -> String {
    format!("hop {ttl} towards {target} never answers; traffic through it arrives")
}

fn rationed(b: Build, id: ObsId, ttl: u8, hop: IpAddr, lost: u32, sent: u32) -> Finding {
    b.summary(format!(
        "hop {ttl} ({hop}) rations its ICMP replies; traffic through it is fine"
    ))
    .evidence(
        [id],
        format!(
            "{lost} of {sent} probes unanswered at hop {ttl}, but the loss does not go on beyond it"
        ),
    )
    .done()
}

/// The target rations its answers to one way of pinging: `icmp-rate-limited` at the endpoint.
pub(super) fn rationed_end(
    t: &TargetWindow,
    addr: IpAddr,
    loss: &EndLoss,
    (method, sent, lost): (Method, u32, u32),
) -> Finding {
    let mut place = Location::of(PlaceKind::Endpoint);
    place.address = Some(addr);
    let (this, that) = (loss.method.label(), method.label());
    Build::new(
        code::ICMP_RATE_LIMITED,
        Severity::Info,
        &t.target.id,
        place,
        loss.first,
    )
    .which(format!("{addr} end"))
    .confidence(0.8)
    .summary(format!(
        "{} rations its answers to {this}: {that} at the same time loses nothing of that kind",
        name_of(t, addr)
    ))
    .evidence(
        loss.ids.clone(),
        format!("{} of {} pings by {this} lost", loss.lost, loss.sent),
    )
    .evidence([], format!("{lost} of {sent} by {that} lost in the same time"))
    .evidence(
        [],
        "a path of its own for each kind of packet would look the same; `warroom trace --flows 8` decides",
    )
    .done()
}

/// Somebody limits how many connections begin: `icmp-rate-limited` at the endpoint as well, since it
/// is the same: what is asked too often is not answered.
pub(super) fn limited_end(t: &TargetWindow, addr: IpAddr, loss: &EndLoss, calm: u32) -> Finding {
    let mut place = Location::of(PlaceKind::Endpoint);
    place.address = Some(addr);
    Build::new(
        code::ICMP_RATE_LIMITED,
        Severity::Info,
        &t.target.id,
        place,
        loss.first,
    )
    .which(format!("{addr} end"))
    .confidence(0.8)
    .summary(format!(
        "new connections to {} are limited: those in quick succession vanish, those made one by \
         one all succeed",
        name_of(t, addr)
    ))
    .evidence(
        loss.ids.clone(),
        format!(
            "{} of {} handshakes made as pings lost",
            loss.lost, loss.sent
        ),
    )
    .evidence(
        [],
        format!("{calm} of {calm} handshakes at leisure answered at once"),
    )
    .done()
}

/// Whether what lies beyond a hop loses clearly less than the hop itself.
fn clean_beyond(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    path: &PathWindow,
    traced: &Traced,
    ttl: u8,
    lossy: Option<&EndLoss>,
) -> bool {
    let hop = traced.share(ttl);
    if let Some(series) = judged_series(t, addr) {
        let (sent, _) = series.loss_since(f.horizon());
        return sent >= 10 && lossy.map_or(0.0, EndLoss::share) < hop / 2.0;
    }
    // Without pings of the target a later hop must be clean.
    path.hops()
        .filter(|(later, _)| *later > ttl)
        .any(|(later, _)| traced.at(later).0 >= 5 && traced.share(later) < hop / 2.0)
}
