//! A slow link: two TUN devices in place of a cable, and threads that carry packets between them
//! after a delay that may change meanwhile. This kernel's own way (netem) is seldom there.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Lab;
use super::plan::{self, LINKS, Role, V4};

/// Packets under way in one direction; more are lost, as in any queue.
const ROOM: usize = 4096;
/// How long a device is waited for before looking whether the relay is to end.
const LOOK: Duration = Duration::from_millis(50);

/// The slow link; it carries packets until it is dropped.
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    /// Nanoseconds that each packet takes.
    delay: AtomicU64,
    /// Most that packets take more, by turns of a fixed dice.
    jitter: AtomicU64,
    /// Nanoseconds that only the next packet takes more.
    once: AtomicU64,
    over: AtomicBool,
}

impl Relay {
    /// How long each packet takes from now on, one way.
    pub fn delay(&self, ms: u64) {
        self.shared.delay.store(ms * 1_000_000, Ordering::Relaxed);
    }

    /// Most that one packet takes more than another from now on.
    pub fn jitter(&self, ms: u64) {
        self.shared.jitter.store(ms * 1_000_000, Ordering::Relaxed);
    }

    /// One packet takes so much more, once.
    pub fn hiccup(&self, ms: u64) {
        self.shared.once.store(ms * 1_000_000, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

/// Whether slow links can be had here; else it is recorded as skipped.
pub fn possible(what: &str) -> bool {
    match File::options().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => true,
        Err(e) => super::skip::skipped(what, &format!("needs TUN devices, /dev/net/tun: {e}")),
    }
}

impl Lab {
    /// Puts a slow link in place of a cable.
    ///
    /// # Panics
    /// If it can't be built or does not carry packets.
    pub fn relay(&self, link: u8, ms: u64) -> Relay {
        let l = LINKS[usize::from(link) - 1];
        self.ip(l.near, &format!("link del l{link}\n"));
        let shared = Arc::new(Shared {
            delay: AtomicU64::new(ms * 1_000_000),
            jitter: AtomicU64::new(0),
            once: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let [near, far] = [l.near, l.far].map(|role| self.tun(role, link));
        let clone = |f: &File| f.try_clone().expect("another handle of a device");
        let (near2, far2) = (clone(&near), clone(&far));
        carry(near, far2, Arc::clone(&shared), true);
        carry(far, near2, Arc::clone(&shared), false);
        let dst = Role::Dst.addr(V4);
        super::proof::until("the slow link to work", || {
            let seen = self.ping(dst, &["-c", "1", "-W", "2"]);
            if seen.received == 1 {
                Ok(())
            } else {
                Err(seen.said)
            }
        });
        Relay { shared }
    }

    /// A TUN device in a namespace under the name of a link, with all that was lost with the cable.
    fn tun(&self, role: Role, link: u8) -> File {
        let ns = self.ns(role);
        let name = format!("l{link}");
        self.ip(role, &format!("tuntap add dev {name} mode tun\n"));
        let about = [
            format!("l{link}"),
            format!("via 10.71.{link}."),
            format!("via fd71:0:0:{link}::"),
        ];
        let lines: String = plan::setup(role)
            .lines()
            .filter(|l| about.iter().any(|a| l.contains(a.as_str())))
            .map(|l| format!("{l}\n"))
            .collect();
        let device = std::thread::spawn(move || {
            // Only this thread goes into the namespace; the device stays with its handle.
            let there = File::open(format!("/run/netns/{ns}")).expect("a namespace");
            enter(&there);
            attach(&name)
        });
        let device = device.join().expect("a TUN device");
        self.set(role, &[&format!("net.ipv4.conf.l{link}.rp_filter=0")]);
        self.ip(role, &lines);
        device
    }
}

/// Moves this thread into a network namespace.
#[allow(unsafe_code)]
pub(super) fn enter(namespace: &File) {
    // SAFETY: the descriptor is open; setns changes only the calling thread, which is ours.
    let done = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(done, 0, "setns: {}", std::io::Error::last_os_error());
}

/// `struct ifreq` as TUNSETIFF takes it (linux/if_tun.h): a name, flags, and room to its full size.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// A handle on the TUN device of that name in the namespace of this thread.
// The device has no other way to be opened than by this ioctl.
#[allow(unsafe_code)]
fn attach(name: &str) -> File {
    let device = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")
        .expect("/dev/net/tun");
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        flags: (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the handle is open, and the kernel reads and writes sizeof(struct ifreq) = 40 bytes,
    // which `Request` has and which outlives the call.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &mut request) };
    assert_eq!(done, 0, "TUNSETIFF: {}", std::io::Error::last_os_error());
    device
}

/// Carries packets one way, in order, on two threads of its own: one takes them, one waits.
fn carry(mut from: File, mut to: File, shared: Arc<Shared>, outward: bool) {
    let (sender, waiting) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ROOM);
    let taker = Arc::clone(&shared);
    std::thread::spawn(move || {
        let mut dice = 1u64;
        let mut packet = vec![0u8; 65_536];
        while !taker.over.load(Ordering::Relaxed) {
            let n = match from.read(&mut packet) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    readable(&from);
                    continue;
                }
                Err(_) => return,
            };
            let mut time = taker.delay.load(Ordering::Relaxed);
            if outward {
                // Jitter one way is enough, and an order that nobody has to understand.
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let most = taker.jitter.load(Ordering::Relaxed);
                time += (dice >> 33).checked_rem(most).unwrap_or(0);
                time += taker.once.swap(0, Ordering::Relaxed);
            }
            let due = Instant::now() + Duration::from_nanos(time);
            // A full queue loses packets; nobody left to send means that the lab is gone.
            let _ = sender.try_send((due, packet[..n].to_vec()));
        }
    });
    std::thread::spawn(move || {
        while let Ok((due, packet)) = waiting.recv() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            // A device that is down takes nothing.
            let _ = to.write(&packet);
        }
    });
}

fn readable(device: &File) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
    let time = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::NONE);
    // Whatever it says, the read will tell.
    let _ = poll(&mut fds, time);
}
