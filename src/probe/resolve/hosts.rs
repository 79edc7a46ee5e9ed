//! `/etc/hosts`, hosts(5). What is not an address and names is skipped, as the C library does.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

/// Larger files (block lists) are read up to here.
const MAX_BYTES: u64 = 4 << 20;
/// Most addresses kept for one name.
const MAX_PER_NAME: usize = 64;

/// A table of names with fixed addresses.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    by_name: HashMap<String, Vec<IpAddr>>,
}

impl Hosts {
    /// Reads a file; one that cannot be read is empty.
    pub fn load(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|f| f.take(MAX_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(_) => Self::default(),
        }
    }

    /// Parses a file's text.
    pub fn parse(text: &str) -> Self {
        let mut by_name: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("");
            let mut words = line.split_ascii_whitespace();
            // A zone ("fe80::1%eth0") cannot be kept in an address and the entry is left out.
            let Some(addr) = words.next().and_then(|w| w.parse::<IpAddr>().ok()) else {
                continue;
            };
            for name in words {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                let addrs = by_name.entry(name).or_default();
                if !addrs.contains(&addr) && addrs.len() < MAX_PER_NAME {
                    addrs.push(addr);
                }
            }
        }
        Self { by_name }
    }

    /// Addresses of a name, in the order of the file; case does not matter.
    pub fn lookup(&self, name: &str) -> Vec<IpAddr> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.by_name.get(&name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_case_comments_and_garbage() {
        let hosts = Hosts::parse(
            "127.0.0.1 localhost\n\
             10.0.0.1\tAPI.example.com api # the api\n\
             fd00::1 api\n\
             10.0.0.1 api\n\
             #10.0.0.2 hidden\n\
             not-an-address x\n\
             fe80::1%eth0 zoned\n\
             10.0.0.3\n\u{0}\u{1b}[2J\n",
        );
        let addr = |s: &str| s.parse::<IpAddr>().unwrap();
        assert_eq!(hosts.lookup("api.EXAMPLE.com."), [addr("10.0.0.1")]);
        assert_eq!(hosts.lookup("api"), [addr("10.0.0.1"), addr("fd00::1")]);
        for none in ["hidden", "x", "zoned", "the", ""] {
            assert!(hosts.lookup(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_missing_file_is_empty() {
        assert!(
            Hosts::load(Path::new("/nonexistent/hosts"))
                .lookup("localhost")
                .is_empty()
        );
    }
}
