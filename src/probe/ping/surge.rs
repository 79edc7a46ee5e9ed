//! ICMP echo by the library surge-ping: a second opinion on Linux, and the way that works where
//! our own sockets do not. Its times are taken in user space; it sees no ICMP errors, no type of
//! service and no late answers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::Type;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence, SurgeError};

use crate::model::observation::{Echo, Outcome};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::sys::privileges::Rights;

/// Payload of an echo, as our own has.
const PAYLOAD: usize = 56;

/// A client of the library and where it pings.
#[derive(Clone)]
pub(super) struct Surge {
    client: Client,
    dst: IpAddr,
}

impl std::fmt::Debug for Surge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surge").field("dst", &self.dst).finish()
    }
}

impl Surge {
    pub(super) fn open(dst: IpAddr, source: &Source, rights: &Rights) -> Result<Self, SafeText> {
        let v6 = dst.is_ipv6();
        if !rights.icmp(v6) {
            return Err(rights.why_no_icmp(v6).unwrap_or_default());
        }
        let kind = if v6 { ICMP::V6 } else { ICMP::V4 };
        let socket = if rights.raw(v6).is_ok() {
            Type::RAW
        } else {
            Type::DGRAM
        };
        let mut config = Config::builder().kind(kind).sock_type_hint(socket);
        if let Some(addr) = source.addr.filter(|a| a.is_ipv6() == v6) {
            config = config.bind(SocketAddr::new(addr, 0));
        }
        if let Some(device) = &source.device {
            config = config.interface(device);
        }
        let client = Client::new(&config.build())
            .map_err(|e| SafeText::new(format!("surge-ping cannot open a socket: {e}")))?;
        Ok(Self { client, dst })
    }

    pub(super) async fn ping(&self, seq: u32, timeout: Duration) -> Outcome<Echo> {
        // An identifier for each, so that any number may be under way.
        let ident = PingIdentifier((seq & 0xffff) as u16 ^ 0x5a5a);
        let mut pinger = self.client.pinger(self.dst, ident).await;
        pinger.timeout(timeout);
        let sequence = PingSequence((seq & 0xffff) as u16);
        match pinger.ping(sequence, &[b'w'; PAYLOAD]).await {
            Ok((packet, rtt)) => Outcome::Ok(Echo {
                rtt: Rtt::from_duration(rtt),
                reply_ttl: match packet {
                    surge_ping::IcmpPacket::V4(p) => p.get_ttl(),
                    surge_ping::IcmpPacket::V6(p) => Some(p.get_max_hop_limit()),
                },
                ..Echo::default()
            }),
            Err(SurgeError::Timeout { .. }) => Outcome::Timeout {
                after: Rtt::from_duration(timeout),
            },
            Err(e) => Outcome::CannotTry {
                need: SafeText::new(format!("surge-ping to work: {e}")),
            },
        }
    }
}
