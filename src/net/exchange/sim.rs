//! The engine on simulated wires: order, loss, duplicates, corruption, clocks, full buffers.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Answer, Exchange, Flight, Hub, Said, Shot};
use crate::model::observation::IcmpError;
use crate::net::event::{Event, IcmpEvent};
use crate::net::socket::Kind;
use crate::net::source::Source;
use crate::net::stamp::Wall;
use crate::net::wire::{Packet, Wire};
use crate::sys::clock::Clock;

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254));
const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(5);

/// A wire whose other end is the test. Kind UDP: what is sent is the payload itself.
#[derive(Clone, Default)]
struct SimWire(Arc<Sim>);

#[derive(Default)]
struct Sim {
    sent: Mutex<Vec<(SocketAddr, Vec<u8>)>>,
    refuse: Mutex<VecDeque<io::ErrorKind>>,
    incoming: Mutex<Vec<Event>>,
    news: Notify,
}

impl Wire for SimWire {
    fn kind(&self) -> Kind {
        Kind::Udp
    }
    fn v6(&self) -> bool {
        false
    }
    fn send(&self, packet: &Packet<'_>) -> io::Result<()> {
        if let Some(kind) = self.0.refuse.lock().unwrap().pop_front() {
            return Err(kind.into());
        }
        let sent = (packet.to, packet.bytes.to_vec());
        self.0.sent.lock().unwrap().push(sent);
        Ok(())
    }
    async fn read(&self, out: &mut Vec<Event>) -> io::Result<()> {
        self.0.news.notified().await;
        out.append(&mut self.0.incoming.lock().unwrap());
        Ok(())
    }
}

impl SimWire {
    fn exchange(&self, dst: IpAddr) -> Exchange<SimWire> {
        Exchange::new(self.hub(), dst)
    }

    fn hub(&self) -> Arc<Hub<SimWire>> {
        Arc::new(Hub::new(self.clone(), Source::default(), Clock::start()).unwrap())
    }

    fn payload(&self, n: usize) -> Vec<u8> {
        self.0.sent.lock().unwrap()[n].1.clone()
    }

    fn arrive(&self, event: Event) {
        self.0.incoming.lock().unwrap().push(event);
        self.0.news.notify_one();
    }

    fn echo(&self, from: IpAddr, payload: Vec<u8>, at: Option<Wall>) {
        self.arrive(Event::Data {
            from: SocketAddr::new(from, 7),
            payload,
            at,
            ttl: Some(61),
            tos: Some(0),
        });
    }

    fn refuse(&self, to: IpAddr, quoted: Vec<u8>) {
        self.arrive(Event::Icmp(IcmpEvent {
            by: Some(ROUTER),
            error: IcmpError::TimeExceeded,
            to: Some(SocketAddr::new(to, 33_434)),
            quoted,
            at: None,
            ttl: Some(64),
            tos: None,
        }));
    }
}

fn fly(exchange: &Exchange<SimWire>, tag: u32) -> Flight {
    let shot = Shot {
        port: 33_434,
        ..Shot::of(tag, 60)
    };
    exchange.launch(shot).unwrap()
}

async fn settle() {
    // On one thread the reader has run when we are polled again.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn answers_in_any_order_find_their_probes() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let flights: Vec<Flight> = (0..8).map(|n| fly(&exchange, n)).collect();
    for n in [5, 0, 7, 2, 1, 6, 4] {
        wire.echo(A, wire.payload(n), None);
    }
    let mut orders = Vec::new();
    for flight in flights {
        orders.push(flight.within(SOON).await.map(|a| a.order));
    }
    let want = [
        Some(0),
        Some(1),
        Some(2),
        None,
        Some(4),
        Some(5),
        Some(6),
        Some(7),
    ];
    assert_eq!(orders, want, "the fourth was lost and is nobody else's");
}

#[tokio::test]
async fn one_socket_serves_many_and_mixes_nothing_up() {
    let wire = SimWire::default();
    let hub = wire.hub();
    let (a, b) = (Exchange::new(Arc::clone(&hub), A), Exchange::new(hub, B));
    let (to_a, to_b) = (fly(&a, 0), fly(&b, 0));
    // Somebody else answers with what we sent to another: forged, or a strange NAT.
    wire.echo(B, wire.payload(0), None);
    wire.refuse(B, wire.payload(0));
    settle().await;
    wire.echo(B, wire.payload(1), None);
    assert_eq!(
        to_b.within(LONG).await.map(|x| x.said),
        Some(Said::Reply { from: B })
    );
    assert_eq!(to_a.within(SOON).await, None, "A itself said nothing");
    assert!(a.late().is_empty() && b.late().is_empty());
}

#[tokio::test]
async fn late_and_double_answers_are_told_apart() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let (lost, found) = (fly(&exchange, 10), fly(&exchange, 11));
    wire.echo(A, wire.payload(1), None);
    assert!(found.within(LONG).await.is_some());
    assert_eq!(lost.within(Duration::from_millis(1)).await, None);
    wire.echo(A, wire.payload(0), None);
    wire.echo(A, wire.payload(1), None);
    wire.echo(A, wire.payload(1), None);
    settle().await;
    let tags = |list: Vec<(u32, Answer)>| list.iter().map(|(t, _)| *t).collect::<Vec<_>>();
    assert_eq!(tags(exchange.late()), [10]);
    assert_eq!(tags(exchange.duplicates()), [11, 11]);
    assert_eq!(tags(exchange.late()), [0; 0], "given out once");
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_corrupt() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let (good, bad, foreign) = (fly(&exchange, 0), fly(&exchange, 1), fly(&exchange, 2));
    wire.echo(A, wire.payload(0), None);
    let mut changed = wire.payload(1);
    *changed.last_mut().unwrap() ^= 0x40;
    wire.echo(A, changed, None);
    // With its token changed nobody can say whose it was.
    let mut token = wire.payload(2);
    token[3] ^= 1;
    wire.echo(A, token, None);
    assert_eq!(good.within(LONG).await.map(|a| a.corrupt), Some(false));
    assert_eq!(bad.within(LONG).await.map(|a| a.corrupt), Some(true));
    assert_eq!(foreign.within(SOON).await, None);
}

#[tokio::test]
async fn a_short_quote_is_attributed_only_where_it_can_be() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let alone = fly(&exchange, 0);
    wire.refuse(A, Vec::new());
    assert!(
        alone.within(LONG).await.is_some(),
        "the only one to that port"
    );
    let (one, two) = (fly(&exchange, 1), fly(&exchange, 2));
    wire.refuse(A, Vec::new());
    assert_eq!(one.within(SOON).await, None);
    assert_eq!(two.within(SOON).await, None);
    assert_eq!(exchange.unattributed(), 1);
    // To another destination it is none of our business.
    wire.refuse(B, Vec::new());
    settle().await;
    assert_eq!(exchange.unattributed(), 0);
}

#[tokio::test]
async fn a_clock_that_is_set_between_two_stamps_is_not_believed() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let hour = 3_600_000_000_000;
    let rtt = async |tx: i64, rx: i64| {
        let flight = fly(&exchange, 0);
        let sent = wire.0.sent.lock().unwrap().len();
        let now = Wall::now().0;
        let id = u32::try_from(sent - 1).unwrap();
        wire.arrive(Event::Sent {
            id,
            at: Wall(now + tx),
        });
        wire.echo(A, wire.payload(sent - 1), Some(Wall(now + rx)));
        flight.within(LONG).await.unwrap().rtt.0
    };
    assert_eq!(rtt(1_000, 31_000).await, 30_000, "kernel to kernel");
    for wrong in [hour, -hour] {
        let seen = rtt(1_000, wrong).await;
        assert!(seen < 1_000_000_000, "{wrong}: {seen}");
    }
}

#[tokio::test]
async fn a_full_buffer_costs_no_probe_and_no_number() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    let full = [io::ErrorKind::WouldBlock; 3];
    wire.0.refuse.lock().unwrap().extend(full);
    let shot = Shot::of(0, 60);
    let flight = exchange.launch_patiently(shot).await.unwrap();
    wire.echo(A, wire.payload(0), None);
    assert_eq!(flight.within(LONG).await.map(|a| a.order), Some(0));
    // A host without a route says so at once.
    let down = [io::ErrorKind::NetworkUnreachable];
    wire.0.refuse.lock().unwrap().extend(down);
    let refused = exchange.launch_patiently(shot).await.map(|_| ());
    assert_eq!(refused.unwrap_err().kind(), down[0]);
}

#[tokio::test]
async fn numbers_beyond_sixteen_bits_go_on() {
    let wire = SimWire::default();
    let exchange = wire.exchange(A);
    for n in 0..70_000u32 {
        drop(fly(&exchange, n));
        wire.0.sent.lock().unwrap().clear();
    }
    let last = fly(&exchange, 70_000);
    wire.echo(A, wire.payload(0), None);
    let answer = last.within(LONG).await.unwrap();
    assert_eq!(answer.order, 70_000);
    assert!(exchange.late().is_empty() && exchange.duplicates().is_empty());
}
