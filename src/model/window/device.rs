//! What was seen of one device by one kind of poll, with what only shows over several polls:
//! rates, what once worked, restarts.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Dated, Recent};
use crate::model::device::{BgpState, DeviceReport, Rates, Restart, SnmpInterface, SnmpStatus};
use crate::model::observation::ObsId;
use crate::model::text::SafeText;
use crate::model::time::Stamp;

/// Rates are taken over at least this time: agents refresh their counters only every few seconds,
/// so that over less a zero is followed by a double.
const RATE_SPAN: Duration = Duration::from_millis(9500);
/// Counters that have not changed for this long stand still.
const IDLE: Duration = Duration::from_secs(30);
/// Rates kept of each interface.
const KEPT_RATES: usize = 16;
/// Rows of interfaces kept of one device, in all polls together.
const KEPT_ROWS: usize = 4096;
/// Polls kept of a device however many interfaces it has: enough for a rate.
const LEAST_POLLS: usize = 6;

/// One device by one kind of poll.
#[derive(Clone, Debug, Default)]
pub struct DeviceWindow {
    /// The last polls. Of a device with many interfaces fewer are kept.
    pub polls: Recent<DeviceReport>,
    /// What is known of its interfaces over time, by name.
    pub interfaces: BTreeMap<SafeText, Track>,
    /// When a BGP session was last seen established.
    pub established: BTreeMap<Ipv4Addr, Stamp>,
    /// The last restart that was seen, and the poll that showed it.
    pub restart: Option<(Restart, Stamp, ObsId)>,
    /// The longest that it was seen to have run since it may have restarted. A clock of ticks that
    /// tells less later has wrapped.
    pub ran: Duration,
    /// Polls at which the agent had looked at its counters anew.
    fresh: VecDeque<ObsId>,
}

/// One interface over time.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// When it was last seen up; an unused port never is.
    pub up: Option<Stamp>,
    /// Rates, oldest first. They begin anew after a restart or a discontinuity.
    pub rates: VecDeque<RateAt>,
}

/// Rates at one poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateAt {
    /// The poll.
    pub id: ObsId,
    /// When.
    pub at: Stamp,
    /// Over the time before it.
    pub rates: Rates,
}

impl DeviceWindow {
    pub(super) fn take(&mut self, poll: Dated<DeviceReport>) {
        if let Some(status) = poll.value.agent() {
            self.learn(status, poll.at, poll.id);
            let rows = status.interfaces.len().max(1);
            self.polls.keep((KEPT_ROWS / rows).max(LEAST_POLLS) - 1);
        }
        self.polls.push(poll);
    }

    fn learn(&mut self, status: &SnmpStatus, at: Stamp, id: ObsId) {
        let before = self.status().map(|(s, _)| s);
        let restart = before.map_or(Restart::None, |b| Restart::between(b, status));
        // An agent that has not looked again since the last poll says nothing new.
        let fresh = self.is_fresh(status);
        let since = self.fresh.iter().rev();
        let base = since.take_while(|_| restart == Restart::None && fresh);
        let base = base
            .filter_map(|id| self.polls.iter().find(|d| d.id == *id)?.value.agent())
            .take_while(|b| Restart::between(b, status) == Restart::None)
            .find(|b| elapsed(b, status) >= RATE_SPAN);
        for interface in &status.interfaces {
            let track = self.interfaces.entry(interface.name.clone()).or_default();
            if restart != Restart::None {
                track.rates.clear();
            }
            if interface.oper_status == 1 {
                track.up = Some(at);
            }
            let rates = base.and_then(|b| Rates::of(b, status, interface));
            if let Some(rates) = rates {
                track.push(RateAt { id, at, rates });
            } else if base.is_some() {
                track.rates.clear();
            }
        }
        if fresh {
            if self.fresh.len() == LEAST_POLLS {
                self.fresh.pop_front();
            }
            self.fresh.push_back(id);
        }
        // What the device has no more is forgotten, unless this poll was cut short.
        if status.note.is_none() {
            let names: std::collections::BTreeSet<_> =
                status.interfaces.iter().map(|i| &i.name).collect();
            self.interfaces.retain(|name, _| names.contains(name));
            self.established
                .retain(|a, _| status.peers.iter().any(|p| p.address == *a));
        }
        for peer in &status.peers {
            if peer.state == BgpState::Established {
                self.established.insert(peer.address, at);
            }
        }
        if restart != Restart::None {
            self.restart = Some((restart, at, id));
        }
        if matches!(restart, Restart::Device | Restart::Unknown) {
            self.ran = Duration::ZERO;
        }
        self.ran = self.ran.max(status.ran());
    }

    /// Net-SNMP and others read their counters at most every 15 s and answer with the same until
    /// then: a rate of zero, and double the rate at the next poll. A poll without any change is not
    /// measured by, unless nothing has changed for long: then nothing flows.
    fn is_fresh(&self, status: &SnmpStatus) -> bool {
        let last = self.fresh.back();
        let last = last.and_then(|id| self.polls.iter().find(|d| d.id == *id));
        let Some(last) = last.and_then(|d| d.value.agent()) else {
            return true;
        };
        let counted = |s: &SnmpStatus, i: &SnmpInterface| {
            let c = s.same(i).map(|i| i.counters).unwrap_or_default();
            let octets = (c.in_octets, c.out_octets);
            (octets, c.in_errors, c.out_errors)
        };
        let mut all = status.interfaces.iter();
        all.any(|i| counted(last, i) != counted(status, i)) || elapsed(last, status) >= IDLE
    }

    /// The newest answer of an agent, with its age for whoever asks.
    pub fn status(&self) -> Option<(&SnmpStatus, &Dated<DeviceReport>)> {
        let mut polls = self.polls.iter().rev();
        polls.find_map(|d| Some((d.value.agent()?, d)))
    }

    /// The newest rates of an interface.
    pub fn rates(&self, of: &SnmpInterface) -> Option<&RateAt> {
        self.interfaces.get(&of.name)?.rates.back()
    }
}

impl Track {
    fn push(&mut self, rate: RateAt) {
        if self.rates.len() == KEPT_RATES {
            self.rates.pop_front();
        }
        self.rates.push_back(rate);
    }
}

/// Time between two polls by the agent's clock.
fn elapsed(before: &SnmpStatus, after: &SnmpStatus) -> Duration {
    let ticks = after.uptime_ticks.wrapping_sub(before.uptime_ticks);
    Duration::from_millis(u64::from(ticks) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::{Count, DeviceAnswer};
    use crate::model::observation::{How, Method, Outcome};

    fn poll(n: u64, seconds: u64, uptime: u64, octets: u64, ports: u32) -> Dated<DeviceReport> {
        let port = |i: u32| {
            let mut one = SnmpInterface {
                index: i,
                name: SafeText::new(format!("e{i}")),
                admin_up: true,
                oper_status: 1,
                speed: Some(100_000_000),
                ..Default::default()
            };
            one.counters.in_octets = Some(Count {
                value: octets,
                wide: true,
            });
            one
        };
        let status = SnmpStatus {
            uptime_ticks: (uptime * 100) as u32,
            interfaces: (1..=ports).map(port).collect(),
            ..Default::default()
        };
        Dated {
            id: ObsId(n),
            at: Stamp::at_millis(seconds * 1000),
            how: How::best(Method::SnmpV2c),
            value: DeviceReport {
                device: "r1".into(),
                asked: "".into(),
                outcome: Outcome::Ok(DeviceAnswer::Snmp(Box::new(status))),
            },
        }
    }

    #[test]
    fn rates_span_ten_seconds_and_begin_anew_with_the_device() {
        let mut w = DeviceWindow::default();
        for (n, s) in [0, 2, 12, 22].into_iter().enumerate() {
            w.take(poll(n as u64, s, 5000 + s, s * 1_000_000, 1));
        }
        let track = &w.interfaces[&"e1".into()];
        let seen: Vec<_> = track
            .rates
            .iter()
            .map(|r| (r.id.0, r.rates.in_bps))
            .collect();
        assert_eq!(seen, [(2, Some(8e6)), (3, Some(8e6))]);
        w.take(poll(9, 32, 5, 1000, 1));
        assert!(w.interfaces[&"e1".into()].rates.is_empty());
        assert_eq!(
            w.restart.map(|(r, _, id)| (r, id.0)),
            Some((Restart::Device, 9))
        );
    }

    #[test]
    fn an_agent_that_looks_seldom_shows_no_zero_and_no_double() {
        let mut w = DeviceWindow::default();
        let told = [
            (0, 0),
            (2, 0),
            (12, 0),
            (22, 22),
            (32, 22),
            (42, 42),
            (52, 42),
        ];
        for (n, (s, millions)) in told.into_iter().enumerate() {
            w.take(poll(n as u64, s, 5000 + s, millions * 1_000_000, 1));
        }
        let of = |w: &DeviceWindow| -> Vec<_> {
            let track = &w.interfaces[&"e1".into()];
            let all = track.rates.iter();
            all.map(|r| (r.id.0, r.rates.in_bps.map(|b| b / 1e6)))
                .collect()
        };
        assert_eq!(of(&w), [(3, Some(8.0)), (5, Some(8.0))]);
        // One that stands still comes to say so.
        w.take(poll(9, 82, 5082, 42_000_000, 1));
        assert_eq!(of(&w).last(), Some(&(9, Some(0.0))));
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut w = DeviceWindow::default();
        for n in 0..100 {
            w.take(poll(n, n * 10, n * 10, n * 1000, 2000));
        }
        assert_eq!(w.polls.iter().len(), LEAST_POLLS);
        assert_eq!(w.interfaces.len(), 2000);
        assert!(w.interfaces.values().all(|t| t.rates.len() == KEPT_RATES));
        w.take(poll(100, 1000, 1000, 0, 3));
        assert_eq!(w.interfaces.len(), 3);
    }
}
