//! What all of these tests use: a folder, a record, a recorder driven by hand.

pub use std::collections::BTreeSet;
pub use std::fs;
pub use std::io::{BufRead, BufReader, Write};
pub use std::os::unix::fs::PermissionsExt;
pub use std::path::{Path, PathBuf};
pub use std::process::{Command, Stdio};
pub use std::time::{Duration, Instant};

pub use jiff::{SignedDuration, Timestamp};
pub use warroom::engine::recorder::{Leave, News, Place, Recorder, RecorderHandle, Who};
pub use warroom::incident::samples::Limits;
pub use warroom::incident::{
    Chain, Folder, Follower, Record, Store, Writer, new_key, read, read_evidence, sha256_hex,
    verify, writer_id,
};
pub use warroom::model::command::{Entry, Notice, Ticket};
pub use warroom::model::event::{Basis, Event, EventKind, Milestone, NoteKind};
pub use warroom::model::incident::Incident;
pub use warroom::model::secret::Secret;
pub use warroom::model::target::TargetId;
pub use warroom::model::text::SafeText;
pub use warroom::redact::{Redacted, Redactor, Secrets};
pub use warroom::sys::clock::Clock;

/// Where a child of these tests is to write.
pub const CHILD: &str = "WARROOM_TEST_CHILD";

pub fn redactor() -> Redactor {
    Redactor::new(new_key(), Secrets::new())
}

pub fn who(user: &str) -> Who {
    Who {
        title: Some("api slow".into()),
        user: user.into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: "none".into(),
        targets: Vec::new(),
    }
}

pub fn joined(user: &str) -> Redacted<EventKind> {
    redactor().event(EventKind::Joined {
        title: Some("api slow".into()),
        user: user.into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: "none".into(),
        targets: Vec::new(),
        heads: Vec::new(),
    })
}

pub fn note(text: &str) -> EventKind {
    EventKind::Note {
        note: NoteKind::Note,
        text: text.into(),
    }
}

pub fn record(seq: u64, kind: EventKind) -> Record {
    Record {
        seq,
        at: Clock::start().now(),
        happened: None,
        kind: redactor().event(kind),
    }
}

pub fn store_in(dir: &Path) -> Store {
    Store {
        root: dir.join("incidents"),
    }
}

pub fn new_folder(dir: &Path) -> Folder {
    let title = redactor().text(&"API slow".into());
    let now: Timestamp = "2026-11-22T14:03:00Z".parse().unwrap();
    store_in(dir).create(&title, now, &new_key()).unwrap()
}

pub fn join(folder: &Folder, user: &str) -> Writer {
    let id = writer_id(&user.into(), &"jump1".into());
    Writer::join(folder, id, Clock::start().now(), &joined(user)).unwrap()
}

pub fn texts(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::Note { text, .. } => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

/// Waits for something to become true; the deadline is far beyond what it takes.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A small, deterministic source of odd numbers.
pub fn dice(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

pub fn limits() -> Limits {
    Limits {
        size: 1 << 30,
        age: i64::MAX,
    }
}

pub struct Rig {
    pub handle: RecorderHandle,
    pub news: tokio::sync::mpsc::Receiver<News>,
    pub events: Vec<Event>,
    pub notices: Vec<Notice>,
    pub tickets: u64,
}

impl Rig {
    pub fn start(place: Place, user: &str) -> Self {
        Self::with(place, who(user), Secrets::new())
    }

    pub fn with(place: Place, who: Who, secrets: Secrets) -> Self {
        let (handle, news) = Recorder::start(place, Clock::start(), secrets, who, Some(limits()));
        Self {
            handle,
            news,
            events: Vec::new(),
            notices: Vec::new(),
            tickets: 0,
        }
    }

    pub fn drain(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Events(events) => self.events.extend(events),
                News::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    pub fn note(&mut self, text: &str) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let entry = Entry {
            kind: note(text),
            happened: None,
            ticket: Some(ticket),
        };
        self.handle.record(entry).unwrap();
        ticket
    }

    pub fn until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        eventually(what, || {
            self.drain();
            look(self)
        })
    }

    /// The answer to a ticket: `None` is saved, else why not.
    pub fn answer(&mut self, ticket: Ticket) -> Option<String> {
        self.until("an answer", |rig| {
            rig.notices.iter().rev().find_map(|n| match n {
                Notice::Saved { ticket: t, .. } if *t == ticket => Some(None),
                Notice::NotSaved { ticket: t, why } if *t == ticket => Some(Some(why.to_string())),
                _ => None,
            })
        })
    }

    pub fn saved(&mut self, ticket: Ticket) {
        self.until("saved", |rig| {
            let hit = |n: &Notice| matches!(n, Notice::Saved { ticket: t, .. } if *t == ticket);
            rig.notices.iter().any(hit).then_some(())
        });
    }

    pub fn trouble(&mut self) -> String {
        self.until("trouble", |rig| rig.last_state().flatten())
    }

    pub fn recording(&mut self) {
        self.until("recording", |rig| {
            (rig.last_state() == Some(None)).then_some(())
        });
    }

    pub fn last_state(&self) -> Option<Option<String>> {
        self.notices.iter().rev().find_map(|n| match n {
            Notice::Recorder { trouble, .. } => Some(trouble.as_ref().map(|t| t.to_string())),
            _ => None,
        })
    }

    pub fn folder(&self) -> Folder {
        Folder::existing(&self.handle.folder().unwrap()).unwrap()
    }

    pub fn leave(self) -> Leave {
        self.handle.flush_and_stop(Duration::from_secs(5))
    }
}

/// A store below a file: it can't be made until the file is removed.
pub fn blocked(dir: &Path) -> (Store, PathBuf) {
    let file = dir.join("state");
    fs::write(&file, "a file where a folder should be").unwrap();
    let root = file.join("incidents");
    (Store { root }, file)
}
