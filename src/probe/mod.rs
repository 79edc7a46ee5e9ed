//! Questions to the network become observations.

pub mod dial;
pub mod dns;
pub mod http;
pub mod local;
pub mod resolve;
pub mod tls;
