//! What the console asks for, beside probing: notes, milestones, runbooks, commands, drafts.

use crate::model::command::{Command, Notice};
use crate::model::event::{Event, EventKind};
use crate::model::finding::Code;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::model::window::Window;

/// The desk.
#[derive(Default)]
pub struct Desk;

impl Desk {
    pub fn new() -> Self {
        Self
    }
    pub async fn take(&mut self, _c: Command, _w: &Window) {}
    pub async fn work(&mut self) {
        std::future::pending().await
    }
    pub fn record(&mut self, _k: EventKind) {}
    pub fn runbooks_for(&self, _c: &Code) -> Vec<SafeText> {
        Vec::new()
    }
    pub fn has_news(&self) -> bool {
        false
    }
    pub fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }
    pub fn events(&mut self) -> Vec<Event> {
        Vec::new()
    }
    pub async fn leave(&mut self, _w: &Window, _n: Stamp) -> Vec<Notice> {
        Vec::new()
    }
}
