//! The probes in flight of one socket: pure bookkeeping, no socket and no clock.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Answer, Said};
use crate::model::time::Mono;
use crate::net::stamp::{Stamps, Wall};

/// Probes remembered; the oldest are forgotten first.
const MOST: usize = 1024;
/// Late answers kept until somebody asks; beyond it the oldest are dropped.
const MOST_LATE: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Table {
    flights: VecDeque<Entry>,
    next_id: u32,
    /// Packets that the kernel has numbered so far, by our count.
    numbered: u32,
    /// Numbers that older kernels spent on sends that failed.
    drift: u32,
    pub(super) late: VecDeque<(u32, Answer)>,
    pub(super) unattributed: u32,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u32,
    pub(super) tag: u32,
    pub(super) port: u16,
    pub(super) number: u32,
    pub(super) sent: Mono,
    pub(super) sent_wall: Wall,
    pub(super) tx: Option<Wall>,
    pub(super) waiter: Option<oneshot::Sender<Answer>>,
}

impl Table {
    /// A number for the next probe.
    pub(super) fn next_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    /// Files a probe that the kernel took, under the number that the kernel gives it.
    pub(super) fn sent(&mut self, entry: Entry) {
        let number = self.numbered;
        self.numbered = number.wrapping_add(1);
        self.flights.push_back(Entry { number, ..entry });
    }

    pub(super) fn forget_before(&mut self, oldest: Mono) {
        while self.flights.front().is_some_and(|e| e.sent < oldest) || self.flights.len() >= MOST {
            self.flights.pop_front();
        }
    }

    /// Files the kernel's TX stamp of the packet it calls `number`.
    ///
    /// A stamp before its packet was sent shows that the kernel spent numbers on sends that
    /// failed; the difference is then remembered.
    pub(super) fn stamp(&mut self, number: u32, at: Wall) {
        let drift = self.drift;
        for more in 0..=8u32 {
            let wanted = number.wrapping_sub(drift).wrapping_sub(more);
            let entry = self.flights.iter_mut().rev().find(|e| e.number == wanted);
            if let Some(entry) = entry.filter(|e| e.sent_wall <= at && e.tx.is_none()) {
                entry.tx = Some(at);
                self.drift = drift.wrapping_add(more);
                return;
            }
        }
    }

    pub(super) fn answer(
        &mut self,
        id: u32,
        said: Said,
        rx: Option<Wall>,
        ttl: Option<u8>,
        now: Mono,
    ) {
        let Some(place) = self.flights.iter().rposition(|e| e.id == id) else {
            return; // a second answer, or one that is older than our memory
        };
        let Some(entry) = self.flights.remove(place) else {
            return;
        };
        let stamps = Stamps {
            sent: entry.sent,
            sent_wall: entry.sent_wall,
            tx: entry.tx,
            rx,
            read: now,
        };
        let answer = Answer {
            said,
            rtt: stamps.rtt(),
            ttl,
        };
        let unheard = match entry.waiter {
            Some(waiter) => waiter.send(answer).is_err(),
            None => true,
        };
        if unheard {
            if self.late.len() >= MOST_LATE {
                self.late.pop_front();
            }
            self.late.push_back((entry.tag, answer));
        }
    }

    pub(super) fn only_one_to(&self, port: u16) -> Option<u32> {
        let mut to_port = self.flights.iter().filter(|e| e.port == port);
        let first = to_port.next()?;
        to_port.next().is_none().then_some(first.id)
    }

    pub(super) fn by_seq(&self, seq: u16) -> Option<u32> {
        self.flights
            .iter()
            .rev()
            .find(|e| (e.id & 0xffff) as u16 == seq)
            .map(|e| e.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn entry(id: u32, number: u32, sent_wall: i64, port: u16) -> Entry {
        Entry {
            id,
            tag: id,
            port,
            number,
            sent: Mono(u64::from(id)),
            sent_wall: Wall(sent_wall),
            tx: None,
            waiter: None,
        }
    }

    #[test]
    fn numbers_that_drift_are_found_out() {
        let mut table = Table::default();
        // The kernel spent number 1 on a send that failed: it calls our second packet 2.
        table.flights.push_back(entry(0, 0, 100, 1));
        table.flights.push_back(entry(1, 1, 200, 1));
        table.stamp(0, Wall(101));
        table.stamp(2, Wall(201));
        assert_eq!(table.drift, 1);
        table.flights.push_back(entry(2, 2, 300, 1));
        table.stamp(3, Wall(301));
        let stamps: Vec<_> = table.flights.iter().map(|e| e.tx.map(|t| t.0)).collect();
        assert_eq!(stamps, [Some(101), Some(201), Some(301)]);
    }

    #[test]
    fn a_stamp_never_goes_to_a_packet_sent_after_it() {
        let mut table = Table::default();
        table.flights.push_back(entry(5, 5, 500, 1));
        table.stamp(5, Wall(499));
        assert_eq!(table.flights[0].tx, None);
    }

    #[test]
    fn a_port_tells_only_where_it_is_the_only_one() {
        let mut table = Table::default();
        table.flights.push_back(entry(0, 0, 1, 40_000));
        table.flights.push_back(entry(1, 1, 1, 40_001));
        assert_eq!(table.only_one_to(40_001), Some(1));
        table.flights.push_back(entry(2, 2, 1, 40_001));
        assert_eq!(table.only_one_to(40_001), None);
    }

    #[test]
    fn what_nobody_waits_for_is_late_and_bounded() {
        let mut table = Table::default();
        for id in 0..400 {
            table.flights.push_back(entry(id, id, 1, 1));
            let from = IpAddr::from([192, 0, 2, 1]);
            table.answer(id, Said::Reply { from }, None, None, Mono(1_000));
        }
        assert_eq!(table.late.len(), MOST_LATE);
        assert_eq!(table.late.back().map(|(tag, _)| *tag), Some(399));
        assert!(table.flights.is_empty());
    }
}
