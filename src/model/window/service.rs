//! The last few results of a probe that is asked now and then.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::Dated;
use crate::model::observation::{DnsSample, ServerRole};
use crate::model::text::SafeText;

/// Results kept.
const KEPT: usize = 32;
/// Attempts in a row that may say nothing without ending a run.
const MUTE: usize = 2;

/// The last few results, oldest first.
#[derive(Clone, Debug)]
pub struct Recent<T> {
    items: VecDeque<Dated<T>>,
    total: u32,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            total: 0,
        }
    }
}

impl<T> Recent<T> {
    pub(super) fn push(&mut self, item: Dated<T>) {
        if self.items.len() == KEPT {
            self.items.pop_front();
        }
        self.items.push_back(item);
        self.total = self.total.saturating_add(1);
    }
    /// Forgets the oldest beyond so many.
    pub(super) fn keep(&mut self, most: usize) {
        while self.items.len() > most {
            self.items.pop_front();
        }
    }
    /// Results since the start.
    pub fn total(&self) -> u32 {
        self.total
    }
    /// The newest.
    pub fn last(&self) -> Option<&Dated<T>> {
        self.items.back()
    }
    /// Those kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Dated<T>> + ExactSizeIterator + Clone {
        self.items.iter()
    }
    /// The newest ones that all satisfy `test`, newest first.
    pub fn run_of<'a>(
        &'a self,
        test: impl Fn(&T) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Dated<T>> {
        self.items.iter().rev().take_while(move |d| test(&d.value))
    }
    /// The same where an attempt may say nothing (`None`), as one that was lost on the way says
    /// nothing of the server: it neither belongs to the run nor ends it, unless more than
    /// two come in a row. Newest first.
    pub fn run_through<'a>(
        &'a self,
        says: impl Fn(&T) -> Option<bool> + 'a,
    ) -> impl Iterator<Item = &'a Dated<T>> {
        let mut mute = 0;
        let judged = self.items.iter().rev().map(move |d| (d, says(&d.value)));
        judged
            .take_while(move |(_, said)| {
                mute = if said.is_none() { mute + 1 } else { 0 };
                *said != Some(false) && mute <= MUTE
            })
            .filter_map(|(d, said)| said.map(|_| d))
    }
}

/// One question at one server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsKey {
    /// The server.
    pub server: SocketAddr,
    /// The name.
    pub name: SafeText,
    /// The type.
    pub rtype: SafeText,
}

impl DnsKey {
    /// Key of a sample.
    pub fn of(s: &DnsSample) -> Self {
        Self {
            server: s.server,
            name: s.name.clone(),
            rtype: s.rtype.clone(),
        }
    }
}

/// DNS questions asked beside those of the targets, to explain what these brought.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The servers of the zone themselves, asked without recursion.
    pub authorities: BTreeMap<DnsKey, Recent<DnsSample>>,
    /// The start of authority of a name, as a resolver has it.
    pub serials: BTreeMap<DnsKey, Recent<DnsSample>>,
}

impl Beside {
    /// Where a sample belongs, if it is one of these.
    pub(super) fn place(&mut self, s: &DnsSample) -> Option<&mut Recent<DnsSample>> {
        let serial = s.rtype.as_str() == "SOA";
        let series = match s.role {
            ServerRole::Authoritative => &mut self.authorities,
            _ if serial => &mut self.serials,
            _ => return None,
        };
        Some(series.entry(DnsKey::of(s)).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{How, Method, ObsId};
    use crate::model::time::{Mono, Stamp};

    /// How many belong to the newest run of `x`, where `?` says nothing and `.` ends it.
    fn run(letters: &str) -> usize {
        let mut recent = Recent::default();
        for (value, n) in letters.chars().zip(1u64..) {
            recent.push(Dated {
                id: ObsId(n),
                at: Stamp {
                    mono: Mono(n),
                    wall: jiff::Timestamp::UNIX_EPOCH,
                },
                how: How::best(Method::Literal),
                value,
            });
        }
        let says = |c: &char| (*c != '?').then_some(*c == 'x');
        recent.run_through(says).count()
    }

    #[test]
    fn what_was_lost_on_the_way_ends_no_run() {
        for (letters, belong) in [
            ("", 0),
            ("xx", 2),
            (".xx", 2),
            ("xx.", 0),
            ("x?x", 2),
            ("xx??", 2),
            ("xx???", 0),
            ("x???xx", 2),
            ("x??x?x", 3),
            ("??", 0),
        ] {
            assert_eq!(run(letters), belong, "{letters}");
        }
    }
}
