//! Sockets of our own: error queue, kernel timestamps, packets.
//!
//! Everything here works without privileges: ICMP errors are read from the error queue of plain
//! UDP and TCP sockets (`IP_RECVERR`), times come from the kernel (`SO_TIMESTAMPING`). This
//! module asks no questions of its own and judges nothing; probes do the first, rules the second.

pub mod batch;
pub mod event;
pub mod exchange;
pub mod extension;
pub mod icmp_queue;
pub mod netlink;
pub mod pace;
pub mod packet;
pub mod quote;
pub mod refusal;
pub mod socket;
pub mod sockets;
pub mod source;
pub mod stamp;
pub mod tcp;
pub mod tcp_info;
pub mod wire;
