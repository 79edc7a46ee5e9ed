//! One round under way: sends what [`Waves`] wants, hears what comes, and can be ended at any
//! time without inventing loss.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::judge::{is_end, judge, judge_tcp, meaning};
use super::source::is_taken;
use super::waves::{Heard, Step, Waves};
use super::{Ask, Tracer, Way};
use crate::model::observation::{HopAnswer, HopDetail, HopSample, How, IcmpError, TraceRound};
use crate::model::text::SafeText;
use crate::net::exchange::{Answer, Exchange, Flight, Note, Shot};
use crate::net::tcp::{Attempt, End, Ended, Syn};

/// A handshake's end is awaited for so long at most; the round is over long before.
const LONG: Duration = Duration::from_secs(60);

/// Tries for a source port that is still in use, and the time between them.
const TRIES: u32 = 20;
const AGAIN: Duration = Duration::from_millis(5);

/// A round. [`Run::go`] may be dropped at any point; [`Run::end`] then tells what is known.
pub struct Run<'a> {
    tracer: &'a Tracer,
    ask: Ask,
    lane: Option<Arc<Exchange>>,
    begun: Instant,
    waves: Waves,
    open: Vec<Open>,
    heard: BTreeMap<u8, Told>,
    trouble: Option<SafeText>,
    asked: Vec<u8>,
    over: bool,
    on_answer: Option<OnAnswer<'a>>,
}

/// Is told who answered.
type OnAnswer<'a> = Box<dyn FnMut(IpAddr) + Send + 'a>;

/// What came of a round.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method, and why it is not a better one.
    pub how: How,
    /// The round, up to the destination.
    pub round: TraceRound,
    /// Probes that went beyond the destination, which has answered or will answer them as well.
    pub beyond: u32,
    /// Why something could not be sent.
    pub trouble: Option<SafeText>,
}

struct Open {
    ttl: u8,
    flying: Flying,
}

enum Flying {
    Packet(Flight),
    Handshake(
        Arc<Attempt>,
        Pin<Box<dyn Future<Output = Option<Ended>> + Send>>,
    ),
}

/// What one TTL was answered.
struct Told {
    answer: HopAnswer,
    /// The probe's number, by which notes find it.
    order: Option<u32>,
    detail: Option<HopDetail>,
}

enum News {
    Packet(Option<Answer>),
    Handshake(Option<Ended>),
}

impl<'a> Run<'a> {
    pub(super) fn new(tracer: &'a Tracer, ask: Ask) -> Self {
        let lane = match tracer.lane(ask.flow) {
            Ok(lane) => Ok(lane),
            Err(e) => Err(tracer.no_socket(ask.flow, &e)),
        };
        let waves = Waves::new(tracer.plan(&ask));
        Self {
            trouble: lane.as_ref().err().cloned(),
            lane: lane.ok().flatten(),
            tracer,
            ask,
            begun: Instant::now(),
            waves,
            open: Vec::new(),
            heard: BTreeMap::new(),
            asked: Vec::new(),
            over: false,
            on_answer: None,
        }
    }

    /// Calls this with whoever answers, at once: the round may go on for a while. What it does
    /// must not take time.
    pub fn on_answer(&mut self, tell: impl FnMut(IpAddr) + Send + 'a) {
        self.on_answer = Some(Box::new(tell));
    }

    /// Asks and listens until all that can be answered is, or has had its time.
    pub async fn go(&mut self) {
        self.begun = Instant::now();
        loop {
            match self.waves.step(self.begun.elapsed()) {
                Step::Done => break,
                Step::Wait(until) => self.listen(until).await,
                Step::Ask(ttls) => {
                    if self.waves.is_alone() {
                        // Its port is needed for the next one.
                        self.give_up();
                    }
                    for ttl in ttls {
                        self.send(ttl).await;
                    }
                }
            }
        }
        self.over = true;
    }

    async fn send(&mut self, ttl: u8) {
        let sent = match &self.tracer.way {
            Way::Tcp { port } => self.handshake(*port, ttl).await,
            Way::Echo(_) | Way::Udp(_) => self.packet(ttl).await,
        };
        match sent {
            Ok(flying) => {
                self.asked.push(ttl);
                self.open.push(Open { ttl, flying });
            }
            // What can't be sent was not sent: there is no entry for it.
            Err(e) => {
                self.waves.unsent(ttl);
                self.trouble = Some(self.tracer.no_socket(self.ask.flow, &e));
            }
        }
    }

    async fn packet(&mut self, ttl: u8) -> io::Result<Flying> {
        let Some(lane) = self.lane.clone() else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        let shot = Shot {
            ttl: Some(ttl),
            port: self.tracer.port(&self.ask, ttl),
            tos: self.tracer.options.tos,
            flow: self.ask.flow,
            ..Shot::of(tag(self.ask.flow, ttl), self.tracer.size())
        };
        lane.launch_patiently(shot).await.map(Flying::Packet)
    }

    async fn handshake(&mut self, port: u16, ttl: u8) -> io::Result<Flying> {
        let tracer = self.tracer;
        let paris = tracer.options.paris_tcp;
        let dst = SocketAddr::new(tracer.dst, port);
        let mut tries = 0;
        let attempt = loop {
            let syn = Syn {
                ttl: Some(ttl),
                tos: tracer.options.tos,
                port: paris.then(|| tracer.source_port(self.ask.flow)),
            };
            match Attempt::send(dst, syn, &tracer.source, tracer.clock) {
                // The one before is not all gone: a process being started may hold it a moment.
                Err(e) if paris && tries < TRIES && is_taken(&e) => {
                    tries += 1;
                    tokio::time::sleep(AGAIN).await;
                }
                // Another flow had it before: the two would be one.
                Ok(a) if paris && tries < TRIES && tracer.is_others(self.ask.flow, a.port()) => {
                    tries += 1;
                }
                other => break other?,
            }
        };
        if let (true, Some(port)) = (paris, attempt.port()) {
            tracer.memory(|m| m.ports.insert(self.ask.flow, port));
        }
        let attempt = Arc::new(attempt);
        let same = Arc::clone(&attempt);
        let ended = Box::pin(async move { same.end(LONG).await });
        Ok(Flying::Handshake(attempt, ended))
    }

    /// Until an answer came, and that moment at most.
    async fn listen(&mut self, until: Duration) {
        let open = &mut self.open;
        let first = poll_fn(|cx| {
            for (at, open) in open.iter_mut().enumerate() {
                let news = match &mut open.flying {
                    Flying::Packet(flight) => flight.poll_answer(cx).map(News::Packet),
                    Flying::Handshake(_, ended) => ended.as_mut().poll(cx).map(News::Handshake),
                };
                if let Poll::Ready(news) = news {
                    return Poll::Ready((at, news));
                }
            }
            Poll::Pending
        });
        let Ok((at, news)) = tokio::time::timeout_at(self.begun + until, first).await else {
            return;
        };
        let ttl = self.open.swap_remove(at).ttl;
        match news {
            News::Packet(Some(answer)) => self.hear(ttl, answer),
            // Forgotten by the socket: as good as silent.
            News::Packet(None) => {}
            News::Handshake(ended) => self.hear_tcp(ttl, ended.as_ref()),
        }
    }

    fn hear(&mut self, ttl: u8, answer: Answer) {
        let order = Some(answer.order);
        let answer = judge(self.tracer.dst, answer);
        self.file(ttl, answer, order, None);
    }

    fn hear_tcp(&mut self, ttl: u8, ended: Option<&Ended>) {
        let Some(ended) = ended else { return };
        let answer = judge_tcp(self.tracer.dst, ended).unwrap_or(HopAnswer::Silent);
        let detail = match &ended.end {
            End::Icmp {
                error,
                code,
                extensions,
                ..
            } if *error != IcmpError::TimeExceeded || !extensions.is_empty() => Some(HopDetail {
                ttl,
                icmp: Some(*code),
                extensions: extensions.clone(),
                changed: None,
            }),
            _ => None,
        };
        self.file(ttl, answer, None, detail);
    }

    fn file(&mut self, ttl: u8, answer: HopAnswer, order: Option<u32>, detail: Option<HopDetail>) {
        if let (Some(tell), Some((from, _))) = (&mut self.on_answer, answer.from()) {
            tell(from);
        }
        let told = Told {
            answer,
            order,
            detail,
        };
        self.heard.insert(ttl, told);
        let what = if answer == HopAnswer::Silent {
            Heard::Router
        } else {
            meaning(&answer)
        };
        self.waves.heard(ttl, what, self.begun.elapsed());
    }

    /// Waits no longer for what is in flight.
    fn give_up(&mut self) {
        for open in std::mem::take(&mut self.open) {
            match open.flying {
                Flying::Packet(flight) => {
                    if let Some(answer) = flight.give_up() {
                        self.hear(open.ttl, answer);
                    }
                }
                Flying::Handshake(attempt, _) => self.keep(open.ttl, attempt),
            }
        }
    }

    /// What is known. Silence counts for those only that had their time; what comes later comes
    /// with a later round.
    pub fn end(mut self) -> Seen {
        let now = self.begun.elapsed();
        self.give_up();
        let flow = self.ask.flow;
        let mut hops: Vec<HopSample> = Vec::with_capacity(self.asked.len());
        self.asked.sort_unstable();
        for &ttl in &self.asked {
            let answer = match self.heard.get(&ttl) {
                Some(told) => told.answer,
                None if self.over || self.waves.had_its_time(ttl, now) => HopAnswer::Silent,
                None => continue,
            };
            hops.push(HopSample { ttl, answer });
        }
        let heard = |ttl: &&u8| self.heard.contains_key(ttl);
        let silent: Vec<u8> = self.asked.iter().filter(|t| !heard(t)).copied().collect();
        self.tracer.collect_late(self.lane.as_deref(), &silent);
        self.tracer.fill_in_late(flow, &mut hops);
        let mut beyond = 0;
        if let Some(end) = hops.iter().position(|h| is_end(&h.answer)) {
            hops.truncate(end + 1);
            let last = hops.last().map_or(u8::MAX, |h| h.ttl);
            beyond = self.asked.iter().filter(|t| **t > last).count() as u32;
        }
        let mut round = TraceRound::new(self.tracer.dst, self.ask.round, hops);
        round.flow = flow;
        round.begun = Some(self.tracer.clock.mono().minus(now));
        round.details = self.details(&round);
        Seen {
            how: self.tracer.how(),
            round,
            beyond,
            trouble: self.trouble,
        }
    }

    /// A handshake without an end goes on, for a late message, unless its port is to be used
    /// again.
    fn keep(&self, ttl: u8, attempt: Arc<Attempt>) {
        if !self.tracer.options.paris_tcp {
            self.tracer.keep_attempt(self.ask.flow, ttl, attempt);
        }
    }

    fn details(&self, round: &TraceRound) -> Vec<HopDetail> {
        let mut details: BTreeMap<u8, HopDetail> = BTreeMap::new();
        let mut by_order = BTreeMap::new();
        for (ttl, told) in &self.heard {
            details.extend(told.detail.clone().map(|d| (*ttl, d)));
            by_order.extend(told.order.map(|o| (o, *ttl)));
        }
        let notes = self.lane.as_ref().map(|x| x.notes()).unwrap_or_default();
        for (order, note) in notes {
            let Some(ttl) = by_order.get(&order).copied() else {
                continue;
            };
            let empty = HopDetail {
                ttl,
                ..HopDetail::default()
            };
            match note {
                Note::Icmp {
                    kind,
                    code,
                    extensions,
                } => {
                    let detail = details.entry(ttl).or_insert(empty);
                    detail.icmp = Some((kind, code));
                    detail.extensions = extensions;
                }
                Note::Header(header) => {
                    if let Some(change) = self.tracer.changes(&header) {
                        details.entry(ttl).or_insert(empty).changed = Some(change);
                    }
                }
            }
        }
        details.retain(|ttl, _| round.hops.iter().any(|h| h.ttl == *ttl));
        details.into_values().collect()
    }
}

/// The mark of a probe: whose late answer it is.
pub(super) fn tag(flow: u16, ttl: u8) -> u32 {
    u32::from(flow) << 8 | u32::from(ttl)
}

/// The other way round.
pub(super) fn of_tag(tag: u32) -> Option<(u16, u8)> {
    let flow = u16::try_from(tag >> 8).ok()?;
    Some((flow, (tag & 0xff) as u8))
}
