//! The host's own `ping`: the last resort where neither ICMP socket is permitted and UDP and
//! TCP are not answered. It is run without a shell, and its words are read with care.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::model::observation::{Echo, IcmpError, Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::sys::clock::Clock;

/// Where it may be. `PATH` is not asked: it is the user's, and this may run with a capability.
const PLACES: [&str; 4] = ["/usr/bin/ping", "/bin/ping", "/usr/sbin/ping", "/sbin/ping"];
/// Bytes read of each of its outputs.
const MOST: u64 = 16 * 1024;

/// The program.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
}

impl Program {
    pub(super) fn find() -> Result<Self, SafeText> {
        PLACES
            .iter()
            .map(Path::new)
            .find(|p| p.is_file())
            .map(|p| Self { path: p.into() })
            .ok_or_else(|| "this host has no ping program".into())
    }

    pub(super) async fn ping(
        &self,
        dst: IpAddr,
        timeout: Duration,
        source: &Source,
        clock: Clock,
    ) -> Outcome<Echo> {
        let before = clock.mono();
        let after = || Rtt::from_duration(clock.mono().since(before));
        match tokio::time::timeout(
            timeout + Duration::from_secs(1),
            self.run(dst, timeout, source),
        )
        .await
        {
            Err(_) => Outcome::Timeout { after: after() },
            Ok(Err(e)) => Outcome::CannotTry {
                need: SafeText::new(format!("{} that can be run ({e})", self.path.display())),
            },
            Ok(Ok((code, out, err))) => parse(dst, &out, after()).unwrap_or_else(|| {
                if code == Some(1) {
                    return Outcome::Timeout { after: after() };
                }
                let said = err.lines().next().unwrap_or("no reason given");
                Outcome::CannotTry {
                    need: SafeText::new(format!("a ping program that may ping ({said})")),
                }
            }),
        }
    }

    async fn run(
        &self,
        dst: IpAddr,
        timeout: Duration,
        source: &Source,
    ) -> std::io::Result<(Option<i32>, String, String)> {
        // Whole seconds: not every ping takes fractions.
        let seconds = timeout.as_secs_f64().ceil().max(1.0) as u64;
        let mut command = Command::new(&self.path);
        command
            .args(["-n", "-c", "1", "-W"])
            .arg(seconds.to_string())
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let from = source.addr.filter(|a| a.is_ipv6() == dst.is_ipv6());
        if let Some(way) = source.device.clone().or(from.map(|a| a.to_string())) {
            command.arg("-I").arg(way);
        }
        let mut child = command.arg(dst.to_string()).spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (out, err) = tokio::join!(text(out), text(err));
        let status = child.wait().await?;
        Ok((status.code(), out, err))
    }
}

async fn text(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before an error is still worth reading.
        let _ = pipe.take(MOST).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first line that is an answer: `64 bytes from A: … ttl=64 time=0.04 ms` or
/// `From A icmp_seq=1 Destination Host Unreachable`.
fn parse(dst: IpAddr, out: &str, after: Rtt) -> Option<Outcome<Echo>> {
    out.lines().find_map(|line| {
        if let Some((_, rest)) = line.split_once(" bytes from ") {
            return reply(dst, rest).map(Outcome::Ok);
        }
        let rest = line.strip_prefix("From ")?;
        let (who, words) = rest.split_once(' ')?;
        Some(Outcome::Refused {
            by: who.trim_end_matches(':').parse().ok(),
            why: Refusal::Icmp(error_of(words)?),
            after,
        })
    })
}

fn reply(dst: IpAddr, rest: &str) -> Option<Echo> {
    let (who, rest) = rest.split_once(' ')?;
    let who: IpAddr = who.trim_end_matches(':').parse().ok()?;
    let field = |name: &str| {
        rest.split_whitespace()
            .find_map(|word| word.strip_prefix(name))
    };
    let ms: f64 = field("time=").or(field("time<"))?.parse().ok()?;
    if who != dst || !(0.0..1e7).contains(&ms) {
        return None;
    }
    Some(Echo {
        rtt: Rtt((ms * 1e6) as u64),
        reply_ttl: field("ttl=")
            .or(field("hlim="))
            .and_then(|t| t.parse().ok()),
        ..Echo::default()
    })
}

fn error_of(words: &str) -> Option<IcmpError> {
    let known = [
        ("Time to live exceeded", IcmpError::TimeExceeded),
        ("Hop limit", IcmpError::TimeExceeded),
        ("Host Unreachable", IcmpError::HostUnreachable),
        ("Address unreachable", IcmpError::HostUnreachable),
        ("Net Unreachable", IcmpError::NetUnreachable),
        ("No route", IcmpError::NetUnreachable),
        ("Protocol Unreachable", IcmpError::ProtocolUnreachable),
        ("Port Unreachable", IcmpError::PortUnreachable),
        ("Port unreachable", IcmpError::PortUnreachable),
        ("rohibited", IcmpError::AdminProhibited),
        ("Packet filtered", IcmpError::AdminProhibited),
    ];
    known
        .iter()
        .find(|(sign, _)| words.contains(sign))
        .map(|(_, error)| *error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    #[test]
    fn answers_are_read() {
        let out = "PING 10.0.0.9 (10.0.0.9) 56(84) bytes of data.\n\
                   64 bytes from 10.0.0.9: icmp_seq=1 ttl=61 time=0.117 ms\n";
        let Some(Outcome::Ok(echo)) = parse(DST, out, Rtt(0)) else {
            panic!("not read");
        };
        assert_eq!((echo.rtt, echo.reply_ttl), (Rtt(117_000), Some(61)));
        let busybox = "64 bytes from 10.0.0.9: seq=0 ttl=64 time=0.058 ms";
        assert!(matches!(parse(DST, busybox, Rtt(0)), Some(Outcome::Ok(_))));
    }

    #[test]
    fn errors_name_who_said_them() {
        let out = "From 10.0.3.1 icmp_seq=1 Destination Host Unreachable\n";
        let Some(Outcome::Refused { by, why, .. }) = parse(DST, out, Rtt(0)) else {
            panic!("not read");
        };
        assert_eq!(by, Some(IpAddr::from([10, 0, 3, 1])));
        assert_eq!(why, Refusal::Icmp(IcmpError::HostUnreachable));
    }

    #[test]
    fn somebody_elses_answer_is_none() {
        let out = "64 bytes from 10.0.0.8: icmp_seq=1 ttl=61 time=0.117 ms";
        assert_eq!(parse(DST, out, Rtt(0)), None);
        let absurd = "64 bytes from 10.0.0.9: icmp_seq=1 ttl=61 time=-1 ms";
        assert_eq!(parse(DST, absurd, Rtt(0)), None);
    }

    proptest! {
        #[test]
        fn any_output_is_survived(out in ".*") {
            let _ = parse(DST, &out, Rtt(0));
            let _ = parse(DST, &format!("64 bytes from {out}"), Rtt(0));
            let _ = parse(DST, &format!("From {out}"), Rtt(0));
        }
    }
}
