//! A path in network namespaces, built and deleted by the test that uses it:
//!
//! ```text
//! src ── r1 ── r2 ── r3 ── dst        IPv4 10.9.<link>.1 (near) .2 (far)
//!     1     2     3     4             IPv6 fd09:<link>::1 (near) ::2 (far)
//! ```
//!
//! Routers and hosts keep Linux's own ICMP limits: about six errors at once, then one a second.
#![allow(unsafe_code)]

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub const NODES: [&str; 5] = ["src", "r1", "r2", "r3", "dst"];
/// A second router beside r2, see [`Lab::part`].
const BESIDE: &str = "r2b";
const NOBODY: libc::c_long = 65534;

/// Who runs the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    Root,
    Nobody,
}

pub struct Lab {
    prefix: String,
}

/// A lab whose third link has this MTU; `None` where tests without root are wanted.
pub fn lab(mtu: u32) -> Option<Lab> {
    // SAFETY: geteuid has no arguments and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        return Some(Lab::build(mtu));
    }
    println!("SKIPPED: network namespaces need root");
    let wanted = std::env::var_os("WARROOM_TESTS_UNPRIVILEGED").is_some_and(|v| v == "1");
    assert!(
        wanted,
        "SKIPPED: network namespaces need root (WARROOM_TESTS_UNPRIVILEGED=1 lets this pass)"
    );
    None
}

/// Address `end` (1 near, 2 far, more for others) of a link.
pub fn at(v6: bool, link: u16, end: u16) -> IpAddr {
    if v6 {
        IpAddr::from([0xfd09, link, 0, 0, 0, 0, 0, end])
    } else {
        IpAddr::from([10, 9, link as u8, end as u8])
    }
}

/// The far host.
pub fn dst(v6: bool) -> IpAddr {
    at(v6, 4, 2)
}

impl Lab {
    fn build(mtu: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let lab = Self {
            prefix: format!("wrp{}-{n}", std::process::id()),
        };
        for node in NODES {
            ip(&["netns", "add", &lab.ns(node)]);
            lab.ip(node, "link set lo up");
            lab.run(
                node,
                "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
                 net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
                 net.ipv4.conf.default.rp_filter=0",
            );
        }
        let mtus = [1500, 1500, mtu, 1500];
        for (i, mtu) in mtus.into_iter().enumerate() {
            lab.link(i, mtu);
        }
        for (i, node) in NODES.iter().enumerate() {
            for v6 in [false, true] {
                let family = if v6 { "-6" } else { "-4" };
                if i < 4 {
                    let next = at(v6, i as u16 + 1, 2);
                    lab.ip(node, &format!("{family} route add default via {next}"));
                }
                // Back to every link behind this node.
                for link in 1..i as u16 {
                    let net = if v6 {
                        format!("fd09:{link}::/64")
                    } else {
                        format!("10.9.{link}.0/24")
                    };
                    let back = at(v6, i as u16, 1);
                    lab.ip(node, &format!("{family} route add {net} via {back}"));
                }
            }
        }
        lab
    }

    /// A second way from r1 to r3, by a router `r2b` on links 5 and 6. Both ways are equal; r1
    /// chooses by the flow. Nobody rations ICMP errors any more.
    pub fn part(&self) {
        ip(&["netns", "add", &self.ns(BESIDE)]);
        self.run(
            BESIDE,
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
             net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0 \
             net.ipv4.conf.default.rp_filter=0",
        );
        for (link, near, far) in [(5, "r1", BESIDE), (6, BESIDE, "r3")] {
            self.join(link, near, far, 1500);
        }
        for v6 in [false, true] {
            let family = if v6 { "-6" } else { "-4" };
            let (one, other) = (at(v6, 2, 2), at(v6, 5, 2));
            let ways = format!("nexthop via {one} nexthop via {other}");
            self.ip("r1", &format!("{family} route replace default {ways}"));
            let on = at(v6, 6, 2);
            self.ip(BESIDE, &format!("{family} route add default via {on}"));
            let (net, back) = match v6 {
                true => ("fd09:1::/64", at(true, 5, 1)),
                false => ("10.9.1.0/24", at(false, 5, 1)),
            };
            self.ip(BESIDE, &format!("{family} route add {net} via {back}"));
        }
        for family in ["ipv4", "ipv6"] {
            // By addresses, protocol and ports, from the packet itself. Policy 1 means the same,
            // but believes the sender's hash, which a veth pair carries along and a wire does not.
            let fields = format!("net.{family}.fib_multipath_hash_fields");
            self.set("r1", &fields, "55");
            let policy = format!("net.{family}.fib_multipath_hash_policy");
            self.set("r1", &policy, "3");
        }
        for node in NODES.into_iter().chain([BESIDE]) {
            self.set(node, "net.ipv4.icmp_ratemask", "0");
            self.set(node, "net.ipv6.icmp.ratelimit", "0");
        }
    }

    fn link(&self, i: usize, mtu: u32) {
        self.join(i as u16 + 1, NODES[i], NODES[i + 1], mtu);
    }

    fn join(&self, link: u16, near: &str, far: &str, mtu: u32) {
        let (near_if, far_if) = (format!("down{link}"), format!("up{link}"));
        let (near_ns, far_ns) = (self.ns(near), self.ns(far));
        ip(&[
            "link", "add", &near_if, "netns", &near_ns, "type", "veth", "peer", "name", &far_if,
            "netns", &far_ns,
        ]);
        for (node, device, end) in [(near, &near_if, 1), (far, &far_if, 2)] {
            self.ip(node, &format!("link set {device} mtu {mtu} up"));
            self.ip(
                node,
                &format!("addr add {}/24 dev {device}", at(false, link, end)),
            );
            self.ip(
                node,
                &format!("-6 addr add {}/64 dev {device} nodad", at(true, link, end)),
            );
        }
    }

    /// Name of a node's namespace.
    pub fn ns(&self, node: &str) -> String {
        format!("{}-{node}", self.prefix)
    }

    /// `ip -n NODE …`
    pub fn ip(&self, node: &str, args: &str) {
        let ns = self.ns(node);
        let mut all = vec!["-n", ns.as_str()];
        all.extend(args.split_whitespace());
        ip(&all);
    }

    /// A command in a node.
    pub fn run(&self, node: &str, command: &str) {
        let ns = self.ns(node);
        let mut all = vec!["netns", "exec", ns.as_str()];
        all.extend(command.split_whitespace());
        ip(&all);
    }

    /// What a command in a node prints.
    pub fn output(&self, node: &str, command: &str) -> String {
        let out = Command::new("ip")
            .args(["netns", "exec", &self.ns(node)])
            .args(command.split_whitespace())
            .output()
            .expect("ip runs");
        assert!(out.status.success(), "{command}");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Sets a kernel parameter in a node.
    pub fn set(&self, node: &str, name: &str, value: &str) {
        let (ns, setting) = (self.ns(node), format!("{name}={value}"));
        ip(&["netns", "exec", &ns, "sysctl", "-qw", &setting]);
    }

    /// Loads a rule set in a node.
    pub fn nft(&self, node: &str, rules: &str) {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.ns(node), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nft starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(rules.as_bytes()).expect("nft reads");
        drop(stdin);
        assert!(child.wait().expect("nft ends").success(), "nft: {rules}");
    }

    /// Drops, in `node`, what `family` (`ip`, `ip6`) and `rule` say, at the hook.
    pub fn drop_at(&self, node: &str, hook: &str, family: &str, rule: &str) {
        self.nft(
            node,
            &format!(
                "add table {family} t\nadd chain {family} t {hook} {{ type filter hook {hook} \
                 priority 0; }}\nadd rule {family} t {hook} {rule} drop\n"
            ),
        );
    }

    /// Forbids, on the way through `node`, what `rule` matches, with an ICMP error of both
    /// families: `admin-prohibited` or `port-unreachable`.
    pub fn reject_at(&self, node: &str, rule: &str, word: &str) {
        for (family, icmp) in [("ip", "icmp"), ("ip6", "icmpv6")] {
            self.nft(
                node,
                &format!(
                    "add table {family} r\nadd chain {family} r f {{ type filter hook forward \
                     priority 1; }}\nadd rule {family} r f {rule} reject with {icmp} type {word}\n"
                ),
            );
        }
    }

    /// Runs a future in a node as a user, on a thread that is in that namespace with that
    /// user's rights and no others.
    pub fn within<T, F>(&self, node: &str, user: User, work: impl FnOnce() -> F + Send) -> T
    where
        T: Send,
        F: Future<Output = T>,
    {
        let path = format!("/run/netns/{}", self.ns(node));
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter(&path);
                if user == User::Nobody {
                    become_nobody();
                }
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
                    .block_on(work())
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A listener in a node; it accepts nothing, which the handshake does not need.
    pub fn listen(&self, node: &str, addr: IpAddr, port: u16) -> TcpListener {
        self.within(node, User::Root, || async move {
            TcpListener::bind(SocketAddr::new(addr, port)).expect("the port is free")
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for node in NODES.into_iter().chain([BESIDE]) {
            // A namespace that was never made can't be deleted; the rest must be.
            let _ = Command::new("ip")
                .args(["netns", "del", &self.ns(node)])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn ip(args: &[&str]) {
    let out = Command::new("ip").args(args).output().expect("ip runs");
    assert!(
        out.status.success(),
        "ip {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr)
    );
}

fn enter(path: &str) {
    let file = File::open(path).expect("the namespace is there");
    // SAFETY: the descriptor is open; setns changes only the calling thread, which is ours.
    let rc = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(rc, 0, "setns {path}: {}", std::io::Error::last_os_error());
}

/// The bare system calls change the calling thread only; the C library's would change all.
/// Leaving uid 0 clears the thread's capabilities.
fn become_nobody() {
    // SAFETY: plain integers, and a null list of length zero.
    let rcs = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
            libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY),
            libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY),
        ]
    };
    assert_eq!(rcs, [0, 0, 0], "{}", std::io::Error::last_os_error());
}

/// Probing sockets with the host's own choices.
pub fn sockets() -> warroom::net::sockets::Sockets {
    let (clock, source) = (
        warroom::sys::clock::Clock::start(),
        warroom::net::source::Source::default(),
    );
    warroom::net::sockets::Sockets::new(clock, source)
}
