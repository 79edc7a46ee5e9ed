//! bgpPeerTable (RFC 4273): IPv4 sessions. IPv6 and VRFs are in tables of the vendors only.

use std::net::Ipv4Addr;

use async_snmp::{Oid, Value, oid};

use super::reader::Reader;
use super::walk::Column;
use crate::model::device::{BgpPeer, BgpState};

/// Sessions kept of one device: a route server has hundreds.
const MOST_PEERS: usize = 512;

fn column(n: u32) -> Oid {
    oid!(1, 3, 6, 1, 2, 1, 15, 3, 1).child(n)
}

/// Reads the sessions; none where the device has no such table.
pub(super) async fn read(r: &mut Reader<'_>) -> Vec<BgpPeer> {
    let states = r.optional("bgpPeerState", &column(2)).await;
    if states.is_empty() {
        return Vec::new();
    }
    let admin = r.optional("bgpPeerAdminStatus", &column(3)).await;
    let remote = r.optional("bgpPeerRemoteAs", &column(9)).await;
    let errors = r.optional("bgpPeerLastError", &column(14)).await;
    let transitions = r
        .optional("bgpPeerFsmEstablishedTransitions", &column(15))
        .await;
    let times = r.optional("bgpPeerFsmEstablishedTime", &column(16)).await;
    let of = |index: &[u32], column: &Column| -> Option<u32> {
        match column.get(index)? {
            Value::Integer(n) => u32::try_from(*n).ok(),
            other => other.as_u32(),
        }
    };
    states
        .iter()
        .take(MOST_PEERS)
        .filter_map(|(index, state)| {
            let arcs: [u32; 4] = index[..].try_into().ok()?;
            let bytes = arcs.map(u8::try_from);
            let [Ok(a), Ok(b), Ok(c), Ok(d)] = bytes else {
                return None;
            };
            let last_error = errors.get(index).and_then(Value::as_bytes);
            let last_error = last_error.and_then(|b| match b {
                [code, sub, ..] => Some((*code, *sub)),
                _ => None,
            });
            Some(BgpPeer {
                address: Ipv4Addr::new(a, b, c, d),
                state: BgpState::from_number(state.as_i32()?)?,
                enabled: of(index, &admin).map(|n| n == 2),
                remote_as: of(index, &remote),
                last_error,
                transitions: of(index, &transitions),
                since_s: of(index, &times),
            })
        })
        .collect()
}
