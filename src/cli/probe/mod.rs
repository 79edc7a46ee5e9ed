//! `warroom ping|trace|mtu|dns|tcp|tls|http TARGET…`: single probes with plain output for a
//! ticket or JSON for a program. The same probes as the console's, without judgement beyond what
//! they say themselves.

pub mod dns;
pub mod http;
pub mod mtu;
pub mod ping;
mod printer;
mod session;
mod shape;
pub mod sweep;
pub mod tcp;
pub mod tls;
mod tos;
pub mod trace;
mod via;

use std::time::Duration;

pub use session::{Repeat, Sample, Verdict, Voice, Work, World};

/// Longest wait for one answer unless the user says otherwise.
const TIMEOUT: Duration = Duration::from_secs(3);

use crate::cli::check::summary;
use crate::model::window::Window;

/// Lines of the report of `check` about the first target, of these probes.
fn summary_lines(window: &Window, only: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut on = false;
    for (what, text) in window
        .targets
        .values()
        .next()
        .map(summary::target)
        .unwrap_or_default()
    {
        // A line without a name belongs to the one before it.
        on = if what.is_empty() {
            on
        } else {
            only.contains(&what)
        };
        if on {
            lines.push(text);
        }
    }
    lines
}
