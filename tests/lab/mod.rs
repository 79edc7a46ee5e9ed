//! The test lab: a small network of namespaces on this machine, with faults on demand.
//!
//! ```text
//!   src ──1── r1 ──2── r2 ──3── r3 ──4── dst      link i: 10.71.i.0/24, fd71:0:0:i::/64
//!              └──5── dns                         near end .1, far end .2
//! ```
//!
//! The routers are Linux with its default ICMP limits, as in real life. Every lab has names of
//! its own (process and counter), and what a lab made is gone when it is dropped, also after a
//! panic. Nothing outside the namespaces is changed: `resolv.conf`, `hosts` and the program under
//! test are bind-mounted for the one command that runs in `src`.
//!
//! Files: [`plan`] names and addresses · [`service`] servers in the lab · [`servers`] those that are
//! broken · [`fault`] what can break, each proved with stock tools · [`names`] the same for names and
//! resolvers · [`relay`] a slow link · [`load`] traffic · [`parallel`] a second way · [`proof`] those
//! tools · [`check`] runs `warroom check` and judges its JSON · [`score`] the judge's notes for
//! `scripts/score` · [`steady`] whether the machine was fit to tell · [`skip`] what to do where the
//! lab can't be had.

// Every test binary that includes this uses a part of it. In a test, to panic is to report.
#![allow(dead_code, clippy::expect_used, clippy::print_stdout)]

pub mod check;
pub mod fault;
pub mod load;
pub mod names;
pub mod parallel;
pub mod plan;
pub mod proof;
pub mod relay;
pub mod score;
pub mod servers;
pub mod service;
pub mod skip;
pub mod steady;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use plan::{LINKS, Role, User};

/// Labs that may exist at once; each waits most of the time.
const MAX_LABS: usize = 4;

static COUNTER: AtomicUsize = AtomicUsize::new(0);
static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A place among the labs that may run at once.
struct Turn;

impl Turn {
    fn wait() -> Self {
        let mut n = RUNNING.lock().unwrap_or_else(|e| e.into_inner());
        while *n >= MAX_LABS {
            n = FREED.wait(n).unwrap_or_else(|e| e.into_inner());
        }
        *n += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(|e| e.into_inner()) -= 1;
        FREED.notify_one();
    }
}

/// A running lab.
pub struct Lab {
    /// As whom the program under test runs.
    pub user: User,
    prefix: String,
    namespaces: Vec<String>,
    services: Vec<Child>,
    dir: tempfile::TempDir,
    _turn: Turn,
}

impl Lab {
    /// Builds the network, with a working resolver at [`plan::RESOLVER`], and proves that it is whole.
    ///
    /// # Panics
    /// If it can't be built; what was made until then is removed.
    pub fn new(user: User) -> Self {
        let turn = Turn::wait();
        let prefix = format!(
            "wl{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        let dir = tempfile::Builder::new()
            .prefix(&format!("warroom-{prefix}-"))
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder");
        let mut lab = Lab {
            user,
            prefix,
            namespaces: Vec::new(),
            services: Vec::new(),
            dir,
            _turn: turn,
        };
        lab.wire();
        lab.write_files();
        lab.start_resolver();
        lab.prove_whole();
        lab
    }

    /// Name of a namespace.
    pub fn ns(&self, role: Role) -> String {
        format!("{}-{}", self.prefix, role.name())
    }

    /// The lab's own folder; everybody may read it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn wire(&mut self) {
        for role in Role::ALL {
            let ns = self.ns(role);
            must("ip", &["netns", "add", &ns], "");
            self.namespaces.push(ns);
        }
        let links: String = LINKS
            .iter()
            .map(|l| {
                format!(
                    "link add l{0} netns {1} type veth peer name l{0} netns {2}\n",
                    l.number,
                    self.ns(l.near),
                    self.ns(l.far)
                )
            })
            .collect();
        must("ip", &["-batch", "-"], &links);
        for role in Role::ALL {
            let router = matches!(role, Role::R1 | Role::R2 | Role::R3);
            let mut settings = vec![
                "net.ipv4.conf.all.rp_filter=0".to_owned(),
                "net.ipv4.conf.default.rp_filter=0".to_owned(),
                "net.ipv6.conf.all.accept_dad=0".to_owned(),
                "net.ipv6.conf.default.accept_dad=0".to_owned(),
                format!("net.ipv4.ip_forward={}", u8::from(router)),
                format!("net.ipv6.conf.all.forwarding={}", u8::from(router)),
            ];
            // These belong to the links, which have it copied already from the defaults.
            for l in LINKS.iter().filter(|l| l.near == role || l.far == role) {
                settings.push(format!("net.ipv4.conf.l{}.rp_filter=0", l.number));
                settings.push(format!("net.ipv6.conf.l{}.accept_dad=0", l.number));
            }
            let mut args: Vec<&str> = vec!["-q", "-w"];
            args.extend(settings.iter().map(String::as_str));
            self.sysctl(role, &args);
            self.ip(role, &plan::setup(role));
        }
    }

    fn sysctl(&self, role: Role, args: &[&str]) {
        let ns = self.ns(role);
        let mut all = vec!["netns", "exec", &ns, "sysctl"];
        all.extend(args);
        must("ip", &all, "");
    }

    /// Sets kernel settings (`key=value`) in a namespace.
    pub fn set(&self, role: Role, settings: &[&str]) {
        let mut args = vec!["-q", "-w"];
        args.extend(settings);
        self.sysctl(role, &args);
    }

    /// Runs lines of `ip` in a namespace.
    pub fn ip(&self, role: Role, batch: &str) {
        must("ip", &["-n", &self.ns(role), "-batch", "-"], batch);
    }

    /// The same for IPv6, where the lines don't say so by an address.
    pub fn ip6(&self, role: Role, batch: &str) {
        must("ip", &["-6", "-n", &self.ns(role), "-batch", "-"], batch);
    }

    /// Adds a packet filter in a namespace: a hook with its priority, and rules.
    pub fn filter(&self, role: Role, name: &str, hook: &str, rules: &str) {
        let table = format!(
            "table inet {name} {{\nchain c {{\ntype filter hook {hook};\n{rules}\n}}\n}}\n"
        );
        must(
            "ip",
            &["netns", "exec", &self.ns(role), "nft", "-f", "-"],
            &table,
        );
    }

    fn write_files(&self) {
        self.resolvers(&[plan::RESOLVER]);
        self.file("hosts", "127.0.0.1 localhost\n::1 localhost\n");
        self.file(
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
        );
        self.file("warroom", "");
        let home = self.dir().join("home");
        std::fs::create_dir(&home).expect("a home folder");
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777))
            .expect("an open home folder");
    }

    /// Writes a file into the lab's folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::write(&path, text).expect("a writable lab folder");
        path
    }

    /// What `/etc/resolv.conf` says in `src` from now on.
    pub fn resolvers(&self, addresses: &[&str]) {
        let lines: String = addresses
            .iter()
            .map(|a| format!("nameserver {a}\n"))
            .collect();
        self.file("resolv.conf", &lines);
    }

    /// A command that will run in a namespace as somebody; in `src` with the lab's own resolver
    /// configuration and with the program under test as `$LAB/warroom`. It is ended after `seconds`.
    pub fn command(&self, role: Role, user: User, seconds: u32, args: &[&str]) -> Command {
        const IN_SRC: &str = r#"set -e; lab=$1; program=$2; shift 2
            for f in resolv.conf hosts nsswitch.conf; do mount --bind "$lab/$f" "/etc/$f"; done
            mount --bind "$program" "$lab/warroom"
            exec "$@""#;
        let dir = self.dir().to_string_lossy().into_owned();
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.ns(role)]);
        if role == Role::Src {
            c.args([
                "sh",
                "-c",
                IN_SRC,
                "sh",
                &dir,
                env!("CARGO_BIN_EXE_warroom"),
            ]);
        }
        c.args(user.become_it());
        c.args(["timeout", "-k", "1", &seconds.to_string()]);
        c.args(args);
        c.env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.dir().join("home"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .current_dir(self.dir())
            .stdin(Stdio::null());
        c
    }

    /// Runs a command in a namespace to its end.
    pub fn exec(&self, role: Role, user: User, args: &[&str]) -> Output {
        self.command(role, user, 20, args)
            .output()
            .unwrap_or_else(|e| panic!("cannot start {args:?}: {e}"))
    }

    /// Runs a command in `src` as root to its end and returns all it said.
    pub fn say(&self, args: &[&str]) -> String {
        let out = self.exec(Role::Src, User::Root, args);
        format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        )
    }

    /// Starts a server in a namespace; it ends with the lab.
    fn serve(&mut self, role: Role, args: &[&str]) {
        let log = std::fs::File::create(
            self.dir()
                .join(format!("service-{}.log", self.services.len())),
        )
        .expect("a log");
        let child = Command::new("ip")
            .args(["netns", "exec", &self.ns(role)])
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {args:?}: {e}"));
        self.services.push(child);
    }

    /// What the servers said; for the message of a failed proof.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for i in 0..self.services.len() {
            let path = self.dir().join(format!("service-{i}.log"));
            all.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
        all
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.services {
            let _ = child.kill();
            let _ = child.wait();
        }
        for ns in &self.namespaces {
            // Whatever still runs there was started by this lab: nobody else knows the name.
            let left = Command::new("ip").args(["netns", "pids", ns]).output();
            for pid in left
                .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
                .unwrap_or_default()
                .split_whitespace()
            {
                let _ = Command::new("kill").args(["-9", pid]).status();
            }
            let _ = Command::new("ip").args(["netns", "del", ns]).status();
        }
    }
}

/// Runs a command of the lab itself.
fn must(program: &str, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("cannot start {program}: {e}; is its package installed? (tests/run installs it)")
        });
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends early is judged by its status.
        let _ = pipe.write_all(input.as_bytes());
    }
    let out = child
        .wait_with_output()
        .expect("a child that can be waited for");
    assert!(
        out.status.success(),
        "{program} {args:?} failed: {}\ninput:\n{input}",
        String::from_utf8_lossy(&out.stderr)
    );
    out
}

/// How often a scenario is tried where the machine stood still meanwhile.
const TRIES: u32 = 4;

/// Runs a scenario in a lab of its own. If it fails, and the machine stood still meanwhile, then the
/// instrument failed, not what it measured: it is said, and tried again. What fails on a machine
/// that ran steadily has failed, and what fails every time as well.
fn run(user: User, scenario: &(impl Fn(&mut Lab) + Sync)) {
    steady::watch();
    for left in (0..TRIES).rev() {
        let from = std::time::Instant::now();
        let once = std::panic::AssertUnwindSafe(|| scenario(&mut Lab::new(user)));
        let Err(panic) = std::panic::catch_unwind(once) else {
            return;
        };
        match steady::disturbed_since(from) {
            Some(why) if left > 0 => {
                let who = std::thread::current();
                println!("{}: {why}: again", who.name().unwrap_or("scenario"));
                if let Some(sheet) = score::Sheet::of_environment() {
                    sheet.line("again", serde_json::json!({ "why": why }));
                }
                steady::wait();
            }
            _ => std::panic::resume_unwind(panic),
        }
    }
}

/// Runs `scenario` in a lab of its own for root and for nobody, at the same time where there is
/// room. What can't run here is skipped by [`skip`]'s convention.
pub fn on_each_user(name: &str, scenario: impl Fn(&mut Lab) + Sync) {
    on_users(name, &[User::Root, User::Nobody], scenario);
}

/// The same for chosen users.
pub fn on_users(name: &str, users: &[User], scenario: impl Fn(&mut Lab) + Sync) {
    let able: Vec<User> = users
        .iter()
        .copied()
        .filter(|u| skip::need(*u, &format!("{name} as {}", u.name())))
        .collect();
    let scenario = &scenario;
    let failed: Vec<String> = std::thread::scope(|s| {
        let runs: Vec<_> = able
            .iter()
            .map(|user| {
                let run = std::thread::Builder::new()
                    .name(format!("{name} as {}", user.name()))
                    .spawn_scoped(s, move || run(*user, scenario))
                    .expect("a thread");
                (user, run)
            })
            .collect();
        runs.into_iter()
            .filter_map(|(user, run)| run.join().err().map(|_| user.name().to_owned()))
            .collect()
    });
    assert!(
        failed.is_empty(),
        "{name}: failed as {}",
        failed.join(" and as ")
    );
}
