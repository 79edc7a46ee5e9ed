//! Large packets by the host's own `ping`, which may send ICMP echoes where this process may
//! not. One process for each packet, without a shell; its words are read with care.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::volley::Heard;
use crate::model::time::Rtt;
use crate::net::packet::overhead;
use crate::net::source::Source;

/// Where it may be. `PATH` is not asked: it is the user's, and this may run with a capability.
const PLACES: [&str; 4] = ["/usr/bin/ping", "/bin/ping", "/usr/sbin/ping", "/sbin/ping"];
/// Bytes read of its output, and lines.
const MOST: (u64, usize) = (16 * 1024, 32);

/// The program, and the way out of this host.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    source: Source,
}

impl Program {
    /// Time that a process takes to start on a busy host, added to every wait.
    pub(super) const START: Duration = Duration::from_millis(150);

    pub(super) fn find(source: &Source) -> Option<Self> {
        let path = PLACES.iter().map(Path::new).find(|p| p.is_file())?;
        Some(Self {
            path: path.into(),
            source: source.clone(),
        })
    }

    /// One echo request of `size` bytes with Don't Fragment. What the program could not even
    /// send was not sent.
    pub(super) async fn ping(
        &self,
        dst: IpAddr,
        size: u32,
        wait: Duration,
    ) -> (Heard, Option<Rtt>) {
        match tokio::time::timeout(wait, self.run(dst, size)).await {
            // Ended by us: it had sent, and nothing came.
            Err(_) => (Heard::Nothing, None),
            Ok(Ok(Some(heard))) => heard,
            Ok(Ok(None) | Err(_)) => (Heard::NotSent, None),
        }
    }

    /// The first line that means something.
    async fn run(&self, dst: IpAddr, size: u32) -> std::io::Result<Option<(Heard, Option<Rtt>)>> {
        let data = (size as usize).saturating_sub(overhead(dst.is_ipv6()));
        let mut command = Command::new(&self.path);
        command
            .args(["-n", "-c", "1", "-W", "5", "-M", "do", "-s"])
            .arg(data.to_string())
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let addr = self.source.addr.filter(|a| a.is_ipv6() == dst.is_ipv6());
        let device = self.source.device.clone();
        if let Some(way) = device.or(addr.map(|a| a.to_string())) {
            command.arg("-I").arg(way);
        }
        let mut child = command.arg(dst.to_string()).spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (out, err) = tokio::join!(
            first(out, |line| parse(dst, line)),
            // Read to the end, so that the program never waits for a full pipe.
            first(err, |line| parse(dst, line)),
        );
        child.wait().await?;
        Ok(out.or(err))
    }
}

async fn first<T>(
    pipe: Option<impl AsyncRead + Unpin>,
    meaning: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let mut lines = BufReader::new(pipe?.take(MOST.0)).lines();
    let mut found = None;
    for _ in 0..MOST.1 {
        // Not UTF-8 or a broken pipe: nothing more to learn.
        let Ok(Some(line)) = lines.next_line().await else {
            break;
        };
        found = found.or_else(|| meaning(&line));
    }
    found
}

/// `1380 bytes from A: … time=0.04 ms`, `From A icmp_seq=1 Frag needed and DF set (mtu = 1400)`,
/// `From A: icmp_seq=1 Packet too big: mtu=1400`, `local error: message too long, mtu=1400`.
fn parse(dst: IpAddr, line: &str) -> Option<(Heard, Option<Rtt>)> {
    if let Some((_, rest)) = line.split_once(" bytes from ") {
        let (who, rest) = rest.split_once(' ')?;
        let who: IpAddr = who.trim_end_matches(':').parse().ok()?;
        let time = rest.split_whitespace().find_map(|w| {
            let ms = w.strip_prefix("time=").or(w.strip_prefix("time<"))?;
            ms.parse::<f64>().ok().filter(|ms| (0.0..1e7).contains(ms))
        })?;
        return (who == dst).then_some((Heard::Passed, Some(Rtt((time * 1e6) as u64))));
    }
    let mtu = || -> Option<u32> {
        let (_, digits) = line.rsplit_once("mtu")?;
        let digits = digits.trim_start_matches([' ', '=', ':']);
        let end = digits.find(|c: char| !c.is_ascii_digit());
        digits.get(..end.unwrap_or(digits.len()))?.parse().ok()
    };
    if line.contains("essage too long") {
        let mtu = mtu()?;
        return Some((Heard::TooBig { by: None, mtu }, None));
    }
    let (who, words) = line.strip_prefix("From ")?.split_once(' ')?;
    let by: IpAddr = who.trim_end_matches(':').parse().ok()?;
    let says = |sign: &str| words.contains(sign);
    if says("Frag needed") || says("too big") {
        let mtu = mtu().unwrap_or(0);
        return Some((Heard::TooBig { by: Some(by), mtu }, None));
    }
    // Unreachable, prohibited: said, but not of the size.
    Some((Heard::Nothing, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 4, 2));

    fn heard(line: &str) -> Option<Heard> {
        parse(DST, line).map(|(heard, _)| heard)
    }

    #[test]
    fn its_words_are_understood() {
        let reply = "1380 bytes from 10.9.4.2: icmp_seq=1 ttl=61 time=0.117 ms";
        assert_eq!(parse(DST, reply), Some((Heard::Passed, Some(Rtt(117_000)))));
        let router = Some(IpAddr::from([10, 9, 2, 2]));
        let big = |by, mtu| Some(Heard::TooBig { by, mtu });
        let four = "From 10.9.2.2 icmp_seq=1 Frag needed and DF set (mtu = 1400)";
        assert_eq!(heard(four), big(router, 1400));
        let six = "From fd09:2::2: icmp_seq=1 Packet too big: mtu=1400";
        assert_eq!(heard(six), big("fd09:2::2".parse().ok(), 1400));
        for here in [
            "ping: local error: message too long, mtu=1400",
            "ping: local error: Message too long, mtu: 1400",
        ] {
            assert_eq!(heard(here), big(None, 1400));
        }
        let unreachable = "From 10.9.2.2 icmp_seq=1 Destination Host Unreachable";
        assert_eq!(heard(unreachable), Some(Heard::Nothing));
    }

    #[test]
    fn somebody_elses_answer_is_none() {
        let other = "1380 bytes from 10.9.4.3: icmp_seq=1 ttl=61 time=0.117 ms";
        assert_eq!(parse(DST, other), None);
        assert_eq!(
            parse(DST, "PING 10.9.4.2 (10.9.4.2) 1372(1400) bytes of data."),
            None
        );
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".*") {
            let _ = parse(DST, &line);
            let _ = parse(DST, &format!("From 10.0.0.1 {line} mtu{line}"));
            let _ = parse(DST, &format!("1380 bytes from {line}"));
        }
    }
}
