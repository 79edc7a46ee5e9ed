#![allow(unsafe_code)]
//! Process trees: a command runs in a session of its own below a small keeper process.
//!
//! The keeper is a fork of this program that does nothing but wait. It is the *subreaper* of
//! the command: whatever leaves its parent, its group or its session (double forks, `setsid`)
//! becomes a child of the keeper. So the command's whole tree is "what descends from the keeper",
//! can be found and ended to the last process, and leaves no zombie, while other children of
//! this program are never touched.
//!
//! This module knows no runbooks and keeps no time: when to end what is up to its callers.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use libc::{c_int, pid_t};

mod list;

use list::{Process, descendants, in_session};

/// What to run.
#[derive(Debug)]
pub struct Spec<'a> {
    /// Program and arguments.
    pub argv: &'a [&'a OsStr],
    /// Its whole environment.
    pub env: &'a [(OsString, OsString)],
    /// Its working directory.
    pub cwd: &'a Path,
}

/// A running tree of processes. Dropping it ends every process of it.
#[derive(Debug)]
pub struct Tree {
    keeper: Option<Child>,
    /// The command itself, once the keeper has said so and as long as it was not reaped.
    command: Option<pid_t>,
}

/// The two pipes of a tree.
#[derive(Debug)]
pub struct Pipes {
    /// Standard output and error in the order of arrival; ends when nobody holds it any more.
    pub output: OwnedFd,
    /// Messages of the keeper, see [`Report`]; ends when the last process of the tree is gone.
    pub reports: OwnedFd,
}

/// Bytes of one message of the keeper.
pub const REPORT_BYTES: usize = 8;

/// A message of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The command runs under this process id.
    Started(i32),
    /// It ended by itself with this code.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
}

impl Report {
    /// Reads a message.
    pub fn decode(bytes: [u8; REPORT_BYTES]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let value = i32::from_ne_bytes([e, f, g, h]);
        match i32::from_ne_bytes([a, b, c, d]) {
            0 => Some(Report::Started(value)),
            1 if libc::WIFEXITED(value) => Some(Report::Exited(libc::WEXITSTATUS(value))),
            1 if libc::WIFSIGNALED(value) => Some(Report::Signalled(libc::WTERMSIG(value))),
            _ => None,
        }
    }
}

/// How to end processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// TERM, and CONT so that stopped processes hear it.
    Ask,
    /// KILL.
    Force,
}

/// Starts a command: standard input empty, output and error into one pipe, no other file
/// descriptor, no terminal, signals as by default.
pub fn spawn(spec: &Spec<'_>) -> io::Result<(Tree, Pipes)> {
    let (&program, args) = spec.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (output, output_end) = pipe()?;
    let (reports, reports_end) = pipe()?;
    let report_fd = reports_end.as_raw_fd();
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(spec.env.iter().map(|(k, v)| (k, v)))
        .current_dir(spec.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::from(output_end.try_clone()?))
        .stderr(Stdio::from(output_end));
    // SAFETY: the closure runs in the forked child before exec. It calls async-signal-safe
    // functions only (plain system calls), allocates nothing and takes no lock. `report_fd`
    // stays open in the child because `reports_end` lives until after `spawn`.
    unsafe { command.pre_exec(move || split_off(report_fd)) };
    let keeper = command.spawn()?;
    drop(reports_end);
    Ok((
        Tree {
            keeper: Some(keeper),
            command: None,
        },
        Pipes { output, reports },
    ))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [c_int; 2] = [-1; 2];
    // SAFETY: `fds` is a valid array of two ints for the kernel to fill.
    if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let [read, write] = fds;
    // SAFETY: both were just created and belong to nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(read), OwnedFd::from_raw_fd(write)) })
}

/// In the forked child: becomes the keeper and never returns, or (in its child) goes on to exec.
fn split_off(report_fd: c_int) -> io::Result<()> {
    // SAFETY: plain system calls without pointers, allowed between fork and exec.
    unsafe {
        if libc::setsid() < 0 || libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        for signal in [
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGCHLD,
            libc::SIGPIPE,
        ] {
            libc::signal(signal, libc::SIG_DFL);
        }
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                if libc::setsid() < 0 {
                    return Err(io::Error::last_os_error());
                }
                // Without its keeper the command would be out of reach.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                close_on_exec_from(3);
                Ok(())
            }
            child => keep(child, report_fd),
        }
    }
}

/// The keeper: says who its child is, reaps everything, says how the child ended, goes when
/// nothing is left.
///
/// # Safety
/// To be called in a forked child only; it takes over all file descriptors.
unsafe fn keep(child: pid_t, report_fd: c_int) -> ! {
    // SAFETY: system calls on our own descriptors and a status on our own stack; no return.
    unsafe {
        for signal in [
            libc::SIGHUP,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGTERM,
            libc::SIGPIPE,
            libc::SIGTTOU,
        ] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::prctl(libc::PR_SET_NAME, c"warroom-keeper".as_ptr(), 0, 0, 0);
        if report_fd > 0 {
            close_range(0, report_fd - 1, 0);
        }
        close_range(report_fd + 1, c_int::MAX, 0);
        report(report_fd, 0, child);
        loop {
            let mut status: c_int = 0;
            let pid = libc::waitpid(-1, &mut status, 0);
            if pid == child {
                report(report_fd, 1, status);
            } else if pid < 0 && *libc::__errno_location() != libc::EINTR {
                libc::_exit(0);
            }
        }
    }
}

/// # Safety
/// Async-signal-safe: one `write` of a buffer on the stack.
unsafe fn report(fd: c_int, kind: i32, value: i32) {
    let [a, b, c, d] = kind.to_ne_bytes();
    let [e, f, g, h] = value.to_ne_bytes();
    let message = [a, b, c, d, e, f, g, h];
    // SAFETY: the buffer is valid for its length. A full or closed pipe can't be helped here.
    unsafe { libc::write(fd, message.as_ptr().cast(), message.len()) };
}

fn close_on_exec_from(first: c_int) {
    // SAFETY: changes flags of our own descriptors only.
    unsafe { close_range(first, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// `close_range`, or one by one on a kernel that does not have it (before 5.9, flags 5.11).
///
/// # Safety
/// Async-signal-safe. Closes descriptors: only for a forked child that owns them all.
unsafe fn close_range(first: c_int, last: c_int, flags: libc::c_uint) {
    // SAFETY: integers only; the fallback stays within the limit of open files.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, flags) == 0 {
            return;
        }
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        let most = c_int::try_from(limit.rlim_cur.min(65_536)).unwrap_or(65_536);
        for fd in first..=last.min(most) {
            if flags == 0 {
                libc::close(fd);
            } else {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
}

impl Tree {
    /// Takes note of a message of the keeper.
    pub fn note(&mut self, report: Report) {
        self.command = match report {
            Report::Started(pid) => Some(pid),
            Report::Exited(_) | Report::Signalled(_) => None,
        };
    }

    /// Ends every process of the tree that is there now and returns how many were found.
    /// Processes that are born meanwhile need another call.
    pub fn end(&self, how: End) -> usize {
        let signals: &[c_int] = match how {
            End::Ask => &[libc::SIGTERM, libc::SIGCONT],
            End::Force => &[libc::SIGKILL],
        };
        let found = self.members();
        for process in &found {
            process.signal(signals);
        }
        if let Some(group) = self.command {
            for &signal in signals {
                // SAFETY: integers only. The group is that of a command not yet reaped, so its
                // number can't belong to anyone else.
                unsafe { libc::kill(-group, signal) };
            }
        }
        found.len()
    }

    /// How many processes of the tree are alive.
    pub fn alive(&self) -> usize {
        self.members().len()
    }

    fn members(&self) -> Vec<Process> {
        let Some(keeper) = self
            .keeper
            .as_ref()
            .and_then(|k| pid_t::try_from(k.id()).ok())
        else {
            return Vec::new();
        };
        let mut found = descendants(keeper);
        // A command that ended its keeper is told by its session; what left that too is lost.
        if let Some(session) = self.command {
            for process in in_session(session) {
                if !found.contains(&process) {
                    found.push(process);
                }
            }
        }
        found
    }

    /// True if the command has not been reaped: when the reports have ended, its keeper was
    /// ended by something else and the tree still has to be.
    pub fn is_orphaned(&self) -> bool {
        self.command.is_some()
    }

    /// Reaps the keeper after its reports have ended (it exits at that moment).
    pub fn reap(&mut self) -> io::Result<()> {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.wait()?;
        }
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let Some(mut keeper) = self.keeper.take() else {
            return;
        };
        self.keeper = None;
        let Ok(pid) = pid_t::try_from(keeper.id()) else {
            return;
        };
        // What can't be ended (another user's process) keeps the keeper; nobody waits for it here.
        std::thread::spawn(move || {
            for _ in 0..200 {
                if matches!(keeper.try_wait(), Ok(Some(_)) | Err(_)) {
                    return;
                }
                for process in descendants(pid) {
                    process.signal(&[libc::SIGKILL]);
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            // Gone only when its last process is: then it is reaped.
            if keeper.wait().is_err() {}
        });
    }
}
