//! What exists: targets, observations, findings, events, incidents, runbooks. Pure data and
//! pure functions; no IO, no clock, no async. Everything else imports this, and this imports
//! nothing of the program.

pub mod catalogue;
pub mod command;
pub mod compare;
pub mod condition;
pub mod device;
pub mod dns;
pub mod event;
pub mod finding;
pub mod hop;
pub mod incident;
pub mod local;
pub mod mask;
pub mod note;
pub mod observation;
pub mod origin;
pub mod runbook;
pub mod secret;
pub mod service;
pub mod stats;
pub mod target;
pub mod text;
pub mod thresholds;
pub mod time;
pub mod tls;
pub mod travel;
pub mod window;
