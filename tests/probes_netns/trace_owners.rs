//! Whose the hops are: names of a real resolver, tables from files, resolvers that say nothing
//! and resolvers that say too much.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::PTR;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde_json::Value;

use super::lab::{Lab, User, at, dst, lab};
use super::trace_report::{program, unrationed};
use crate::ALL;

/// Nothing takes so long unless it hangs.
const HANG: Duration = Duration::from_secs(90);
const TABLE: &str = "10.9.0.0\t16\t64500\nfd09::\t16\t64501\n";

/// A folder with the program, a table and the host's resolvers.
fn folder(resolvers: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    program(folder.path());
    std::fs::write(folder.path().join("resolv.conf"), resolvers).expect("written");
    std::fs::write(folder.path().join("pfx2as"), TABLE).expect("written");
    folder
}

/// The program in `src`, with the folder's resolvers, working in the folder.
fn trace(lab: &Lab, user: User, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.ns("src"), "sh", "-c"]);
    // `ip netns exec` has made a mount namespace of its own: the host sees none of this.
    command.arg(r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#);
    command.arg(folder.join("resolv.conf"));
    if user == User::Nobody {
        command.args(["setpriv", "--reuid", "65534", "--regid", "65534"]);
        command.arg("--clear-groups");
    }
    command.arg(folder.join("warroom")).arg("trace").args(args);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("XDG_CONFIG_HOME", folder);
    command
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn run(lab: &Lab, user: User, folder: &Path, args: &[&str]) -> String {
    let out = trace(lab, user, folder, args).output().expect("runs");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{}{errors}", text(&out));
    text(&out)
}

/// The rows of hops, and what else is said of them.
fn hops(printed: &str) -> impl Iterator<Item = &str> {
    printed.lines().filter(|l| l.starts_with("  "))
}

/// What the program prints once it has had the time to learn it: a starved machine may need more
/// than one run for that, since nothing is waited for.
fn until(lab: &Lab, folder: &Path, args: &[&str], shows: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let printed = run(lab, User::Nobody, folder, args);
        if shows(&printed) {
            return printed;
        }
        assert!(begun.elapsed() < HANG, "{printed}");
    }
}

struct Unbound(Child);

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real resolver in `src` that knows the routers and the far host.
fn unbound(lab: &Lab, folder: &Path) -> Unbound {
    let mut config = String::from(
        "server:\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n \
         use-syslog: no\n verbosity: 0\n interface: 127.0.0.1\n \
         local-zone: \"9.10.in-addr.arpa.\" static\n local-zone: \"9.0.d.f.ip6.arpa.\" static\n",
    );
    for (link, name) in (1..).zip(["r1", "r2", "r3", "far"]) {
        for (v6, family) in [(false, "four"), (true, "six")] {
            let addr = at(v6, link, 2);
            config.push_str(&format!(
                " local-data-ptr: \"{addr} {name}.{family}.lab.example\"\n"
            ));
        }
    }
    config.push_str("remote-control:\n control-enable: no\n");
    let file = folder.join("unbound.conf");
    std::fs::write(&file, config).expect("written");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.ns("src"), "unbound", "-d", "-c"]);
    let child = command.arg(file).spawn().expect("unbound starts");
    let unbound = Unbound(child);
    let socket = lab.within("src", User::Root, || async {
        UdpSocket::bind("127.0.0.1:0").expect("a socket")
    });
    let (mut query, mut answer) = (Message::query(), [0; 512]);
    let name = Name::from_ascii("2.1.9.10.in-addr.arpa.").expect("a name");
    query.add_query(hickory_proto::op::Query::query(name, RecordType::PTR));
    let query = query.to_vec().expect("a query");
    let wait = Some(Duration::from_millis(200));
    socket.set_read_timeout(wait).expect("set");
    let begun = Instant::now();
    loop {
        let _ = socket.send_to(&query, "127.0.0.1:53");
        if socket.recv(&mut answer).is_ok() {
            return unbound;
        }
        assert!(begun.elapsed() < HANG, "unbound does not answer");
    }
}

/// A resolver of our own in `src`: what it was asked, and what it says to that.
struct Resolver {
    asked: Arc<Mutex<Vec<String>>>,
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Resolver {
    /// Without a name it never answers.
    fn start(lab: &Lab, says: Option<Name>) -> Self {
        let socket = lab.within("src", User::Root, || async {
            UdpSocket::bind("127.0.0.1:53").expect("the port is free")
        });
        let wait = Some(Duration::from_millis(50));
        socket.set_read_timeout(wait).expect("set");
        let (asked, answered) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let stop = Arc::<AtomicBool>::default();
        let theirs = (
            Arc::clone(&asked),
            Arc::<AtomicUsize>::clone(&answered),
            Arc::clone(&stop),
        );
        let thread = std::thread::spawn(move || {
            let (asked, answered, stop) = theirs;
            let mut buffer = [0; 512];
            while !stop.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let query = Message::from_vec(&buffer[..len]).expect("a query");
                let question = query.queries.first().expect("a question").clone();
                let text = format!("{} {}", question.name, question.query_type);
                asked.lock().expect("unpoisoned").push(text);
                let Some(name) = says.clone() else { continue };
                let id = query.metadata.id;
                let mut answer = Message::new(id, MessageType::Response, query.metadata.op_code);
                let data = RData::PTR(PTR(name));
                answer.add_answer(Record::from_rdata(question.name.clone(), 60, data));
                answer.add_query(question);
                let bytes = answer.to_vec().expect("an answer");
                if socket.send_to(&bytes, from).is_ok() {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            asked,
            answered,
            stop,
            thread: Some(thread),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_stream_tells_names_as_they_become_known() {
    let Some(lab) = lab(1500) else { return };
    // A test may need several runs.
    unrationed(&lab);
    let folder = folder("nameserver 127.0.0.1\n");
    let _unbound = unbound(&lab, folder.path());
    for (user, v6) in ALL {
        let to = dst(v6).to_string();
        let args = [&to, "--stream-json", "-c", "0", "--asn", "pfx2as"];
        let mut child = trace(&lab, user, folder.path(), &args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut parse = || -> Option<Value> {
            let line = lines.next()?.expect("text");
            Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
        };
        let family = if v6 { "six" } else { "four" };
        let names: Vec<String> = ["r1", "r2", "r3", "far"]
            .map(|n| format!("{n}.{family}.lab.example"))
            .to_vec();
        let mut told = Vec::new();
        let begun = Instant::now();
        while told.len() < names.len() {
            let line = parse().expect("it runs until it is stopped");
            if let Some(name) = line["origin"]["name"].as_str() {
                assert_eq!(line["target"], to.as_str());
                assert!(line["time"].is_string(), "{line}");
                told.push((line["origin"]["address"].clone(), name.to_owned()));
            }
            assert!(begun.elapsed() < HANG, "{told:?}");
        }
        // ^C to all of its processes: what is known is told once more.
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("stopped");
        let last = std::iter::from_fn(&mut parse).last().expect("a result");
        assert_eq!(child.wait().expect("ends").code(), Some(0), "{last}");
        let result = &last["result"];
        for (link, name) in (1..).zip(&names) {
            let addr = at(v6, link, 2).to_string();
            let origin = &result["origins"][&addr];
            assert_eq!(origin["name"], name.as_str(), "{result:#}");
            let number = if v6 { 64_501 } else { 64_500 };
            assert_eq!(origin["asn"]["number"], number, "{result:#}");
            assert!(told.contains(&(addr.into(), name.clone())), "{told:?}");
        }
    }
}

#[test]
fn names_and_systems_stand_beside_hops_in_every_report() {
    let Some(lab) = lab(1500) else { return };
    // A test may need several runs.
    unrationed(&lab);
    let folder = folder("nameserver 127.0.0.1\n");
    let _unbound = unbound(&lab, folder.path());
    std::fs::write(
        folder.path().join("warroom.toml"),
        "[origin]\nasn = \"pfx2as\"\n",
    )
    .expect("written");
    let to = dst(false).to_string();
    let whole = |shown: &str| {
        let names = ["r1", "r2", "r3", "far"];
        let mut names = names.iter().map(|n| format!("{n}.four.lab.example"));
        names.all(|n| shown.contains(&n))
    };
    let at = folder.path();
    let plain = until(&lab, at, &[&to], whole);
    let row = plain
        .lines()
        .find(|l| l.starts_with("  2 "))
        .expect("hop 2");
    assert!(row.contains("10.9.2.2 "), "{row}");
    assert!(row.ends_with("r2.four.lab.example [AS64500]"), "{row}");
    assert!(hops(&plain).all(|l| l.len() <= 80), "{plain}");

    let wide = until(&lab, at, &[&to, "--wide"], whole);
    let row = wide.lines().find(|l| l.starts_with("  2 ")).expect("hop 2");
    assert!(row.ends_with("r2.four.lab.example [AS64500]"), "{row}");

    // The table is there before the first row is printed.
    let filled = |csv: &str| csv.lines().skip(1).all(|row| row.contains(",64500,"));
    let shows = |csv: &str| whole(csv) && filled(csv);
    let csv = until(&lab, at, &[&to, "--csv"], shows);
    let mut rows = csv.lines();
    let head: Vec<_> = rows.next().expect("a header").split(',').collect();
    let tail = ["name", "asn", "as_name", "country", "city"];
    assert_eq!(head[head.len() - 5..], tail);
    let last = rows.next_back().expect("rows");
    assert!(last.ends_with("far.four.lab.example,64500,,,"), "{last}");
    // The control: nobody is asked for names, the table is read all the same.
    let four = |shown: &str| shown.matches("  [AS64500]").count() == 4;
    let numbers = until(&lab, at, &[&to, "-n"], four);
    assert!(!numbers.contains("lab.example"), "{numbers}");
}

#[test]
fn a_silent_resolver_is_not_waited_for() {
    let Some(lab) = lab(1500) else { return };
    // A test may need several runs.
    unrationed(&lab);
    let folder = folder("nameserver 127.0.0.1\n");
    let silent = Resolver::start(&lab, None);
    let to = dst(false).to_string();
    let args = [&to, "--asn", "pfx2as", "--json"];
    // That nothing waits for the answer is shown where it is decided, beside `tables_read`; here
    // it is that the questions were put and the report is whole without.
    let printed = until(&lab, folder.path(), &args, |_| !silent.asked().is_empty());
    let doc: Value = serde_json::from_str(&printed).expect("a document");
    let target = &doc["targets"][0];
    assert_eq!(target["paths"][0]["reached_ttl"], 4);
    for link in 1..=4 {
        let origin = &target["origins"][at(false, link, 2).to_string()];
        assert_eq!(origin["asn"]["number"], 64_500, "{target:#}");
        assert_eq!(origin["name"], Value::Null);
    }
    for question in silent.asked() {
        assert!(question.ends_with("9.10.in-addr.arpa. PTR"), "{question}");
    }
    // With -n nobody is asked anything (not even for systems: these addresses are private), nor
    // where the configuration can't be read.
    let before = silent.asked().len();
    run(&lab, User::Nobody, folder.path(), &[&to, "-n", "--dns-asn"]);
    std::fs::write(folder.path().join("warroom.toml"), "[origin]\nasm = 1\n").expect("written");
    let out = trace(&lab, User::Root, folder.path(), &[&to]).output();
    let out = out.expect("runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(said.contains("warroom.toml:2:1: unknown key"), "{said}");
    assert_eq!(silent.asked().len(), before, "{:?}", silent.asked());
}

#[test]
fn a_hostile_name_does_nothing() {
    let Some(lab) = lab(1500) else { return };
    // A test may need several runs.
    unrationed(&lab);
    let folder = folder("nameserver 127.0.0.1\n");
    let labels: [&[u8]; 3] = [b"\x1b[2J\x1b]0;owned\x07", b"a\nb\rc", b"\xe2\x80\xae\xff"];
    let hostile = Name::from_labels(labels).expect("a name");
    let resolver = Resolver::start(&lab, Some(hostile));
    let to = dst(false).to_string();
    for form in ["--wide", "--csv", "--json", "--stream-json"] {
        let shows = |printed: &str| printed.contains("owned");
        let printed = until(&lab, folder.path(), &[&to, form], shows);
        let bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!printed.contains(bad), "{form}: {printed:?}");
        assert!(!printed.lines().any(|l| l.starts_with('b')), "{printed}");
    }
    assert!(resolver.answered.load(Ordering::Relaxed) > 0);
    let plain = until(&lab, folder.path(), &[&to], |t| t.contains("[2J"));
    assert!(hops(&plain).any(|l| l.contains("\\027[2J")), "{plain}");
    assert!(hops(&plain).all(|l| l.len() <= 80), "{plain}");
}
