//! The loop: signals first, then everything that waits, then a frame if one is due.
//!
//! It never waits for the terminal: a frame is drawn only when it can be written. Every way to
//! end (leaving, a signal, a hang-up, a panic) goes through [`run`]'s end, in this order: the
//! engine is asked to finish, the screen is given back, the engine is waited for.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Frame;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::decoder::Typed;
use super::hangup::Watch;
use super::hook::{self, Guarded};
use super::link::{Link, Outbox};
use super::owner::Owner;
use super::{Exit, Terminal, TerminalError};
use crate::console::state::key::Key;
use crate::console::state::message::Message;
use crate::model::command::{Batch, Command, Notice};
use crate::sys::clock::Clock;
use crate::sys::tty;

/// Shortest time between two frames that answer a key.
const FRAME: Duration = Duration::from_millis(33);
/// Shortest time between two frames that only show news: bytes are latency.
const NEWS_FRAME: Duration = Duration::from_millis(200);
/// The same where only figures moved, and nobody has typed for a while: about as often as the
/// clock.
const CALM_FRAME: Duration = Duration::from_millis(900);
/// How long after the start or a key somebody is thought to look closely.
const LIVELY: Duration = Duration::from_secs(10);
/// How often ages and clocks move.
const TICK: Duration = Duration::from_secs(1);
/// How often a console without a screen looks whether it may have it again.
const LOOK: Duration = Duration::from_millis(250);
/// Most keys, and most batches, that are taken in before the next look at the signals.
const AT_ONCE: usize = 256;

/// What is shown and driven: state and its drawing, seen from the terminal.
pub trait Console {
    /// Takes one thing in; what is to be done about it comes out.
    fn update(&mut self, message: Message) -> Vec<Command>;
    /// Would the screen differ from the last one drawn? Asking resets it.
    fn take_dirty(&mut self) -> bool;
    /// Did more change than figures? Asking resets it.
    fn take_stirred(&mut self) -> bool {
        true
    }
    /// Has leaving been confirmed?
    fn leaving(&self) -> bool;
    /// Draws all of the screen.
    fn draw(&self, frame: &mut Frame<'_>);
}

/// Deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The session's clock.
    pub clock: Clock,
    /// How long the engine may take to finish after a person left.
    pub leave_wait: Duration,
    /// How long it may take after a signal, a hang-up or a panic.
    pub signal_wait: Duration,
    /// After a signal or a hang-up the process ends at the latest after this, whatever hangs.
    pub force_wait: Duration,
}

impl Options {
    /// The usual deadlines: 2 s, 1.5 s and 4 s. Mostly a few milliseconds are needed; on a machine that
    /// hardly runs the record still gets its last line.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            leave_wait: Duration::from_secs(2),
            signal_wait: Duration::from_millis(1500),
            force_wait: Duration::from_secs(4),
        }
    }
}

/// Shows the console until it ends, and gives the terminal back.
///
/// # Errors
/// When the terminal cannot be used, or when the console or the engine failed. The terminal has
/// been given back then, too.
pub async fn run(
    console: impl Console,
    link: Link,
    terminal: Terminal,
    options: Options,
) -> Result<Exit, TerminalError> {
    hook::install();
    let news = Arc::new(Notify::new());
    let tty = Arc::new(terminal.tty);
    let watch = Watch::start(Arc::clone(&tty), Arc::clone(&news), options.force_wait)
        .map_err(TerminalError::System)?;
    let mut outbox = Outbox::new(link.commands);
    let mut batches = link.batches;
    let session = async {
        let (owner, typed) = Owner::start(tty, terminal.facts, options.clock, Arc::clone(&news))
            .map_err(TerminalError::System)?;
        Session {
            console,
            options,
            news,
            watch: &watch,
            outbox: &mut outbox,
            batches: &mut batches,
            owner,
            typed,
            dirty: true,
            urgent: true,
            stirred: true,
            started: Instant::now(),
            typed_at: None,
            drawn: None,
            costs: [Duration::ZERO; 3],
            leave_by: None,
        }
        .run()
        .await
    };
    let end = match Guarded::new(session).await {
        Ok(end) => end,
        Err(message) => Err(TerminalError::Panicked(message)),
    };
    // The owner is gone and has given the screen back; this is for a panic that killed it.
    tty::restore(tty::Typed::Discard);
    if let Ok(Exit::Left { .. }) = end {
        return end;
    }
    let finished = finish(&mut outbox, &mut batches, options.signal_wait).await;
    end.map(|exit| exit.with(finished))
}

/// Asks the engine to finish and waits for it. True when it did.
async fn finish(outbox: &mut Outbox, batches: &mut mpsc::Receiver<Batch>, wait: Duration) -> bool {
    outbox.leave();
    let by = Instant::now() + wait;
    loop {
        tokio::select! { biased;
            // Nobody sees them any more, but they are on disk, and the engine may need the room.
            batch = batches.recv() => if batch.is_none() { return true },
            () = outbox.sent(), if outbox.is_waiting() => {}
            () = tokio::time::sleep_until(by) => return false,
        }
    }
}

/// What ended a wait.
enum Woke {
    Look,
    Typed(Option<Typed>),
    Batch(Option<Batch>),
    Tick,
}

struct Session<'a, C> {
    console: C,
    options: Options,
    news: Arc<Notify>,
    watch: &'a Watch,
    outbox: &'a mut Outbox,
    batches: &'a mut mpsc::Receiver<Batch>,
    owner: Owner,
    typed: mpsc::Receiver<Typed>,
    dirty: bool,
    /// The next frame answers a person.
    urgent: bool,
    /// The next frame shows more than figures.
    stirred: bool,
    started: Instant,
    typed_at: Option<Instant>,
    drawn: Option<Instant>,
    /// What the last frames took; the least counts, since a stall of the host is no cost of ours.
    costs: [Duration; 3],
    leave_by: Option<Instant>,
}

impl<C: Console> Session<'_, C> {
    async fn run(mut self) -> Result<Exit, TerminalError> {
        let exit = self.go_on().await?;
        if matches!(exit, Exit::Left { .. }) {
            // Whoever left may be typing to the shell already.
            self.owner.hide(tty::Typed::Keep);
        }
        Ok(exit)
    }

    async fn go_on(&mut self) -> Result<Exit, TerminalError> {
        self.owner.show().map_err(TerminalError::Tty)?;
        self.take_size();
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if let Some(exit) = self.look_at_news()? {
                self.outbox.leave();
                return Ok(exit);
            }
            if let Some(exit) = self.take_in_what_waits()? {
                return Ok(exit);
            }
            self.outbox.send();
            self.draw();
            let exit = match self.wait(&mut tick).await {
                Woke::Look => None,
                Woke::Typed(typed) => self.take_typed(typed)?,
                Woke::Batch(batch) => self.take_batch(batch)?,
                Woke::Tick => {
                    self.take(Message::Tick(self.options.clock.now()));
                    None
                }
            };
            if let Some(exit) = exit {
                return Ok(exit);
            }
        }
    }

    /// Signals, the hang-up, and whether the screen may be had again.
    fn look_at_news(&mut self) -> Result<Option<Exit>, TerminalError> {
        let news = self.watch.take();
        if let Some(signal) = news.signal {
            return Ok(Some(Exit::Signalled {
                signal,
                finished: false,
            }));
        }
        if news.hung_up {
            return Ok(Some(Exit::HungUp { finished: false }));
        }
        if !self.watch.alive() {
            return Err(TerminalError::Broken("the watch over signals ended"));
        }
        if news.stop {
            self.stop_job()?;
        } else if news.continued || !self.owner.shown() {
            self.show()?;
        } else if news.resized {
            self.take_size();
        }
        if self.leave_by.is_some_and(|by| Instant::now() >= by) {
            return Ok(Some(Exit::Left { finished: false }));
        }
        Ok(None)
    }

    fn take_in_what_waits(&mut self) -> Result<Option<Exit>, TerminalError> {
        for _ in 0..AT_ONCE {
            let Ok(typed) = self.typed.try_recv() else {
                break;
            };
            if let Some(exit) = self.take_typed(Some(typed))? {
                return Ok(Some(exit));
            }
        }
        for _ in 0..AT_ONCE {
            let Ok(batch) = self.batches.try_recv() else {
                break;
            };
            self.take(Message::Batch(Box::new(batch)));
        }
        Ok(None)
    }

    /// Waits for the next thing; biased, so that signals and keys win over a flood of news.
    async fn wait(&mut self, tick: &mut Interval) -> Woke {
        let far = Instant::now() + TICK;
        let frame = self.frame_due().filter(|_| self.owner.ready());
        let look = (!self.owner.shown()).then(|| Instant::now() + LOOK);
        let soonest = [frame, look, self.leave_by].into_iter().flatten().min();
        tokio::select! { biased;
            () = self.news.notified() => Woke::Look,
            typed = self.typed.recv() => Woke::Typed(typed),
            () = tokio::time::sleep_until(soonest.unwrap_or(far)), if soonest.is_some() => Woke::Look,
            batch = self.batches.recv() => Woke::Batch(batch),
            () = self.outbox.sent(), if self.outbox.is_waiting() => Woke::Look,
            _ = tick.tick() => Woke::Tick,
        }
    }

    fn take_typed(&mut self, typed: Option<Typed>) -> Result<Option<Exit>, TerminalError> {
        match typed {
            Some(Typed::Key(Key::Ctrl('z'))) => self.stop_job()?,
            Some(Typed::Key(Key::Ctrl('l'))) => {
                self.owner.repaint();
                (self.dirty, self.urgent) = (true, true);
            }
            Some(Typed::Key(key)) => self.answer(Message::Key(key)),
            Some(Typed::Paste(text)) => self.answer(Message::Paste(text)),
            None if self.owner.hung_up() => {
                self.outbox.leave();
                return Ok(Some(Exit::HungUp { finished: false }));
            }
            None => return Err(TerminalError::Broken("the reader of keys ended")),
        }
        Ok(None)
    }

    fn take_batch(&mut self, batch: Option<Batch>) -> Result<Option<Exit>, TerminalError> {
        match batch {
            Some(batch) => self.take(Message::Batch(Box::new(batch))),
            None if self.leave_by.is_some() => return Ok(Some(Exit::Left { finished: true })),
            None => return Err(TerminalError::EngineEnded),
        }
        Ok(None)
    }

    /// A message that a person sees the answer to.
    fn answer(&mut self, message: Message) {
        self.typed_at = Some(Instant::now());
        self.take(message);
        self.urgent |= self.dirty;
    }

    fn take(&mut self, message: Message) {
        let mut refused = Vec::new();
        for command in self.console.update(message) {
            refused.extend(self.outbox.push(command));
        }
        if !refused.is_empty() {
            self.tell(refused);
        }
        self.dirty |= self.console.take_dirty();
        self.stirred |= self.console.take_stirred();
        if self.console.leaving() && self.leave_by.is_none() {
            self.outbox.leave();
            self.leave_by = Some(Instant::now() + self.options.leave_wait);
        }
    }

    /// News that the terminal makes itself. A request that comes out of it and finds no room
    /// either is dropped: it was told already that there is none.
    fn tell(&mut self, notices: Vec<Notice>) {
        let batch = Batch {
            at: self.options.clock.now(),
            observations: Vec::new(),
            events: Vec::new(),
            verdicts: None,
            notices,
        };
        for command in self.console.update(Message::Batch(Box::new(batch))) {
            let _ = self.outbox.push(command);
        }
    }

    fn take_size(&mut self) {
        let (cols, rows) = self.owner.resize();
        self.answer(Message::Resize { cols, rows });
        (self.dirty, self.urgent) = (true, true);
    }

    fn stop_job(&mut self) -> Result<(), TerminalError> {
        let done = self.owner.stop_job();
        self.shown_again(done)
    }

    fn show(&mut self) -> Result<(), TerminalError> {
        let done = self.owner.show();
        self.shown_again(done)
    }

    fn shown_again(&mut self, done: Result<(), tty::TtyError>) -> Result<(), TerminalError> {
        match done {
            Ok(()) if self.owner.shown() => self.take_size(),
            Ok(()) => {}
            // The watch says so in a moment.
            Err(_) if self.owner.hung_up() => {}
            Err(error) => return Err(TerminalError::Tty(error)),
        }
        Ok(())
    }

    /// When the next frame is due; `None` when nothing changed.
    fn frame_due(&self) -> Option<Instant> {
        // What nobody waits for may take a twentieth of the time, however much there is to draw.
        let pace = if self.urgent {
            FRAME
        } else {
            let cost = self.costs.iter().min().copied().unwrap_or_default();
            let close = self.typed_at.unwrap_or(self.started).elapsed() < LIVELY;
            let pace = if self.stirred || close {
                NEWS_FRAME
            } else {
                CALM_FRAME
            };
            pace.max((cost * 20).min(TICK))
        };
        let due = self.drawn.map_or(self.started, |drawn| drawn + pace);
        self.dirty.then_some(due)
    }

    fn draw(&mut self) {
        let now = Instant::now();
        if !self.owner.ready() || self.frame_due().is_none_or(|due| due > now) {
            return;
        }
        self.owner.draw(|frame| self.console.draw(frame));
        self.costs.rotate_right(1);
        self.costs[0] = now.elapsed();
        self.drawn = Some(now);
        (self.dirty, self.urgent, self.stirred) = (false, false, false);
    }
}
