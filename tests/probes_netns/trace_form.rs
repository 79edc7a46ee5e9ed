//! How the probes of a trace or ping look, and a trace as a graph: source ports as the other end
//! sees them, sizes by chance, the language of Graphviz.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::lab::{Lab, User, at, dst, lab};
use super::trace_report::program;
use crate::ALL;

fn command(lab: &Lab, user: User, program: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.ns("src")]);
    if user == User::Nobody {
        command.args([
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ]);
    }
    command.arg(program).args(args).output().expect("runs")
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// Source ports that a router on the way has seen in packets of `what`.
fn watch(lab: &Lab, what: &str) {
    let proto = what.split(' ').next().expect("a protocol");
    lab.nft(
        "r1",
        &format!(
            "add table inet seen\nflush table inet seen\n\
             add set inet seen ports {{ type inet_service; flags dynamic; size 1024; }}\n\
             flush set inet seen ports\n\
             add chain inet seen f {{ type filter hook forward priority 5; }}\n\
             add rule inet seen f {what} add @seen_ports {{ {proto} sport }}\n"
        )
        .replace("@seen_ports", "@ports"),
    );
}

fn watched(lab: &Lab) -> BTreeSet<u16> {
    let list = lab.output("r1", "nft list set inet seen ports");
    let (_, elements) = list.split_once("elements = {").unwrap_or_default();
    let numbers = elements.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|n| n.parse().ok()).collect()
}

#[test]
fn flows_count_up_from_the_source_port() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    for (user, v6) in ALL {
        let to = dst(v6).to_string();
        for (method, what, more) in [
            ("udp", "udp dport 33435", None),
            ("udp:7777", "udp dport 7777", None),
            ("tcp:9", "tcp dport 9", None),
            // The control: left to the kernel.
            ("udp", "udp dport 33435", Some(())),
        ] {
            watch(&lab, what);
            let mut args = vec!["trace", &to, "--method", method, "-c", "1", "--json"];
            if more.is_none() {
                args.extend(["--source-port", "41000", "--flows", "3"]);
            }
            let out = command(&lab, user, &program, &args);
            assert_eq!(out.status.code(), Some(0), "{args:?}: {}", said(&out));
            let seen = watched(&lab);
            let doc: Value = serde_json::from_slice(&out.stdout).expect("JSON");
            let path = &doc["targets"][0]["paths"][0];
            assert_eq!(path["reached_ttl"], 4, "{doc}");
            if more.is_some() {
                assert!(!seen.is_empty() && !seen.contains(&41000), "{seen:?}");
                assert!(path["flows"][0]["source_port"].is_null());
                continue;
            }
            assert_eq!(
                seen,
                BTreeSet::from([41000, 41001, 41002]),
                "{user:?} {method}"
            );
            let told: Vec<_> = path["flows"].as_array().expect("flows").iter().collect();
            let told: Vec<_> = told.iter().map(|f| f["source_port"].as_u64()).collect();
            assert_eq!(told, [Some(41000), Some(41001), Some(41002)]);
        }
    }
}

#[test]
fn a_source_port_that_can_not_be_had_is_told() {
    let Some(lab) = lab(1500) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    let to = dst(false).to_string();
    let own = at(false, 1, 1);
    let run = |args: &[&str]| {
        let mut all = vec!["trace", &to, "-c", "1"];
        all.extend(args);
        let out = command(&lab, User::Nobody, &program, &all);
        (out.status.code(), said(&out))
    };
    for args in [
        &["--source-port", "41000"][..],
        &["--source-port", "41000", "--method", "icmp"],
        &["--source-port", "0", "--method", "udp"],
        &["--source-port", "65530", "--method", "udp", "--flows", "7"],
    ] {
        let (code, text) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {text}");
    }
    // Root may use it, a plain user may not.
    let (code, text) = run(&["--source-port", "53", "--method", "udp"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("ip_unprivileged_port_start"), "{text}");
    // Somebody has it: one flow of several, and all there are.
    let listener = lab.listen("src", own, 41001);
    for (method, port, flows) in [("tcp:9", "41001", "1"), ("tcp:9", "41000", "2")] {
        let (code, text) = run(&["--source-port", port, "--method", method, "--flows", flows]);
        assert_ne!(code, Some(0), "{text}");
        let told = "source port 41001 is in use on this host";
        assert!(text.contains(told) && text.contains("TIME_WAIT"), "{text}");
        // The flow that can be sent is traced all the same.
        assert_eq!(text.contains("4 hops, 1 round"), flows == "2", "{text}");
    }
    drop(listener);
    let (code, text) = run(&[
        "--source-port",
        "41000",
        "--method",
        "tcp:9",
        "--flows",
        "2",
    ]);
    assert_eq!(code, Some(0), "the control: {text}");
}

#[test]
fn sizes_by_chance_stay_between_their_ends() {
    let Some(lab) = lab(1500) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    for (user, v6) in ALL {
        let to = dst(v6).to_string();
        let ping = |sizes: &str, form: &str| {
            let count = ["-c", "12", "-i", "20ms", "--method", "udp"];
            let mut args = vec!["ping", to.as_str(), "--random-size", sizes, form];
            // Hosts ration the errors that UDP pings are answered by.
            lab.set("dst", "net.ipv4.icmp_ratemask", "0");
            lab.set("dst", "net.ipv6.icmp.ratelimit", "0");
            args.extend(count);
            let out = command(&lab, user, &program, &args);
            (out.status.code(), said(&out))
        };
        let (code, text) = ping("100..1400", "--stream-json");
        assert_eq!(code, Some(0), "{text}");
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|l| serde_json::from_str(l).ok())
            .collect();
        let sizes: Vec<u64> = lines
            .iter()
            .filter_map(|l| l["sample"]["ping"]["size"].as_u64())
            .collect();
        assert_eq!(sizes.len(), 12, "{text}");
        assert!(sizes.iter().all(|n| (100..=1400).contains(n)), "{sizes:?}");
        let many: BTreeSet<_> = sizes.iter().collect();
        assert!(many.len() > 6, "{sizes:?}");
        // One size only is that size, and the summary tells which came through.
        let (code, text) = ping("900..900", "--json");
        assert_eq!(code, Some(0), "{text}");
        let doc: Value = serde_json::from_str(&text).expect("JSON");
        let sum = &doc["targets"][0]["random_size"];
        assert_eq!(
            (&sum["largest_answered"], &sum["smallest_lost"]),
            (&900.into(), &Value::Null)
        );
    }
    // TCP handshakes carry no data.
    let to = dst(false).to_string();
    let args = [
        "ping",
        &to,
        "--random-size",
        "64..100",
        "--method",
        "tcp:9",
        "-c",
        "1",
    ];
    let out = command(&lab, User::Nobody, &program, &args);
    assert_eq!(out.status.code(), Some(3), "{}", said(&out));
    assert!(
        said(&out).contains("go with ICMP and UDP"),
        "{}",
        said(&out)
    );
}

/// A graph as a program for graphs reads it: attributes of nodes and of edges.
#[derive(Debug, Default)]
struct Read {
    nodes: BTreeMap<String, BTreeMap<String, String>>,
    edges: BTreeMap<(String, String), BTreeMap<String, String>>,
}

/// Reads all graphs of a text by the grammar of the language, or panics.
fn read(text: &str) -> Vec<Read> {
    let tokens = tokens(text);
    let mut rest = tokens.iter().map(String::as_str).peekable();
    let mut graphs = Vec::new();
    while let Some(word) = rest.next() {
        assert_eq!(word, "digraph", "{text}");
        rest.next().expect("a name");
        assert_eq!(rest.next(), Some("{"));
        let mut graph = Read::default();
        loop {
            let id = rest.next().expect("a statement or the end");
            if id == "}" {
                break;
            }
            let mut to = None;
            match rest.peek() {
                Some(&"=") => {
                    rest.next();
                    rest.next().expect("a value");
                    assert_eq!(rest.next(), Some(";"));
                    continue;
                }
                Some(&"->") => {
                    rest.next();
                    to = rest.next();
                }
                _ => {}
            }
            assert_eq!(rest.next(), Some("["), "behind {id}: {text}");
            let mut attributes = BTreeMap::new();
            loop {
                let key = rest.next().expect("a key");
                assert_eq!(rest.next(), Some("="), "{key}: {text}");
                attributes.insert(key.to_owned(), rest.next().expect("a value").to_owned());
                match rest.next() {
                    Some(",") => {}
                    Some("]") => break,
                    other => panic!("{other:?}: {text}"),
                }
            }
            assert_eq!(rest.next(), Some(";"));
            match to {
                Some(to) => {
                    let twice = graph.edges.insert((id.into(), to.into()), attributes);
                    assert!(twice.is_none(), "{id} -> {to} twice");
                }
                None if matches!(id, "node" | "edge") => {}
                None => {
                    let twice = graph.nodes.insert(id.into(), attributes);
                    assert!(twice.is_none(), "{id} twice");
                }
            }
        }
        for (from, to) in graph.edges.keys() {
            assert!(
                graph.nodes.contains_key(from) && graph.nodes.contains_key(to),
                "{from} -> {to}"
            );
        }
        graphs.push(graph);
    }
    graphs
}

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with("//")) {
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                ' ' => {}
                '"' => {
                    let mut quoted = String::new();
                    loop {
                        match chars.next().expect("the end of a quoted text") {
                            '"' => break,
                            '\\' => match chars.next().expect("something behind a \\") {
                                'n' => quoted.push('\n'),
                                c => quoted.push(c),
                            },
                            c => quoted.push(c),
                        }
                    }
                    out.push(quoted);
                }
                '-' => {
                    assert_eq!(chars.next(), Some('>'), "{line}");
                    out.push("->".into());
                }
                '{' | '}' | '[' | ']' | '=' | ',' | ';' => out.push(c.into()),
                c if c.is_ascii_alphanumeric() => {
                    let mut word = String::from(c);
                    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric()) {
                        word.push(c);
                    }
                    out.push(word);
                }
                other => panic!("{other:?} in {line}"),
            }
        }
    }
    out
}

#[test]
fn a_graph_shows_who_comes_after_whom() {
    let Some(lab) = lab(1500) else { return };
    lab.part();
    let folder = tempfile::tempdir().expect("a folder");
    let program = program(folder.path());
    for (user, v6) in ALL {
        let to = dst(v6).to_string();
        let url = match v6 {
            true => format!("http://[{to}]/?q=\"a\\b\""),
            false => format!("http://{to}/?q=\"a\\b\""),
        };
        let args = [
            "trace", &url, "--method", "udp", "--flows", "12", "-c", "1", "--dot",
        ];
        let out = command(&lab, user, &program, &args);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let graphs = read(&text);
        assert_eq!(graphs.len(), 1, "{text}");
        let graph = &graphs[0];
        let hop = |link: u16| at(v6, link, 2).to_string();
        // Both ways, each between the router that parts them and the one where they meet.
        for beside in [2, 5] {
            let edge = &graph.edges[&(hop(1), hop(beside))];
            assert!(edge["label"].contains("flow "), "{text}");
        }
        let end = &graph.nodes[&to];
        assert_eq!(end["peripheries"], "2", "{text}");
        assert!(end["label"].contains("hop 4"), "{text}");
        // Every round of every flow begins here.
        let first = &graph.edges[&("this host".to_owned(), hop(1))];
        let (_, rest) = first["label"].split_once(": ").expect("a count");
        assert!(rest.starts_with('1'), "{text}");
        assert_eq!(first["label"].lines().count(), 12, "{text}");
    }
    // A silent hop is a node, and several targets are several graphs.
    lab.drop_at("r1", "output", "ip", "icmp type time-exceeded");
    let (to, other) = (dst(false).to_string(), at(false, 3, 2).to_string());
    let args = ["trace", &to, &other, "--method", "udp", "-c", "1", "--dot"];
    let out = command(&lab, User::Nobody, &program, &args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let graphs = read(&text);
    assert_eq!(graphs.len(), 2, "{text}");
    let silent = (
        "this host".to_owned(),
        "silent 1 behind this host".to_owned(),
    );
    assert!(graphs[0].edges.contains_key(&silent), "{text}");
    assert_eq!(
        graphs[0].nodes["silent 1 behind this host"]["style"],
        "dashed"
    );
    // What goes wrong is told apart from the graph.
    let out = command(
        &lab,
        User::Nobody,
        &program,
        &["trace", "--dot", "--json", &to],
    );
    assert_eq!(out.status.code(), Some(2));
}
