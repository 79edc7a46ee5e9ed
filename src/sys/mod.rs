//! The operating system: terminal, signals, processes, privileges.
pub mod clock;
pub mod privileges;
