//! An engine for a screen that shows a record: it answers the same commands, probes nothing and
//! writes nothing.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Replay;
use crate::incident::Folder;
use crate::model::command::{Batch, Command, Notice};
use crate::model::text::SafeText;
use crate::model::travel::Travel;
use crate::sys::clock::Clock;

/// Batches and commands that may wait.
const WAITING: usize = 16;

/// The ends of a running replay.
pub struct Screen {
    /// Requests.
    pub commands: mpsc::Sender<Command>,
    /// What is shown.
    pub batches: mpsc::Receiver<Batch>,
    /// Ends after the last batch.
    pub done: JoinHandle<()>,
}

/// Starts on the current tokio runtime, at that instant.
pub fn start(folder: Folder, at: jiff::Timestamp, clock: Clock) -> Screen {
    let (commands, requests) = mpsc::channel(WAITING);
    let (batches_in, batches) = mpsc::channel(1);
    let replay = Replay::start(folder);
    replay.ask(Travel::To(at));
    let done = tokio::spawn(run(replay, requests, batches_in, clock));
    Screen {
        commands,
        batches,
        done,
    }
}

async fn run(
    mut replay: Replay,
    mut commands: mpsc::Receiver<Command>,
    batches: mpsc::Sender<Batch>,
    clock: Clock,
) {
    loop {
        let notice = tokio::select! { biased;
            command = commands.recv() => match command {
                None | Some(Command::Leave) => return,
                Some(command) => match answer(&replay, command) {
                    Some(notice) => notice,
                    None => continue,
                },
            },
            part = replay.parts.recv() => match part {
                Some(Ok(past)) => Notice::Past(Box::new(past)),
                Some(Err(why)) => Notice::NoPast(why),
                None => Notice::NoPast("the record can't be read any further".into()),
            },
        };
        let ended = matches!(notice, Notice::NoPast(_)) && replay.parts.is_closed();
        let batch = Batch {
            at: clock.now(),
            observations: Vec::new(),
            events: Vec::new(),
            verdicts: None,
            notices: vec![notice],
        };
        if batches.send(batch).await.is_err() {
            return;
        }
        if ended {
            // What is on the screen stays there until somebody leaves.
            while !matches!(commands.recv().await, None | Some(Command::Leave)) {}
            return;
        }
    }
}

fn answer(replay: &Replay, command: Command) -> Option<Notice> {
    let why = || SafeText::new("this is a replay: nothing is written into the record");
    match command {
        Command::Travel(travel) => {
            replay.ask(travel);
            None
        }
        Command::ListRunbooks => Some(Notice::Runbooks(Vec::new())),
        Command::StopRun | Command::Flows { .. } | Command::Leave => None,
        command => Some(match command.ticket() {
            Some(ticket) => Notice::NotSaved { ticket, why: why() },
            None => Notice::Failed(why()),
        }),
    }
}
