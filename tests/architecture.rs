//! Holds the structure of `src/`: who may import whom, what pure code may not touch, where
//! `unsafe` may live, how long a file may be. The rules are the tables below; when one of these
//! tests fails, move the code, or change the table together with the reason for it.
//!
//! It reads source text with a small tokeniser, so it also sees code that is not compiled on
//! this platform. It does not expand macros.

// In a test, to panic is to report.
#![allow(clippy::expect_used)]

#[path = "architecture/source.rs"]
mod source;

use std::path::Path;

use source::{Source, Token};

/// A part of the program and the parts that it may import. A part is a path below `src/`; the
/// longest that fits a file is the file's part. An import is allowed if an entry is a prefix of
/// it. Every part may import itself.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("redact", &["model"]),
    ("sys", &["model"]),
    ("net", &["sys", "model"]),
    ("probe", &["net", "sys", "model"]),
    // A device's health URL is asked by the HTTP probe.
    ("device", &["probe", "net", "sys", "model"]),
    ("inventory", &["config", "model"]),
    ("config", &["model"]),
    ("diagnose", &["model"]),
    ("runbook", &["sys", "redact", "model"]),
    ("incident", &["redact", "sys::clock", "model"]),
    ("export", &["incident", "redact", "model"]),
    ("notify", &["export", "redact", "model"]),
    (
        "engine",
        &[
            "probe", "device", "diagnose", "runbook", "incident", "notify", "export", "redact",
            "net", "sys", "config", "model",
        ],
    ),
    ("console", &[]),
    ("console/state", &["model", "config"]),
    ("console/view", &["console::state", "config", "model"]),
    (
        "console/terminal",
        &["console", "engine", "sys", "config", "model"],
    ),
    (
        "cli",
        &[
            "console::terminal",
            "engine",
            "probe",
            "device",
            "diagnose",
            "inventory",
            "runbook",
            "incident",
            "notify",
            "export",
            "redact",
            "net",
            "sys",
            "config",
            "model",
        ],
    ),
    ("lib.rs", &[]),
    ("main.rs", &["cli"]),
];

/// Same input, same output, on any machine: no IO, no clock, no async.
const PURE: &[&str] = &["model", "diagnose", "redact", "console/state"];

/// What pure code must not name. `std::net` addresses are fine, sockets are not.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::time::Instant::now",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "ratatui",
    "crossterm",
    "nix",
    "libc",
    "socket2",
    "getrandom",
];

/// The only places where `unsafe` may be written.
const UNSAFE_ALLOWED: &[&str] = &["sys", "net"];

/// Lines a file may have.
const MAX_LINES: usize = 500;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[];

fn part_of(file: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    ALLOWED
        .iter()
        .filter(|(part, _)| {
            file == *part
                || file
                    .strip_prefix(part)
                    .is_some_and(|r| r.starts_with('/') || r == ".rs")
        })
        .max_by_key(|(part, _)| part.len())
}

fn starts_with_path(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Imports of `src` that the table forbids, each as a line for a person.
fn forbidden_imports(src: &Source) -> Vec<String> {
    let Some((part, allowed)) = part_of(&src.file) else {
        return vec![format!(
            "{}: belongs to no part; add it to ALLOWED",
            src.file
        )];
    };
    let own = part.replace('/', "::");
    src.internal_paths()
        .into_iter()
        .filter(|(_, path)| !starts_with_path(path, &own))
        .filter(|(_, path)| !allowed.iter().any(|a| starts_with_path(path, a)))
        .map(|(line, path)| format!("src/{}:{line}: {part} must not import {path}", src.file))
        .collect()
}

/// Impure names in a pure file, outside its tests.
fn impurities(src: &Source) -> Vec<String> {
    let pure = part_of(&src.file).is_some_and(|(part, _)| PURE.contains(part));
    if !pure || src.file.ends_with("/tests.rs") || src.file.contains("/tests/") {
        return Vec::new();
    }
    src.without_tests()
        .paths()
        .into_iter()
        .filter(|(_, path)| {
            IMPURE.iter().any(|bad| {
                starts_with_path(path, bad)
                    || path.ends_with(&format!("::{bad}")) && bad.contains("::")
            })
        })
        .map(|(line, path)| format!("src/{}:{line}: pure code names {path}", src.file))
        .collect()
}

/// `unsafe` outside the places for it.
fn stray_unsafe(src: &Source) -> Vec<String> {
    if UNSAFE_ALLOWED
        .iter()
        .any(|p| src.file.starts_with(&format!("{p}/")))
    {
        return Vec::new();
    }
    src.tokens
        .iter()
        .filter(|(_, t)| *t == Token::Word("unsafe".into()))
        .map(|(line, _)| format!("src/{}:{line}: unsafe outside sys/ and net/", src.file))
        .collect()
}

/// Whether a file is too long without being listed, or listed without need.
fn length_fault_in(long: &[(&str, &str)], file: &str, lines: usize) -> Option<String> {
    let listed = long.iter().any(|(f, _)| *f == file);
    match (lines > MAX_LINES, listed) {
        (true, false) => Some(format!(
            "src/{file}: {lines} lines; split it by purpose, or list it in LONG with a reason"
        )),
        (false, true) => Some(format!(
            "src/{file}: {lines} lines; take it off the list LONG"
        )),
        _ => None,
    }
}

fn length_fault(file: &str, lines: usize) -> Option<String> {
    length_fault_in(LONG, file, lines)
}

fn all_sources() -> Vec<Source> {
    let found = source::read_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        found.len() > 30,
        "the source tree was not found: {} files",
        found.len()
    );
    found
}

fn assert_none(faults: Vec<String>) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn imports_point_one_way() {
    assert_none(all_sources().iter().flat_map(forbidden_imports).collect());
}

#[test]
fn pure_code_is_pure() {
    assert_none(all_sources().iter().flat_map(impurities).collect());
}

#[test]
fn unsafe_lives_at_the_bottom() {
    assert_none(all_sources().iter().flat_map(stray_unsafe).collect());
}

#[test]
fn files_are_small() {
    let faults = all_sources()
        .iter()
        .filter_map(|s| length_fault(&s.file, s.lines))
        .collect();
    assert_none(faults);
    for (file, _) in LONG {
        assert!(
            all_sources().iter().any(|s| s.file == *file),
            "LONG lists {file}, which does not exist"
        );
    }
}

#[test]
fn the_table_itself_has_no_cycle() {
    // Direct edges between parts; `console` as an import covers its three children.
    let edges = |part: &str| -> Vec<&str> {
        let allowed = ALLOWED
            .iter()
            .find(|(p, _)| *p == part)
            .map_or(&[][..], |(_, a)| a);
        ALLOWED
            .iter()
            .map(|(p, _)| *p)
            .filter(|p| {
                *p != part
                    && allowed.iter().any(|a| {
                        starts_with_path(
                            &p.replace('/', "::"),
                            a.split("::clock").next().unwrap_or(a),
                        )
                    })
            })
            .collect()
    };
    for (start, _) in ALLOWED {
        let (mut seen, mut open) = (Vec::new(), edges(start));
        while let Some(p) = open.pop() {
            assert_ne!(p, *start, "ALLOWED has a cycle through {start}");
            if !seen.contains(&p) {
                seen.push(p);
                open.extend(edges(p));
            }
        }
    }
}

/// `WARROOM_TEST_SELFCHECK=1 tests/run` must fail, and fails here: it shows that a failing test
/// reaches the exit status of the whole command.
#[test]
fn a_failure_that_was_asked_for() {
    assert!(
        std::env::var_os("WARROOM_TEST_SELFCHECK").is_none(),
        "this failure was asked for by WARROOM_TEST_SELFCHECK"
    );
}

/// The checks above must be able to fail; each control here is a fault they have to see.
mod controls {
    use super::*;

    fn imports(file: &str, text: &str) -> usize {
        forbidden_imports(&Source::parse(file, text)).len()
    }

    #[test]
    fn forbidden_edges_are_seen_however_they_are_written() {
        for text in [
            "use crate::engine::Engine;",
            "use crate::{model::target::Target, engine};",
            "use crate::{\n model,\n engine::{Engine as E},\n};",
            "fn f() -> crate::engine::X { todo() }",
            "pub use crate :: engine :: *;",
            "use super::super::engine::Engine;",
            "mod inner { fn f() { super::super::super::engine::go() } }",
            "#[cfg(test)] mod tests { use crate::engine::Engine; }",
        ] {
            assert_eq!(imports("diagnose/path.rs", text), 1, "not seen: {text}");
        }
        assert_eq!(imports("model/time.rs", "use crate::net::wire::Wire;"), 1);
        assert_eq!(
            imports(
                "console/view/mod.rs",
                "use crate::console::terminal::Owner;"
            ),
            1
        );
        assert_eq!(
            imports("console/state/app.rs", "use super::super::view::draw;"),
            1
        );
        assert_eq!(
            imports("cli/check.rs", "use crate::console::view::draw;"),
            1
        );
        assert_eq!(
            imports("incident/writer.rs", "use crate::sys::spawn::Child;"),
            1
        );
        assert_eq!(
            imports("main.rs", "fn main() { warroom::engine::start() }"),
            1
        );
        assert_eq!(imports("nowhere/mod.rs", ""), 1);
    }

    #[test]
    fn allowed_edges_and_mere_mentions_pass() {
        for (file, text) in [
            (
                "diagnose/path.rs",
                "use crate::model::finding::Finding; use super::common::x;",
            ),
            (
                "diagnose/path.rs",
                "// use crate::engine::Engine;\n/* crate::engine */ //! crate::net\n",
            ),
            (
                "diagnose/path.rs",
                "const S: &str = \"use crate::engine\"; const R: &str = r#\"crate::engine\"#; const Q: char = '\"';",
            ),
            (
                "diagnose/path.rs",
                "fn f<'a>(x: &'a str) -> &'a str { x } mod t { use super::f; use crate::diagnose::y; }",
            ),
            (
                "console/terminal/mod.rs",
                "use crate::console::{state::App, view}; use crate::engine::Engine;",
            ),
            ("incident/writer.rs", "use crate::sys::clock::Clock;"),
            ("net.rs", "use crate::sys::tty;"),
            ("main.rs", "fn main() { warroom::cli::main() }"),
        ] {
            assert_eq!(imports(file, text), 0, "{file}: {text}");
        }
    }

    #[test]
    fn impure_names_are_seen_outside_tests_only() {
        let count = |file: &str, text: &str| impurities(&Source::parse(file, text)).len();
        for text in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "fn f() { let t = std::time::Instant::now(); }",
            "use std::time::{Duration, SystemTime};",
            "fn f() { let t = jiff::Timestamp::now(); }",
            "fn f() { let t = Timestamp::now(); }",
            "use std::net::{IpAddr, UdpSocket};",
            "use tokio::sync::mpsc;",
        ] {
            assert_eq!(count("model/x.rs", text), 1, "not seen: {text}");
        }
        assert_eq!(count("console/state/app.rs", "use ratatui::Frame;"), 1);
        assert_eq!(
            count(
                "model/x.rs",
                "use std::net::{IpAddr, Ipv4Addr}; use std::time::Duration;"
            ),
            0
        );
        assert_eq!(
            count("model/x.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
            0
        );
        assert_eq!(count("engine/x.rs", "use std::fs;"), 0);
    }

    #[test]
    fn unsafe_and_length_are_seen() {
        assert_eq!(
            stray_unsafe(&Source::parse("probe/x.rs", "fn f() { unsafe { g() } }")).len(),
            1
        );
        assert_eq!(
            stray_unsafe(&Source::parse(
                "probe/x.rs",
                "#![deny(unsafe_code)] // unsafe"
            ))
            .len(),
            0
        );
        assert_eq!(
            stray_unsafe(&Source::parse("sys/x.rs", "unsafe fn f() {}")).len(),
            0
        );
        assert!(length_fault("probe/x.rs", 501).is_some());
        assert!(length_fault("probe/x.rs", 500).is_none());
        assert!(length_fault_in(&[("x.rs", "why")], "x.rs", 10).is_some());
    }
}
