#![allow(unsafe_code)]
//! Processes as /proc lists them, and signals that can't hit a wrong one.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, pid_t};

/// A process, told apart from a later one of the same number by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: pid_t,
    parent: pid_t,
    session: pid_t,
    started: u64,
}

impl Process {
    /// Sends signals through a pidfd, so that a reused number is never hit.
    pub(super) fn signal(&self, signals: &[c_int]) {
        // SAFETY: integers only; the returned descriptor is owned right away.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) };
        let Some(fd) = c_int::try_from(fd).ok().filter(|fd| *fd >= 0) else {
            return;
        };
        // SAFETY: the descriptor was just created for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        if stat(self.pid).is_none_or(|now| now.started != self.started) {
            return;
        }
        for &signal in signals {
            // SAFETY: a valid pidfd, no siginfo, no flags. Failure means that it is gone or not
            // ours; both show in the next look at the tree.
            unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    fd.as_raw_fd(),
                    signal,
                    std::ptr::null::<u8>(),
                    0,
                )
            };
        }
    }
}

/// Every process there is, and whether it is a zombie.
fn processes() -> impl Iterator<Item = (Process, bool)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.file_name().to_str()?.parse::<pid_t>().ok())
        .filter_map(stat_line)
}

pub(super) fn in_session(session: pid_t) -> Vec<Process> {
    processes()
        .filter(|(p, zombie)| p.session == session && !zombie)
        .map(|(p, _)| p)
        .collect()
}

/// Living processes below `root`, without it. Zombies are not alive: their parent reaps them.
pub(super) fn descendants(root: pid_t) -> Vec<Process> {
    let mut children: HashMap<pid_t, Vec<(Process, bool)>> = HashMap::new();
    for (process, zombie) in processes() {
        children
            .entry(process.parent)
            .or_default()
            .push((process, zombie));
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        // Removing keeps this finite whatever the numbers say.
        for (process, zombie) in children.remove(&pid).unwrap_or_default() {
            open.push(process.pid);
            if !zombie {
                found.push(process);
            }
        }
    }
    found
}

fn stat(pid: pid_t) -> Option<Process> {
    stat_line(pid).map(|(process, _)| process)
}

/// proc_pid_stat(5): the name may hold anything, so fields are counted after its last `)`.
fn stat_line(pid: pid_t) -> Option<(Process, bool)> {
    let bytes = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let rest = text.get(text.rfind(')')? + 1..)?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let zombie = matches!(*fields.first()?, "Z" | "X");
    let parent = fields.get(1)?.parse().ok()?;
    let session = fields.get(3)?.parse().ok()?;
    let started = fields.get(19)?.parse().ok()?;
    Some((
        Process {
            pid,
            parent,
            session,
            started,
        },
        zombie,
    ))
}
