//! What one user of a shared socket gets besides the answers it waits for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Answer;

/// Answers kept until somebody asks; beyond it the oldest are dropped.
const MOST: usize = 256;

/// Late answers, duplicates, and what could not be told apart.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    late: VecDeque<(u32, Answer)>,
    duplicates: VecDeque<(u32, Answer)>,
    unattributed: u32,
}

impl Inbox {
    pub(super) fn late(&self, tag: u32, answer: Answer) {
        push(&mut self.lock().late, tag, answer);
    }

    pub(super) fn duplicate(&self, tag: u32, answer: Answer) {
        push(&mut self.lock().duplicates, tag, answer);
    }

    pub(super) fn unattributed(&self) {
        let mut inner = self.lock();
        inner.unattributed = inner.unattributed.saturating_add(1);
    }

    pub(super) fn take_late(&self) -> Vec<(u32, Answer)> {
        self.lock().late.drain(..).collect()
    }

    pub(super) fn take_duplicates(&self) -> Vec<(u32, Answer)> {
        self.lock().duplicates.drain(..).collect()
    }

    pub(super) fn take_unattributed(&self) -> u32 {
        std::mem::take(&mut self.lock().unattributed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whole between any two statements; a panic elsewhere is no reason to stop probing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(queue: &mut VecDeque<(u32, Answer)>, tag: u32, answer: Answer) {
    if queue.len() >= MOST {
        queue.pop_front();
    }
    queue.push_back((tag, answer));
}
