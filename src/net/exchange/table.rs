//! The probes in flight of one socket: pure bookkeeping, no socket and no clock.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::inbox::Inbox;
use super::{Answer, Said};
use crate::model::time::Mono;
use crate::net::packet::Fill;
use crate::net::stamp::{Stamps, Wall};

/// Probes remembered; the oldest are forgotten first. At a thousand a second that is a quarter of
/// a minute, far longer than anybody waits.
const MOST: usize = 16_384;

/// Probes by number. Numbers count the packets that the socket took, as the kernel does.
#[derive(Debug, Default)]
pub(super) struct Table {
    flights: VecDeque<Entry>,
    /// Number of the oldest flight.
    base: u32,
    /// Numbers that older kernels spent on sends that failed.
    drift: u32,
}

/// One probe.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dst: IpAddr,
    pub(super) tag: u32,
    pub(super) port: u16,
    pub(super) fill: Fill,
    pub(super) sent: Mono,
    pub(super) sent_wall: Wall,
    pub(super) tx: Option<Wall>,
    pub(super) owner: Arc<Inbox>,
    pub(super) waiter: Waiter,
}

/// Who waits for the answer of a probe.
#[derive(Debug)]
pub(super) enum Waiter {
    /// Somebody does.
    Here(oneshot::Sender<Answer>),
    /// It was given out; another one is a duplicate.
    Answered,
}

/// What is known of an answer that was matched to its probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) said: Said,
    pub(super) rx: Option<Wall>,
    pub(super) ttl: Option<u8>,
    pub(super) tos: Option<u8>,
    pub(super) corrupt: bool,
    pub(super) read: Mono,
}

impl Table {
    /// The number of the next probe.
    pub(super) fn next_id(&self) -> u32 {
        self.base.wrapping_add(self.flights.len() as u32)
    }

    /// Files a probe that the kernel took, under [`Table::next_id`].
    pub(super) fn sent(&mut self, entry: Entry) {
        self.flights.push_back(entry);
    }

    pub(super) fn forget_before(&mut self, oldest: Mono) {
        while self.flights.front().is_some_and(|e| e.sent < oldest) || self.flights.len() >= MOST {
            self.flights.pop_front();
            self.base = self.base.wrapping_add(1);
        }
    }

    fn place(&self, id: u32) -> Option<usize> {
        let place = id.wrapping_sub(self.base) as usize;
        (place < self.flights.len()).then_some(place)
    }

    pub(super) fn get(&self, id: u32) -> Option<&Entry> {
        self.place(id).and_then(|p| self.flights.get(p))
    }

    /// Files the kernel's TX stamp of the packet it calls `number`.
    ///
    /// A stamp before its packet was sent shows that the kernel spent numbers on sends that
    /// failed; the difference is then remembered.
    pub(super) fn stamp(&mut self, number: u32, at: Wall) {
        let drift = self.drift;
        for more in 0..=8u32 {
            let wanted = number.wrapping_sub(drift).wrapping_sub(more);
            let place = self.place(wanted);
            let entry = place.and_then(|p| self.flights.get_mut(p));
            if let Some(entry) = entry.filter(|e| e.sent_wall <= at && e.tx.is_none()) {
                entry.tx = Some(at);
                self.drift = drift.wrapping_add(more);
                return;
            }
        }
    }

    /// Gives an answer to whoever waits for it, or to its owner as late or duplicate.
    pub(super) fn answer(&mut self, id: u32, receipt: Receipt) {
        // What is older than our memory has no owner any more.
        let place = self.place(id);
        let Some(entry) = place.and_then(|p| self.flights.get_mut(p)) else {
            return;
        };
        let stamps = Stamps {
            sent: entry.sent,
            sent_wall: entry.sent_wall,
            tx: entry.tx,
            rx: receipt.rx,
            read: receipt.read,
        };
        let answer = Answer {
            said: receipt.said,
            rtt: stamps.rtt(),
            ttl: receipt.ttl,
            tos: receipt.tos,
            corrupt: receipt.corrupt,
            order: id,
        };
        match std::mem::replace(&mut entry.waiter, Waiter::Answered) {
            Waiter::Here(waiter) => {
                if waiter.send(answer).is_err() {
                    entry.owner.late(entry.tag, answer);
                }
            }
            Waiter::Answered => entry.owner.duplicate(entry.tag, answer),
        }
    }

    /// The only probe in flight to that port of that destination, if there is just one.
    pub(super) fn only_one_to(&self, dst: IpAddr, port: u16) -> Option<u32> {
        let mut found = None;
        for (n, e) in self.flights.iter().enumerate() {
            let waits = matches!(e.waiter, Waiter::Here(_));
            if waits && e.dst == dst && e.port == port {
                if found.is_some() {
                    return None;
                }
                found = Some(self.base.wrapping_add(n as u32));
            }
        }
        found
    }

    /// The only probe to that port that somebody still waits for, if there is just one.
    pub(super) fn only_wanted_from(&self, dst: IpAddr, port: u16) -> Option<u32> {
        let mut wanted = self.flights.iter().enumerate().filter(|(_, e)| {
            let waits = matches!(&e.waiter, Waiter::Here(waiter) if !waiter.is_closed());
            waits && e.dst == dst && e.port == port
        });
        let (n, _) = wanted.next()?;
        let alone = wanted.next().is_none();
        alone.then(|| self.base.wrapping_add(n as u32))
    }

    /// The newest probe with these low sixteen bits.
    pub(super) fn by_seq(&self, seq: u16) -> Option<u32> {
        let last = self.next_id().wrapping_sub(1);
        let back = u32::from((last as u16).wrapping_sub(seq));
        let id = last.wrapping_sub(back);
        self.place(id).map(|_| id)
    }

    /// Who sent something to that destination last.
    pub(super) fn last_owner(&self, dst: IpAddr) -> Option<&Arc<Inbox>> {
        let mut newest = self.flights.iter().rev();
        newest.find(|e| e.dst == dst).map(|e| &e.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn push(
        table: &mut Table,
        dst: IpAddr,
        sent_wall: i64,
        port: u16,
    ) -> oneshot::Receiver<Answer> {
        let (here, there) = oneshot::channel();
        let id = table.next_id();
        table.sent(Entry {
            dst,
            tag: id,
            port,
            fill: Fill::USUAL,
            sent: Mono(u64::from(id)),
            sent_wall: Wall(sent_wall),
            tx: None,
            owner: Arc::default(),
            waiter: Waiter::Here(here),
        });
        there
    }

    fn reply(from: IpAddr) -> Receipt {
        Receipt {
            said: Said::Reply { from },
            rx: None,
            ttl: None,
            tos: None,
            corrupt: false,
            read: Mono(1_000),
        }
    }

    #[test]
    fn numbers_that_drift_are_found_out() {
        let mut table = Table::default();
        // The kernel spent number 1 on a send that failed: it calls our second packet 2.
        let _waiting: Vec<_> = [100, 200].map(|at| push(&mut table, A, at, 1)).into();
        table.stamp(0, Wall(101));
        table.stamp(2, Wall(201));
        assert_eq!(table.drift, 1);
        let _third = push(&mut table, A, 300, 1);
        table.stamp(3, Wall(301));
        let stamps: Vec<_> = table.flights.iter().map(|e| e.tx.map(|t| t.0)).collect();
        assert_eq!(stamps, [Some(101), Some(201), Some(301)]);
    }

    #[test]
    fn a_stamp_never_goes_to_a_packet_sent_after_it() {
        let mut table = Table::default();
        let _waiting = push(&mut table, A, 500, 1);
        table.stamp(0, Wall(499));
        assert_eq!(table.flights[0].tx, None);
    }

    #[test]
    fn a_port_tells_only_where_it_is_the_only_one() {
        let mut table = Table::default();
        let mut waiting = vec![
            push(&mut table, A, 1, 40_000),
            push(&mut table, A, 1, 40_001),
        ];
        assert_eq!(table.only_one_to(A, 40_001), Some(1));
        assert_eq!(table.only_one_to(B, 40_001), None);
        waiting.push(push(&mut table, B, 1, 40_001));
        assert_eq!(table.only_one_to(A, 40_001), Some(1), "another destination");
        waiting.push(push(&mut table, A, 1, 40_001));
        assert_eq!(table.only_one_to(A, 40_001), None);
        table.answer(1, reply(A));
        assert_eq!(
            table.only_one_to(A, 40_001),
            Some(3),
            "the other was answered"
        );
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut table = Table {
            base: u32::MAX - 2,
            ..Table::default()
        };
        let waiting: Vec<_> = (0..6).map(|_| push(&mut table, A, 1, 1)).collect();
        assert_eq!(table.next_id(), 3);
        assert_eq!(table.by_seq(0xffff), Some(u32::MAX));
        assert_eq!(table.by_seq(2), Some(2));
        assert_eq!(table.by_seq(3), None, "not sent yet");
        assert_eq!(table.by_seq(0xfffc), None, "never sent");
        table.answer(1, reply(A));
        let answered: Vec<bool> = waiting
            .into_iter()
            .map(|mut w| w.try_recv().is_ok())
            .collect();
        assert_eq!(answered, [false, false, false, false, true, false]);
        table.forget_before(Mono(u64::from(u32::MAX)));
        assert_eq!(table.base, u32::MAX);
    }

    #[test]
    fn what_nobody_waits_for_is_late_and_what_comes_twice_a_duplicate() {
        let mut table = Table::default();
        let gone = push(&mut table, A, 1, 1);
        let mut here = push(&mut table, A, 1, 1);
        drop(gone);
        table.answer(0, reply(A));
        table.answer(1, reply(A));
        table.answer(1, reply(A));
        assert!(here.try_recv().is_ok());
        let owner = |n: usize| Arc::clone(&table.flights[n].owner);
        assert_eq!(owner(0).take_late().len(), 1);
        assert_eq!(owner(0).take_duplicates().len(), 0);
        assert_eq!(owner(1).take_late().len(), 0);
        assert_eq!(owner(1).take_duplicates().len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut table = Table::default();
        for _ in 0..MOST + 10 {
            table.forget_before(Mono(0));
            let _gone = push(&mut table, A, 1, 1);
        }
        assert_eq!(table.flights.len(), MOST);
        assert!(table.get(0).is_none() && table.get(10).is_some());
    }
}
