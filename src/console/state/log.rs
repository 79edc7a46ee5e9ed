//! The incident as the events tell it, whatever order they come in.
//!
//! Events of one writer come in sequence; those of another writer may come late. Then the fold
//! starts again from the merged events, so that two consoles show the same timeline.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::event::{Event, WriterId};
use crate::model::incident::{Incident, merge, timeline_order};

/// All events seen, folded.
#[derive(Debug, Default)]
pub struct Log {
    incident: Incident,
    /// Last sequence and running maximum of wall time of each writer.
    heads: BTreeMap<WriterId, (u64, Timestamp)>,
    last: Option<(Timestamp, WriterId, u64)>,
}

impl Log {
    /// The incident as it stands.
    pub fn incident(&self) -> &Incident {
        &self.incident
    }

    /// Takes events in; one that was seen before is passed over.
    pub fn take(&mut self, events: Vec<Event>) {
        let mut late = Vec::new();
        for event in events {
            let head = self.heads.get(&event.writer).copied();
            if head.is_some_and(|(seq, _)| event.seq <= seq) {
                continue;
            }
            let running = head.map_or(event.at, |(_, t)| t.max(event.at));
            self.heads
                .insert(event.writer.clone(), (event.seq, running));
            let place = timeline_order(&event, running);
            if late.is_empty() && self.last.as_ref().is_none_or(|l| *l < place) {
                self.last = Some(place);
                self.incident.apply(event);
            } else {
                late.push(event);
            }
        }
        if !late.is_empty() {
            self.fold_again(late);
        }
    }

    fn fold_again(&mut self, late: Vec<Event>) {
        let mut writers: BTreeMap<WriterId, Vec<Event>> = BTreeMap::new();
        let seen = std::mem::take(&mut self.incident.timeline);
        for event in seen.into_iter().chain(late) {
            writers.entry(event.writer.clone()).or_default().push(event);
        }
        for events in writers.values_mut() {
            events.sort_by_key(|e| e.seq);
        }
        let merged = merge(writers.into_values());
        if let Some(last) = merged.last() {
            let running = self.heads.get(&last.writer).map_or(last.at, |(_, t)| *t);
            self.last = Some(timeline_order(last, running));
        }
        self.incident = Incident::fold(merged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{EventKind, NoteKind};
    use crate::model::time::Mono;
    use proptest::prelude::*;

    fn note(writer: &str, seq: u64, at: i64) -> Event {
        Event {
            v: 1,
            seq,
            writer: WriterId(writer.into()),
            at: Timestamp::from_second(at).unwrap(),
            mono: Mono(0),
            happened: None,
            prev: String::new(),
            kind: EventKind::Note {
                note: NoteKind::Note,
                text: format!("{writer}{seq}").into(),
            },
        }
    }

    fn order(log: &Log) -> Vec<String> {
        log.incident().timeline.iter().map(|e| e.id().0).collect()
    }

    #[test]
    fn a_late_event_finds_its_place_and_a_repeated_one_is_dropped() {
        let mut log = Log::default();
        log.take(vec![note("a", 0, 10), note("a", 1, 30)]);
        log.take(vec![note("b", 0, 20), note("a", 1, 30)]);
        log.take(vec![note("a", 2, 40)]);
        assert_eq!(order(&log), ["a:0", "b:0", "a:1", "a:2"]);
    }

    proptest! {
        #[test]
        fn any_arrival_gives_the_merged_order(times in proptest::collection::vec((0i64..50, any::<bool>()), 1..24), cut in 1usize..6) {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for (t, first) in times {
                let (w, v) = if first { ("a", &mut a) } else { ("b", &mut b) };
                let seq = v.len() as u64;
                v.push(note(w, seq, t));
            }
            let want: Vec<String> = merge([a.clone(), b.clone()]).iter().map(|e| e.id().0).collect();
            let mut log = Log::default();
            let (mut ia, mut ib) = (a.chunks(cut), b.chunks(cut + 1));
            loop {
                let (x, y) = (ia.next(), ib.next());
                if x.is_none() && y.is_none() { break; }
                log.take(y.unwrap_or_default().to_vec());
                log.take(x.unwrap_or_default().to_vec());
            }
            prop_assert_eq!(order(&log), want);
        }
    }
}
