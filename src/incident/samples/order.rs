//! The numbers of the observations of a section.
//!
//! Rows stand by series, numbers were given in the order of arrival. That order is nearly the
//! order of the rows' instants, which are known, so only what differs from it is written.

use super::bytes::{In, Out, off, on};
use super::column::{self, Effort};

/// Places of the rows by instant; equal ones stay as they are.
fn by_instant(instants: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..instants.len()).collect();
    order.sort_by_key(|row| instants[*row]);
    order
}

/// Writes the numbers of rows with these instants.
pub(super) fn put(out: &mut Out, ids: &[u64], instants: &[u64], effort: Effort) {
    let order = by_instant(instants);
    // Ranks by number; equal numbers, which nobody gives out, by instant.
    let mut ranked: Vec<usize> = (0..order.len()).collect();
    ranked.sort_by_key(|place| ids[order[*place]]);
    let mut moved = vec![0; ids.len()];
    let mut steps = Vec::with_capacity(ids.len());
    let mut before = 0u64;
    for (rank, place) in ranked.into_iter().enumerate() {
        moved[place] = off(rank as u64, place as u64);
        let id = ids[order[place]];
        steps.push(id.wrapping_sub(before));
        before = id;
    }
    let first = steps.first_mut().map_or(0, std::mem::take);
    out.number(first);
    column::put(out, &steps, effort);
    column::put(out, &moved, effort);
}

/// Reads the numbers of rows with these instants.
pub(super) fn get(read: &mut In<'_>, instants: &[u64]) -> Option<Vec<u64>> {
    let mut id = read.number()?;
    let steps = column::get(read, instants.len())?;
    let moved = column::get(read, instants.len())?;
    let mut sorted = Vec::with_capacity(steps.len());
    for step in steps {
        id = id.wrapping_add(step);
        sorted.push(id);
    }
    let mut ids = vec![0; instants.len()];
    for (place, row) in by_instant(instants).into_iter().enumerate() {
        let rank = usize::try_from(on(moved[place], place as u64)).ok()?;
        ids[row] = *sorted.get(rank)?;
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(rows in prop::collection::vec((any::<u64>(), 0u64..50), 0..60)) {
            let (ids, instants): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let mut out = Out::default();
            put(&mut out, &ids, &instants, Effort::Lasting);
            prop_assert_eq!(get(&mut In(&out.0), &instants), Some(ids));
        }
    }
}
