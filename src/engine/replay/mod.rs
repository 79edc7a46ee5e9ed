//! Instants that are over, read from an incident's folder: the same observations, events and
//! verdicts that the screen was fed with then.
//!
//! Reading blocks, so it has a thread of its own. It is asked with [`Travel`] and answers with
//! [`Past`], in parts of bounded size. Nothing is judged here and nothing is written.

mod archive;
mod reader;
pub mod screen;

use std::sync::mpsc as requests;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::incident::Folder;
use crate::model::travel::{Past, Travel};

pub use archive::Archive;

/// Parts that wait for whoever shows them.
const PARTS: usize = 2;
/// How often it goes on while it plays.
const TICK: Duration = Duration::from_millis(200);

/// A thread that reads the past of one incident.
#[derive(Debug)]
pub struct Replay {
    requests: requests::Sender<Travel>,
    /// What it read.
    pub parts: mpsc::Receiver<Answer>,
}

/// A part, or why there is none.
pub type Answer = Result<Past, crate::model::text::SafeText>;

impl Replay {
    /// Starts to read; nothing is read before something is asked.
    pub fn start(folder: Folder) -> Self {
        let (requests, asked) = requests::channel();
        let (parts_in, parts) = mpsc::channel(PARTS);
        let spawned = std::thread::Builder::new()
            .name("replay".into())
            .spawn(move || run(&folder, &asked, &parts_in));
        // Without a thread the queue of parts ends, and whoever asks is told.
        drop(spawned);
        Self { requests, parts }
    }

    /// Asks; false if the reader has ended.
    pub fn ask(&self, travel: Travel) -> bool {
        self.requests.send(travel).is_ok()
    }
}

fn run(folder: &Folder, asked: &requests::Receiver<Travel>, parts: &mpsc::Sender<Answer>) {
    let mut archive = Archive::new(folder);
    let mut last = Instant::now();
    loop {
        let request = match archive.speed() {
            0 => match asked.recv() {
                Ok(travel) => Some(travel),
                Err(_) => return,
            },
            _ => match asked.recv_timeout(TICK) {
                Ok(travel) => Some(travel),
                Err(requests::RecvTimeoutError::Timeout) => None,
                Err(requests::RecvTimeoutError::Disconnected) => return,
            },
        };
        // Of several requests to go somewhere only the last one counts.
        let mut request = request;
        while let Some(Travel::To(_)) = request {
            match asked.try_recv() {
                Ok(next) => request = Some(next),
                Err(_) => break,
            }
        }
        let passed = last.elapsed();
        last = Instant::now();
        let mut give = |part: Answer| parts.blocking_send(part).is_ok();
        let listened = match request {
            Some(Travel::Leave) => return,
            Some(travel) => archive.travel(travel, &mut give),
            None => archive.play(passed, &mut give),
        };
        if !listened {
            return;
        }
    }
}
