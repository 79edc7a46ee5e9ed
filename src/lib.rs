//! warroom: the terminal console that an on-call engineer opens when the pager goes off.
//!
//! This page is the map. Data flows one way:
//!
//! ```text
//! kernel → net → probe ─observations→ engine → diagnose ─findings┐
//!                                        │                       │
//! keys, signals → console::state (update) → commands → engine → recorder → incident folder
//!                       ▲                                             │
//!                       └──────── batches: observations, events read back
//!                  dirty? → console::view (draw) → output thread → terminal
//! incident folder → model::incident (fold) → export
//! ```
//!
//! and a module knows only what is below it:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cli`] | arguments, and one file for each subcommand |
//! | [`console`] | the screen: pure state, pure view, and the one owner of the terminal |
//! | [`engine`] | the async world: schedules probes, runs rules, records; knows no screen |
//! | [`export`] | a folded incident becomes Markdown |
//! | [`incident`] | the folder on disk: hash-chained event files, written durably, followed, merged |
//! | [`runbook`] | Markdown becomes steps; confirmed commands run in their own process group |
//! | [`diagnose`] | pure rules: a window of observations becomes findings |
//! | [`probe`] | questions to the network become observations |
//! | [`device`] | pollers of devices |
//! | [`inventory`] | where targets and devices come from |
//! | [`config`] | `warroom.toml`, themes |
//! | [`net`] | sockets: error queue, kernel timestamps, packets |
//! | [`redact`] | pure: secrets are masked before anything reaches a disk |
//! | [`sys`] | the operating system: tty, signals, processes, privileges |
//! | [`model`] | pure: what exists |
//!
//! `tests/architecture.rs` holds these directions.

pub mod cli;
pub mod config;
pub mod console;
pub mod device;
pub mod diagnose;
pub mod engine;
pub mod export;
pub mod incident;
pub mod inventory;
pub mod model;
pub mod net;
pub mod probe;
pub mod redact;
pub mod runbook;
pub mod sys;
