//! Sockets of our own: error queue, kernel timestamps, packets.

pub mod icmp_queue;
pub mod netlink;
