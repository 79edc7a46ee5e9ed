use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{PTR, TXT};
use hickory_proto::rr::{Name, RData, Record};
use tokio::net::UdpSocket;

use super::mmdb_maker::{Mmdb, map, number};
use super::*;

fn addr(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_7100 + n).into()
}

fn resolvers(servers: &[SocketAddr]) -> ResolverConfig {
    ResolverConfig {
        servers: servers.to_vec(),
        ..ResolverConfig::default()
    }
}

/// A resolver that receives and says nothing; it counts.
async fn silent() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        let mut buffer = [0u8; 512];
        while socket.recv_from(&mut buffer).await.is_ok() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    (at, count)
}

/// A resolver that knows one reverse name and one system.
async fn knowing() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0u8; 512];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..len]).unwrap();
            let asked = query.queries[0].name.clone();
            let data = match asked.to_ascii().as_str() {
                "1.113.0.203.in-addr.arpa." => Some(RData::PTR(PTR(Name::from_ascii(
                    "r1.example.net.",
                )
                .unwrap()))),
                "1.113.0.203.origin.asn.cymru.com." => Some(txt("64500 | 203.0.113.0/24 | DE | x")),
                "AS64500.asn.cymru.com." => Some(txt("64500 | DE | x | 2010-01-01 | EXAMPLE, DE")),
                _ => None,
            };
            let mut answer = Message::new(
                query.metadata.id,
                MessageType::Response,
                query.metadata.op_code,
            );
            answer.add_query(query.queries[0].clone());
            match data {
                Some(data) => {
                    answer.add_answer(Record::from_rdata(asked, 60, data));
                }
                None => answer.metadata.response_code = ResponseCode::NXDomain,
            }
            // A forged answer comes first and must not be taken.
            let mut forged = answer.clone();
            forged.metadata.id = query.metadata.id.wrapping_add(1);
            forged.answers.clear();
            let _ = socket.send_to(&forged.to_vec().unwrap(), from).await;
            let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
        }
    });
    at
}

fn txt(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

/// Waits for a condition, as long as nothing takes unless it hangs.
async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < deadline, "it did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn names_and_systems_come_by_and_by() {
    let sources = OriginSources {
        dns_asn: true,
        ..OriginSources::default()
    };
    // The first resolver is silent; the second one is asked then.
    let (first, _) = silent().await;
    let servers = resolvers(&[first, knowing().await]);
    let (origins, worker) = Origins::new(sources, servers, Source::default());
    let task = tokio::spawn(worker.run());
    assert_eq!(origins.get(addr(1)), None);
    until(|| origins.get(addr(1)).is_some_and(|o| o.asn.is_some())).await;
    let known = origins.get(addr(1)).unwrap();
    assert_eq!(known.to_string(), "r1.example.net · AS64500 EXAMPLE, DE");
    assert_eq!(
        known.asn.unwrap().prefix.unwrap().as_str(),
        "203.0.113.0/24"
    );
    // The worker ends with the last handle.
    drop(origins);
    tokio::time::timeout(Duration::from_secs(5), task)
        .await
        .expect("the worker ends")
        .unwrap();
}

#[tokio::test]
async fn dns_is_not_asked_for_systems_unless_wanted() {
    let servers = resolvers(&[knowing().await]);
    let (origins, worker) = Origins::new(OriginSources::default(), servers, Source::default());
    tokio::spawn(worker.run());
    until(|| origins.get(addr(1)).is_some()).await;
    assert_eq!(origins.get(addr(1)).unwrap().asn, None);
    // An address without a name is remembered as such.
    until(|| {
        origins.get(addr(2));
        let memory = lock(&origins.shared.memory);
        memory
            .entries
            .get(&addr(2))
            .is_some_and(|e| e.until.is_some())
    })
    .await;
    assert_eq!(origins.get(addr(2)), None);
}

#[tokio::test]
async fn silent_resolvers_delay_nothing_and_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("asn.mmdb");
    let table = Mmdb::new().with(
        "203.0.113.0/24",
        map(&[("autonomous_system_number", number(64_500))]),
    );
    std::fs::write(&file, table.build()).unwrap();
    let sources = OriginSources {
        asn: Some(file),
        ..OriginSources::default()
    };
    let (at, asked) = silent().await;
    let (origins, worker) = Origins::new(sources, resolvers(&[at]), Source::default());
    tokio::spawn(worker.run());
    let started = Instant::now();
    for n in 0..50_000 {
        origins.get(Ipv4Addr::from_bits(0x0b00_0000 + n).into());
    }
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    {
        let memory = lock(&origins.shared.memory);
        assert!(
            memory.entries.len() <= WAITING + AT_ONCE + 1,
            "{}",
            memory.entries.len()
        );
    }
    // What tables know is there while the resolver is still silent.
    until(|| origins.get(addr(7)).is_some_and(|o| o.asn.is_some())).await;
    // After some silences nobody is asked for a while, and the queue is worked off.
    until(|| lock(&origins.shared.silence).until.is_some()).await;
    let before = asked.load(Ordering::Relaxed);
    until(|| {
        lock(&origins.shared.memory)
            .entries
            .values()
            .all(|e| e.until.is_some())
    })
    .await;
    assert!(asked.load(Ordering::Relaxed) <= before + AT_ONCE);
    assert!(before <= SILENCES as usize + AT_ONCE, "{before}");
}

#[tokio::test]
async fn resolvers_that_cannot_be_reached_are_asked_once() {
    // Nobody listens at the first; the control is a resolver that says nothing.
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    for (server, refused) in [(nobody, true), (silent().await.0, false)] {
        let (origins, worker) = Origins::new(
            OriginSources::default(),
            resolvers(&[server]),
            Source::default(),
        );
        tokio::spawn(worker.run());
        origins.get(addr(1));
        let settled = || {
            let memory = lock(&origins.shared.memory);
            memory.entries.values().all(|e| e.until.is_some())
        };
        until(settled).await;
        assert_eq!(lock(&origins.shared.silence).until.is_some(), refused);
    }
}

#[test]
fn memory_is_bounded() {
    let mut memory = Memory::default();
    for n in 0..2 * REMEMBERED as u32 {
        memory.keep(Ipv4Addr::from_bits(n).into(), Origin::default(), None);
    }
    assert_eq!(memory.entries.len(), REMEMBERED);
    assert!(
        memory
            .entries
            .contains_key(&Ipv4Addr::from_bits(2 * REMEMBERED as u32 - 1).into())
    );
}

#[test]
fn private_addresses_are_nobody_elses_business() {
    for (text, global) in [
        ("203.0.113.1", true),
        ("10.0.0.1", false),
        ("100.64.0.1", false),
        ("100.128.0.1", true),
        ("169.254.1.1", false),
        ("2001:db8::1", true),
        ("fd00::1", false),
        ("fe80::1", false),
    ] {
        assert_eq!(is_global(text.parse().unwrap()), global, "{text}");
    }
}
