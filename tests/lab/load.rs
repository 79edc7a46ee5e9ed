//! Real traffic between two machines of the lab, in turns of work and rest.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Lab;
use super::plan::Role;
use super::relay::enter;

/// Where the sink listens.
const PORT: u16 = 5001;

/// Traffic that ends when it is dropped.
pub struct Load(Arc<AtomicBool>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Lab {
    /// One TCP connection sends as much as it can for `time`, rests as long, and so on.
    pub fn load(&self, from: Role, to: Role, addr: IpAddr, time: Duration) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let path = |role| format!("/run/netns/{}", self.ns(role));
        let (there, here) = (path(to), path(from));
        let sink = std::thread::spawn(move || {
            enter(&std::fs::File::open(there).expect("a namespace"));
            TcpListener::bind((addr, PORT)).expect("a free port")
        });
        let sink = sink.join().expect("a sink");
        std::thread::spawn(move || {
            let Ok((mut from, _)) = sink.accept() else {
                return;
            };
            let mut some = vec![0u8; 65_536];
            while from.read(&mut some).is_ok_and(|n| n > 0) {}
        });
        let end = Arc::clone(&over);
        std::thread::spawn(move || {
            enter(&std::fs::File::open(here).expect("a namespace"));
            let mut to = TcpStream::connect((addr, PORT)).expect("a sink that listens");
            let some = vec![0u8; 16_384];
            while !end.load(Ordering::Relaxed) {
                let until = Instant::now() + time;
                while Instant::now() < until && !end.load(Ordering::Relaxed) {
                    if to.write_all(&some).is_err() {
                        return;
                    }
                }
                std::thread::sleep(time);
            }
        });
        Load(over)
    }

    /// A router's end of a link gets that speed, and a queue of `ms` milliseconds without any
    /// fairness. What one connection of `src` may have under way is less than the queue holds, so
    /// that nothing is lost.
    pub fn narrow(&self, router: Role, link: u8, mbit: u64, ms: u64) {
        let under_way = mbit * 125 * ms / 2;
        let most = format!("net.ipv4.tcp_wmem=4096 16384 {under_way}");
        self.set(Role::Src, &[&most]);
        let ns = self.ns(router);
        let (dev, rate) = (format!("l{link}"), format!("{mbit}mbit"));
        let limit = (mbit * 125 * ms).to_string();
        super::must(
            "tc",
            &[
                "-n", &ns, "qdisc", "replace", "dev", &dev, "root", "tbf", "rate", &rate, "burst",
                "5000", "limit", &limit,
            ],
            "",
        );
    }
}
