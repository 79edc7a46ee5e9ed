//! Packet loss that reaches the target, and the hops that only look lossy.
//!
//! Loss is judged at the target. Where it begins is a change point: hops before it lose nothing,
//! hops from it on lose what the target loses. A hop whose silence does not go on to the target
//! rations its replies; that is information, not loss.

use std::net::IpAddr;

use super::build::Build;
use super::facts::{Facts, address_of_hop, name_of};
use super::reach::is_unreachable;
use super::reproduce;
use crate::model::catalogue as code;
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::observation::ObsId;
use crate::model::stats::wilson;
use crate::model::window::{PathWindow, PingSeries, TargetWindow};

/// Share below which a hop counts as losing nothing, for the change point.
const CLEAN: f64 = 0.005;

/// Pushes `packet-loss`, `icmp-rate-limited` and `silent-hop`.
pub fn judge(f: &Facts, t: &TargetWindow, out: &mut Vec<Finding>) {
    for addr in t.addresses() {
        if is_unreachable(out, t, *addr) {
            continue;
        }
        let lossy = end_loss(f, t, *addr);
        if let Some(loss) = &lossy {
            out.push(packet_loss(f, t, *addr, loss));
        }
        quiet_hops(f, t, *addr, lossy.as_ref(), out);
    }
}

/// Loss at the target.
pub struct EndLoss {
    /// Pings judged.
    pub sent: u32,
    /// Of them lost.
    pub lost: u32,
    first: jiff::Timestamp,
    ids: Vec<ObsId>,
}

impl EndLoss {
    fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.sent.max(1))
    }
}

/// The pings by which loss at an address may be judged: answered at all, and by a method whose
/// answers are not rationed.
pub fn judged_series(t: &TargetWindow, addr: IpAddr) -> Option<&PingSeries> {
    let ((_, method, _), series) = t.best_ping_of(addr)?;
    (!method.answers_are_rationed() && series.answered() > 0).then_some(series)
}

fn end_loss(f: &Facts, t: &TargetWindow, addr: IpAddr) -> Option<EndLoss> {
    let series = judged_series(t, addr)?;
    let (sent, lost) = series.loss_since(f.horizon());
    if sent < f.thresholds.loss_min_samples
        || lost < 2
        || wilson(lost, sent).0 <= f.thresholds.loss_floor
    {
        return None;
    }
    let lost_points: Vec<_> = series
        .since(f.horizon())
        .filter(|p| p.rtt.is_none())
        .collect();
    let first = lost_points.first()?;
    Some(EndLoss {
        sent,
        lost,
        first: first.at.wall,
        ids: lost_points.iter().map(|p| p.id).collect(),
    })
}

/// What is known of one hop: probes and losses, by pings of the hop itself where it answers them,
/// else by the traceroute.
struct HopLoss {
    ttl: u8,
    addr: IpAddr,
    sent: u32,
    lost: u32,
    direct: bool,
}

fn hop_losses(f: &Facts, t: &TargetWindow, dst: IpAddr, path: &PathWindow) -> Vec<HopLoss> {
    let end = path.reached_ttl().unwrap_or(u8::MAX);
    let mut hops = Vec::new();
    for (ttl, stats) in path.hops().filter(|(ttl, _)| *ttl < end) {
        let Some(addr) = stats.address() else {
            continue;
        };
        if addr == dst {
            continue;
        }
        let direct = judged_series(t, addr).map(|s| s.loss_since(f.horizon()));
        match direct {
            Some((sent, lost)) if sent >= 10 => hops.push(HopLoss {
                ttl,
                addr,
                sent,
                lost,
                direct: true,
            }),
            _ => {
                let (sent, lost) = traced(f, path, ttl);
                hops.push(HopLoss {
                    ttl,
                    addr,
                    sent,
                    lost,
                    direct: false,
                });
            }
        }
    }
    hops
}

/// Probes and losses at one TTL within the window.
fn traced(f: &Facts, path: &PathWindow, ttl: u8) -> (u32, u32) {
    path.kept()
        .filter(|(_, at, _)| at.mono >= f.horizon())
        .flat_map(|(_, _, r)| &r.hops)
        .filter(|h| h.ttl == ttl)
        .fold((0, 0), |(s, l), h| {
            (s + 1, l + u32::from(h.answer.from().is_none()))
        })
}

/// The index of the first hop that shares the target's loss: `hops.len()` if only the target does.
/// Each hop says by its log-likelihood ratio whether it loses what the target loses or nothing,
/// with a bound, so that one rationed hop can't outvote the rest.
fn change_point(hops: &[HopLoss], share: f64) -> usize {
    const SAY: f64 = 12.0;
    let p = share.clamp(0.01, 0.99);
    let ratio = |h: &HopLoss| {
        let (lost, kept) = (f64::from(h.lost), f64::from(h.sent.saturating_sub(h.lost)));
        (lost * (p / CLEAN).ln() + kept * ((1.0 - p) / (1.0 - CLEAN)).ln()).clamp(-SAY, SAY)
    };
    let score = |k: usize| -> f64 { hops.iter().skip(k).map(ratio).sum() };
    // Of equals the first: the link nearer to us is the one that explains more.
    (0..=hops.len())
        .rev()
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap_or(hops.len())
}

fn packet_loss(f: &Facts, t: &TargetWindow, addr: IpAddr, loss: &EndLoss) -> Finding {
    let share = loss.share();
    let severity = if share >= f.thresholds.loss_critical {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let path = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p)
        .max_by_key(|p| (p.reached_ttl().is_some(), p.rounds()));
    let mut place = Location::of(PlaceKind::Link);
    let mut lines = Vec::new();
    if let Some(path) = path {
        let hops = hop_losses(f, t, addr, path);
        let k = change_point(&hops, share);
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

/// Hops that do not answer, or not always, while the traffic through them is fine.
fn quiet_hops(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    lossy: Option<&EndLoss>,
    out: &mut Vec<Finding>,
) {
    let Some(path) = t
        .paths
        .iter()
        .filter(|((a, _), _)| *a == addr)
        .map(|(_, p)| p)
        .max_by_key(|p| (p.reached_ttl().is_some(), p.rounds()))
    else {
        return;
    };
    let farthest = path.reached_ttl().or(path.farthest()).unwrap_or(0);
    let end_share = lossy.map_or(0.0, EndLoss::share);
    for (ttl, stats) in path.hops().filter(|(ttl, _)| *ttl < farthest) {
        let Some((id, since, _)) = path.kept().next() else {
            continue;
        };
        if stats.answered == 0 {
            if stats.sent >= f.thresholds.path_min_rounds {
                let mut place = Location::of(PlaceKind::Hop);
                place.hop = Some(ttl);
                let beyond =
                    address_of_hop(t, addr, farthest).map_or(String::new(), |a| format!(" ({a})"));
                out.push(
                    Build::new(code::SILENT_HOP, Severity::Info, &t.target.id, place, since.wall)
                        .which(format!("{addr} {ttl}"))
                        .summary(format!("hop {ttl} towards {} never answers; traffic through it arrives", t.target.id))
                        .evidence([*id], format!("0 of {} probes answered at hop {ttl}, while hop {farthest}{beyond} answers", stats.sent))
                        .done(),
                );
            }
            continue;
        }
        let (sent, lost) = traced(f, path, ttl);
        let Some(hop_addr) = stats.address() else {
            continue;
        };
        let clean_beyond = end_is_clean(f, t, addr, path, ttl, end_share);
        let target_at_most = lossy.map_or(0.0, |l| wilson(l.lost, l.sent).1);
        if lost >= 2 && wilson(lost, sent).0 > target_at_most + 0.04 && clean_beyond {
            let mut place = Location::at(PlaceKind::Hop, hop_addr);
            place.hop = Some(ttl);
            out.push(
                Build::new(code::ICMP_RATE_LIMITED, Severity::Info, &t.target.id, place, since.wall)
                    .which(format!("{addr} {ttl}"))
                    .summary(format!("hop {ttl} ({hop_addr}) rations its ICMP replies; traffic through it is fine"))
                    .evidence([*id], format!("{lost} of {sent} probes unanswered at hop {ttl}, but the loss does not go on beyond it"))
                    .done(),
            );
        }
    }
}

/// Whether what lies beyond a hop loses clearly less than the hop itself.
fn end_is_clean(
    f: &Facts,
    t: &TargetWindow,
    addr: IpAddr,
    path: &PathWindow,
    ttl: u8,
    end_share: f64,
) -> bool {
    let hop = {
        let (s, l) = traced(f, path, ttl);
        f64::from(l) / f64::from(s.max(1))
    };
    if let Some(series) = judged_series(t, addr) {
        let (sent, _) = series.loss_since(f.horizon());
        return sent >= 10 && end_share < hop / 2.0;
    }
    // Without pings of the target a later hop must be clean.
    path.hops()
        .filter(|(later, _)| *later > ttl)
        .any(|(later, _)| {
            let (s, l) = traced(f, path, later);
            s >= 5 && f64::from(l) / f64::from(s) < hop / 2.0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(ttl: u8, sent: u32, lost: u32) -> HopLoss {
        HopLoss {
            ttl,
            addr: IpAddr::from([10, 0, 0, ttl]),
            sent,
            lost,
            direct: true,
        }
    }

    #[test]
    fn loss_begins_where_it_stays() {
        let hops = [hop(1, 80, 0), hop(2, 80, 0), hop(3, 80, 23)];
        assert_eq!(change_point(&hops, 0.3), 2);
        assert_eq!(change_point(&hops[..2], 0.3), 2, "only the target loses");
        assert_eq!(change_point(&[hop(1, 80, 25), hop(2, 80, 20)], 0.3), 0);
    }

    #[test]
    fn a_rationed_hop_does_not_attract_the_place() {
        let hops = [hop(1, 12, 9), hop(2, 80, 0), hop(3, 80, 23)];
        assert_eq!(change_point(&hops, 0.3), 2);
    }
}
