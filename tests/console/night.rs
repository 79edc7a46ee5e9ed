//! One test's world: a network of its own, a home and a state folder of its own, and the program.
#![allow(unsafe_code)] // unshare(2) has no wrapper here.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::harness::{Launch, Session, folder};
use super::{services, skip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_warroom");

/// A way out that answers nothing and has no gateway that could be missed; a resolver at home.
const NETWORK: &str = "
    set -e
    ip link set lo up
    ip link add out0 type veth peer name far0
    ip address add 198.51.100.2/24 dev out0
    ip link set out0 up
    ip link set far0 up
    ip route add default dev out0
    mount --make-rprivate /
    mount --bind \"$1\" /etc/resolv.conf
";

/// The world; its folders are removed with it, its network ends with the thread.
pub struct Night {
    dir: TempDir,
    /// Port of the web server on 127.0.0.1.
    pub web: u16,
    asked: services::Asked,
}

impl Night {
    /// Takes this thread into a network of its own; `None` where that can't be had (recorded).
    pub fn begin(what: &str) -> Option<Self> {
        if !skip::need_root(what) {
            return None;
        }
        // SAFETY: no pointers; changes the calling thread only, which is this test's own.
        let rc = unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) };
        assert_eq!(rc, 0, "unshare: {}", std::io::Error::last_os_error());
        let dir = folder();
        let config = dir.path().join("resolv.conf");
        std::fs::write(&config, "nameserver 127.0.0.1\n").expect("a file");
        let built = Command::new("sh")
            .args(["-c", NETWORK, "sh"])
            .arg(&config)
            .stdin(Stdio::null())
            .output()
            .expect("sh");
        assert!(built.status.success(), "{}", err(&built));
        std::fs::create_dir(dir.path().join("home")).expect("a folder");
        services::resolver();
        let asked = services::Asked::default();
        let web = services::web(&asked);
        Some(Self { dir, web, asked })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// A target that is well.
    pub fn well(&self) -> String {
        format!("http://127.0.0.1:{}/", self.web)
    }

    /// A target that answers 503.
    pub fn ill(&self) -> String {
        format!("http://127.0.0.1:{}/bad", self.web)
    }

    /// Request lines that the web server got so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }

    /// A text in a file.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The program in a terminal, not started yet.
    pub fn launch(&self, args: &[&str]) -> Launch {
        let launch = Launch::new(PROGRAM)
            .env("HOME", &self.path("home").to_string_lossy())
            .env("WARROOM_STATE", &self.state().to_string_lossy());
        args.iter().fold(launch, |l, arg| l.arg(arg))
    }

    /// The console on these targets, at its first frame.
    pub fn console(&self, args: &[&str]) -> Session {
        let session = self.launch(args).start();
        session.wait_text(" 1 Overview");
        session
    }

    /// The program without a terminal, to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().expect("the program");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: err(&output),
        }
    }

    /// The same, not started yet; in a session of its own, so that there is no terminal.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .args(["--wait", PROGRAM])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("HOME", self.path("home"))
            .env("WARROOM_STATE", self.state())
            .stdin(Stdio::null());
        command
    }

    /// Folders of all incidents.
    pub fn incidents(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.state()) else {
            return Vec::new();
        };
        let named = |e: &std::fs::DirEntry| !e.file_name().to_string_lossy().starts_with('.');
        let mut all: Vec<_> = entries.flatten().filter(named).map(|e| e.path()).collect();
        all.sort();
        all
    }

    /// How many keys for masking secrets are kept beside the incidents.
    pub fn keys(&self) -> usize {
        std::fs::read_dir(self.state().join(".keys")).map_or(0, Iterator::count)
    }

    /// The folder of the only incident.
    pub fn incident(&self) -> PathBuf {
        let all = self.incidents();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().expect("one")
    }

    /// Its name.
    pub fn name(&self) -> String {
        let incident = self.incident();
        let name = incident.file_name().expect("a name");
        name.to_string_lossy().into_owned()
    }
}

impl Drop for Night {
    /// The file over resolv.conf goes away; this thread may run another test.
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("/etc/resolv.conf").status();
    }
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
