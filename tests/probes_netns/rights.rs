//! The real program gives up what it no longer needs, and still pings.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Words of `/proc/PID/task/*/status` that begin with `Cap`.
fn capabilities(pid: u32, set: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status"));
    tasks
        .filter_map(|task| status(task.ok()?).ok())
        .filter_map(|text| {
            let line = text.lines().find(|l| l.starts_with(set))?.to_owned();
            u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()
        })
        .collect()
}

#[test]
fn all_threads_have_given_up_the_network_rights() {
    let Some(_lab) = super::lab::lab(1500) else {
        return;
    };
    // CAP_NET_RAW, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN, CAP_SETUID.
    let bits = [13u64, 12, 10, 21, 7];
    // Of this thread: others of this program have become nobody.
    let own = std::fs::read_to_string("/proc/thread-self/status").expect("it runs");
    let own = own.lines().find_map(|l| l.strip_prefix("CapEff:"));
    let own = own.and_then(|c| u64::from_str_radix(c.trim(), 16).ok());
    assert!(
        own.is_some_and(|c| c & (1 << 13) != 0),
        "control: we have it"
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_warroom"))
        .args(["ping", "127.0.0.1", "--count", "0", "--interval", "100ms"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let answered = lines.find(|l| l.as_ref().is_ok_and(|l| l.contains("seq 2")));
    let sets: Vec<Vec<u64>> = ["CapEff", "CapPrm"]
        .iter()
        .map(|set| capabilities(child.id(), set))
        .collect();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let line = answered.expect("a third ping").expect("text");
    assert!(line.contains("ICMP raw"), "{line}");
    for set in sets {
        assert!(set.len() > 1, "several threads");
        for word in set {
            for bit in bits {
                assert_eq!(word & (1 << bit), 0, "capability {bit} in {word:x}");
            }
        }
    }
}
