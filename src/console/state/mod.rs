//! Pure state of the console: a message in, commands out. Knows no terminal, no async, no IO.

pub mod key;
pub mod message;
