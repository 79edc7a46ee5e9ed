//! Where incidents are kept: one folder each, in one private folder.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::model::text::SafeText;
use crate::redact::{Key, Redacted};

use super::dir::Dir;
use super::error::{Error, Result};
use super::folder::{EVENTS, Folder, KEYS};

/// Environment variable that names the folder of all incidents.
pub const STATE_ENV: &str = "WARROOM_STATE";

/// The folder of all incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where it is.
    pub root: PathBuf,
}

impl Store {
    /// The folder that is meant: the argument, else `WARROOM_STATE`, else
    /// `$XDG_STATE_HOME/warroom/incidents`, else `~/.local/state/warroom/incidents`. Nothing is
    /// created or looked at.
    pub fn place(argument: Option<&Path>) -> Result<Self> {
        let from_env = || std::env::var_os(STATE_ENV).filter(|v| !v.is_empty());
        if let Some(root) = argument
            .map(PathBuf::from)
            .or_else(|| from_env().map(Into::into))
        {
            return Ok(Self { root });
        }
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| Some(etcetera::home_dir().ok()?.join(".local/state")))
            .ok_or(Error::NoPlace)?;
        Ok(Self {
            root: state.join("warroom/incidents"),
        })
    }

    /// Makes the folder of a new incident: `2026-11-22-1403-api-slow`, with `-2` and so on if
    /// that is taken. Fails if the folder of all incidents can't be made, is a link, belongs to
    /// somebody else or can be written to by others.
    pub fn create(&self, title: &Redacted<SafeText>, now: Timestamp, key: &Key) -> Result<Folder> {
        let mut made = self.make_root()?;
        let root = Dir::open(&self.root)?;
        root.guard()?;
        let stem = format!(
            "{}-{}",
            now.strftime("%Y-%m-%d-%H%M"),
            slug(title.get().as_str())
        );
        for n in 1..1000 {
            let name = match n {
                1 => stem.clone(),
                n => format!("{stem}-{n}"),
            };
            let (dir, new) = match root.make(&name) {
                Ok(found) => found,
                // A file or a link of that name: take the next one.
                Err(_) if self.root.join(&name).symlink_metadata().is_ok() => continue,
                Err(e) => return Err(e),
            };
            if !new {
                continue;
            }
            dir.make(EVENTS)?;
            made.push(dir.path.clone());
            let folder = Folder {
                path: dir.path,
                name,
                made,
            };
            // Without it a later session gives equal secrets other placeholders; nothing worse.
            let _ = folder.store_key(key);
            return Ok(folder);
        }
        Err(Error::io(
            "create",
            self.root.join(stem),
            std::io::Error::from_raw_os_error(nix::libc::EEXIST),
        ))
    }

    /// Finds an incident by name, by the beginning of its name if only one begins so, by path, or
    /// as `last` (the newest by name).
    pub fn find(&self, name: &str) -> Result<Folder> {
        let as_path = Path::new(name);
        if name.contains('/') || name == "." || name == ".." {
            return Folder::existing(as_path);
        }
        let not_found = || Error::NotFound {
            name: SafeText::new(name).as_str().to_owned(),
            root: self.root.clone(),
        };
        let names = self.names().map_err(|_| not_found())?;
        if name == "last" {
            let last = names.last().ok_or_else(not_found)?;
            return Folder::existing(&self.root.join(last));
        }
        if names.iter().any(|n| n == name) {
            return Folder::existing(&self.root.join(name));
        }
        let mut fits = names.iter().filter(|n| n.starts_with(name));
        match (fits.next(), fits.next()) {
            (Some(only), None) => Folder::existing(&self.root.join(only)),
            (Some(first), Some(second)) => Err(Error::Ambiguous {
                name: SafeText::new(name).as_str().to_owned(),
                first: first.clone(),
                second: second.clone(),
            }),
            (None, _) if as_path.join(EVENTS).is_dir() => Folder::existing(as_path),
            (None, _) => Err(not_found()),
        }
    }

    /// Names of the incidents, oldest first. An absent folder holds none.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        let mut names = Dir::open(&self.root)?.names(100_000)?;
        names.retain(|n| !n.starts_with('.') && self.root.join(n).is_dir());
        Ok(names)
    }

    /// Makes the root and what is missing above it, private; tells what it made.
    fn make_root(&self) -> Result<Vec<PathBuf>> {
        let mut missing: Vec<&Path> = self
            .root
            .ancestors()
            .filter(|p| !p.as_os_str().is_empty())
            .take_while(|p| p.symlink_metadata().is_err())
            .collect();
        missing.reverse();
        let mut made = Vec::new();
        for path in missing {
            match std::fs::DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => made.push(path.to_owned()),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create", path, e)),
            }
        }
        Ok(made)
    }
}

/// A fresh random key.
pub fn new_key() -> Key {
    let mut bytes = [0u8; 32];
    if getrandom::fill(&mut bytes).is_err() {
        // No randomness: a key that nobody can look up either, if one that could be guessed.
        let seed = format!("{:?} {}", std::time::Instant::now(), std::process::id());
        bytes = crate::redact::hmac_sha256(KEYS.as_bytes(), seed.as_bytes());
    }
    Key::from_bytes(bytes)
}

/// The title as a part of a file name: lower-case ASCII letters, digits and single hyphens.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    match slug.trim_end_matches('-') {
        "" => "incident".into(),
        slug => slug.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_tame() {
        for (title, expected) in [
            ("API slow", "api-slow"),
            (
                "https://api.example.com/health",
                "https-api-example-com-health",
            ),
            ("../../etc/passwd", "etc-passwd"),
            ("日本", "incident"),
            ("", "incident"),
        ] {
            assert_eq!(slug(title), expected);
        }
        assert_eq!(slug(&"x".repeat(500)).len(), 40);
    }
}
