//! Where loss begins: the change point between hops that lose nothing and hops that lose what the
//! target loses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Traced, judged_series};
use crate::diagnose::facts::Facts;
use crate::model::window::{Balance, PathWindow, TargetWindow};

/// Share below which a hop counts as losing nothing, for the change point.
const CLEAN: f64 = 0.005;
/// Pings of a hop from which they are worth more than its traceroute answers.
const ENOUGH: u32 = 10;

/// What is known of one hop: probes and losses, by pings of the hop itself where it answers them,
/// else by the traceroute.
pub(super) struct HopLoss {
    pub(super) ttl: u8,
    pub(super) addr: IpAddr,
    pub(super) sent: u32,
    pub(super) lost: u32,
    /// By pings of the hop itself.
    pub(super) direct: bool,
}

pub(super) fn hop_losses(
    f: &Facts,
    t: &TargetWindow,
    dst: IpAddr,
    path: &PathWindow,
) -> Vec<HopLoss> {
    let end = path.reached_ttl().unwrap_or(u8::MAX);
    // Where the ways part each hop is on some of them only, and pings of a hop behind take one of
    // them: what says something of all is where they are one again, asked by all flows.
    let parting = parting(t, dst).unwrap_or(u8::MAX);
    let traced = Traced::of(f, path);
    let mut hops = Vec::new();
    for (ttl, stats) in path.hops().filter(|(ttl, _)| *ttl < end) {
        let Some(addr) = stats.address() else {
            continue;
        };
        if addr == dst {
            continue;
        }
        if ttl >= parting {
            if let Some((sent, lost)) = by_all_flows(f, t, dst, ttl) {
                hops.push(HopLoss {
                    ttl,
                    addr,
                    sent,
                    lost,
                    direct: false,
                });
            }
            continue;
        }
        let direct = judged_series(t, addr).map(|s| s.loss_since(f.horizon()));
        match direct {
            Some((sent, lost)) if sent >= ENOUGH => hops.push(HopLoss {
                ttl,
                addr,
                sent,
                lost,
                direct: true,
            }),
            _ => {
                let (sent, lost) = traced.at(ttl);
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

/// What all flows sent to one TTL lately, and what of it was lost, where one router answers all.
fn by_all_flows(f: &Facts, t: &TargetWindow, dst: IpAddr, ttl: u8) -> Option<(u32, u32)> {
    if parted_at(t, dst, ttl) {
        return None;
    }
    let flows = paths(t, dst).flat_map(PathWindow::flows);
    let rounds = flows.flat_map(|(_, flow)| flow.kept());
    let lately = rounds.filter(|(_, at, _)| at.mono >= f.horizon());
    let hops = lately.flat_map(|(_, _, r)| r.hops.iter().filter(|h| h.ttl == ttl));
    let (sent, lost) = hops.fold((0, 0), |(sent, lost), h| {
        (sent + 1, lost + u32::from(h.answer.from().is_none()))
    });
    (sent > 0).then_some((sent, lost))
}

fn paths(t: &TargetWindow, dst: IpAddr) -> impl Iterator<Item = &PathWindow> {
    let of = t.paths.iter().filter(move |((a, _), _)| *a == dst);
    of.map(|(_, p)| p.as_ref())
}

/// Whether different routers answer flows to an address at a TTL.
fn parted_at(t: &TargetWindow, dst: IpAddr, ttl: u8) -> bool {
    // A route that changed meanwhile is one way before and one after.
    let mut balances = paths(t, dst).map(|p| p.balance(ttl));
    let parted = balances.any(|b| matches!(b, Balance::PerFlow | Balance::PerPacket));
    let owners = paths(t, dst).flat_map(|p| p.flows().last()?.1.hop(ttl)?.address());
    parted || owners.collect::<BTreeSet<_>>().len() > 1
}

/// The first TTL at which flows to an address are answered by different routers.
pub(super) fn parting(t: &TargetWindow, dst: IpAddr) -> Option<u8> {
    let end = paths(t, dst).filter_map(PathWindow::reached_ttl).max()?;
    (1..end).find(|ttl| parted_at(t, dst, *ttl))
}

/// The index of the first hop that shares the target's loss: `hops.len()` if only the target does.
/// Each hop says by its log-likelihood ratio whether it loses what the target loses or nothing.
/// The two are not alike: a hop may seem to lose by rationing its answers, so that word is
/// bounded; it can't seem clean, and whatever lies before a clean hop is clean too.
pub(super) fn change_point(hops: &[HopLoss], share: f64) -> usize {
    const LOSES: f64 = 12.0;
    const CLEAN_SAYS: f64 = -200.0;
    let p = share.clamp(0.01, 0.99);
    let ratio = |h: &HopLoss| {
        let (lost, kept) = (f64::from(h.lost), f64::from(h.sent.saturating_sub(h.lost)));
        (lost * (p / CLEAN).ln() + kept * ((1.0 - p) / (1.0 - CLEAN)).ln()).clamp(CLEAN_SAYS, LOSES)
    };
    let score = |k: usize| -> f64 { hops.iter().skip(k).map(ratio).sum() };
    // Of equals the first: the link nearer to us is the one that explains more.
    (0..=hops.len())
        .rev()
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap_or(hops.len())
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
