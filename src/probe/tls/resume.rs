//! Does the server resume a session? Two handshakes with one store of tickets.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::client::Resumption;

use super::ask::{Ask, Sni};
use super::capture;
use super::roots::Roots;
use super::shake::{Client, Shaken, shake};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::dial::dial_from;

/// How long tickets may take to come after the first handshake.
const TICKETS: Duration = Duration::from_millis(300);

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resumed {
    /// Whether the second handshake was a resumed one; `None` if there was none.
    pub resumed: Option<bool>,
    /// Version of the first.
    pub version: SafeText,
    /// Full handshake.
    pub full: Rtt,
    /// Second handshake.
    pub second: Option<Rtt>,
    /// Why nothing can be said.
    pub why: Option<SafeText>,
}

/// Handshakes twice.
pub async fn resumes(ask: &Ask, dst: SocketAddr, roots: &Roots) -> Resumed {
    let mut out = Resumed {
        resumed: None,
        version: SafeText::default(),
        full: Rtt::default(),
        second: None,
        why: None,
    };
    let store = Resumption::in_memory_sessions(8);
    let alpn = ask.alpn.as_deref().unwrap_or(&[]);
    let client = ask
        .rustls_name(dst)
        .and_then(|server| Client::new(server, ask.sni != Sni::Off, alpn, roots, store));
    let client = match client {
        Ok(c) => c,
        Err(why) => {
            out.why = Some(SafeText::new(why));
            return out;
        }
    };
    let mut first = match once(ask, dst, &client).await {
        Ok(s) => s,
        Err(why) => {
            out.why = Some(SafeText::new(why));
            return out;
        }
    };
    out.version = capture::version(&first.conn);
    out.full = first.took;
    if first.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
        // Tickets come after the handshake.
        let _ = first.listen(TICKETS).await;
    }
    first.close().await;
    match once(ask, dst, &client).await {
        Ok(second) => {
            out.resumed = Some(second.resumed());
            out.second = Some(second.took);
            second.close().await;
        }
        Err(why) => out.why = Some(SafeText::new(why)),
    }
    out
}

async fn once(ask: &Ask, dst: SocketAddr, client: &Client) -> Result<Shaken, String> {
    let mut dialled = dial_from(dst, &ask.source, ask.timeout)
        .await
        .map_err(|_| "no connection".to_owned())?;
    if let Some(protocol) = ask.starttls {
        let started = protocol.start(&mut dialled.stream, ask.timeout).await;
        started.map_err(|e| e.to_string())?;
    }
    shake(dialled.stream, dst, client, ask.timeout)
        .await
        .map_err(|e| e.words())
}
