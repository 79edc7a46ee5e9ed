//! Who writes, and from where, without asking the network: at 3 a.m. the directory server may be
//! what is broken.

use nix::unistd::{geteuid, gethostname};

use crate::model::event::WriterId;
use crate::model::text::SafeText;

/// Login name and short host name of this process.
pub fn me() -> (SafeText, SafeText) {
    let uid = geteuid().as_raw();
    let user = passwd_name(uid)
        .or_else(|| std::env::var("USER").ok())
        .or_else(|| std::env::var("LOGNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid-{uid}"));
    let host = gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .and_then(|name| name.split('.').next().map(str::to_owned))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".into());
    (SafeText::capped(&user, 64), SafeText::capped(&host, 64))
}

/// The name of a user by the local table alone.
fn passwd_name(uid: u32) -> Option<String> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == uid).then(|| name.to_owned())
    })
}

/// A new writer: `ana@jump1-3f2c`. Fit for a file name whatever the names hold.
pub fn writer_id(user: &SafeText, host: &SafeText) -> WriterId {
    let mut random = [0u8; 2];
    if getrandom::fill(&mut random).is_err() {
        // Two sessions may then pick the same name; creating the file exclusively tells.
        random = (std::process::id() as u16).to_be_bytes();
    }
    WriterId(format!(
        "{}@{}-{:02x}{:02x}",
        plain(user.as_str()),
        plain(host.as_str()),
        random[0],
        random[1]
    ))
}

fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .take(32)
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => c,
            '.' | '-' => c,
            _ => '_',
        })
        .collect();
    let plain = plain.trim_start_matches(['.', '-']);
    if plain.is_empty() {
        "unknown".into()
    } else {
        plain.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_make_tame_files() {
        let id = writer_id(&"../../etc\u{1b}".into(), &"-".into()).0;
        let (stem, random) = id.rsplit_once('-').unwrap();
        assert_eq!(stem, "_.._etc_e@unknown");
        assert_eq!(random.len(), 4);
    }
}
