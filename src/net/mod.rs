//! Sockets of our own: error queue, kernel timestamps, packets.
