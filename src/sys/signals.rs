//! Signals, as bits that a thread reads after a pipe woke it, and the stop of a job.
//!
//! Handlers only set a bit and write one byte. What a signal *means* is decided elsewhere.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};

use super::wake::Wake;

/// Signals that ask the console to end.
pub const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];
/// The window has another size.
pub const RESIZED: i32 = libc::SIGWINCH;
/// Somebody asks the job to stop (`kill -TSTP`; Ctrl-Z is an ordinary key in raw mode).
pub const STOP: i32 = libc::SIGTSTP;
/// The job goes on.
pub const CONTINUED: i32 = libc::SIGCONT;

static WAKE_FD: AtomicI32 = AtomicI32::new(-1);
static CAUGHT: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicBool = AtomicBool::new(false);

/// The signals that came since the last look, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught(u64);

impl Caught {
    /// Did this one come?
    pub fn has(self, signal: i32) -> bool {
        self.0 & bit(signal) != 0
    }
    /// The first of [`ENDING`] that came.
    pub fn ending(self) -> Option<i32> {
        ENDING.into_iter().find(|s| self.has(*s))
    }
}

/// While this lives, the process catches the signals of a terminal program. One at a time.
pub struct Signals {
    wake: Wake,
    before: Vec<(i32, libc::sigaction)>,
}

impl Signals {
    /// Installs the handlers. HUP, INT, QUIT and TSTP stay ignored if they were ignored when the
    /// program started (`nohup`, a shell without job control).
    ///
    /// # Errors
    /// When there is no descriptor left, or when another `Signals` lives.
    pub fn catch() -> io::Result<Self> {
        let wake = Wake::new()?;
        if HELD.swap(true, SeqCst) {
            return Err(io::Error::other("signals are caught already"));
        }
        CAUGHT.store(0, SeqCst);
        WAKE_FD.store(wake.writer().as_raw_fd(), SeqCst);
        let mut signals = Self {
            wake,
            before: Vec::new(),
        };
        for signal in ENDING.into_iter().chain([RESIZED, STOP, CONTINUED]) {
            let old = disposition(signal)?;
            let keep = old.sa_sigaction == libc::SIG_IGN && signal != libc::SIGTERM;
            if keep && signal != RESIZED && signal != CONTINUED {
                continue;
            }
            set_handler(signal, on_signal as *const () as usize)?;
            signals.before.push((signal, old));
        }
        Ok(signals)
    }
    /// Readable when a signal came.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.fd()
    }
    /// What came since the last call.
    pub fn take(&self) -> Caught {
        self.wake.drain();
        Caught(CAUGHT.swap(0, SeqCst))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: `old` was filled by the kernel for this signal; a null third argument means
            // that the present disposition is not wanted.
            unsafe { libc::sigaction(*signal, old, std::ptr::null_mut()) };
        }
        WAKE_FD.store(-1, SeqCst);
        HELD.store(false, SeqCst);
    }
}

/// Stops the whole process group, as Ctrl-Z at a shell would, and returns when it goes on.
///
/// Uses TSTP with its default action and not STOP, because the kernel discards the former in a
/// group that nobody could continue (`ssh -t host warroom`, a container's first process). There
/// this returns at once.
pub fn stop_process_group() {
    let Ok(before) = disposition(STOP) else {
        return;
    };
    if before.sa_sigaction == libc::SIG_IGN {
        return;
    }
    // Ignored, a stop signal is thrown away when it is sent: the group's other members stop, and
    // no second one is left over for ourselves.
    if set_handler(STOP, libc::SIG_IGN).is_err() {
        return;
    }
    // SAFETY: plain system calls without pointers, apart from `set`, which lives on this stack
    // and is initialised by `sigemptyset` before use. `raise` sends to the calling thread, so the
    // process has stopped (or the kernel has discarded the signal) before it returns.
    unsafe {
        libc::kill(0, STOP);
        let _ = set_handler(STOP, libc::SIG_DFL);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), STOP);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(STOP);
        libc::sigaction(STOP, &before, std::ptr::null_mut());
    }
}

/// A file that reaches its size limit gives an error, which the recorder handles, instead of
/// ending the process (setrlimit(2), RLIMIT_FSIZE). Call it once at the start.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN installs no handler; nothing else of this process uses SIGXFSZ.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Ends the process now, without destructors, so that nothing can hold it up.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes a number and does not return.
    unsafe { libc::_exit(code) }
}

fn bit(signal: i32) -> u64 {
    u32::try_from(signal)
        .ok()
        .and_then(|n| 1u64.checked_shl(n))
        .unwrap_or(0)
}

fn disposition(signal: i32) -> io::Result<libc::sigaction> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null second argument changes nothing; `old` is writable and of the right type.
    let rc = unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed memory is a valid `sigaction`, and the kernel has filled it.
    Ok(unsafe { old.assume_init() })
}

/// `handler` is SIG_DFL, SIG_IGN or the address of an `extern "C" fn(c_int)`.
pub(super) fn set_handler(signal: i32, handler: usize) -> io::Result<()> {
    // SAFETY: zeroed memory is a valid `sigaction` (empty mask, no flags); the handler is one of
    // the three the documentation of this function allows, and async-signal-safe.
    let rc = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn on_signal(signal: libc::c_int) {
    CAUGHT.fetch_or(bit(signal), SeqCst);
    let fd = WAKE_FD.load(SeqCst);
    if fd < 0 {
        return;
    }
    // SAFETY: `write` is async-signal-safe, the buffer is static, the descriptor does not block,
    // and errno of the interrupted code is put back.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(fd, b"s".as_ptr().cast(), 1);
        *libc::__errno_location() = errno;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_caught_once_and_wakes() {
        let signals = Signals::catch().unwrap();
        assert!(Signals::catch().is_err(), "only one owner");
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGWINCH).unwrap();
        let mut fds = [nix::poll::PollFd::new(
            signals.fd(),
            nix::poll::PollFlags::POLLIN,
        )];
        assert_eq!(nix::poll::poll(&mut fds, 5000u16).unwrap(), 1);
        let caught = signals.take();
        assert!(caught.has(RESIZED));
        assert_eq!(caught.ending(), None);
        assert!(!signals.take().has(RESIZED), "taken is gone");
    }

    #[test]
    fn odd_numbers_are_no_bits() {
        assert_eq!(bit(-1), 0);
        assert_eq!(bit(64), 0);
    }
}
