//! The real program in a real pseudo-terminal, from the first frame to the last word, against
//! services on the loopback of a network namespace that each test has for itself.
#![allow(clippy::expect_used, clippy::print_stdout)]

#[path = "console/bad_input.rs"]
mod bad_input;
#[path = "console/change.rs"]
mod change;
#[path = "console/disk.rs"]
mod disk;
#[path = "console/ending.rs"]
mod ending;
#[path = "pty/harness.rs"]
mod harness;
#[path = "console/leave.rs"]
mod leave;
#[path = "console/night.rs"]
mod night;
#[path = "console/notes.rs"]
mod notes;
#[path = "pty/oracle.rs"]
mod oracle;
#[path = "lab/plan.rs"]
#[allow(dead_code)] // The other half is the lab's.
mod plan;
#[path = "console/record.rs"]
mod record;
#[path = "console/screens.rs"]
mod screens;
#[path = "console/secrets.rs"]
mod secrets;
#[path = "console/services.rs"]
mod services;
#[path = "lab/skip.rs"]
#[allow(dead_code)]
mod skip;
#[path = "console/targets.rs"]
mod targets;
#[path = "console/wire.rs"]
mod wire;
