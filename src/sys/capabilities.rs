//! Capabilities are given up as soon as the sockets that need them are open.
#![allow(unsafe_code)]

use std::io;

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words for each set.
const VERSION_3: u32 = 0x2008_0522;
/// What the super-user keeps: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, KILL (bits 0 to 3 and
/// 5). They concern files and processes: root expects to read the runbook of another user and to
/// end a command that it started, and neither has to do with the network.
const FILES: u32 = 0b10_1111;

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops all capabilities of this thread, and of those that it starts from now on, from the
/// permitted and the effective set; the super-user keeps those that concern files and processes.
/// Sockets that are open stay what they are. Programs that are started later get what the kernel
/// gives them anew (execve(2)), so a command run by root is root's.
///
/// Call it before the first thread is started: the kernel knows capabilities of threads only.
///
/// # Errors
/// What the kernel says; then nothing was dropped.
pub fn drop_all() -> io::Result<()> {
    let root = nix::unistd::Uid::effective().is_root();
    let (mut low, mut high) = (Sets::default(), Sets::default());
    if root {
        [low, high] = get()?;
        low.effective &= FILES;
        low.permitted &= FILES;
        (high.effective, high.permitted) = (0, 0);
    }
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let sets = [low, high];
    // SAFETY: header and both words of the sets are laid out as capset(2) of version 3 wants
    // them and live through the call; the kernel only reads them.
    let rc = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn get() -> io::Result<[Sets; 2]> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut sets = [Sets::default(); 2];
    // SAFETY: as above; the kernel writes two sets, which is what version 3 has room for.
    let rc = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    if rc == 0 {
        Ok(sets)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: what is given up does not come back.
    #[test]
    fn what_is_dropped_is_gone() {
        let (before, after) = std::thread::spawn(|| {
            let raw = || {
                let kind = socket2::Type::RAW;
                socket2::Socket::new(socket2::Domain::IPV4, kind, Some(socket2::Protocol::ICMPV4))
            };
            let before = raw();
            drop_all().unwrap();
            drop_all().unwrap();
            (before, raw().map(|_| ()))
        })
        .join()
        .unwrap();
        assert!(after.is_err(), "no raw socket without CAP_NET_RAW");
        if nix::unistd::Uid::effective().is_root() {
            assert!(before.is_ok(), "control: root could");
            let [low, _] = std::thread::spawn(|| drop_all().and_then(|()| get()))
                .join()
                .unwrap()
                .unwrap();
            assert_eq!(low.permitted & !FILES, 0);
        }
    }
}
