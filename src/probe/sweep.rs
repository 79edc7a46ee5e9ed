//! Who is there? One echo, or a datagram to a closed port, to each of very many addresses, as
//! fast as the host can or as slowly as one wants.
//!
//! Runs on the calling thread until it is over: a sweep lives from doing many packets with one
//! system call. Times are from our clock before the call to the kernel's stamp of the answer.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::model::observation::{IcmpError, Method};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::batch::{BATCH, Inbox, Incoming, Outgoing};
use crate::net::packet::{self, Fill, TOKEN};
use crate::net::socket::{Kind, RawSocket};
use crate::net::source::Source;
use crate::net::stamp::Wall;
use crate::sys::privileges::Rights;

/// Port of UDP probes: the first of the traceroute range, that hardly anybody listens on.
const PORT: u16 = 33434;
/// The most addresses of one sweep: numbers share a word with the attempt.
pub const MOST: usize = 1 << 24;
/// Bits of a probe's number that say which address it went to.
const INDEX: u32 = (1 << 24) - 1;
/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of linux/errqueue.h.
const ORIGINS: [u8; 2] = [2, 3];

/// What to do.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Whom to ask, each once.
    pub targets: Vec<IpAddr>,
    /// Further attempts at those that are silent.
    pub retries: u8,
    /// How long the last answers are waited for.
    pub timeout: Duration,
    /// Packets a second; `None` for as many as go.
    pub rate: Option<f64>,
}

/// What came of one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was heard.
    #[default]
    Silent,
    /// It answered.
    Answered(Rtt),
    /// Somebody said no.
    Refused {
        /// Who.
        by: Option<IpAddr>,
        /// What.
        error: IcmpError,
    },
    /// This host itself could not send: no route.
    NotSent,
}

/// The result of a sweep.
#[derive(Clone, Debug)]
pub struct Swept {
    /// One for each target, in their order.
    pub fates: Vec<Fate>,
    /// Packets sent.
    pub sent: u64,
    /// From the first packet to the last.
    pub sending: Duration,
    /// The method for each family asked: IPv4, IPv6.
    pub methods: [Option<Method>; 2],
}

/// The sockets of a sweep.
pub struct Lanes(Vec<Lane>);

/// Opens what the families of these targets need. The right to do so is not needed any more
/// after that.
///
/// # Errors
/// What can't be opened, in words.
pub fn open(targets: &[IpAddr], source: &Source, rights: &Rights) -> Result<Lanes, SafeText> {
    let mut lanes = Vec::with_capacity(2);
    for v6 in [false, true] {
        if targets.iter().any(|t| t.is_ipv6() == v6) {
            lanes.push(Lane::open(v6, source, rights)?);
        }
    }
    Ok(Lanes(lanes))
}

/// Asks everybody. Ends early when `stop` becomes true; what is known by then is the result.
///
/// # Errors
/// A socket that can't be used, in words.
pub fn run(
    sweep: &Sweep,
    Lanes(mut lanes): Lanes,
    source: &Source,
    stop: &AtomicBool,
) -> Result<Swept, SafeText> {
    let mut methods = [None; 2];
    for lane in &lanes {
        methods[usize::from(lane.v6)] = Some(lane.method());
    }
    let mut work = Work {
        sweep,
        source,
        fates: vec![Fate::Silent; sweep.targets.len()],
        sent_at: Vec::new(),
        open: 0,
        sent: 0,
    };
    let mut sending = Duration::ZERO;
    for attempt in 0..=sweep.retries {
        sending += work.round(attempt, &mut lanes, stop)?;
        if work.open == 0 || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(Swept {
        fates: work.fates,
        sent: work.sent,
        sending,
        methods,
    })
}

/// The socket of one family.
struct Lane {
    socket: RawSocket,
    v6: bool,
    nonce: u64,
    ident: u16,
    out: Outgoing,
    waiting: VecDeque<u32>,
    inbox: Inbox,
}

impl Lane {
    fn open(v6: bool, source: &Source, rights: &Rights) -> Result<Self, SafeText> {
        let kind = match (rights.raw(v6), rights.dgram(v6)) {
            (Ok(()), _) => Kind::IcmpRaw,
            (_, Ok(())) => Kind::IcmpDatagram,
            _ => Kind::Udp,
        };
        let why = |e: &dyn std::fmt::Display| SafeText::new(format!("cannot sweep: {e}"));
        let socket = RawSocket::open(kind, v6, false, source).map_err(|e| why(&e))?;
        let mut random = [0u8; 10];
        getrandom::fill(&mut random).map_err(|e| why(&e))?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, i0, i1] = random;
        Ok(Self {
            socket: socket.for_sweeps(),
            v6,
            nonce: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            ident: u16::from_be_bytes([i0, i1]),
            out: Outgoing::default(),
            waiting: VecDeque::new(),
            inbox: Inbox::default(),
        })
    }

    fn method(&self) -> Method {
        match self.socket.kind() {
            Kind::IcmpRaw => Method::IcmpRaw,
            Kind::IcmpDatagram => Method::IcmpDatagram,
            Kind::Udp => Method::UdpErrorQueue,
        }
    }

    fn packet(&self, id: u32) -> Vec<u8> {
        let payload = packet::payload(self.nonce, id, TOKEN + 4, Fill::USUAL);
        match self.socket.kind() {
            Kind::Udp => payload,
            _ => packet::echo_request(self.v6, self.ident, (id & 0xffff) as u16, &payload),
        }
    }
}

struct Work<'a> {
    sweep: &'a Sweep,
    source: &'a Source,
    fates: Vec<Fate>,
    /// Send times by attempt and target, nanoseconds of the real-time clock.
    sent_at: Vec<Vec<i64>>,
    /// Targets of this round that have not been heard of.
    open: usize,
    sent: u64,
}

impl Work<'_> {
    /// Asks all that are silent once; the time that the sending took.
    fn round(
        &mut self,
        attempt: u8,
        lanes: &mut [Lane],
        stop: &AtomicBool,
    ) -> Result<Duration, SafeText> {
        let todo: Vec<u32> = (0u32..)
            .zip(&self.fates)
            .filter(|(_, fate)| **fate == Fate::Silent)
            .map(|(n, _)| n)
            .collect();
        self.open = todo.len();
        self.sent_at.push(vec![0; self.fates.len()]);
        let begun = Instant::now();
        let mut next = todo.into_iter();
        let mut launched = 0f64;
        loop {
            let room = self.room(begun, launched);
            for n in next.by_ref().take(room) {
                launched += 1.0;
                self.launch(n, attempt, lanes);
            }
            let left = lanes.iter().any(|l| !l.out.is_empty());
            for lane in lanes.iter_mut() {
                self.send(attempt, lane)?;
                self.receive(lane);
            }
            if stop.load(Ordering::Relaxed) || (next.len() == 0 && !left) {
                break;
            }
            if room == 0 {
                wait(lanes, Duration::from_millis(1));
            }
        }
        let sending = begun.elapsed();
        let end = Instant::now() + self.sweep.timeout;
        while self.open > 0 && !stop.load(Ordering::Relaxed) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            wait(lanes, left.min(Duration::from_millis(50)));
            for lane in lanes.iter_mut() {
                self.receive(lane);
            }
        }
        Ok(sending)
    }

    /// Packets that may go now.
    fn room(&self, begun: Instant, launched: f64) -> usize {
        match self.sweep.rate {
            None => BATCH,
            Some(rate) => {
                let due = begun.elapsed().as_secs_f64() * rate + 1.0 - launched;
                (due.max(0.0) as usize).min(BATCH)
            }
        }
    }

    fn launch(&mut self, n: u32, attempt: u8, lanes: &mut [Lane]) {
        let Some(target) = self.sweep.targets.get(n as usize) else {
            return;
        };
        let lane = lanes.iter_mut().find(|l| l.v6 == target.is_ipv6());
        if let Some(lane) = lane {
            let port = if lane.socket.kind() == Kind::Udp {
                PORT
            } else {
                0
            };
            let to = self.source.socket_addr(*target, port);
            let bytes = lane.packet(n | (u32::from(attempt) << 24));
            lane.out.push(to, bytes);
            lane.waiting.push_back(n);
        }
    }

    /// Sends what waits. Errors of earlier packets that are pending on the socket are cleared
    /// and the packet is tried again; one that fails thrice can't be sent.
    fn send(&mut self, attempt: u8, lane: &mut Lane) -> Result<(), SafeText> {
        let mut failures = 0;
        while !lane.out.is_empty() {
            let now = Wall::now().0;
            match lane.out.send(lane.socket.as_fd().as_raw_fd()) {
                Ok(count) => {
                    failures = 0;
                    self.sent += count as u64;
                    for n in lane.waiting.drain(..count) {
                        let times = self.sent_at.get_mut(usize::from(attempt));
                        if let Some(time) = times.and_then(|t| t.get_mut(n as usize)) {
                            *time = now;
                        }
                    }
                }
                Err(e) => match e.raw_os_error() {
                    Some(libc::EAGAIN | libc::ENOBUFS) => {
                        self.receive(lane);
                        wait_writable(lane);
                    }
                    Some(libc::EINTR) => {}
                    Some(libc::EBADF | libc::ENOTSOCK) => {
                        return Err(SafeText::new(format!("cannot send: {e}")));
                    }
                    _ if failures < 3 => {
                        failures += 1;
                        self.receive(lane);
                    }
                    _ => {
                        failures = 0;
                        lane.out.skip();
                        if let Some(n) = lane.waiting.pop_front() {
                            self.settle(n, Fate::NotSent);
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// Reads all that is there, errors first: reading data returns the pending error.
    fn receive(&mut self, lane: &mut Lane) {
        for errors in [true, false] {
            // Bounded: what keeps coming meanwhile is read next time.
            for _ in 0..64 {
                let (kind, v6, nonce) = (lane.socket.kind(), lane.v6, lane.nonce);
                let fd = lane.socket.as_fd().as_raw_fd();
                let read = lane.inbox.read(fd, errors, |message| {
                    self.take(kind, v6, nonce, &message, errors);
                });
                match read {
                    Ok(BATCH) => {}
                    Ok(_) => break,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
        }
    }

    fn take(&mut self, kind: Kind, v6: bool, nonce: u64, m: &Incoming<'_>, errors: bool) {
        let Some(id) = packet::number(kind, v6, nonce, m.bytes, !errors) else {
            return;
        };
        let (n, attempt) = (id & INDEX, (id >> 24) as usize);
        let Some(target) = self.sweep.targets.get(n as usize).copied() else {
            return;
        };
        // The sender of an answer, or whom the refused packet went to: nobody else counts.
        if m.name != Some(target) {
            return;
        }
        let sent = self.sent_at.get(attempt).and_then(|t| t.get(n as usize));
        let rtt = || {
            let at = m.at.unwrap_or_else(|| Wall::now().0);
            Rtt(at
                .saturating_sub(sent.copied().unwrap_or(at))
                .max(0)
                .unsigned_abs())
        };
        let fate = match m.error {
            None => Fate::Answered(rtt()),
            Some((origin, kind, code, by)) if ORIGINS.contains(&origin) => {
                let error = if v6 {
                    IcmpError::from_v6(kind, code, 0)
                } else {
                    IcmpError::from_v4(kind, code, 0)
                };
                if error == IcmpError::PortUnreachable && by == Some(target) {
                    Fate::Answered(rtt())
                } else {
                    Fate::Refused { by, error }
                }
            }
            Some(_) => return,
        };
        self.settle(n, fate);
    }

    /// The first word counts, but an answer outweighs a refusal.
    fn settle(&mut self, n: u32, new: Fate) {
        let Some(fate) = self.fates.get_mut(n as usize) else {
            return;
        };
        match (*fate, new) {
            (Fate::Silent, _) => {
                *fate = new;
                self.open = self.open.saturating_sub(1);
            }
            (Fate::Refused { .. }, Fate::Answered(_)) => *fate = new,
            _ => {}
        }
    }
}

fn wait(lanes: &[Lane], time: Duration) {
    let mut fds: Vec<PollFd<'_>> = lanes
        .iter()
        .map(|l| PollFd::new(l.socket.as_fd(), PollFlags::POLLIN))
        .collect();
    let ms = u16::try_from(time.as_millis()).unwrap_or(u16::MAX).max(1);
    let _ = poll(&mut fds, PollTimeout::from(ms));
}

fn wait_writable(lane: &Lane) {
    let mut fds = [PollFd::new(lane.socket.as_fd(), PollFlags::POLLOUT)];
    let _ = poll(&mut fds, PollTimeout::from(2u16));
}
