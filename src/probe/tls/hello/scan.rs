//! Which versions and which suites? Asked one hello at a time: offer all, take out what the
//! server chose, ask again until it refuses. Bounded and paced.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::super::Ask;
use super::wire::Version;
use super::{Answer, ask, suites};

/// Most hellos of one scan.
const MAX_HELLOS: usize = 100;
/// Time from one hello to the next: 40 a second.
const PACE: Duration = Duration::from_millis(25);

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scan {
    /// Each version, oldest first.
    pub versions: Vec<VersionScan>,
    /// Hellos sent.
    pub hellos: usize,
    /// It ended at the limit, so that suites may be missing.
    pub cut: bool,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VersionScan {
    /// `TLSv1.2`.
    pub version: &'static str,
    /// Whether the server agrees to it; `None` if it gave no answer at all.
    pub offered: Option<bool>,
    /// What it said where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Suites in the order in which the server chose them, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ciphers: Vec<CipherScan>,
}

/// One suite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CipherScan {
    /// IANA name.
    pub name: String,
    /// Why it should not be offered any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak: Option<&'static str>,
}

impl Scan {
    /// The newest version that the server agrees to.
    pub fn newest(&self) -> Option<&'static str> {
        let offered = self.versions.iter().filter(|v| v.offered == Some(true));
        offered.map(|v| v.version).next_back()
    }

    /// Versions of the past that it still agrees to.
    pub fn old(&self) -> Vec<&'static str> {
        let old = [Version::Tls10.name(), Version::Tls11.name()];
        let offered = self.versions.iter().filter(|v| v.offered == Some(true));
        offered
            .map(|v| v.version)
            .filter(|v| old.contains(v))
            .collect()
    }

    /// Weak suites that it agrees to.
    pub fn weak(&self) -> Vec<&CipherScan> {
        let all = self.versions.iter().flat_map(|v| &v.ciphers);
        let mut weak: Vec<_> = all.filter(|c| c.weak.is_some()).collect();
        weak.dedup_by(|a, b| a.name == b.name);
        weak
    }
}

struct Pace {
    next: Instant,
    hellos: usize,
}

impl Pace {
    async fn ask(&mut self, q: &Ask, dst: SocketAddr, v: Version, offered: &[u16]) -> Answer {
        sleep_until(self.next).await;
        self.next = Instant::now() + PACE;
        self.hellos += 1;
        ask(q, dst, v, offered, false).await
    }
}

/// Asks for each version, and with `ciphers` for each suite of those that it has.
pub async fn scan(q: &Ask, dst: SocketAddr, ciphers: bool) -> Scan {
    let mut pace = Pace {
        next: Instant::now(),
        hellos: 0,
    };
    let mut out = Scan::default();
    for version in Version::ALL {
        let mut left: Vec<u16> = suites::ALL
            .iter()
            .map(|s| s.id)
            .filter(|id| suites::TLS13.contains(id) == (version == Version::Tls13))
            .collect();
        let mut found = VersionScan {
            version: version.name(),
            offered: None,
            why: None,
            ciphers: Vec::new(),
        };
        loop {
            if pace.hellos >= MAX_HELLOS {
                out.cut = true;
                break;
            }
            let hello = match pace.ask(q, dst, version, &left).await {
                Answer::Hello { hello, .. } => hello,
                Answer::Refused(why) if found.offered.is_none() => {
                    found.offered = Some(false);
                    found.why = Some(why);
                    break;
                }
                Answer::Nothing(why) if found.offered.is_none() => {
                    found.why = Some(why);
                    break;
                }
                Answer::Refused(_) => break,
                Answer::Nothing(_) => {
                    out.cut = true;
                    break;
                }
            };
            if hello.version != Some(version) {
                // An older one was chosen.
                if found.offered.is_none() {
                    found.offered = Some(false);
                    found.why = hello.version.map(|v| format!("chooses {}", v.name()));
                }
                break;
            }
            found.offered = Some(true);
            let before = left.len();
            left.retain(|id| *id != hello.suite);
            if !ciphers || left.len() == before {
                break;
            }
            let name = suites::name(hello.suite);
            let weak = suites::weakness(&name);
            found.ciphers.push(CipherScan { name, weak });
            if left.is_empty() {
                break;
            }
        }
        out.versions.push(found);
    }
    out.hellos = pace.hellos;
    out
}
