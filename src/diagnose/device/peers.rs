//! BGP sessions that are down and should not be.

use std::time::Duration;

use super::Seen;
use crate::diagnose::build::Build;
use crate::diagnose::reproduce;
use crate::model::catalogue as code;
use crate::model::device::{BgpPeer, BgpState, SnmpStatus};
use crate::model::finding::{Finding, Location, PlaceKind, Severity};
use crate::model::time::human;

/// A session that has been down for longer than this is no news.
const OLD_NEWS: Duration = Duration::from_secs(7 * 86_400);

/// Pushes `bgp-peer-down`.
pub fn judge(seen: &Seen, out: &mut Vec<Finding>) {
    for peer in &seen.status.peers {
        out.extend(down(seen, peer));
    }
}

/// Not established, not shut down on purpose.
fn is_down(peer: &BgpPeer) -> bool {
    peer.enabled != Some(false) && peer.state != BgpState::Established
}

fn down(seen: &Seen, peer: &BgpPeer) -> Option<Finding> {
    if !is_down(peer) {
        return None;
    }
    let up = seen.window.established.get(&peer.address);
    // It must have been up: one that never was is being set up, or waits for its other end.
    let was_up = up.is_some() || peer.transitions.is_some_and(|n| n > 0);
    let same = |s: &SnmpStatus| {
        let mut peers = s.peers.iter();
        peers
            .find(|p| p.address == peer.address)
            .is_some_and(is_down)
    };
    let run = seen.run(same);
    if !was_up || run.len() < seen.facts.thresholds.repeat as usize {
        return None;
    }
    let first = run.last()?.at.wall;
    // bgpPeerFsmEstablishedTime counts from when it was last up.
    let ago = peer.since_s.map(|s| Duration::from_secs(u64::from(s)));
    let told = ago.and_then(|d| {
        let d = jiff::SignedDuration::try_from(d).ok()?;
        seen.at.wall.checked_sub(d).ok()
    });
    let mut since = told.unwrap_or(first).min(first);
    if let Some(up) = up {
        since = since.max(up.wall);
    }
    let old = up.is_none() && ago.is_some_and(|d| d >= OLD_NEWS);
    let severity = if old {
        Severity::Info
    } else {
        Severity::Critical
    };
    let with = match peer.remote_as {
        Some(n) => format!("{} (AS{n})", peer.address),
        None => peer.address.to_string(),
    };
    let why = match peer.error_label() {
        Some(why) => format!(", last error: {why}"),
        None => String::new(),
    };
    let mut place = Location::at(PlaceKind::Device, peer.address.into());
    place.name = Some(seen.name.clone());
    let mut text = format!(
        "bgpPeerState {} in {} polls, enabled",
        peer.state.label(),
        run.len()
    );
    if let Some(ago) = ago {
        text.push_str(&format!(
            "; last established {} before the poll",
            human(ago)
        ));
    }
    if let Some((code, sub)) = peer.last_error.filter(|e| e.0 > 0) {
        text.push_str(&format!("; bgpPeerLastError {code}/{sub}"));
    }
    Some(
        Build::new(
            code::BGP_PEER_DOWN,
            severity,
            &seen.target.target.id,
            place,
            since,
        )
        .which(format!("{} bgp {}", seen.name, peer.address))
        .confidence(if up.is_some() { 0.97 } else { 0.85 })
        .summary(format!(
            "BGP session of {} with {with} is down ({}){why}",
            seen.name,
            peer.state.label()
        ))
        .evidence(run.iter().map(|d| d.id), text)
        .reproduce(reproduce::snmp_peer(seen.asked, peer.address))
        .done(),
    )
}
