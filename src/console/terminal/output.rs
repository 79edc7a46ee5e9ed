//! Writes frames to the terminal from a thread of its own, one at a time.
//!
//! A frame is taken only when the one before it has been written, so whoever draws asks
//! [`Output::ready`] first and simply does not draw otherwise. A stalled line therefore drops
//! frames, and the state that is drawn once it moves again is the newest. Nothing here blocks
//! the caller, except [`Output::halt`] for a moment.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use tokio::sync::Notify;

use super::hook;
use crate::sys::tty::{self, Tty};
use crate::sys::wake::Wake;

/// How long [`Output::halt`] waits for a write in progress.
const HALT_WAIT: Duration = Duration::from_millis(200);
/// How often a write that is held up looks around, in milliseconds.
const LOOK_AROUND_MS: u16 = 250;

/// The only writer of frames.
#[derive(Debug)]
pub struct Output {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tty: Arc<Tty>,
    wake: Wake,
    state: Mutex<State>,
    changed: Condvar,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    frame: Option<Vec<u8>>,
    writing: bool,
    halted: bool,
    ended: bool,
    gone: bool,
}

impl Output {
    /// Starts the thread. `news` is told whenever a frame has been written.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub fn start(tty: Arc<Tty>, news: Arc<Notify>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            tty,
            wake: Wake::new()?,
            state: Mutex::default(),
            changed: Condvar::new(),
            news,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || hook::console_thread(|| theirs.serve()))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Would a frame be written if it were submitted now?
    pub fn ready(&self) -> bool {
        let state = self.shared.lock();
        !(state.writing || state.halted || state.ended || state.gone) && state.frame.is_none()
    }

    /// Hands a frame over; only after [`Output::ready`], which only the same caller can change.
    pub fn submit(&self, frame: Vec<u8>) {
        let mut state = self.shared.lock();
        debug_assert!(state.frame.is_none(), "a frame would be lost");
        state.frame = Some(frame);
        self.shared.changed.notify_all();
    }

    /// Stops writing, abandoning what is held up. What the terminal shows is unknown afterwards.
    pub fn halt(&self) {
        let mut state = self.shared.lock();
        state.halted = true;
        state.frame = None;
        self.shared.wake.wake();
        let _ = self
            .shared
            .changed
            .wait_timeout_while(state, HALT_WAIT, |s| s.writing);
    }

    /// Writes again.
    pub fn resume(&self) {
        self.shared.lock().halted = false;
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.frame = None;
        drop(state);
        self.shared.wake.wake();
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        while let Some(frame) = self.next() {
            let written = self.write(&frame);
            let mut state = self.lock();
            state.writing = false;
            state.gone |= !written;
            drop(state);
            self.changed.notify_all();
            self.news.notify_one();
        }
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self
            .changed
            .wait_while(self.lock(), |s| s.frame.is_none() && !s.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let frame = state.frame.take()?;
        state.writing = true;
        Some(frame)
    }

    /// False when the terminal is gone. A frame that is halted half-way counts as written.
    fn write(&self, mut frame: &[u8]) -> bool {
        while !frame.is_empty() {
            {
                let state = self.lock();
                if state.halted || state.ended {
                    return true;
                }
            }
            match self.tty.write(frame) {
                Ok(n) => frame = frame.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait() {
                        return false;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Given back: whoever did it ends or repaints.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits until the terminal takes more. False when it is gone.
    fn wait(&self) -> bool {
        let mut fds = [
            PollFd::new(self.tty.as_fd(), PollFlags::POLLOUT),
            PollFd::new(self.wake.fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut fds, LOOK_AROUND_MS);
        let on_tty = fds[0].revents().unwrap_or(PollFlags::empty());
        self.wake.drain();
        !tty::is_hang_up(on_tty)
    }
}
