//! Folders opened once and used by descriptor, so that nobody can swap them underneath.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::error::{Error, Result};

/// Files: read and written by their owner alone.
const FILE_MODE: u32 = 0o600;
/// Folders: entered by their owner alone.
const DIR_MODE: u32 = 0o700;

/// An open folder.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    pub(super) path: PathBuf,
}

impl Dir {
    /// Opens a folder that must not be a link.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let fd = nix::fcntl::open(path, flags, Mode::empty())
            .map_err(|e| Error::io("open", path, e.into()))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Opens a folder in this one.
    pub(super) fn sub(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| Error::io("open", &path, e.into()))?;
        Ok(Self { fd, path })
    }

    /// Makes a folder in this one; false if there was one already. It must not be a link.
    pub(super) fn make(&self, name: &str) -> Result<(Self, bool)> {
        let path = self.path.join(name);
        let made = match mkdirat(&self.fd, name, Mode::from_bits_truncate(DIR_MODE)) {
            Ok(()) => true,
            Err(nix::errno::Errno::EEXIST) => false,
            Err(e) => return Err(Error::io("create", &path, e.into())),
        };
        let dir = self.sub(name)?;
        if made {
            // Whatever the umask says.
            let file = dir.as_file()?;
            file.set_permissions(Permissions::from_mode(DIR_MODE))
                .map_err(|e| Error::io("set the mode of", &dir.path, e))?;
        }
        Ok((dir, made))
    }

    /// Creates a new file for appending; it must not exist.
    pub(super) fn create(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        let flags = OFlag::O_CREAT
            | OFlag::O_EXCL
            | OFlag::O_NOFOLLOW
            | OFlag::O_CLOEXEC
            | OFlag::O_RDWR
            | OFlag::O_APPEND;
        let fd = openat(&self.fd, name, flags, Mode::from_bits_truncate(FILE_MODE))
            .map_err(|e| Error::io("create", &path, e.into()))?;
        let file = File::from(fd);
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(|e| Error::io("set the mode of", &path, e))?;
        Ok(file)
    }

    /// Opens a file that is there for appending; it must be a regular one.
    pub(super) fn append(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        let flags = OFlag::O_NOFOLLOW
            | OFlag::O_CLOEXEC
            | OFlag::O_RDWR
            | OFlag::O_APPEND
            | OFlag::O_NONBLOCK;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| Error::io("open", &path, e.into()))?;
        let file = File::from(fd);
        match file.metadata() {
            Ok(meta) if meta.is_file() => Ok(file),
            Ok(_) => {
                let why = io::Error::other("it is not a regular file; remove it");
                Err(Error::io("write to", &path, why))
            }
            Err(e) => Err(Error::io("look at", &path, e)),
        }
    }

    /// Whether something of that name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).symlink_metadata().is_ok()
    }

    /// Opens a regular file for reading; a link, a pipe or a device is refused.
    pub(super) fn read(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let fd = openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| Error::io("open", &path, e.into()))?;
        let file = File::from(fd);
        let meta = file
            .metadata()
            .map_err(|e| Error::io("look at", &path, e))?;
        if !meta.is_file() {
            return Err(Error::io(
                "read",
                &path,
                io::Error::other("it is not a regular file; remove it"),
            ));
        }
        Ok(file)
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes an empty folder.
    pub(super) fn remove_dir(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir)?)
    }

    /// Makes the entries of this folder durable. A file system that can't say so is trusted.
    pub(super) fn sync(&self) -> Result<()> {
        match nix::unistd::fsync(&self.fd) {
            Ok(()) | Err(nix::errno::Errno::EINVAL) => Ok(()),
            Err(e) => Err(Error::io("sync the folder", &self.path, e.into())),
        }
    }

    /// Refuses a folder that others could write to or exchange.
    pub(super) fn guard(&self) -> Result<()> {
        let meta = self
            .as_file()?
            .metadata()
            .map_err(|e| Error::io("look at", &self.path, e))?;
        let why = if meta.uid() != geteuid().as_raw() {
            "belongs to another user"
        } else if meta.mode() & 0o022 != 0 && meta.mode() & 0o1000 == 0 {
            "can be written to by others (chmod go-w makes it safe)"
        } else {
            return Ok(());
        };
        Err(Error::Unsafe {
            path: self.path.clone(),
            why,
        })
    }

    /// Names in it that are UTF-8 text, sorted; at most `limit`.
    pub(super) fn names(&self, limit: usize) -> Result<Vec<String>> {
        let err = |e| Error::io("list", &self.path, e);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(err)?.take(limit) {
            if let Ok(name) = entry.map_err(err)?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// True if it was removed from the file system.
    pub(super) fn is_gone(&self) -> bool {
        self.as_file()
            .and_then(|f| {
                f.metadata()
                    .map_err(|e| Error::io("look at", &self.path, e))
            })
            .is_ok_and(|m| m.nlink() == 0)
    }

    fn as_file(&self) -> Result<File> {
        let fd = self
            .fd
            .try_clone()
            .map_err(|e| Error::io("use", &self.path, e))?;
        Ok(File::from(fd))
    }
}
