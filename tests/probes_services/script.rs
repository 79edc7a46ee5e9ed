//! A DNS server that does what a test tells it, on one port of UDP and TCP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// Replies to a raw query; the flag is true over TCP.
pub type Reply = dyn Fn(&[u8], bool) -> Vec<Vec<u8>> + Send + Sync;

/// A running server; it ends when it is dropped.
pub struct Script {
    pub addr: SocketAddr,
    pub queries: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Script {
    pub async fn start(
        reply: impl Fn(&[u8], bool) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1".parse().unwrap(), true, reply).await
    }

    pub async fn start_at(
        ip: IpAddr,
        with_tcp: bool,
        reply: impl Fn(&[u8], bool) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let reply: Arc<Reply> = Arc::new(reply);
        let (udp, tcp) = both(ip).await;
        let addr = udp.local_addr().unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let (count, answer) = (Arc::clone(&queries), Arc::clone(&reply));
        tasks.spawn(async move {
            let mut buffer = vec![0u8; 65_535];
            while let Ok((len, from)) = udp.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::SeqCst);
                for message in answer(&buffer[..len], false) {
                    let _ = udp.send_to(&message, from).await;
                }
            }
        });
        if with_tcp {
            tasks.spawn(async move {
                while let Ok((mut stream, _)) = tcp.accept().await {
                    let Ok(len) = stream.read_u16().await else {
                        continue;
                    };
                    let mut query = vec![0u8; usize::from(len)];
                    if stream.read_exact(&mut query).await.is_err() {
                        continue;
                    }
                    for message in reply(&query, true) {
                        let _ = stream.write_u16(message.len() as u16).await;
                        let _ = stream.write_all(&message).await;
                    }
                }
            });
        }
        Self {
            addr,
            queries,
            _tasks: tasks,
        }
    }

    pub fn asked(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

/// One port for both transports; the TCP port of the same number may be taken, so some are tried.
async fn both(ip: IpAddr) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((ip, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for UDP and TCP");
}

/// The query as a message that answers it.
pub fn answer_to(query: &[u8]) -> Message {
    let mut m = Message::from_vec(query).unwrap();
    m.metadata.message_type = MessageType::Response;
    m.metadata.recursion_available = true;
    m
}

pub fn with_code(query: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut m = answer_to(query);
    m.metadata.response_code = code;
    m.to_vec().unwrap()
}

pub fn with_records(query: &[u8], records: &[(Name, RData)]) -> Vec<u8> {
    let mut m = answer_to(query);
    for (name, data) in records {
        m.add_answer(Record::from_rdata(name.clone(), 60, data.clone()));
    }
    m.to_vec().unwrap()
}

/// The name asked for.
pub fn asked_name(query: &[u8]) -> Name {
    Message::from_vec(query).unwrap().queries[0].name.clone()
}

pub fn a(addr: &str) -> RData {
    match addr.parse().unwrap() {
        IpAddr::V4(a) => RData::A(a.into()),
        IpAddr::V6(a) => RData::AAAA(a.into()),
    }
}
