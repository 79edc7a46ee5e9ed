//! Ports for servers that want to be told theirs.
//!
//! A port the kernel hands out for "any" may be handed to somebody else, in this process or
//! another, between the question and the server's start; a server that wants UDP and TCP on it
//! needs both to be free. These lie below the range the kernel hands out from, no two askers of
//! this process get the same, and both protocols are looked at.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's default `ip_local_port_range` (32768 to 60999), above the usual servers.
const FIRST: u16 = 12_000;
/// How many are used in turn.
const MANY: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port nobody holds, over UDP and TCP, on both loopback addresses.
pub fn free_port() -> u16 {
    // Processes side by side begin at different places.
    let start = (std::process::id() % u32::from(MANY)) as u16;
    for _ in 0..MANY {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % MANY) % MANY;
        if is_free(port) {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

fn is_free(port: u16) -> bool {
    let (four, six) = ((Ipv4Addr::LOCALHOST, port), (Ipv6Addr::LOCALHOST, port));
    // Both stay held until the last is looked at.
    let tcp = (TcpListener::bind(four), TcpListener::bind(six));
    let udp = (UdpSocket::bind(four), UdpSocket::bind(six));
    // A family this machine lacks is nobody's.
    let held = |e: Option<&std::io::Error>| e.is_some_and(|e| e.kind() == ErrorKind::AddrInUse);
    !(held(tcp.0.as_ref().err())
        || held(tcp.1.as_ref().err())
        || held(udp.0.as_ref().err())
        || held(udp.1.as_ref().err()))
}
