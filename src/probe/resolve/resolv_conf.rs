//! `resolv.conf`, resolver(5), read as glibc reads it: the last `search` or `domain` wins, at
//! most three servers count, lines that make no sense are skipped.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::Path;

use crate::model::local::ResolverConfig;
use crate::model::text::SafeText;

/// No sane file is longer.
const MAX_BYTES: u64 = 64 * 1024;
/// `MAXNS` of glibc and musl: later servers are never asked by programs on this host.
const MAX_SERVERS: usize = 3;
/// Longest search list used.
const MAX_SEARCH: usize = 6;

/// Reads the system's resolver configuration.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolvers;

impl SystemResolvers {
    /// Reads `path`. What is wrong with the file is in [`ResolverConfig::problem`], which is set
    /// only if no usable server is left: a bad line beside a good server breaks nothing.
    pub fn load(path: &Path) -> ResolverConfig {
        let source = path.to_string_lossy();
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::parse(&String::from_utf8_lossy(&bytes), &source),
            Err(e) => ResolverConfig {
                source: SafeText::new(&source),
                problem: Some(SafeText::new(format!("{source} cannot be read: {e}"))),
                ..ResolverConfig::default()
            },
        }
    }

    /// Parses a file's text; `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> ResolverConfig {
        let mut cfg = ResolverConfig {
            source: SafeText::new(source),
            ..ResolverConfig::default()
        };
        let mut bad: Option<String> = None;
        for (number, line) in (1..).zip(text.lines()) {
            // The C library takes a keyword only at the very start of a line.
            if line.starts_with(['#', ';', ' ', '\t']) {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => match server(words.next()) {
                    Ok(s) if cfg.servers.len() < MAX_SERVERS && !cfg.servers.contains(&s) => {
                        cfg.servers.push(s);
                    }
                    Ok(_) => {}
                    Err(why) => bad = bad.or(Some(format!("line {number}: {why}"))),
                },
                Some("search" | "domain") => {
                    cfg.search = words.take(MAX_SEARCH).map(search_domain).collect();
                    cfg.search.retain(|d| !d.is_empty());
                }
                _ => {}
            }
        }
        if cfg.servers.is_empty() {
            cfg.problem = Some(SafeText::new(match bad {
                Some(bad) => format!("{source} names no usable resolver; {bad}"),
                None if text.trim().is_empty() => format!("{source} is empty"),
                None => format!("{source} has no nameserver line"),
            }));
        }
        cfg
    }
}

fn search_domain(word: &str) -> SafeText {
    SafeText::capped(word.trim_end_matches('.'), 255)
}

fn server(word: Option<&str>) -> Result<SocketAddr, String> {
    let word = word.ok_or("nameserver without an address")?;
    if let Ok(addr) = word.parse::<IpAddr>() {
        return match addr {
            // glibc sends such queries to the loopback address.
            IpAddr::V4(a) if a.is_unspecified() => Ok(([127, 0, 0, 1], 53).into()),
            IpAddr::V6(a) if a.is_unspecified() => Ok((Ipv6Addr::LOCALHOST, 53).into()),
            a if a.is_multicast() => Err(format!("{a} is a multicast address")),
            a => Ok((a, 53).into()),
        };
    }
    if let Some((addr, zone)) = word.split_once('%') {
        let addr: Ipv6Addr = addr
            .parse()
            .map_err(|_| format!("'{word}' is not an address"))?;
        let scope = match zone.parse::<u32>() {
            Ok(n) => n,
            Err(_) => nix::net::if_::if_nametoindex(zone)
                .map_err(|_| format!("'{word}': there is no interface '{zone}'"))?,
        };
        return Ok(SocketAddrV6::new(addr, 53, 0, scope).into());
    }
    Err(format!("'{word}' is not an address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolverConfig {
        SystemResolvers::parse(text, "resolv.conf")
    }

    #[test]
    fn servers_search_and_comments() {
        let cfg = parse(
            "# made by hand\n;too\nsearch a.example b.example.\ndomain example.org\n\
             nameserver 10.0.0.53\nnameserver\tfd00::53 # trailing\nnameserver 10.0.0.53\n\
             options ndots:2 timeout:1\nnameserver 1.1.1.1\nnameserver 9.9.9.9\n",
        );
        let shown: Vec<String> = cfg.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.53:53", "[fd00::53]:53", "1.1.1.1:53"]);
        assert_eq!(cfg.search, ["example.org".into()]);
        assert_eq!(cfg.problem, None);
    }

    #[test]
    fn zones_are_kept_or_named() {
        let cfg = parse("nameserver fe80::1%lo\nnameserver fe80::2%7\n");
        let shown: Vec<String> = cfg.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["[fe80::1%1]:53", "[fe80::2%7]:53"]);
        let cfg = parse("nameserver fe80::1%nosuch0\n");
        let problem = cfg.problem.expect("a problem");
        assert!(problem.as_str().contains("nosuch0"), "{problem}");
    }

    #[test]
    fn what_is_broken_is_named() {
        for (text, want) in [
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("# nothing\n", "no nameserver line"),
            ("nameserver\n", "line 1: nameserver without an address"),
            ("nameserver 999.1.1.1\n", "'999.1.1.1' is not an address"),
            ("nameserver 224.0.0.251\n", "multicast"),
            ("nameserver \u{1b}[2J\n", "\\e[2J"),
            ("nameservr 10.0.0.1\n", "no nameserver line"),
            (" nameserver 10.0.0.1\n", "no nameserver line"),
        ] {
            let cfg = parse(text);
            assert!(cfg.servers.is_empty(), "{text:?}");
            let problem = cfg.problem.expect("a problem");
            assert!(problem.as_str().contains(want), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_bad_line_beside_a_good_server_is_no_problem() {
        let cfg = parse("nameserver x\nnameserver 0.0.0.0\n");
        assert_eq!(cfg.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(cfg.problem, None);
    }

    #[test]
    fn a_file_that_cannot_be_read_says_so() {
        let cfg = SystemResolvers::load(Path::new("/nonexistent/resolv.conf"));
        let problem = cfg.problem.expect("a problem");
        assert!(
            problem
                .as_str()
                .contains("/nonexistent/resolv.conf cannot be read")
        );
    }
}
