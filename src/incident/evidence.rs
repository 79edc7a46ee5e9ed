//! What is too large for a line: compressed files named by the hash of their content.

use std::io::{Read, Write};

use crate::model::event::EventKind;
use crate::model::text::SafeText;

use super::dir::Dir;
use super::error::{Error, Result};
use super::folder::{EVIDENCE, Folder};
use super::line::sha256_hex;

/// Lines of text larger than this go to a file of their own, in bytes.
pub(super) const INLINE: usize = 64 * 1024;
/// What stays in the event of those, in bytes: the beginning and, half as much, the end.
const KEPT: usize = 24 * 1024;
/// Most that is unpacked again, in bytes.
const UNPACKED: u64 = 256 << 20;

/// Moves large output or a large pane out of an event; returns the name of the file made. The
/// event keeps beginning and end, and a line between that names the file.
pub(super) fn move_out(dir: &Dir, kind: &mut EventKind) -> Result<Option<String>> {
    let (EventKind::CommandEnded { output: lines, .. } | EventKind::Pinned { lines, .. }) = kind
    else {
        return Ok(None);
    };
    let size: usize = lines.iter().map(|l| l.as_str().len() + 1).sum();
    if size <= INLINE {
        return Ok(None);
    }
    let all: Vec<_> = lines.iter().map(SafeText::as_str).collect();
    let name = store(dir, all.join("\n").as_bytes())?;
    let head = fitting(lines.iter(), KEPT);
    let tail = fitting(lines[head..].iter().rev(), KEPT / 2);
    let cut = lines.len() - head - tail;
    let mark = SafeText::new(format!("…(+{cut} lines, all of it in {EVIDENCE}/{name})"));
    lines.splice(head..head + cut, [mark]);
    Ok(Some(name))
}

fn fitting<'a>(lines: impl Iterator<Item = &'a SafeText>, room: usize) -> usize {
    let mut used = 0;
    lines
        .take_while(|l| {
            used += l.as_str().len() + 1;
            used <= room
        })
        .count()
}

/// Writes content durably under its hash; a file that is there already is the same.
fn store(dir: &Dir, content: &[u8]) -> Result<String> {
    let (evidence, _) = dir.make(EVIDENCE)?;
    let name = format!("sha256-{}.zst", sha256_hex(content));
    if evidence.read(&name).is_ok() {
        return Ok(name);
    }
    let err = |e| Error::io("write", evidence.path.join(&name), e);
    let packed = zstd::encode_all(content, 3).map_err(err)?;
    // A crash must not leave half a file under the final name.
    let temporary = format!(".{name}.{}", std::process::id());
    let mut file = evidence.create(&temporary)?;
    let written = file.write_all(&packed).and_then(|()| file.sync_all());
    let renamed = written
        .and_then(|()| std::fs::rename(evidence.path.join(&temporary), evidence.path.join(&name)));
    if let Err(e) = renamed {
        let _ = evidence.remove(&temporary);
        return Err(err(e));
    }
    evidence.sync()?;
    dir.sync()?;
    Ok(name)
}

/// Reads a piece of evidence back and checks it against its name.
pub fn read_evidence(folder: &Folder, name: &str) -> Result<Vec<u8>> {
    let dir = Dir::open(&folder.path)?.sub(EVIDENCE)?;
    let path = dir.path.join(name);
    let err = |e| Error::io("read", &path, e);
    let mut content = Vec::new();
    zstd::Decoder::new(dir.read(name)?)
        .map_err(err)?
        .take(UNPACKED)
        .read_to_end(&mut content)
        .map_err(err)?;
    if format!("sha256-{}.zst", sha256_hex(&content)) != name {
        return Err(err(std::io::Error::other(
            "its content is not what its name says; it was changed",
        )));
    }
    Ok(content)
}
