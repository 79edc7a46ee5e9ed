//! Things that repeat, by number.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers things from 0 in the order in which they are first seen.
#[derive(Debug)]
pub(super) struct Table<T> {
    all: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    pub(super) fn number(&mut self, thing: &T) -> u32 {
        if let Some(n) = self.places.get(thing) {
            return *n;
        }
        let n = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(thing.clone());
        self.places.insert(thing.clone(), n);
        n
    }

    /// Forgets everything, and gives the room back if it was much.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<T> Table<T> {
    pub(super) fn get(&self, n: u32) -> Option<&T> {
        self.all.get(n as usize)
    }
}

/// New numbers for the few of a table that are used, in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) old: Vec<u32>,
    new: HashMap<u32, u32>,
}

impl Used {
    pub(super) fn number(&mut self, old: u32) -> u32 {
        *self.new.entry(old).or_insert_with(|| {
            self.old.push(old);
            (self.old.len() - 1) as u32
        })
    }
}
