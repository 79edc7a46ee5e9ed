//! The postmortem draft: written from what is on disk, so what was handed to the recorder before
//! it was asked for has to be there first. One at a time, on a thread of its own.

use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::model::command::Ticket;
use crate::model::text::SafeText;

/// The ticket of the last figures before a draft; the console never sets this bit, a command's
/// intent never both.
const FIGURES: Ticket = Ticket(1 << 63 | 1 << 62);

/// The draft that is being made.
#[derive(Default)]
pub struct Draft {
    asked: Option<Ticket>,
    writing: Option<JoinHandle<Result<PathBuf, String>>>,
}

/// What became of it: whose it was, and the file or why there is none.
pub type Made = (Ticket, Result<SafeText, SafeText>);

impl Draft {
    /// Somebody asked for one. The ticket that the last entry before it must carry; `None` while
    /// another draft is made.
    pub fn ask(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.asked.is_some() {
            return None;
        }
        self.asked = Some(ticket);
        Some(FIGURES)
    }

    /// Whether an answered ticket is the one that a draft waits for.
    pub fn waits_for(&self, ticket: Ticket) -> bool {
        ticket == FIGURES
    }

    /// Begins to write, once; what is on disk by now is in it.
    pub fn begin(&mut self, folder: Option<PathBuf>) {
        if self.asked.is_none() || self.writing.is_some() {
            return;
        }
        self.writing = Some(tokio::task::spawn_blocking(move || match folder {
            Some(folder) => export_to(&folder),
            None => Err(
                "there is no incident folder to write the draft to; see the header for why".into(),
            ),
        }));
    }

    /// Waits until the draft is there; for ever while none is being written. May be dropped at
    /// any await without losing anything.
    pub async fn made(&mut self) -> Made {
        let Some(task) = &mut self.writing else {
            return std::future::pending().await;
        };
        let done = task.await;
        self.writing = None;
        let path = done.unwrap_or_else(|e| Err(format!("the draft could not be made: {e}")));
        let path = path.map(|p| SafeText::new(p.display().to_string()));
        let ticket = self.asked.take().unwrap_or(FIGURES);
        (ticket, path.map_err(SafeText::new))
    }

    /// Whether one was asked for that is not there yet.
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }
}

fn export_to(folder: &Path) -> Result<PathBuf, String> {
    let folder = crate::incident::Folder::existing(folder).map_err(|e| e.to_string())?;
    let text = crate::export::draft(&folder).map_err(|e| e.to_string())?;
    crate::export::write(&folder.path, &text).map_err(|e| e.to_string())
}
