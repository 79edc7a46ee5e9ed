//! What this process may do, found out by doing it.

use std::fs;

use socket2::{Domain, Protocol, Socket, Type};

use crate::model::text::SafeText;

/// Which ICMP sockets this process can open; where it can't, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Raw ICMP.
    pub icmp_raw_v4: Result<(), SafeText>,
    /// Raw ICMPv6.
    pub icmp_raw_v6: Result<(), SafeText>,
    /// ICMP datagram sockets.
    pub icmp_dgram_v4: Result<(), SafeText>,
    /// ICMPv6 datagram sockets.
    pub icmp_dgram_v6: Result<(), SafeText>,
}

impl Rights {
    /// Opens one socket of each kind and closes it again.
    pub fn detect() -> Self {
        let raw = |d, p| open(d, Type::RAW, p).map_err(|e| why_not_raw(&e));
        let dgram = |d, p| open(d, Type::DGRAM, p).map_err(|e| why_not_dgram(&e));
        Self {
            icmp_raw_v4: raw(Domain::IPV4, Protocol::ICMPV4),
            icmp_raw_v6: raw(Domain::IPV6, Protocol::ICMPV6),
            icmp_dgram_v4: dgram(Domain::IPV4, Protocol::ICMPV4),
            icmp_dgram_v6: dgram(Domain::IPV6, Protocol::ICMPV6),
        }
    }

    /// Raw ICMP of one family.
    pub fn raw(&self, v6: bool) -> &Result<(), SafeText> {
        if v6 {
            &self.icmp_raw_v6
        } else {
            &self.icmp_raw_v4
        }
    }

    /// ICMP datagram sockets of one family.
    pub fn dgram(&self, v6: bool) -> &Result<(), SafeText> {
        if v6 {
            &self.icmp_dgram_v6
        } else {
            &self.icmp_dgram_v4
        }
    }

    /// True if an ICMP echo can be sent, one way or the other.
    pub fn icmp(&self, v6: bool) -> bool {
        self.raw(v6).is_ok() || self.dgram(v6).is_ok()
    }

    /// Why there is no ICMP echo for this family; `None` if there is.
    pub fn why_no_icmp(&self, v6: bool) -> Option<SafeText> {
        match (self.raw(v6), self.dgram(v6)) {
            (Err(raw), Err(dgram)) => Some(SafeText::new(format!("{raw}; {dgram}"))),
            _ => None,
        }
    }

    /// One line for reports: "raw ICMP", or what there is and why not more.
    pub fn describe(&self) -> SafeText {
        let (v4, v6) = (self.line(false), self.line(true));
        SafeText::new(if v4 == v6 {
            v4
        } else {
            format!("IPv4: {v4}; IPv6: {v6}")
        })
    }

    fn line(&self, v6: bool) -> String {
        match (self.raw(v6), self.dgram(v6)) {
            (Ok(()), _) => "raw ICMP".into(),
            (Err(raw), Ok(())) => format!("ICMP datagram; {raw}"),
            (Err(raw), Err(dgram)) => format!("{raw}; {dgram}"),
        }
    }
}

fn open(domain: Domain, kind: Type, protocol: Protocol) -> std::io::Result<()> {
    Socket::new(domain, kind.cloexec(), Some(protocol)).map(drop)
}

fn why_not_raw(e: &std::io::Error) -> SafeText {
    SafeText::new(match e.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "no raw ICMP: needs root or CAP_NET_RAW".into(),
        Some(libc::EAFNOSUPPORT) => "no raw ICMP: this kernel has no such address family".into(),
        _ => format!("no raw ICMP: {e}"),
    })
}

fn why_not_dgram(e: &std::io::Error) -> SafeText {
    SafeText::new(match e.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => match group_range() {
            Some(range) => format!("no ICMP datagram: ping_group_range is {range}"),
            None => "no ICMP datagram: not permitted".into(),
        },
        Some(libc::EAFNOSUPPORT) => "no ICMP datagram: this kernel has no such family".into(),
        _ => format!("no ICMP datagram: {e}"),
    })
}

/// The range as the kernel shows it, blanks joined ("1 0" means nobody).
fn group_range() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").ok()?;
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    Some(words.join(" "))
}

/// A reason to refuse to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "warroom does not run setuid or setgid (real user {real}, effective user {effective}): \
     remove the bit (chmod ug-s) and, for ICMP echo, use: setcap cap_net_raw+ep on the program"
)]
pub struct Setuid {
    /// Real user id.
    pub real: u32,
    /// Effective user id.
    pub effective: u32,
}

/// Fails if the program's file gave this process another user or group than its caller has.
/// The console runs commands and reads files named by its user: with borrowed rights both would
/// be an escalation. File capabilities are fine: they add a right without changing who we are.
pub fn refuse_setuid() -> Result<(), Setuid> {
    use nix::unistd::{getegid, geteuid, getgid, getuid};
    judge_ids(
        (getuid().as_raw(), geteuid().as_raw()),
        (getgid().as_raw(), getegid().as_raw()),
    )
}

fn judge_ids(user: (u32, u32), group: (u32, u32)) -> Result<(), Setuid> {
    if user.0 == user.1 && group.0 == group.1 {
        return Ok(());
    }
    Err(Setuid {
        real: user.0,
        effective: user.1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Result<(), SafeText> {
        Err("no raw ICMP: needs root or CAP_NET_RAW".into())
    }

    #[test]
    fn one_line_says_what_there_is() {
        let mut rights = Rights {
            icmp_raw_v4: none(),
            icmp_raw_v6: none(),
            icmp_dgram_v4: Err("no ICMP datagram: ping_group_range is 1 0".into()),
            icmp_dgram_v6: Err("no ICMP datagram: ping_group_range is 1 0".into()),
        };
        assert_eq!(
            rights.describe().as_str(),
            "no raw ICMP: needs root or CAP_NET_RAW; no ICMP datagram: ping_group_range is 1 0"
        );
        assert!(!rights.icmp(false));
        rights.icmp_dgram_v4 = Ok(());
        assert!(rights.icmp(false) && !rights.icmp(true));
        assert!(
            rights
                .describe()
                .as_str()
                .starts_with("IPv4: ICMP datagram; no raw")
        );
        assert_eq!(rights.why_no_icmp(false), None);
    }

    #[test]
    fn borrowed_rights_are_refused() {
        assert!(judge_ids((1000, 1000), (100, 100)).is_ok());
        assert!(judge_ids((0, 0), (0, 0)).is_ok(), "root by right");
        assert!(judge_ids((1000, 0), (100, 100)).is_err());
        assert!(judge_ids((1000, 1000), (100, 0)).is_err());
    }

    #[test]
    fn detecting_does_not_fail() {
        let rights = Rights::detect();
        assert!(!rights.describe().is_empty());
    }
}
