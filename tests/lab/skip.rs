//! What a test does where it can't run. One convention for all tests:
//!
//! - `if !skip::need_root("what") { return; }` at the head of a test that needs root.
//! - Where that is not given, the line `SKIPPED: <what>: <why>` is printed and appended to the
//!   file that the environment variable `WARROOM_SKIPS` names, and the test ends. `tests/run`
//!   lists those lines and exits 77.
//! - Without that variable nobody would notice, so the test fails instead.

// Other test binaries include this file alone, without the permissions of `mod.rs`.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::io::Write;
use std::process::Command;
use std::sync::OnceLock;

use super::plan::User;

/// Whether this process is root (in its user namespace at least).
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether the user `nobody` exists for this process; in a user namespace often only root does.
pub fn nobody_is_mapped() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().any(|line| {
        let mut numbers = line
            .split_whitespace()
            .map(|n| n.parse::<u64>().unwrap_or(0));
        let (inside, _, count) = (
            numbers.next().unwrap_or(1),
            numbers.next(),
            numbers.next().unwrap_or(0),
        );
        inside <= 65_534 && 65_534 < inside + count
    })
}

/// Why network namespaces can't be had by this root, as in many containers; asked once.
fn no_namespaces() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| {
        let name = format!("wl{}-try", std::process::id());
        let ip = |args: &[&str]| match Command::new("ip").args(args).output() {
            Ok(out) if out.status.success() => Ok(()),
            Ok(out) => Err(String::from_utf8_lossy(&out.stderr)
                .trim()
                .replace('\n', "; ")),
            Err(e) => Err(format!("cannot start ip: {e}")),
        };
        let tried = ip(&["netns", "add", &name]).and_then(|()| {
            let used = ip(&["netns", "exec", &name, "true"]);
            ip(&["netns", "del", &name]).and(used)
        });
        tried.err()
    })
    .as_deref()
}

/// True if the test may go on; else it is recorded as skipped.
pub fn need_root(what: &str) -> bool {
    need(User::Root, what)
}

/// True if the test may go on as that user; else it is recorded as skipped.
pub fn need(user: User, what: &str) -> bool {
    if !is_root() {
        return skipped(what, "needs root for network namespaces");
    }
    if let Some(why) = no_namespaces() {
        return skipped(what, &format!("needs network namespaces: {why}"));
    }
    if user != User::Root && !nobody_is_mapped() {
        return skipped(
            what,
            "needs a second user, which this user namespace has not",
        );
    }
    true
}

/// Records a skipped test; always false.
///
/// # Panics
/// If nobody reads the record.
pub fn skipped(what: &str, why: &str) -> bool {
    println!("SKIPPED: {what}: {why}");
    let Some(path) = std::env::var_os("WARROOM_SKIPS") else {
        panic!(
            "{what} could not run: {why}; run it through tests/run, which lists such tests and exits 77"
        );
    };
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .expect("WARROOM_SKIPS names a writable file");
    // One write, so that lines of parallel tests don't mix.
    file.write_all(format!("{what}: {why}\n").as_bytes())
        .expect("WARROOM_SKIPS names a writable file");
    false
}
