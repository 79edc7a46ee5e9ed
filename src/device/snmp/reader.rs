//! One poll under way: what is asked of an agent, what is left out, and what went wrong.
//!
//! What an agent does not have is remembered in [`Known`], so that it is not asked at every poll.

use std::collections::{BTreeMap, BTreeSet};

use async_snmp::{Client, Oid, Value};
use tokio::time::Instant;

use super::super::Limits;
use super::super::wire::Wire;
use super::interfaces::Names;
use super::walk::{Column, End, Rows, side_by_side, walk};

/// Polls after which everything is asked again: tables come with a licence or a line card.
const ASK_ALL_EVERY: u32 = 30;

/// Rows asked for at once of the first column, and of the others where the agent managed that
/// with more rows than one answer holds. Agents have been seen to lose rows above about 50.
const FIRST_REPETITIONS: u32 = 10;
const LATER_REPETITIONS: u32 = 25;

/// What is known of an agent from earlier polls.
#[derive(Clone, Debug, Default)]
pub struct Known {
    polls: u32,
    absent: BTreeSet<&'static str>,
    absent_objects: BTreeSet<Oid>,
    uptime: u32,
    pub(super) names: Option<Names>,
    pub(super) sensor_names: BTreeMap<u32, Value>,
}

impl Known {
    /// A poll begins; an agent that began anew, or was last asked everything long ago, is asked
    /// everything.
    pub(super) fn begin(&mut self, uptime: u32) {
        self.polls = self.polls.saturating_add(1);
        if uptime < self.uptime || self.polls >= ASK_ALL_EVERY {
            *self = Self::default();
        }
        self.uptime = uptime;
    }
}

/// One poll under way.
pub(super) struct Reader<'a> {
    pub client: &'a Client<Wire>,
    pub limits: &'a Limits,
    pub deadline: Instant,
    pub known: &'a mut Known,
    pub notes: Vec<String>,
    /// Nobody answers any more: nothing further is asked.
    pub gone: bool,
    repetitions: u32,
}

impl<'a> Reader<'a> {
    pub fn new(
        client: &'a Client<Wire>,
        limits: &'a Limits,
        deadline: Instant,
        known: &'a mut Known,
    ) -> Self {
        Self {
            client,
            limits,
            deadline,
            known,
            notes: Vec::new(),
            gone: false,
            repetitions: FIRST_REPETITIONS,
        }
    }

    /// Reads a column that every agent should have. Empty once the agent is gone.
    pub async fn column(&mut self, name: &'static str, base: &Oid) -> Column {
        if self.gone {
            return Column::new();
        }
        let (column, end) = walk(
            self.client,
            base,
            self.repetitions,
            self.limits,
            self.deadline,
        )
        .await;
        if end == End::Complete && column.len() > FIRST_REPETITIONS as usize {
            self.repetitions = LATER_REPETITIONS;
        }
        self.took(name, &end);
        column
    }

    /// Reads a column that many agents lack: one that was empty is left alone for a while.
    pub async fn optional(&mut self, name: &'static str, base: &Oid) -> Column {
        if self.known.absent.contains(name) {
            return Column::new();
        }
        let column = self.column(name, base).await;
        if column.is_empty() && !self.gone {
            self.known.absent.insert(name);
        }
        column
    }

    /// Reads columns side by side. `None` where the agent can't do that.
    pub async fn rows(&mut self, name: &'static str, bases: &[Oid]) -> Option<Rows> {
        if self.gone {
            return None;
        }
        let rows = side_by_side(self.client, bases, self.limits, self.deadline).await;
        let end = rows.end.clone()?;
        if matches!(end, End::Failed(_)) {
            return None;
        }
        self.took(name, &end);
        Some(rows)
    }

    fn took(&mut self, name: &str, end: &End) {
        if let Some(note) = end.note(name) {
            self.notes.push(note);
        }
        // An agent that is gone is not asked again and again.
        if matches!(end, End::Silence | End::Gone(_)) {
            self.notes
                .push("what comes after it was not asked for".into());
            self.gone = true;
        }
    }

    /// Reads single objects; those that the agent lacks are left alone for a while.
    pub async fn objects(&mut self, wanted: &[Oid]) -> BTreeMap<Oid, Value> {
        let absent = &self.known.absent_objects;
        let asked: Vec<Oid> = wanted
            .iter()
            .filter(|o| !absent.contains(o))
            .cloned()
            .collect();
        if self.gone || asked.is_empty() {
            return BTreeMap::new();
        }
        let answer = tokio::time::timeout_at(self.deadline, self.client.get_many(&asked)).await;
        let Ok(Ok(answer)) = answer else {
            self.notes
                .push("its vital signs (load, memory, uptime) could not be read".into());
            self.gone |= answer.is_err();
            return BTreeMap::new();
        };
        let found: BTreeMap<Oid, Value> = answer
            .varbinds
            .into_iter()
            .filter(|v| !v.value.is_exception() && asked.contains(&v.oid))
            .map(|v| (v.oid, v.value))
            .collect();
        let lacking = asked.into_iter().filter(|o| !found.contains_key(o));
        self.known.absent_objects.extend(lacking);
        found
    }
}
