//! Stock tools that prove the state of the lab before the program under test is asked.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Lab;
use super::plan::{Family, RESOLVER, Role, V4, V6, prover};

/// How long the lab may take to become what it should be.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `ready` says so.
///
/// # Panics
/// With what it said last, when patience ends.
pub fn until(what: &str, mut ready: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    loop {
        match ready() {
            Ok(()) => return,
            Err(said) if start.elapsed() > PATIENCE => panic!("waited in vain for {what}: {said}"),
            // The tools asked wait on the network themselves; this only keeps a refusal from spinning.
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

/// What `ping` counted.
#[derive(Clone, Debug)]
pub struct Pinged {
    /// Echo requests sent.
    pub sent: u32,
    /// Replies.
    pub received: u32,
    /// All it said.
    pub said: String,
}

impl Lab {
    /// Stock `ping` from `src` as root, with more options. It has a source address of its own,
    /// because routers limit their ICMP errors per peer: the program under test must meet
    /// limits that nobody has used up.
    pub fn ping(&self, target: IpAddr, options: &[&str]) -> Pinged {
        let source = prover(if target.is_ipv4() { V4 } else { V6 }).to_string();
        let target = target.to_string();
        let mut args = vec!["ping", "-n", "-I", &source];
        args.extend(options);
        args.push(&target);
        let said = self.say(&args);
        let number = |before: &str| {
            let words: Vec<&str> = said
                .lines()
                .find(|l| l.contains("packets transmitted"))
                .unwrap_or("")
                .split_whitespace()
                .collect();
            words
                .windows(2)
                .find(|w| w[1].starts_with(before))
                .and_then(|w| w[0].parse().ok())
        };
        Pinged {
            sent: number("packets").unwrap_or(0),
            received: number("received").unwrap_or(0),
            said,
        }
    }

    /// Stock `dig` from `src` at one resolver.
    pub fn dig(&self, resolver: &str, name: &str) -> String {
        self.say(&[
            "dig",
            "+tries=1",
            "+timeout=2",
            &format!("@{resolver}"),
            name,
        ])
    }

    /// Err with all that was said if `word` is not in it.
    pub fn expect_said(&self, args: &[&str], word: &str) -> Result<(), String> {
        let said = self.say(args);
        if said.contains(word) {
            Ok(())
        } else {
            Err(format!("{args:?} says:\n{said}"))
        }
    }

    /// Panics if `word` is not in what a stock tool says.
    pub fn must_say(&self, args: &[&str], word: &str) {
        if let Err(said) = self.expect_said(args, word) {
            panic!("'{word}' was expected: the lab is not as it should be; {said}");
        }
    }

    /// Panics unless every ping comes back.
    pub fn must_answer(&self, target: IpAddr) {
        let seen = self.ping(target, &["-c", "2", "-i", "0.02", "-W", "2"]);
        assert_eq!(seen.received, 2, "{target} should answer: {}", seen.said);
    }

    /// Panics if a ping comes back.
    pub fn must_not_answer(&self, target: IpAddr) -> Pinged {
        let seen = self.ping(target, &["-c", "2", "-i", "0.02", "-W", "1"]);
        assert_eq!(
            seen.received, 0,
            "{target} should not answer: {}",
            seen.said
        );
        assert_eq!(seen.sent, 2, "ping did not send: {}", seen.said);
        seen
    }

    /// The whole path works in both families, and the resolver knows the name.
    pub(super) fn prove_whole(&self) {
        for family in [V4, V6] {
            self.whole_path(family);
        }
        self.must_say(
            &[
                "dig",
                "+short",
                "+timeout=2",
                &format!("@{RESOLVER}"),
                "www.lab.test",
            ],
            &Role::Dst.addr(V4).to_string(),
        );
    }

    fn whole_path(&self, family: Family) {
        // The first packets wait for neighbour discovery on four links.
        let dst = Role::Dst.addr(family);
        until("the path to work", || {
            let seen = self.ping(dst, &["-c", "1", "-W", "1"]);
            if seen.received == 1 {
                Ok(())
            } else {
                Err(seen.said)
            }
        });
    }

    /// Who answers a packet to `target` that lives for `ttl` hops.
    pub fn hop(&self, target: IpAddr, ttl: u8) -> Option<IpAddr> {
        let said = self
            .ping(target, &["-c", "1", "-W", "1", "-t", &ttl.to_string()])
            .said;
        let from = said.lines().find_map(|l| {
            l.trim_start()
                .to_owned()
                .strip_prefix("From ")
                .map(str::to_owned)
        })?;
        from.split_whitespace()
            .next()?
            .trim_end_matches(':')
            .parse()
            .ok()
    }
}
