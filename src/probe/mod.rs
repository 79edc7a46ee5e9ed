//! Questions to the network become observations.

pub mod ping;
pub mod pmtu;
pub mod tcp;
pub mod trace;
