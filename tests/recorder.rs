//! The incident folder and the recorder under what disks, kills and people do to them.
//!
//! Some tests run this test program again as a child that writes until it is killed; the child
//! is a test such as `kills::child_writer`, which does nothing unless it is told where to write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "recorder/chain.rs"]
mod chain;
#[path = "recorder/folder.rs"]
mod folder;
#[path = "recorder/kills.rs"]
mod kills;
#[path = "recorder/replay.rs"]
mod replay;
#[path = "recorder/rig.rs"]
mod rig;
#[path = "recorder/samples.rs"]
mod samples;
#[path = "recorder/session.rs"]
mod session;
#[path = "recorder/trouble.rs"]
mod trouble;
