//! A secret from a file that nobody else can read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::find::shown;
use crate::model::secret::Secret;

/// No secret is longer, in bytes.
const LONGEST: u64 = 4096;

/// Reads the first line of a file as a secret. The file must be a regular one, belong to `uid`
/// and be readable by nobody else (mode 0600 or less); what was checked is what is read.
///
/// # Errors
/// A sentence that names the file and says what to do; it never holds what is in the file.
pub fn read(path: &Path, uid: u32) -> Result<Secret, String> {
    let name = shown(path);
    // A FIFO must not block the start, and a terminal must not become ours.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|e| format!("cannot open the secret file {name}: {e}"))?;
    let meta = file
        .metadata()
        .map_err(|e| format!("cannot inspect the secret file {name}: {e}"))?;
    if !meta.is_file() {
        return Err(format!("the secret file {name} is not a regular file"));
    }
    if meta.uid() != uid {
        return Err(format!(
            "the secret file {name} belongs to uid {}, not to you (uid {uid}); use a copy of your own",
            meta.uid()
        ));
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(format!(
            "the secret file {name} has mode {mode:04o}, so others may read it; run: chmod 600 {name}"
        ));
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("cannot read the secret file {name}: {e}"))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!(
            "the secret file {name} is longer than {LONGEST} bytes; it must hold nothing but the secret"
        ));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| format!("the secret file {name} is not UTF-8 text"))?;
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("").trim_end_matches('\r');
    if first.is_empty() {
        return Err(format!("the first line of the secret file {name} is empty"));
    }
    if lines.any(|l| !l.trim().is_empty()) {
        return Err(format!(
            "the secret file {name} has more than one line; it must hold nothing but the secret"
        ));
    }
    Ok(Secret::new(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("community");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn me() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    #[test]
    fn a_private_file_gives_its_line() {
        for mode in [0o600, 0o400] {
            let (_dir, path) = file(b"s3cr3t\n", mode);
            assert_eq!(read(&path, me()).unwrap().expose(), "s3cr3t");
        }
    }

    #[test]
    fn what_others_may_touch_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o700, 0o644] {
            let (_dir, path) = file(b"s3cr3t\n", mode);
            let said = read(&path, me()).unwrap_err();
            assert!(
                said.contains("chmod 600") && !said.contains("s3cr3t"),
                "{said}"
            );
        }
        let (_dir, path) = file(b"s3cr3t\n", 0o600);
        let said = read(&path, me() + 1).unwrap_err();
        assert!(said.contains("belongs to uid"), "{said}");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for (content, word) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"a\nb\n", "more than one line"),
            (b"\xff\xfe", "UTF-8"),
            (&[b'x'; 5000], "longer than"),
        ] {
            let (_dir, path) = file(content, 0o600);
            let said = read(&path, me()).unwrap_err();
            assert!(said.contains(word), "{said}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path(), me()).unwrap_err().contains("regular"));
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&fifo, me()).unwrap_err().contains("regular"));
        assert!(read(&dir.path().join("none"), me()).is_err());
    }
}
