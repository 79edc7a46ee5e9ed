//! Runs a program in a pseudo-terminal as a person would: sends keys, reads the screen.
//!
//! A second thread plays the terminal: it reads what the program writes into a `vt100` screen and
//! keeps the bytes. Waiting is always for a condition, with a deadline.
// Each test file that includes this uses a part of it.
#![allow(dead_code)]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::{Pid, read, write};
use tempfile::TempDir;

/// Leads the session, as a login shell would, and outlives the program: when a session's leader
/// ends, the kernel resets the terminal, and nothing could be learnt about what was left behind.
const LEADER: &str = r#"
    dir=$1; shift
    exec 3>&2 2>/dev/null
    trap : HUP
    sh -c 'echo $$ >"$0"; exec "$@" 2>&3 3>&-' "$dir/pid" "$@"
    code=$?
    times >"$dir/times"
    exit $code
"#;
/// The same for a program that is to ignore SIGHUP.
const NOHUP: &str = "trap '' HUP; exec \"$@\"";

/// How long anything may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What ends within this did not wait for anybody; how quick it is, is for the benchmarks.
pub const HANG: Duration = Duration::from_secs(10);

/// How to start a program.
pub struct Launch {
    argv: Vec<OsString>,
    env: Vec<(String, String)>,
    size: (u16, u16),
    ignore_hup: bool,
    stdout_null: bool,
}

impl Launch {
    /// With the environment of a plain xterm on 80×24 and nothing else.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/nonexistent"),
            ("RUST_BACKTRACE", "0"),
        ];
        Self {
            argv: vec![program.as_ref().into()],
            env: env.map(|(n, v)| (n.into(), v.into())).into(),
            size: (80, 24),
            ignore_hup: false,
            stdout_null: false,
        }
    }
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.argv.push(arg.into());
        self
    }
    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.into(), value.into()));
        self
    }
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.retain(|(n, _)| n != name);
        self
    }
    pub fn size(mut self, cols: u16, rows: u16) -> Self {
        self.size = (cols, rows);
        self
    }
    /// As under `nohup`.
    pub fn ignore_hup(mut self) -> Self {
        self.ignore_hup = true;
        self
    }
    /// Standard output goes nowhere; the terminal stays on the others and on `/dev/tty`.
    pub fn stdout_null(mut self) -> Self {
        self.stdout_null = true;
        self
    }

    /// Starts it in a session of its own, with the terminal as its controlling one.
    pub fn start(self) -> Session {
        let (cols, rows) = self.size;
        let pty = open_pty();
        stty(&pty.slave, cols, rows);
        let slave = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let before = tcgetattr(&pty.slave).expect("modes");
        let dir = folder();
        // Whoever runs the tests may ignore signals (nohup does), and that is inherited.
        let mut command = Command::new("env");
        command.args(["--default-signal", "setsid"]);
        command.args(["--ctty", "sh", "-c", LEADER, "sh"]);
        command.arg(dir.path());
        if self.ignore_hup {
            command.args(["sh", "-c", NOHUP, "sh"]);
        }
        command
            .args(&self.argv)
            .env_clear()
            .envs(self.env.iter().map(|(n, v)| (n, v)))
            .stdin(slave())
            .stderr(slave())
            .stdout(if self.stdout_null {
                Stdio::null()
            } else {
                slave()
            });
        let child = command.spawn().expect("setsid of util-linux");
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                parser: vt100::Parser::new(cells(rows), cells(cols), 0),
                bytes: Vec::new(),
                paused: false,
                end: false,
                gone: false,
            }),
            changed: Condvar::new(),
        });
        let master = pty.master;
        let theirs = Arc::clone(&shared);
        let ours = master.try_clone().expect("a descriptor");
        let reader = std::thread::spawn(move || theirs.play_terminal(&ours));
        let pid_file = dir.path().join("pid");
        wait_until("the program to start", || {
            content(&pid_file).ends_with('\n')
        });
        let pid = content(&pid_file).trim().parse().expect("a pid");
        Session {
            leader: child,
            pid,
            dir,
            slave: pty.slave,
            master: Some(master),
            before,
            shared,
            reader: Some(reader),
        }
    }
}

/// A running program and its terminal. Dropping it kills the program.
pub struct Session {
    leader: Child,
    pid: i32,
    dir: TempDir,
    slave: OwnedFd,
    master: Option<OwnedFd>,
    before: Termios,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    paused: bool,
    end: bool,
    gone: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn play_terminal(&self, master: &OwnedFd) {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            let seen = self.lock();
            let seen = self
                .changed
                .wait_while(seen, |s| s.paused && !s.end)
                .unwrap_or_else(|e| e.into_inner());
            if seen.end {
                return;
            }
            drop(seen);
            let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, 10u16) != Ok(1) {
                continue;
            }
            let count = read(master, &mut buffer);
            let mut seen = self.lock();
            match count {
                Ok(n) if n > 0 => {
                    seen.bytes.extend_from_slice(&buffer[..n]);
                    seen.parser.process(&buffer[..n]);
                }
                _ => {
                    seen.gone = true;
                    self.changed.notify_all();
                    return;
                }
            }
            self.changed.notify_all();
        }
    }
}

impl Session {
    /// The program's process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Types bytes.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let mut left = bytes.as_ref();
        let master = self.master.as_ref().expect("the terminal was closed");
        while !left.is_empty() {
            let n = write(master, left).expect("typing");
            left = &left[n..];
        }
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("kill");
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        self.shared.lock().parser.screen().contents()
    }

    /// All bytes that the program has written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// Waits until the screen fulfils a condition; panics with the screen otherwise.
    pub fn wait_screen(&self, what: &str, met: impl Fn(&vt100::Screen) -> bool) {
        let seen = self.shared.lock();
        let (seen, late) = self
            .shared
            .changed
            .wait_timeout_while(seen, PATIENCE, |s| !met(s.parser.screen()))
            .unwrap_or_else(|e| e.into_inner());
        assert!(
            !late.timed_out(),
            "waited for {what}; the screen is\n{}\nand the last bytes are {}",
            seen.parser.screen().contents(),
            seen.bytes[seen.bytes.len().saturating_sub(400)..].escape_ascii(),
        );
    }

    /// Waits until a text is on the screen.
    pub fn wait_text(&self, text: &str) {
        self.wait_screen(text, |s| s.contents().contains(text));
    }

    /// Stops or goes on reading what the program writes, as a stalled line would.
    pub fn stall(&self, stalled: bool) {
        self.shared.lock().paused = stalled;
        self.shared.changed.notify_all();
    }

    /// Makes the window another size, as a terminal emulator would.
    pub fn resize(&self, cols: u16, rows: u16) {
        // Before the program hears of it: it paints everything again for the new size at once.
        let mut seen = self.shared.lock();
        seen.parser.screen_mut().set_size(cells(rows), cells(cols));
        drop(seen);
        stty(&self.slave, cols, rows);
    }

    /// Closes the terminal's side, as a dropped connection does.
    pub fn hang_up(&mut self) {
        self.end_reader();
        self.master = None;
    }

    /// Waits for the program to end and returns its exit code, 128 and the number for a signal
    /// that killed it; panics after [`PATIENCE`].
    pub fn wait_exit(&mut self) -> i32 {
        let mut status = None;
        wait_until("the program to end", || {
            status = self.leader.try_wait().expect("wait");
            status.is_some()
        });
        // Its last words are on the screen then, unless nobody reads them.
        if self.master.is_some() && !self.shared.lock().paused {
            self.settle();
        }
        status.and_then(|s| s.code()).expect("the leader exits")
    }

    /// Has the program ended?
    pub fn ended(&self) -> bool {
        stat(self.pid).is_none_or(|(state, _)| state == 'Z')
    }

    /// Is the program stopped, as by Ctrl-Z?
    pub fn stopped(&self) -> bool {
        stat(self.pid).is_some_and(|(state, _)| state == 'T')
    }

    /// CPU time of the running program so far.
    pub fn cpu(&self) -> Duration {
        // The unit of /proc is 10 ms wherever Linux runs today.
        Duration::from_millis(stat(self.pid).map_or(0, |(_, ticks)| ticks * 10))
    }

    /// CPU time of the program in all, after [`Session::wait_exit`].
    pub fn cpu_in_all(&self) -> Duration {
        let times = content(&self.dir.path().join("times"));
        let children = times.lines().nth(1).expect("times of the children");
        let seconds = |t: &str| {
            let (m, s) = t.trim_end_matches('s').split_once('m').expect("1m2.34s");
            m.parse::<f64>().expect("minutes") * 60.0 + s.parse::<f64>().expect("seconds")
        };
        Duration::from_secs_f64(children.split_whitespace().map(seconds).sum())
    }

    /// Waits until the terminal thread has read all that the program wrote before it ended.
    fn settle(&self) {
        let marker = "\u{2063}";
        // Written by us through the slave, so it comes after everything the program wrote.
        let _ = write(&self.slave, marker.as_bytes());
        let seen = self.shared.lock();
        let end = marker.as_bytes();
        let (mut seen, late) = self
            .shared
            .changed
            .wait_timeout_while(seen, PATIENCE, |s| !s.gone && !s.bytes.ends_with(end))
            .unwrap_or_else(|e| e.into_inner());
        assert!(!late.timed_out(), "the marker never came");
        if seen.bytes.ends_with(end) {
            let keep = seen.bytes.len() - end.len();
            seen.bytes.truncate(keep);
        }
    }

    /// What is wrong with the terminal after the program has ended; empty when it is as before.
    pub fn left_behind(&self) -> String {
        self.settle();
        let mut wrong = String::new();
        let after = tcgetattr(&self.slave).expect("modes");
        if after != self.before {
            let _ = write!(wrong, "modes differ: {:?} {:?}; ", self.before, after);
        }
        let seen = self.shared.lock();
        let screen = seen.parser.screen();
        for (bad, what) in [
            (screen.alternate_screen(), "alternate screen"),
            (screen.hide_cursor(), "hidden cursor"),
            (screen.bracketed_paste(), "bracketed paste"),
            (screen.bold() || screen.inverse(), "attributes"),
        ] {
            if bad {
                let _ = write!(wrong, "{what}; ");
            }
        }
        wrong
    }

    /// The process group in the foreground: under a shell, the program that it runs now.
    pub fn foreground(&self) -> Pid {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("a process");
        let (_, rest) = text.rsplit_once(") ").expect("a state");
        let group = rest.split(' ').nth(5).and_then(|g| g.parse().ok());
        Pid::from_raw(group.expect("a group"))
    }

    /// Are the terminal's modes the ones from before the start?
    pub fn cooked(&self) -> bool {
        tcgetattr(&self.slave).expect("modes") == self.before
    }

    fn end_reader(&mut self) {
        self.shared.lock().end = true;
        self.shared.changed.notify_all();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if matches!(self.leader.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
            let _ = self.leader.kill();
            let _ = self.leader.wait();
        }
        self.end_reader();
    }
}

struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
}

/// Both sides closed on exec from the first: a copy of the master in any child of any test would
/// keep the line from ever hanging up.
fn open_pty() -> Pty {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("grantpt");
    unlockpt(&master).expect("unlockpt");
    let name = ptsname_r(&master).expect("a name");
    let slave = open(name.as_str(), flags, Mode::empty()).expect("the other side");
    let master = master.as_fd().try_clone_to_owned().expect("a descriptor");
    Pty { master, slave }
}

fn stty(slave: &OwnedFd, cols: u16, rows: u16) {
    let status = Command::new("stty")
        .args(["cols", &cols.to_string(), "rows", &rows.to_string()])
        .stdin(slave.try_clone().expect("a descriptor"))
        .status();
    assert!(status.expect("stty").success());
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN)
}

/// Waits for a condition that nobody announces; panics after [`PATIENCE`].
pub fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let by = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < by, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// State and CPU time of a process, from `/proc`.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    let ticks = |n: usize| fields.get(n)?.parse::<u64>().ok();
    Some((rest.chars().next()?, ticks(11)? + ticks(12)?))
}

/// A folder for one test, removed at its end.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a file holds; empty when it is not there yet.
pub fn content(path: &Path) -> String {
    match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => panic!("{}: {e}", path.display()),
    }
}
