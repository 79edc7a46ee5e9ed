//! Moving: selections, scrolling, targets.

use super::app::{App, Pick};
use super::key::Key;
use super::layer::Layer;
use super::screen::Screen;
use super::sheet::chart::SPANS;
use super::{facts, pane, sheet};
use crate::model::event::Milestone;

/// A movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One down.
    Down,
    /// One up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
}

impl Motion {
    /// Where it leads from `at`, with `last` the last place there is.
    pub fn from(self, at: usize, last: usize, page: usize) -> usize {
        let at = at.min(last);
        let page = page.max(1);
        match self {
            Motion::Down => at.saturating_add(1).min(last),
            Motion::Up => at.saturating_sub(1),
            Motion::PageDown => at.saturating_add(page).min(last),
            Motion::PageUp => at.saturating_sub(page),
            Motion::Top => 0,
            Motion::Bottom => last,
        }
    }

    /// Of keys that are no text.
    pub const fn of(key: Key) -> Option<Motion> {
        match key {
            Key::Down => Some(Motion::Down),
            Key::Up => Some(Motion::Up),
            Key::PageDown => Some(Motion::PageDown),
            Key::PageUp => Some(Motion::PageUp),
            _ => None,
        }
    }

    const fn pages(self) -> bool {
        matches!(self, Motion::PageDown | Motion::PageUp)
    }
}

impl App {
    pub(super) fn moved(&mut self, motion: Motion) {
        if self.layers.is_empty() {
            self.moved_on_screen(motion);
        } else {
            self.moved_in_layer(motion);
        }
    }

    fn moved_in_layer(&mut self, motion: Motion) {
        let last = sheet::last_scroll(self);
        let page = self.room().body.saturating_sub(3);
        match self.layers.last_mut() {
            Some(Layer::Milestones { at }) => {
                *at = motion.from(*at, Milestone::ALL.len() - 1, page);
            }
            Some(Layer::Severity { at }) => *at = motion.from(*at, 4, page),
            Some(
                Layer::Help { scroll }
                | Layer::Finding { scroll, .. }
                | Layer::Event { scroll, .. },
            ) => *scroll = motion.from(*scroll, last, page),
            Some(Layer::ConfirmRun(c)) => c.scroll = motion.from(c.scroll, last, page),
            Some(Layer::Output { back }) => {
                // Counted from the end, which new output keeps in sight.
                let from_top = motion.from(last - (*back).min(last), last, page);
                *back = last - from_top;
            }
            _ => {}
        }
    }

    fn moved_on_screen(&mut self, motion: Motion) {
        let room = self.room();
        let page = room.body.saturating_sub(2);
        match self.screen {
            Screen::Overview => {
                let mut items = pane::overview::items(self);
                let here = items.iter().position(|i| *i == self.pick).unwrap_or(0);
                let to = motion.from(here, items.len().saturating_sub(1), page);
                if to < items.len() {
                    self.pick = items.swap_remove(to);
                }
                if to < self.window.order.len() {
                    self.target = to;
                }
            }
            Screen::Timeline => {
                let (at, last) = pane::timeline::place(self);
                let to = motion.from(at, last, page);
                // At the end it follows what comes.
                self.event = pane::timeline::id_at(self, to).filter(|_| to != last);
            }
            Screen::Runbook => self.moved_in_runbook(motion),
            screen => {
                let lines = pane::whole(self, room.cols).len();
                let last = lines.saturating_sub(room.body);
                let cursor = &mut self.cursors[screen.index()];
                cursor.scroll = motion.from(cursor.scroll, last, page);
            }
        }
    }

    fn moved_in_runbook(&mut self, motion: Motion) {
        if self.runbooks.shows_list() {
            let count = self.runbooks.list.as_ref().map_or(0, Vec::len);
            let last = count.saturating_sub(1);
            self.runbooks.picked = motion.from(self.runbooks.picked, last, 10);
            return;
        }
        if motion.pages() {
            let (lines, rows) = pane::runbook::step_size(self);
            let last = lines.saturating_sub(rows);
            let page = rows.saturating_sub(1);
            self.runbooks.scroll = motion.from(self.runbooks.scroll, last, page);
            return;
        }
        let count = self.runbooks.open.as_ref().map_or(0, |r| r.steps.len());
        let step = motion.from(self.runbooks.step, count.saturating_sub(1), 1);
        if step != self.runbooks.step {
            self.runbooks.step = step;
            self.runbooks.fence = 0;
            self.runbooks.scroll = 0;
        }
    }

    /// Left and right: the target, or the command of a step.
    pub(super) fn aside(&mut self, by: isize) {
        let hops = usize::from(self.last_hop());
        if let Some(Layer::Chart { hop, .. }) = self.layers.last_mut() {
            // The target itself, then its hops outward.
            let at = around(hop.map_or(0, usize::from), hops + 1, by);
            *hop = u8::try_from(at).ok().filter(|at| *at > 0);
            return;
        }
        if self.screen == Screen::Runbook {
            if self.choose_aside(by) {
                return;
            }
            let count = self.runbooks.fences().len();
            self.runbooks.fence = around(self.runbooks.fence, count, by);
            return;
        }
        self.target = around(self.target, self.window.order.len(), by);
        if let Some(id) = self.current_id().cloned() {
            self.pick = Pick::Target(id);
        }
        for screen in Screen::ALL.into_iter().filter(|s| s.of_target()) {
            self.cursors[screen.index()].scroll = 0;
        }
    }
}

impl App {
    /// The last hop that has a row of its own.
    pub(super) fn last_hop(&self) -> u8 {
        let path = self.current().and_then(|t| t.best_path());
        path.and_then(|(_, p)| p.reached_ttl().or_else(|| facts::last_router(p)))
            .unwrap_or(0)
    }

    /// Charts the target in sight.
    pub(super) fn chart(&mut self) {
        if let Some(id) = self.target_in_sight() {
            self.select_target(&id);
        }
        self.layers.push(Layer::Chart { hop: None, zoom: 1 });
    }

    /// A longer or a shorter time.
    pub(super) fn zoom(&mut self, by: isize) {
        if let Some(Layer::Chart { zoom, .. }) = self.layers.last_mut() {
            *zoom = zoom.saturating_add_signed(by).min(SPANS.len());
        }
    }
}

fn around(at: usize, count: usize, by: isize) -> usize {
    if count == 0 {
        return 0;
    }
    (at.min(count - 1) as isize + by).rem_euclid(count as isize) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motions_stay_inside() {
        let all = [
            Motion::Down,
            Motion::Up,
            Motion::PageDown,
            Motion::PageUp,
            Motion::Top,
            Motion::Bottom,
        ];
        for m in all {
            for last in [0, 1, 7] {
                for at in [0, 3, 99] {
                    assert!(m.from(at, last, 5) <= last);
                }
            }
        }
        assert_eq!(Motion::PageDown.from(1, 7, 5), 6);
        assert_eq!(around(0, 3, -1), 2);
        assert_eq!(around(5, 0, 1), 0);
    }
}
