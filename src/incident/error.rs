//! Errors of the incident folder: what was attempted, on what, and what to do.

use std::io;
use std::path::PathBuf;

use nix::libc;

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something about an incident folder could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("can't {what} {path}: {why}", path = .path.display(), why = explain(.source))]
    Io {
        /// What was attempted: `write to`, `create`.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The folder is not one to trust.
    #[error("{path} {why}; choose another folder with --state DIR", path = .path.display())]
    Unsafe {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file that is being written was removed.
    #[error("{path} was removed while it was being written; it is written anew", path = .path.display())]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// No folder to keep incidents in is known.
    #[error("no place for incidents: neither XDG_STATE_HOME nor HOME is set; use --state DIR")]
    NoPlace,
    /// No incident is meant by that.
    #[error("no incident `{name}` in {root}; `warroom incident list` shows what there is", root = .root.display())]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// More than one incident is meant by that.
    #[error("`{name}` could be {} or {}; type more of it", .first, .second)]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// One that fits.
        first: String,
        /// Another.
        second: String,
    },
    /// The folder is no incident.
    #[error("{path} is no incident: {why}", path = .path.display())]
    NotAnIncident {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// A record can't be put into a line.
    #[error("can't write the record down as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl Error {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.into(),
            source,
        }
    }
}

/// An error of the operating system in words, with what to do about it.
pub fn explain(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else {
        return error.to_string();
    };
    let (name, advice) = match code {
        libc::ENOSPC => (
            "no space left on the device (ENOSPC)",
            "free some space, or use --state DIR on another file system",
        ),
        libc::EDQUOT => (
            "disk quota exceeded (EDQUOT)",
            "remove files of yours, or use --state DIR on another file system",
        ),
        libc::EROFS => (
            "the file system is read-only (EROFS)",
            "remount it, or use --state DIR on another one",
        ),
        libc::EFBIG => (
            "the file may not grow any further (EFBIG)",
            "raise the limit (`ulimit -f unlimited`) or start anew without it",
        ),
        libc::EIO => (
            "the disk reports an I/O error (EIO)",
            "look at `dmesg`, and use --state DIR on another disk",
        ),
        libc::EACCES | libc::EPERM => (
            "permission denied",
            "use --state DIR with a folder that you may write to",
        ),
        libc::ENOENT => (
            "it does not exist (any more)",
            "check the path, or use --state DIR",
        ),
        libc::ELOOP | libc::ENOTDIR => (
            "it is a link, or not a folder",
            "use --state DIR with a real folder",
        ),
        libc::EEXIST => ("it exists already", "try again"),
        libc::ESTALE => (
            "the file server lost it (ESTALE)",
            "remount it, or use --state DIR on a local disk",
        ),
        libc::EMFILE | libc::ENFILE => (
            "too many open files",
            "raise `ulimit -n` or close something",
        ),
        _ => return error.to_string(),
    };
    format!("{name}; {advice}")
}
