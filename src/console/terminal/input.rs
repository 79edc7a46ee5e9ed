//! Reads the terminal from a thread of its own and decodes keys.
//!
//! Not crossterm's reader: that one never returns once the terminal is gone. Keys wait in a
//! bounded queue; when it is full nothing is read, so they wait in the kernel and none is lost.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::decoder::{Decoder, Typed};
use super::hook;
use crate::sys::clock::Clock;
use crate::sys::tty::{self, Tty};
use crate::sys::wake::Wake;

/// Keys that wait between the reader and the loop.
const QUEUE: usize = 256;
/// How long to wait before trying again when nothing can be read or queued.
const AGAIN: Duration = Duration::from_millis(20);
/// How long [`Input::pause`] waits for the reader to let go.
const PAUSE_WAIT: Duration = Duration::from_millis(200);

/// The only reader of the terminal. Dropping it ends the thread.
#[derive(Debug)]
pub struct Input {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tty: Arc<Tty>,
    wake: Wake,
    wish: Mutex<Wish>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wish {
    pause: bool,
    paused: bool,
    end: bool,
}

impl Input {
    /// Starts paused; [`Input::resume`] reads. The receiver ends when the terminal is gone.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub fn start(tty: Arc<Tty>, clock: Clock) -> io::Result<(Self, mpsc::Receiver<Typed>)> {
        let (queue, typed) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            tty,
            wake: Wake::new()?,
            wish: Mutex::new(Wish {
                pause: true,
                ..Wish::default()
            }),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || hook::console_thread(|| Reader::new(&theirs, clock, queue).run()))?;
        let input = Self {
            shared,
            thread: Some(thread),
        };
        Ok((input, typed))
    }

    /// Lets go of the terminal, so that somebody else can read it.
    pub fn pause(&self) {
        let mut wish = self.shared.lock();
        wish.pause = true;
        self.shared.wake.wake();
        let _ = self
            .shared
            .changed
            .wait_timeout_while(wish, PAUSE_WAIT, |w| !w.paused);
    }

    /// Reads again.
    pub fn resume(&self) {
        self.shared.lock().pause = false;
        self.shared.wake.wake();
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.shared.lock().end = true;
        self.shared.wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader<'a> {
    shared: &'a Shared,
    clock: Clock,
    queue: mpsc::Sender<Typed>,
    decoder: Decoder,
    waiting: VecDeque<Typed>,
}

/// What one turn of the reader found.
enum Turn {
    Go,
    Gone,
}

impl<'a> Reader<'a> {
    fn new(shared: &'a Shared, clock: Clock, queue: mpsc::Sender<Typed>) -> Self {
        Self {
            shared,
            clock,
            queue,
            decoder: Decoder::default(),
            waiting: VecDeque::new(),
        }
    }

    fn run(mut self) {
        loop {
            let pause = {
                let mut wish = self.shared.lock();
                if wish.end {
                    return;
                }
                wish.paused = wish.pause;
                wish.pause
            };
            let turn = if pause {
                self.shared.changed.notify_all();
                self.sleep(PollTimeout::NONE);
                Turn::Go
            } else if !self.queue_waiting() {
                self.sleep(timeout(AGAIN));
                Turn::Go
            } else {
                self.look()
            };
            if matches!(turn, Turn::Gone) {
                return;
            }
        }
    }

    /// Waits for a wish, but not for the terminal.
    fn sleep(&self, time: PollTimeout) {
        let mut fds = [PollFd::new(self.shared.wake.fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, time);
        self.shared.wake.drain();
    }

    /// False when the queue is full.
    fn queue_waiting(&mut self) -> bool {
        while let Some(typed) = self.waiting.pop_front() {
            match self.queue.try_send(typed) {
                Ok(()) => {}
                Err(TrySendError::Full(typed)) => {
                    self.waiting.push_front(typed);
                    return false;
                }
                // The loop has ended, and this thread is about to.
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        true
    }

    fn look(&mut self) -> Turn {
        let now = self.clock.mono();
        let time = match self.decoder.expires_at() {
            Some(at) => timeout(at.since(now)),
            None => PollTimeout::NONE,
        };
        let mut fds = [
            PollFd::new(self.shared.tty.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.shared.wake.fd(), PollFlags::POLLIN),
        ];
        let count = poll(&mut fds, time);
        let on_tty = fds[0].revents().unwrap_or(PollFlags::empty());
        let woken = fds[1].revents().is_some_and(|r| !r.is_empty());
        if woken {
            self.shared.wake.drain();
            return Turn::Go;
        }
        if on_tty.contains(PollFlags::POLLIN) {
            return self.read();
        }
        if tty::is_hang_up(on_tty) {
            return Turn::Gone;
        }
        if count == Ok(0) {
            let mut out = Vec::new();
            self.decoder.expire(self.clock.mono(), &mut out);
            self.waiting.extend(out);
        }
        Turn::Go
    }

    fn read(&mut self) -> Turn {
        let mut bytes = [0u8; 4096];
        match self.shared.tty.read(&mut bytes) {
            Ok(0) => return Turn::Gone,
            Ok(n) => {
                let mut out = Vec::new();
                let read = bytes.get(..n).unwrap_or_default();
                self.decoder.feed(read, self.clock.mono(), &mut out);
                self.waiting.extend(out);
            }
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) if self.shared.tty.hung_up() => return Turn::Gone,
            // EIO: in the background and nobody to stop us. It may pass.
            Err(_) => self.sleep(timeout(AGAIN)),
        }
        Turn::Go
    }
}

/// Rounded up to whole milliseconds, so that it never comes out as a busy wait.
fn timeout(time: Duration) -> PollTimeout {
    let ms = time.as_micros().div_ceil(1000);
    PollTimeout::try_from(i32::try_from(ms).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
}
