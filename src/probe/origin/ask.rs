//! One small question to one resolver, over UDP and once: reverse names and the like, which
//! nobody waits for. What the DNS probe measures is its own matter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::model::text::SafeText;
use crate::net::source::Source;
use crate::probe::dns::{name, reverse_name};

/// Zones that answer with the autonomous system of an address (Team Cymru).
const ASN_ZONE: (&str, &str) = ("origin.asn.cymru.com", "origin6.asn.cymru.com");
/// The zone that answers with the name of an autonomous system.
const NAME_ZONE: &str = "asn.cymru.com";
/// Most answers to other questions that are read past.
const STRAYS: usize = 16;
/// Most aliases followed within one answer (RFC 2317 makes one).
const ALIASES: usize = 8;

/// What a resolver said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<T> {
    /// The answer.
    This(T),
    /// There is none.
    Nothing,
    /// It did not say anything useful in time.
    Silence,
    /// This host or a router says that it can't be reached.
    Unreachable,
}

/// A resolver and how to reach it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver<'a> {
    pub(super) server: SocketAddr,
    pub(super) source: &'a Source,
    pub(super) limit: Duration,
}

impl Resolver<'_> {
    /// The reverse name of an address.
    pub(super) async fn name(self, addr: IpAddr) -> Said<SafeText> {
        let found = self.ask(&reverse_name(addr), RecordType::PTR).await;
        found.and_then(|data| match data {
            RData::PTR(p) => {
                let text = name::print(&p.0);
                let text = text.strip_suffix('.').unwrap_or(&text);
                (!text.is_empty()).then(|| SafeText::capped(text, 255))
            }
            _ => None,
        })
    }

    /// Number and prefix: `64500 | 203.0.113.0/24 | DE | ripencc | 2010-01-01`.
    pub(super) async fn asn(self, addr: IpAddr) -> Said<(u32, SafeText)> {
        let reverse = reverse_name(addr);
        let labels = reverse
            .trim_end_matches(".in-addr.arpa")
            .trim_end_matches(".ip6.arpa");
        let zone = if addr.is_ipv6() {
            ASN_ZONE.1
        } else {
            ASN_ZONE.0
        };
        let found = self.ask(&format!("{labels}.{zone}"), RecordType::TXT).await;
        found.and_then(|data| {
            let text = txt(data)?;
            let mut fields = text.split('|').map(str::trim);
            let number = fields.next()?.split_whitespace().next()?.parse().ok()?;
            Some((number, SafeText::capped(fields.next()?, 64)))
        })
    }

    /// Name of a system, the last field: `64500 | DE | ripencc | 2010-01-01 | EXAMPLE, DE`.
    pub(super) async fn asn_name(self, number: u32) -> Said<SafeText> {
        let name = format!("AS{number}.{NAME_ZONE}");
        let found = self.ask(&name, RecordType::TXT).await;
        found.and_then(|data| {
            let text = txt(data)?;
            let name = text.rsplit('|').next()?.trim();
            (!name.is_empty()).then(|| SafeText::capped(name, 128))
        })
    }

    async fn ask(self, name: &str, kind: RecordType) -> Said<Vec<RData>> {
        match tokio::time::timeout(self.limit, self.exchange(name, kind)).await {
            Ok(Some(said)) => said,
            Ok(None) => Said::Unreachable,
            Err(_) => Said::Silence,
        }
    }

    /// `None`: the socket can't be made or used, mostly because of an ICMP error.
    async fn exchange(self, name: &str, kind: RecordType) -> Option<Said<Vec<RData>>> {
        // A name or a number that can't be made is no fault of the resolver.
        let (Ok(name), Ok(id)) = (name::parse(name), getrandom::u32()) else {
            return Some(Said::Silence);
        };
        let id = id as u16;
        let mut query = Message::new(id, MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = true;
        query.add_query(Query::query(name.clone(), kind));
        let socket = self.socket()?;
        socket.send(&query.to_vec().ok()?).await.ok()?;
        let mut buffer = [0u8; 4096];
        for _ in 0..STRAYS {
            let len = socket.recv(&mut buffer).await.ok()?;
            let Ok(answer) = Message::from_vec(buffer.get(..len).unwrap_or_default()) else {
                continue;
            };
            let [asked] = answer.queries.as_slice() else {
                continue;
            };
            let ours = answer.metadata.id == id
                && answer.metadata.message_type == MessageType::Response
                && asked.query_type == kind
                && name::same(&asked.name, &name);
            if ours {
                return Some(read(&answer, &name, kind));
            }
        }
        Some(Said::Silence)
    }

    fn socket(self) -> Option<UdpSocket> {
        let v6 = self.server.is_ipv6();
        let domain = Domain::for_address(self.server);
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(domain, kind, Some(Protocol::UDP)).ok()?;
        self.source.apply(&socket, v6).ok()?;
        if socket
            .local_addr()
            .ok()?
            .as_socket()
            .is_none_or(|a| a.port() == 0)
        {
            let any: IpAddr = if v6 {
                Ipv6Addr::UNSPECIFIED.into()
            } else {
                Ipv4Addr::UNSPECIFIED.into()
            };
            let bound = self
                .source
                .addr
                .filter(|a| a.is_ipv6() == v6)
                .unwrap_or(any);
            // A port that the kernel chose at random; without this it would choose one anyway.
            let _ = socket.bind(&SocketAddr::new(bound, 0).into());
        }
        socket.connect(&self.server.into()).ok()?;
        UdpSocket::from_std(socket.into()).ok()
    }
}

impl<T> Said<Vec<T>> {
    /// The first record that can be used.
    fn and_then<U>(self, read: impl Fn(T) -> Option<U>) -> Said<U> {
        match self {
            Said::This(all) => all
                .into_iter()
                .find_map(read)
                .map_or(Said::Nothing, Said::This),
            Said::Nothing => Said::Nothing,
            Said::Silence => Said::Silence,
            Said::Unreachable => Said::Unreachable,
        }
    }
}

/// Data of that kind at the end of the aliases; a failing resolver says nothing useful.
fn read(answer: &Message, asked: &Name, kind: RecordType) -> Said<Vec<RData>> {
    match u16::from(answer.metadata.response_code) {
        0 => {}
        3 => return Said::Nothing,
        _ => return Said::Silence,
    }
    let mut at = asked;
    for _ in 0..ALIASES {
        let alias = answer.answers.iter().find_map(|r| match &r.data {
            RData::CNAME(c) if name::same(&r.name, at) => Some(&c.0),
            _ => None,
        });
        match alias {
            Some(next) => at = next,
            None => break,
        }
    }
    let mine = answer.answers.iter();
    let data: Vec<RData> = mine
        .filter(|r| r.record_type() == kind && name::same(&r.name, at))
        .map(|r| r.data.clone())
        .collect();
    if data.is_empty() {
        Said::Nothing
    } else {
        Said::This(data)
    }
}

fn txt(data: RData) -> Option<String> {
    let RData::TXT(t) = data else { return None };
    let all: Vec<u8> = t.txt_data.iter().flat_map(|s| s.iter().copied()).collect();
    Some(String::from_utf8_lossy(&all).into_owned())
}
