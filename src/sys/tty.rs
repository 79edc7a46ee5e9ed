//! The controlling terminal: one descriptor of our own, raw mode, and the way back.
//!
//! The way back ([`restore`]) uses nothing but a fixed byte sequence and saved modes, so that it
//! may be called from a panic hook or a signal handler. Knows nothing of screens or keys.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::SeqCst};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What takes the screen: alternate screen, home, cursor hidden, bracketed paste.
pub const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// What takes it again when it was never given back: without the switch of screens, which would
/// overwrite the cursor that the terminal saved at the first one.
pub const TAKE_AGAIN: &[u8] = b"\x1b[?25l\x1b[?2004h";
/// What gives it back. It begins with ESC, so it ends any sequence that was cut in the middle;
/// the style is reset last, because switching screens may bring a saved one back.
pub const GIVE_BACK: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[0m";

/// The descriptor that [`restore`] writes to; -1 as long as no terminal was taken.
static FD: AtomicI32 = AtomicI32::new(-1);
/// Modes to put back. Leaked on purpose: a signal handler may be reading them.
static COOKED: AtomicPtr<libc::termios> = AtomicPtr::new(ptr::null_mut());
/// The screen is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Somebody is inside `write` on the screen.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Why there is no terminal to draw on.
#[derive(Debug, thiserror::Error)]
pub enum TtyError {
    /// Neither `/dev/tty` nor standard input or output is a terminal.
    #[error("no terminal: /dev/tty cannot be opened ({0}), and standard input and output are none")]
    None(io::Error),
    /// The terminal refuses raw mode.
    #[error("cannot switch the terminal to raw mode: {0}")]
    Raw(io::Error),
}

/// What to do with keys that were typed but not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The next reader gets them.
    Keep,
    /// Throw them away, so that half a note typed into a killed console is not run by the shell.
    Discard,
}

/// The terminal, opened by itself: its non-blocking mode is not shared with the shell.
#[derive(Debug)]
pub struct Tty {
    file: File,
}

impl Tty {
    /// Opens the controlling terminal, or else the one on standard input or output.
    ///
    /// # Errors
    /// When there is none.
    pub fn open() -> Result<Self, TtyError> {
        let first = match open_path("/dev/tty") {
            Ok(file) => return Ok(Self { file }),
            Err(error) => error,
        };
        for (fd, path) in [(0, "/proc/self/fd/0"), (1, "/proc/self/fd/1")] {
            // SAFETY: `isatty` only looks at the number; a closed descriptor answers 0.
            if unsafe { libc::isatty(fd) } == 1
                && let Ok(file) = open_path(path)
            {
                return Ok(Self { file });
            }
        }
        Err(TtyError::None(first))
    }

    /// Columns and rows, if the terminal knows them.
    pub fn size(&self) -> Option<(u16, u16)> {
        let mut size = MaybeUninit::<libc::winsize>::zeroed();
        // SAFETY: TIOCGWINSZ writes a `winsize`, which `size` is; zeroed memory is a valid one.
        let size = unsafe {
            if libc::ioctl(self.file.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
                return None;
            }
            size.assume_init()
        };
        (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
    }

    /// Switches to raw mode and makes [`restore`] responsible. The modes to come back to are
    /// those of the first call. [`TAKE`] is still to be written, with the first frame.
    ///
    /// # Errors
    /// When the terminal refuses, for instance because it is gone.
    pub fn take(&self) -> Result<(), TtyError> {
        let fd = self.file.as_raw_fd();
        if FD.load(SeqCst) != fd || COOKED.load(SeqCst).is_null() {
            let cooked = Box::new(modes(fd).map_err(TtyError::Raw)?);
            COOKED.store(Box::into_raw(cooked), SeqCst);
            FD.store(fd, SeqCst);
            let _ = super::signals::set_handler(libc::SIGABRT, on_abort as *const () as usize);
        }
        // SAFETY: the pointer came from `Box::into_raw` above and is never freed.
        let mut raw = unsafe { *COOKED.load(SeqCst) };
        // SAFETY: `raw` is a complete `termios` on this stack.
        unsafe { libc::cfmakeraw(&mut raw) };
        TAKEN.store(true, SeqCst);
        set_modes(fd, &raw).map_err(|error| {
            TAKEN.store(false, SeqCst);
            TtyError::Raw(error)
        })
    }

    /// Writes as much as the terminal takes now, if the screen is ours.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now; `BrokenPipe` when the screen was given back; what
    /// the terminal says otherwise (EIO: it is gone).
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        WRITING.store(true, SeqCst);
        // Looked at after WRITING was set, while `restore` clears TAKEN before it looks at
        // WRITING: so no frame can land on the shell's screen.
        let done = if TAKEN.load(SeqCst) {
            nix::unistd::write(&self.file, bytes).map_err(io::Error::from)
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        };
        WRITING.store(false, SeqCst);
        done
    }

    /// Reads what was typed.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there. Zero bytes mean that the terminal is gone.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(&self.file, buffer)?)
    }

    /// True once the other side of the terminal is closed, whatever happened to SIGHUP.
    pub fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fds, PollTimeout::ZERO);
        fds[0].revents().is_some_and(is_hang_up)
    }

    /// May this process use the terminal now? False for a job in the background.
    pub fn foreground(&self) -> bool {
        match nix::unistd::tcgetpgrp(&self.file) {
            Ok(group) => group == nix::unistd::getpgrp(),
            // Not our controlling terminal: nobody stops us from using it.
            Err(_) => true,
        }
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Do these poll results say that the terminal is gone?
pub fn is_hang_up(events: PollFlags) -> bool {
    events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
}

/// Is the screen ours?
pub fn taken() -> bool {
    TAKEN.load(SeqCst)
}

/// Gives the screen back: once, from anywhere, in at most about a quarter of a second.
///
/// When the line is stalled, what it has not taken yet is thrown away, so that the few bytes of
/// the restore are the next it takes.
pub fn restore(typed: Typed) {
    if !TAKEN.swap(false, SeqCst) {
        return;
    }
    let fd = FD.load(SeqCst);
    for _ in 0..50 {
        if !WRITING.load(SeqCst) {
            break;
        }
        // SAFETY: `poll` without descriptors is a sleep of a millisecond; async-signal-safe.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
    // SAFETY: async-signal-safe calls on a number; `set` lives on this stack and is initialised
    // before use. SIGTTOU is blocked around them, since a job that just went to the background
    // would be stopped here for good.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTTOU);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
        write_back(fd);
        if typed == Typed::Discard {
            libc::tcflush(fd, libc::TCIFLUSH);
        }
        let cooked = COOKED.load(SeqCst);
        if !cooked.is_null() {
            libc::tcsetattr(fd, libc::TCSANOW, cooked);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
    }
}

/// Writes [`GIVE_BACK`] in at most about 200 ms.
fn write_back(fd: i32) {
    let mut left = GIVE_BACK;
    for turn in 0..10 {
        // SAFETY: the pointer and length are those of a static slice; the descriptor does not
        // block; `ready` lives on this stack.
        unsafe {
            let n = libc::write(fd, left.as_ptr().cast(), left.len());
            if let Ok(n) = usize::try_from(n) {
                left = left.get(n..).unwrap_or_default();
            }
            if left.is_empty() {
                return;
            }
            if turn == 4 {
                libc::tcflush(fd, libc::TCOFLUSH);
                left = GIVE_BACK;
            }
            let mut ready = libc::pollfd {
                fd,
                events: libc::POLLOUT,
                revents: 0,
            };
            libc::poll(&mut ready, 1, 20);
            if ready.revents & (libc::POLLHUP | libc::POLLERR) != 0 {
                return;
            }
        }
    }
}

fn open_path(path: &str) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
}

fn modes(fd: i32) -> io::Result<libc::termios> {
    let mut modes = MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: `tcgetattr` writes a `termios`, which `modes` is; zeroed memory is a valid one.
    unsafe {
        if libc::tcgetattr(fd, modes.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(modes.assume_init())
    }
}

fn set_modes(fd: i32, modes: &libc::termios) -> io::Result<()> {
    // SAFETY: `modes` is a complete `termios` behind a reference.
    if unsafe { libc::tcsetattr(fd, libc::TCSANOW, modes) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A panic inside a panic, or a stack that overflowed, ends in abort: give the screen back first.
extern "C" fn on_abort(signal: libc::c_int) {
    restore(Typed::Discard);
    let _ = super::signals::set_handler(signal, libc::SIG_DFL);
    // SAFETY: `raise` is async-signal-safe; the default action now ends the process.
    unsafe { libc::raise(signal) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_back_undoes_all_that_was_taken() {
        let take = String::from_utf8(TAKE.to_vec()).unwrap();
        let back = String::from_utf8(GIVE_BACK.to_vec()).unwrap();
        assert!(back.starts_with('\x1b'), "ends a sequence that was cut");
        for part in take.split("\x1b[").filter(|p| !p.is_empty()) {
            let undo = match part.split_at(part.len() - 1) {
                (mode, "h") => format!("\x1b[{mode}l"),
                (mode, _) => format!("\x1b[{mode}h"),
            };
            assert!(back.contains(&undo), "{part} is not undone");
        }
    }

    #[test]
    fn without_a_taken_screen_restore_does_nothing() {
        assert!(!taken());
        restore(Typed::Discard);
        assert!(!taken());
    }
}
