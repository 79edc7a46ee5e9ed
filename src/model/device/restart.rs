//! Whether a device restarted between two polls, or only the agent that tells of it.

use super::agent::SnmpStatus;

/// A counter of ticks this near to its end has wrapped when it is small again (ten minutes).
const NEAR_THE_END: u32 = u32::MAX - 60_000;

/// What became of a device between two polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It ran on.
    None,
    /// Its agent began anew, the device ran on.
    Agent,
    /// The device began anew.
    Device,
    /// One of the two; nothing tells which.
    Unknown,
}

/// Whether a clock of ticks went back other than by its wrap after 497 days.
pub(super) const fn went_back(before: u32, after: u32) -> bool {
    after < before && before < NEAR_THE_END
}

impl Restart {
    /// Compares two polls. hrSystemUptime decides where there is one. Else the counters of the
    /// interfaces do: a device that restarts counts from zero, an agent that restarts goes on
    /// reading those of a system that ran on.
    pub fn between(before: &SnmpStatus, after: &SnmpStatus) -> Self {
        let agent = went_back(before.uptime_ticks, after.uptime_ticks)
            || matches!((before.engine_boots, after.engine_boots), (Some(b), Some(a)) if a > b);
        if let (Some(b), Some(a)) = (before.host_ticks, after.host_ticks) {
            return match (went_back(b, a), agent) {
                (true, _) => Restart::Device,
                (false, true) => Restart::Agent,
                (false, false) => Restart::None,
            };
        }
        if !agent {
            return Restart::None;
        }
        let mut on = 0u32;
        let mut back = 0u32;
        for was in &before.interfaces {
            let octets = was.counters.in_octets.filter(|c| c.value > 0);
            let now = after.same(was).and_then(|i| i.counters.in_octets);
            if let (Some(was), Some(now)) = (octets, now) {
                // A wrap of a Counter32 within one poll of a restart is not worth a case.
                if now.value >= was.value {
                    on += 1;
                } else {
                    back += 1;
                }
            }
        }
        match (on, back) {
            (0, 0) => Restart::Unknown,
            (0, _) => Restart::Device,
            (_, 0) => Restart::Agent,
            _ => Restart::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::{Count, SnmpInterface};

    fn poll(agent: u32, host: Option<u32>, octets: &[u64]) -> SnmpStatus {
        let interface = |(i, v): (usize, &u64)| {
            let mut one = SnmpInterface {
                index: i as u32,
                name: format!("eth{i}").as_str().into(),
                ..Default::default()
            };
            one.counters.in_octets = Some(Count {
                value: *v,
                wide: true,
            });
            one
        };
        SnmpStatus {
            uptime_ticks: agent,
            host_ticks: host,
            interfaces: octets.iter().enumerate().map(interface).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn an_agent_is_told_from_its_device() {
        let day = 8_640_000;
        for (what, before, after, expected) in [
            (
                "runs on",
                poll(day, None, &[5]),
                poll(day + 1000, None, &[9]),
                Restart::None,
            ),
            (
                "host fell",
                poll(day, Some(day), &[5]),
                poll(100, Some(2000), &[9]),
                Restart::Device,
            ),
            (
                "agent fell",
                poll(day, Some(day), &[5]),
                poll(100, Some(day + 1000), &[1]),
                Restart::Agent,
            ),
            (
                "sysUpTime wraps",
                poll(u32::MAX - 500, None, &[5]),
                poll(500, None, &[9]),
                Restart::None,
            ),
            (
                "host wraps",
                poll(day, Some(u32::MAX - 500), &[5]),
                poll(day + 1000, Some(500), &[9]),
                Restart::None,
            ),
            (
                "counters from zero",
                poll(day, None, &[5000, 0]),
                poll(100, None, &[7, 0]),
                Restart::Device,
            ),
            (
                "counters go on",
                poll(day, None, &[5000, 1]),
                poll(100, None, &[5007, 1]),
                Restart::Agent,
            ),
            (
                "both",
                poll(day, None, &[5000, 900]),
                poll(100, None, &[5007, 1]),
                Restart::Unknown,
            ),
            (
                "no counters",
                poll(day, None, &[]),
                poll(100, None, &[]),
                Restart::Unknown,
            ),
        ] {
            assert_eq!(Restart::between(&before, &after), expected, "{what}");
        }
        // The engine says that it began anew although sysUpTime passed its old value meanwhile.
        let (mut before, mut after) = (poll(100, None, &[500]), poll(900, None, &[20]));
        (before.engine_boots, after.engine_boots) = (Some(3), Some(4));
        assert_eq!(Restart::between(&before, &after), Restart::Device);
    }
}
