//! The recorder: the one writer of this session's part of the incident.
//!
//! It runs on a thread of its own, so that a slow disk never holds up a probe or the screen.
//! Entries are stamped when they are handed in, masked, written and synced (what a person made
//! at once, the machine's own within 200 ms); then the folder is followed, and what was read
//! back, others' events included, goes to the engine. A ticket is answered `Saved` only after
//! its bytes and its folder entry are durable.
//!
//! In trouble (disk full, read-only, folder gone, no folder at all) entries wait in memory and
//! every second it tries again. People's entries are never dropped; the machine's are thinned,
//! and a gap says so. What waits is shown: it goes to the engine as an event that is not saved
//! yet ([`crate::model::event::Event::is_saved`]), and once more when it is.

mod queue;
mod sampler;
mod worker;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc as news_queue;

use crate::incident::samples::Limits;
use crate::incident::{Folder, Store};
use crate::model::command::Verdicts;
use crate::model::command::{Entry, Notice};
use crate::model::event::Event;
use crate::model::observation::Observation;
use crate::model::origin::Origin;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::redact::Secrets;
use crate::sys::clock::Clock;

use queue::Queue;

/// Most pieces of news that wait for the engine. When it is full the recorder stops following
/// (the folder keeps the events) and holds notices back; nothing is lost.
const NEWS: usize = 256;

/// Who joins the incident, for the first line of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Who {
    /// Title, if this session opens the incident.
    pub title: Option<SafeText>,
    /// Login name.
    pub user: SafeText,
    /// Host name.
    pub host: SafeText,
    /// Program version.
    pub version: SafeText,
    /// What the process may do ("no raw sockets").
    pub privileges: SafeText,
    /// Targets of this session.
    pub targets: Vec<TargetId>,
}

/// Where to record.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A new incident in that store, titled as [`Who::title`] says. If its folder can't be made,
    /// recording goes on in memory and it is tried again every second.
    New(Store),
    /// A further session of an incident that is there.
    Existing(Folder),
    /// No folder is known ([`Store::place`] failed): in memory only, to the end.
    Nowhere,
}

/// What is kept beside the events, so that any instant can be looked at again.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // nearly all of them are the large one
pub enum Sample {
    /// A fact.
    Seen(Observation),
    /// Verdicts as they stand.
    Judged(Stamp, Box<Verdicts>),
    /// Who addresses belong to, as it became known.
    Owners(Stamp, Vec<(IpAddr, Origin)>),
}

/// What the recorder has for the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Events read back from disk, in the order of the timeline among themselves; or events that
    /// wait in memory, not saved.
    Events(Vec<Event>),
    /// [`Notice::Saved`], [`Notice::NotSaved`], [`Notice::Recorder`], [`Notice::Info`].
    Notice(Notice),
}

/// How a recorder ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leave {
    /// The incident, if it has a folder and was kept.
    pub folder: Option<Folder>,
    /// One sentence for the terminal after leaving.
    pub said: SafeText,
    /// What people entered that could not be saved, for the terminal as a last resort.
    pub unsaved: Vec<SafeText>,
}

/// Starts recorders.
#[derive(Debug)]
pub struct Recorder;

impl Recorder {
    /// Starts to record; `samples` says how long they are kept, none are without it. Never fails and never blocks: trouble comes as [`Notice::Recorder`]. The
    /// first news is either the incident's events so far, or the trouble.
    pub fn start(
        place: Place,
        clock: Clock,
        secrets: Secrets,
        who: Who,
        samples: Option<Limits>,
    ) -> (RecorderHandle, news_queue::Receiver<News>) {
        let (news, receiver) = news_queue::channel(NEWS);
        let (ended, end) = mpsc::sync_channel(1);
        let queue = Arc::new(Queue::new(clock));
        let worker = worker::Worker::new(
            place,
            clock,
            secrets,
            who,
            samples,
            Arc::clone(&queue),
            news,
        );
        let spawned = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                let leave = worker.run();
                // The handle may be gone; then nobody asks.
                let _ = ended.send(leave);
            });
        if let Err(e) = spawned {
            queue.close(format!("the recorder's thread could not be started: {e}"));
        }
        let handle = RecorderHandle {
            queue,
            end: Some(end),
            keeps_samples: samples.is_some(),
        };
        (handle, receiver)
    }
}

/// Hands entries to a recorder. Dropping it stops the recorder after at most two seconds.
#[derive(Debug)]
pub struct RecorderHandle {
    queue: Arc<Queue>,
    end: Option<mpsc::Receiver<Leave>>,
    keeps_samples: bool,
}

impl RecorderHandle {
    /// Hands an entry in; it is stamped now. Never blocks. A person's entry is always taken (it
    /// waits in memory as long as the disk does not take it); of the machine's entries the queue
    /// holds a bounded number: a newer state, figure or change of the same finding replaces the
    /// one that waits, and what is dropped beyond that becomes a gap on the timeline.
    ///
    /// # Errors
    /// Gives the entry back if the recorder has ended: tell whoever made it.
    pub fn record(&self, entry: Entry) -> Result<(), Box<Entry>> {
        self.queue.push(entry)
    }

    /// Whether samples are kept.
    pub fn keeps_samples(&self) -> bool {
        self.keeps_samples
    }

    /// Hands samples in. Never blocks: what a slow disk leaves no room for is lost, and a gap among
    /// the samples says so.
    pub fn samples(&self, samples: impl ExactSizeIterator<Item = Sample>) {
        if self.keeps_samples {
            self.queue.push_samples(samples);
        }
    }

    /// Something that hands entries in from elsewhere.
    pub fn sender(&self) -> EntrySender {
        EntrySender(Arc::clone(&self.queue))
    }

    /// The incident's folder, once there is one.
    pub fn folder(&self) -> Option<PathBuf> {
        self.queue.folder()
    }

    /// Writes what waits, then `left`, and ends. An incident that nobody would miss is removed
    /// again. What can't be saved until the deadline is handed back in the answer. Blocks up to
    /// the deadline and a little; not for an async task.
    pub fn flush_and_stop(mut self, deadline: Duration) -> Leave {
        self.stop(deadline)
    }

    fn stop(&mut self, deadline: Duration) -> Leave {
        let Some(end) = self.end.take() else {
            return Leave::default();
        };
        self.queue.stop(deadline);
        // A disk that hangs in a system call can't be waited for.
        end.recv_timeout(deadline + Duration::from_millis(500))
            .unwrap_or_else(|_| {
                let unsaved = self.queue.take_back();
                Leave {
                    folder: None,
                    said: SafeText::new(format!(
                        "the disk did not answer in time; NOT SAVED: {} entries",
                        unsaved.len()
                    )),
                    unsaved,
                }
            })
    }
}

impl Drop for RecorderHandle {
    fn drop(&mut self) {
        if self.end.is_some() {
            self.stop(Duration::from_secs(2));
        }
    }
}

/// Hands entries in; see [`RecorderHandle::record`].
#[derive(Clone, Debug)]
pub struct EntrySender(Arc<Queue>);

impl EntrySender {
    /// See [`RecorderHandle::record`].
    pub fn record(&self, entry: Entry) -> Result<(), Box<Entry>> {
        self.0.push(entry)
    }
}
