//! What the C library would try for a name, out of its configuration files: pure.
//!
//! As glibc does it (nsswitch.conf(5), resolv.conf(5), the search of `res_search`). musl knows
//! neither nsswitch nor several of the options.

use serde::Serialize;

use crate::model::text::SafeText;

/// Most names tried for one.
const MAX_CANDIDATES: usize = 8;

/// One source of the `hosts:` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Service: `files`, `dns`, `resolve`…
    pub name: SafeText,
    /// Its action in brackets, if it has one, like `!UNAVAIL=return`.
    pub action: Option<SafeText>,
}

impl Source {
    /// True if its action ends the search once the name is not found there.
    pub fn ends_at_not_found(&self) -> bool {
        let Some(action) = &self.action else {
            return false;
        };
        action.as_str().split_whitespace().any(|a| {
            let a = a.to_ascii_lowercase();
            a == "notfound=return" || a == "!unavail=return" || a == "!success=return"
        })
    }

    /// What it is, in words, where a probe cannot do the same.
    pub fn explained(&self) -> Option<&'static str> {
        Some(match self.name.as_str() {
            "files" | "dns" => return None,
            "resolve" => {
                "systemd-resolved: its cache, its servers for each link, LLMNR and mDNS by its own rules"
            }
            "myhostname" => "the name of this host and its addresses",
            "mymachines" => "local containers of systemd-machined",
            "mdns" | "mdns4" | "mdns6" => "multicast DNS",
            "mdns_minimal" | "mdns4_minimal" | "mdns6_minimal" => {
                "multicast DNS for names that end in .local"
            }
            "sss" => "SSSD",
            "ldap" => "LDAP",
            "nis" | "nisplus" => "NIS",
            "wins" => "NetBIOS",
            _ => "a module that the probe does not know",
        })
    }
}

/// The `hosts:` line of nsswitch.conf; `None` if there is none.
pub fn hosts_line(text: &str) -> Option<Vec<Source>> {
    let line = text
        .lines()
        .map(|l| l.split('#').next().unwrap_or("").trim())
        .find_map(|l| l.strip_prefix("hosts:"))?;
    let mut sources: Vec<Source> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && sources.len() < 16 {
        if let Some(inner) = rest.strip_prefix('[') {
            let (action, tail) = inner.split_once(']').unwrap_or((inner, ""));
            if let Some(last) = sources.last_mut() {
                last.action = Some(SafeText::capped(action.trim(), 100));
            }
            rest = tail.trim_start();
        } else {
            let end = rest
                .find(|c: char| c.is_whitespace() || c == '[')
                .unwrap_or(rest.len());
            let (name, tail) = rest.split_at(end);
            sources.push(Source {
                name: SafeText::capped(name, 60),
                action: None,
            });
            rest = tail.trim_start();
        }
    }
    Some(sources)
}

/// What the resolver is told beside servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Domains appended to short names.
    pub search: Vec<SafeText>,
    /// Where the search list comes from.
    pub search_from: SafeText,
    /// Names with at least this many dots are tried as they are first.
    pub ndots: u32,
    /// Seconds before another server is asked.
    pub timeout_s: u32,
    /// Rounds over the servers.
    pub attempts: u32,
    /// Whether the servers take turns.
    pub rotate: bool,
    /// Options as written.
    pub options: Vec<SafeText>,
}

/// Reads `search` and `options`. `local_domain` and `res_options` are the environment variables
/// `LOCALDOMAIN` and `RES_OPTIONS`; `host` is this host's name, whose domain is searched if
/// nothing else is said.
pub fn settings(
    resolv_conf: &str,
    local_domain: Option<&str>,
    res_options: Option<&str>,
    host: &str,
) -> Settings {
    let mut search: Vec<String> = Vec::new();
    let mut from = "resolv.conf".to_owned();
    let mut options: Vec<String> = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_ascii_whitespace();
        match words
            .next()
            .filter(|_| !line.starts_with([' ', '\t', '#', ';']))
        {
            Some("search" | "domain") => search = words.map(str::to_owned).collect(),
            Some("options") => options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    if let Some(domains) = local_domain {
        search = domains
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect();
        from = "LOCALDOMAIN in the environment".into();
    } else if search.is_empty() {
        search = host
            .split_once('.')
            .map(|(_, d)| d.to_owned())
            .into_iter()
            .collect();
        from = "the name of this host".into();
    }
    if let Some(more) = res_options {
        options.extend(more.split_ascii_whitespace().map(str::to_owned));
    }
    let number = |key: &str, usual: u32, most: u32| {
        let mut found = options.iter().rev().filter_map(|o| o.strip_prefix(key));
        found
            .find_map(|v| v.strip_prefix(':')?.parse::<u32>().ok())
            .map_or(usual, |n| n.min(most))
    };
    Settings {
        ndots: number("ndots", 1, 15),
        timeout_s: number("timeout", 5, 30),
        attempts: number("attempts", 2, 5),
        rotate: options.iter().any(|o| o == "rotate"),
        search_from: SafeText::new(from),
        search: search
            .iter()
            .map(|d| d.trim_end_matches('.'))
            .filter(|d| !d.is_empty())
            .map(|d| SafeText::capped(d, 255))
            .take(MAX_CANDIDATES - 1)
            .collect(),
        options: options
            .iter()
            .take(32)
            .map(|o| SafeText::capped(o, 60))
            .collect(),
    }
}

/// The names that DNS is asked for, in order, without final dots.
pub fn candidates(name: &str, absolute: bool, s: &Settings) -> Vec<String> {
    if absolute {
        return vec![name.to_owned()];
    }
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let as_it_is_first = dots >= s.ndots as usize;
    let mut all = Vec::new();
    if as_it_is_first {
        all.push(name.to_owned());
    }
    all.extend(s.search.iter().map(|d| format!("{name}.{d}")));
    if !as_it_is_first {
        all.push(name.to_owned());
    }
    all.truncate(MAX_CANDIDATES);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_actions() {
        let line = hosts_line(
            "passwd: files\n#hosts: no\nhosts:  files mdns4_minimal [NOTFOUND=return] dns[!UNAVAIL=return] myhostname # end\n",
        )
        .unwrap();
        let names: Vec<_> = line.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["files", "mdns4_minimal", "dns", "myhostname"]);
        let ends: Vec<_> = line.iter().map(Source::ends_at_not_found).collect();
        assert_eq!(ends, [false, true, true, false]);
        assert!(line[0].explained().is_none() && line[1].explained().is_some());
        assert_eq!(hosts_line("passwd: files"), None);
        assert_eq!(hosts_line("hosts: [x"), Some(vec![]));
    }

    #[test]
    fn search_and_ndots() {
        let conf = "search a.example b.example.\noptions ndots:2 timeout:99 rotate\n";
        let s = settings(conf, None, None, "h.corp.example");
        assert_eq!(s.search, ["a.example".into(), "b.example".into()]);
        assert_eq!(
            (s.ndots, s.timeout_s, s.attempts, s.rotate),
            (2, 30, 2, true)
        );
        assert_eq!(
            candidates("db.x", false, &s),
            ["db.x.a.example", "db.x.b.example", "db.x"]
        );
        assert_eq!(
            candidates("db.x.y", false, &s),
            ["db.x.y", "db.x.y.a.example", "db.x.y.b.example"]
        );
        assert_eq!(candidates("db", true, &s), ["db"]);
        let env = settings(conf, Some("z.example"), Some("ndots:0"), "h");
        assert_eq!(candidates("db", false, &env), ["db", "db.z.example"]);
        let none = settings("nameserver ::1\n", None, None, "h.corp.example");
        assert_eq!(candidates("db", false, &none), ["db.corp.example", "db"]);
    }
}
