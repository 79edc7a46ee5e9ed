//! A tiny console and a tiny engine, to prove the terminal half by itself. The test binary runs
//! itself again in a pseudo-terminal with `WARROOM_TEST_SCREEN` set, and becomes this.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use tokio::sync::mpsc;
use warroom::console::state::key::Key;
use warroom::console::state::message::Message;
use warroom::console::terminal::{self, Console, Facts, Link, Options, Terminal};
use warroom::model::command::{Batch, Command};
use warroom::sys::clock::Clock;

/// Variable that holds the folder to report to.
pub const FOLDER: &str = "WARROOM_TEST_SCREEN";
/// Variable that holds words: what to do differently.
pub const WORDS: &str = "WARROOM_TEST_WORDS";

/// Becomes the test program, if this process is meant to be it.
pub fn become_it_if_asked() {
    let Some(dir) = std::env::var_os(FOLDER) else {
        return;
    };
    let words = std::env::var(WORDS).unwrap_or_default();
    let code = program(Path::new(&dir), &words);
    std::process::exit(code);
}

fn program(dir: &Path, words: &str) -> i32 {
    let has = |word: &str| words.split(' ').any(|w| w == word);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let terminal = match Terminal::open(Facts::from_env()) {
        Ok(terminal) => terminal,
        Err(error) => {
            report(dir, "error", &error.to_string());
            return 2;
        }
    };
    let (commands, asked) = mpsc::channel(16);
    let (tell, batches) = mpsc::channel(16);
    let clock = Clock::start();
    runtime.spawn(engine(clock, asked, tell, dir.to_owned(), words.to_owned()));
    let screen = TestScreen {
        dir: dir.to_owned(),
        flood: has("flood"),
        idle: has("idle"),
        size: (0, 0),
        last: "none".into(),
        beats: 0,
        draws: std::cell::Cell::new(0),
        dirty: true,
        leaving: false,
        panic_draw: false,
    };
    let link = Link { commands, batches };
    let end = runtime.block_on(terminal::run(screen, link, terminal, Options::new(clock)));
    let kept = terminal::kept_panics();
    report(dir, "kept", &format!("{kept:?}"));
    runtime.shutdown_background();
    match end {
        Ok(exit) => {
            report(dir, "exit", &format!("{exit:?}"));
            exit.code().into()
        }
        Err(error) => {
            report(dir, "error", &error.to_string());
            1
        }
    }
}

fn report(dir: &Path, name: &str, text: &str) {
    let _ = std::fs::write(dir.join(name), text);
}

async fn engine(
    clock: Clock,
    mut asked: mpsc::Receiver<Command>,
    tell: mpsc::Sender<Batch>,
    dir: PathBuf,
    words: String,
) {
    let has = |word: &str| words.split(' ').any(|w| w == word);
    let pace = if has("idle") { 60_000 } else { 5 };
    let pace = Duration::from_millis(pace);
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + pace, pace);
    let mut beats = 0u64;
    let mut ended = false;
    loop {
        tokio::select! {
            command = asked.recv() => match command {
                Some(Command::Leave) if has("deaf") => ended = true,
                Some(Command::Leave) | None => break,
                Some(_) => {}
            },
            _ = beat.tick(), if !ended => {
                beats += 1;
                if beats == 20 && has("panics") {
                    tokio::spawn(async { panic!("a probe\x1b[31m failed") });
                }
                let batch = Batch {
                    at: clock.now(),
                    observations: Vec::new(),
                    events: Vec::new(),
                    verdicts: None,
                    notices: Vec::new(),
                };
                // Full: the next beat is as good as this one.
                let _ = tell.try_send(batch);
            }
        }
    }
    report(&dir, "flushed", "yes");
}

struct TestScreen {
    dir: PathBuf,
    flood: bool,
    idle: bool,
    size: (u16, u16),
    last: String,
    beats: u64,
    draws: std::cell::Cell<u64>,
    dirty: bool,
    leaving: bool,
    panic_draw: bool,
}

impl TestScreen {
    fn count(&self, name: &str) {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join(name));
        let _ = file.and_then(|mut f: File| f.write_all(b"."));
    }

    fn key(&mut self, key: Key) {
        match key {
            Key::Char('q') => self.leaving = true,
            Key::Char('P') => panic!("update went wrong"),
            Key::Char('D') => self.panic_draw = true,
            Key::Char('S') => loop {
                std::thread::park();
            },
            key => self.last = format!("{key:?}"),
        }
    }
}

impl Console for TestScreen {
    fn update(&mut self, message: Message) -> Vec<Command> {
        self.dirty = true;
        match message {
            Message::Key(key) => self.key(key),
            Message::Paste(text) => self.last = format!("paste {text:?}"),
            Message::Resize { cols, rows } => self.size = (cols, rows),
            Message::Batch(_) => {
                self.beats += 1;
                self.count("beats");
            }
            Message::Tick(_) => {
                self.count("ticks");
                self.dirty = !self.idle;
            }
        }
        if self.leaving {
            vec![Command::Leave]
        } else {
            Vec::new()
        }
    }
    fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
    fn leaving(&self) -> bool {
        self.leaving
    }
    fn draw(&self, frame: &mut Frame<'_>) {
        assert!(!self.panic_draw, "draw went wrong");
        self.count("draws");
        self.draws.set(self.draws.get() + 1);
        let area = frame.area();
        if self.flood {
            let letter = char::from(b'a' + (self.draws.get() % 26) as u8);
            let style = Style::new().fg(Color::Indexed((self.draws.get() % 256) as u8));
            for y in 0..area.height {
                let line = letter.to_string().repeat(area.width.into());
                frame.buffer_mut().set_string(0, y, line, style);
            }
        }
        let (cols, rows) = self.size;
        let lines = [
            format!("size {cols}x{rows} area {}x{} ", area.width, area.height),
            format!("last {} ", self.last),
            format!("beats {} ", self.beats),
            "─ ▲ loud ".into(),
        ];
        for (y, line) in (0u16..).zip(lines) {
            let row = Rect::new(0, y, area.width, 1).intersection(area);
            if !row.is_empty() {
                let loud = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
                let style = if y == 3 { loud } else { Style::new() };
                frame
                    .buffer_mut()
                    .set_stringn(0, y, line, row.width.into(), style);
            }
        }
        if area.width > 5 && area.height > 5 {
            frame.set_cursor_position((5, 5));
        }
    }
}
