//! The operating system: terminal, signals, processes, privileges.

pub mod capabilities;
pub mod clock;
pub mod memory;
pub mod privileges;
pub mod process;
pub mod signals;
pub mod tty;
pub mod wake;
