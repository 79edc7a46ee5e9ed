//! The seam to the engine: two bounded queues. The terminal knows nothing else of it.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::model::command::{Batch, Command, Notice};
use crate::model::text::SafeText;

/// Requests that wait here when the engine's queue is full.
const WAITING: usize = 64;

/// Both ends that the console holds.
///
/// The engine reads commands until [`Command::Leave`], then writes what it still has and drops
/// its sender of batches: that is how the console knows that everything is on disk. A sender
/// that is dropped earlier means that the engine failed.
#[derive(Debug)]
pub struct Link {
    /// What the console asks. When it is full, requests wait in the console.
    pub commands: mpsc::Sender<Command>,
    /// What the engine tells. When it is full, the engine keeps and merges what is new.
    pub batches: mpsc::Receiver<Batch>,
}

/// Requests on their way to the engine, in order.
#[derive(Debug)]
pub(super) struct Outbox {
    commands: mpsc::Sender<Command>,
    waiting: VecDeque<Command>,
    left: bool,
}

impl Outbox {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self {
            commands,
            waiting: VecDeque::new(),
            left: false,
        }
    }

    /// Takes a request. When [`WAITING`] of them wait already it is refused, and the answer says
    /// so to the person; stopping a command and leaving are never refused.
    pub(super) fn push(&mut self, command: Command) -> Option<Notice> {
        match command {
            Command::Leave => self.leave(),
            Command::StopRun if self.waiting.contains(&Command::StopRun) => {}
            Command::StopRun => self.waiting.push_back(command),
            command if self.waiting.len() >= WAITING => return Some(refusal(&command)),
            command => self.waiting.push_back(command),
        }
        self.send();
        None
    }

    /// Asks the engine to finish, once.
    pub(super) fn leave(&mut self) {
        if !self.left {
            self.left = true;
            self.waiting.push_back(Command::Leave);
        }
        self.send();
    }

    /// Sends what the engine's queue takes now.
    pub(super) fn send(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            match self.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.waiting.push_front(command);
                    return;
                }
                // No engine any more; the closed queue of batches says so to the loop.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for room in the engine's queue and uses it. May be dropped at any time.
    pub(super) async fn sent(&mut self) {
        match self.commands.reserve().await {
            Ok(permit) => {
                if let Some(command) = self.waiting.pop_front() {
                    permit.send(command);
                }
            }
            Err(_) => self.waiting.clear(),
        }
    }
}

fn refusal(command: &Command) -> Notice {
    let why = SafeText::new(format!(
        "the recorder is busy: {WAITING} requests wait already; try again in a moment"
    ));
    match command.ticket() {
        Some(ticket) => Notice::NotSaved { ticket, why },
        None => Notice::Failed(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::command::Ticket;

    #[test]
    fn order_is_kept_and_the_one_too_many_is_told() {
        let (commands, mut engine) = mpsc::channel(2);
        let mut outbox = Outbox::new(commands);
        let severity = |n: u64| Command::Severity {
            ticket: Ticket(n),
            level: 1,
        };
        let fit = 2 + WAITING as u64;
        for n in 0..fit {
            assert_eq!(outbox.push(severity(n)), None);
        }
        let Some(Notice::NotSaved { ticket, .. }) = outbox.push(severity(fit)) else {
            panic!("must be refused");
        };
        assert_eq!(ticket, Ticket(fit));
        assert_eq!(outbox.push(Command::StopRun), None);
        assert_eq!(outbox.push(Command::StopRun), None);
        outbox.leave();
        outbox.leave();
        let mut got = Vec::new();
        while let Ok(command) = engine.try_recv() {
            got.push(command);
            outbox.send();
        }
        let mut expected: Vec<_> = (0..fit).map(severity).collect();
        expected.extend([Command::StopRun, Command::Leave]);
        assert_eq!(got, expected);
    }

    #[test]
    fn without_an_engine_nothing_piles_up() {
        let (commands, engine) = mpsc::channel(1);
        drop(engine);
        let mut outbox = Outbox::new(commands);
        assert_eq!(outbox.push(Command::ListRunbooks), None);
        assert!(!outbox.is_waiting());
    }
}
