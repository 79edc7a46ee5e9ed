//! Watches for signals and for the terminal going away, from a thread that nothing can hold up.
//!
//! Works with SIGHUP ignored (`nohup`), because the hang-up is read from the terminal itself.
//! When the loop does not end in time after a signal, this thread ends the process.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use tokio::sync::Notify;

use super::hook;
use crate::sys::signals::{self, Caught, Signals};
use crate::sys::tty::{self, Tty, Typed};
use crate::sys::wake::Wake;

/// How often the terminal is looked at when nothing wakes the thread, in milliseconds.
const LOOK_MS: u16 = 250;

const HUNG_UP: u8 = 1;
const RESIZED: u8 = 2;
const STOP: u8 = 4;
const CONTINUED: u8 = 8;

/// What happened since the last look; several of the same count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A signal that asks to end.
    pub signal: Option<i32>,
    /// The terminal is gone.
    pub hung_up: bool,
    /// The window has another size.
    pub resized: bool,
    /// Somebody asks the job to stop.
    pub stop: bool,
    /// The job goes on after a stop.
    pub continued: bool,
}

/// The watcher. Dropping it ends the thread and lets the signals do what they did before, unless
/// the process is ending on one of them: then the thread stays as the last resort.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tty: Arc<Tty>,
    wake: Wake,
    bits: AtomicU8,
    /// The ending signal, 0 if none.
    signal: AtomicI32,
    end: AtomicBool,
    news: Arc<Notify>,
    force: Duration,
}

impl Watch {
    /// Starts watching. `news` is told when [`Watch::take`] has something. A process that still
    /// lives `force` after an ending signal or a hang-up is ended.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub fn start(tty: Arc<Tty>, news: Arc<Notify>, force: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            tty,
            wake: Wake::new()?,
            bits: AtomicU8::new(0),
            signal: AtomicI32::new(0),
            end: AtomicBool::new(false),
            news,
            force,
        });
        let signals = Signals::catch()?;
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || hook::console_thread(|| theirs.watch(&signals)))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What happened since the last call. An ending signal is told again each time.
    pub fn take(&self) -> News {
        let bits = self.shared.bits.fetch_and(HUNG_UP, SeqCst);
        let signal = self.shared.signal.load(SeqCst);
        News {
            signal: (signal != 0).then_some(signal),
            hung_up: bits & HUNG_UP != 0,
            resized: bits & RESIZED != 0,
            stop: bits & STOP != 0,
            continued: bits & CONTINUED != 0,
        }
    }

    /// Is the watching thread alive? Without it no signal would end the console.
    pub fn alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let news = self.take();
        if news.signal.is_some() || news.hung_up {
            return;
        }
        self.shared.end.store(true, SeqCst);
        self.shared.wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn watch(&self, signals: &Signals) {
        let mut ending: Option<(Instant, i32)> = None;
        while !self.end.load(SeqCst) {
            let mut time = LOOK_MS;
            if let Some((by, code)) = ending {
                let left = by.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    tty::restore(Typed::Discard);
                    signals::exit_now(code);
                }
                time = u16::try_from(left.as_millis() + 1)
                    .unwrap_or(LOOK_MS)
                    .min(LOOK_MS);
            }
            let gone = self.look(signals, time);
            let caught = signals.take();
            self.tell(caught, gone);
            if ending.is_none() {
                let code = match (self.signal.load(SeqCst), gone) {
                    (0, false) => continue,
                    (0, true) => 128 + signals::ENDING[1],
                    (signal, _) => 128 + signal,
                };
                ending = Some((Instant::now() + self.force, code));
            }
        }
    }

    /// Waits for a signal or for the terminal to go; true when it is gone.
    fn look(&self, signals: &Signals, time: u16) -> bool {
        let known = self.bits.load(SeqCst) & HUNG_UP != 0;
        let mut fds = [
            PollFd::new(signals.fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.fd(), PollFlags::POLLIN),
            PollFd::new(self.tty.as_fd(), PollFlags::empty()),
        ];
        // A terminal that is gone would end every poll at once.
        let watched = if known { &mut fds[..2] } else { &mut fds[..] };
        let _ = poll(watched, time);
        self.wake.drain();
        known || fds[2].revents().is_some_and(tty::is_hang_up)
    }

    fn tell(&self, caught: Caught, gone: bool) {
        let mut bits = 0;
        for (signal, bit) in [
            (signals::RESIZED, RESIZED),
            (signals::STOP, STOP),
            (signals::CONTINUED, CONTINUED),
        ] {
            if caught.has(signal) {
                bits |= bit;
            }
        }
        if gone {
            bits |= HUNG_UP;
        }
        let mut news = bits & !self.bits.fetch_or(bits, SeqCst) != 0;
        if let Some(signal) = caught.ending() {
            let _ = self.signal.compare_exchange(0, signal, SeqCst, SeqCst);
            news = true;
        }
        if news {
            self.news.notify_one();
        }
    }
}
