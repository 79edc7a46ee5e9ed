//! The operating system: terminal, signals, processes, privileges.
pub mod clock;
pub mod signals;
pub mod tty;
pub mod wake;
