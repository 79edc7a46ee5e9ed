//! Questions to the network become observations.

pub mod dial;
pub mod dns;
pub mod http;
pub mod local;
pub mod origin;
pub mod ping;
pub mod pmtu;
pub mod resolve;
pub mod sweep;
pub mod tcp;
pub mod tls;
pub mod trace;
