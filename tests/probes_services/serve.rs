//! TCP and TLS servers for tests: each connection is handed to a closure.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::mint::Minted;

/// A running server; it ends when it is dropped.
pub struct Server {
    pub addr: SocketAddr,
    _tasks: JoinSet<()>,
}

/// Serves plain TCP on `ip`.
pub async fn tcp<F, W>(ip: &str, each: F) -> Server
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(each(stream));
        }
    });
    Server {
        addr,
        _tasks: tasks,
    }
}

/// How a TLS server is set up.
pub struct Tls {
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub alpn: &'static [&'static [u8]],
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            versions: rustls::ALL_VERSIONS,
            alpn: &[],
        }
    }
}

/// Serves TLS with the key of the first certificate and the whole list as the chain.
pub async fn tls<F, W>(ip: &str, chain: &[&Minted], how: Tls, each: F) -> Server
where
    F: Fn(TlsStream<TcpStream>) -> W + Send + Clone + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let certs: Vec<CertificateDer<'static>> = chain.iter().map(|m| m.cert.der().clone()).collect();
    let key = PrivatePkcs8KeyDer::from(chain[0].key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(how.versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, PrivateKeyDer::Pkcs8(key))
        .unwrap();
    config.alpn_protocols = how.alpn.iter().map(|p| p.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tcp(ip, move |stream| {
        let (acceptor, each) = (acceptor.clone(), each.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                each(stream).await;
            }
        }
    })
    .await
}

/// Closes a connection with a RST.
pub fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// A port where nothing listens.
pub fn closed(ip: &str) -> SocketAddr {
    (ip.parse::<IpAddr>().unwrap(), crate::ports::free_port()).into()
}

/// A port whose SYNs are dropped: the accept queue is full. Keep what is returned.
pub async fn deaf() -> (SocketAddr, socket2::Socket, Vec<socket2::Socket>) {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    for _ in 0..4 {
        let s = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        s.set_nonblocking(true).unwrap();
        let _ = s.connect(&addr.into());
        fill.push(s);
    }
    (addr, listener, fill)
}
