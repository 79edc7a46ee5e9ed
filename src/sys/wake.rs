//! A pipe that ends somebody's `poll`. Both ends never block, so waking twice costs nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::unistd;

/// Wakes a thread that waits in `poll` on [`Wake::fd`].
#[derive(Debug)]
pub struct Wake {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Wake {
    /// A new pipe, closed on exec.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = unistd::pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        Ok(Self { reader, writer })
    }
    /// Wakes. A full pipe means that a wake-up is waiting already, so the failure is ignored.
    pub fn wake(&self) {
        let _ = unistd::write(&self.writer, b"w");
    }
    /// Forgets the wake-ups so far. Look at the shared state *after* this, never before.
    pub fn drain(&self) {
        let mut sink = [0u8; 64];
        while matches!(unistd::read(&self.reader, &mut sink), Ok(n) if n == sink.len()) {}
    }
    /// Readable when woken.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
    /// The end to write to, for a signal handler.
    pub(crate) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}
