//! `warroom check`: the engine without a screen. Prints what it saw and the findings.

pub mod json;
mod metrics;
pub mod summary;
mod text;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::args::{CheckArgs, Common};
use super::setup::{self, Vantage};
use super::{CliError, FOUND, HEALTHY, Out};
use crate::engine;
use crate::model::command::{Command, Verdicts};
use crate::model::finding::Severity;
use crate::model::target::TargetId;
use crate::model::window::Window;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Longest look without `--duration`, start-up included.
const MOST: Duration = Duration::from_millis(14_500);
/// How long the verdict must stay firm before it is believed.
const SETTLE: Duration = Duration::from_millis(600);

/// Everything a report is made of.
pub struct Report {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// From where.
    pub vantage: Vantage,
    /// What was seen.
    pub window: Window,
    /// What it means.
    pub verdicts: Verdicts,
}

impl Report {
    /// The targets to report on: those asked about, or this host if none was.
    pub fn subjects(&self) -> impl Iterator<Item = &TargetId> {
        let alone = self.window.order.len() == 1;
        self.window
            .order
            .iter()
            .filter(move |id| alone || **id != TargetId::local())
    }
}

/// Runs it.
///
/// # Errors
/// Usage and environment; findings are not errors.
pub fn run(common: &Common, args: &CheckArgs, out: &mut Out) -> Result<u8, CliError> {
    let config = setup::load(common)?;
    let clock = Clock::start();
    let rights = Rights::detect();
    let sockets = setup::sockets(common, clock, false);
    let vantage = Vantage::here(&rights);
    let targets = setup::targets(&config, &args.targets)?;
    for warning in targets
        .iter()
        .filter_map(|t| t.warning.as_ref())
        .chain(&config.warnings)
    {
        super::warn(warning);
    }
    let setup = setup::engine(common, &args.watch, &config, targets, sockets, rights)?;
    let window = Window::new(setup.targets.iter().cloned());
    let started = clock.now().wall;
    let runtime = setup::runtime(setup.targets.len())?;
    let (window, verdicts) = runtime.block_on(watch(setup, window, args.duration));
    let finished = clock.now().wall;
    // Probes that still wait for an answer are of no use any more.
    runtime.shutdown_timeout(Duration::from_millis(50));
    let report = Report {
        started,
        finished,
        vantage,
        window,
        verdicts,
    };
    if args.json {
        json::print(&report, out);
    } else if args.prometheus {
        metrics::print(&report, out);
    } else {
        text::print(&report, out);
    }
    let alarm = report
        .verdicts
        .findings
        .iter()
        .any(|f| f.severity > Severity::Info);
    Ok(if alarm { FOUND } else { HEALTHY })
}

/// Follows the engine until the verdict on every target is firm, or the time is over.
async fn watch(
    setup: engine::Setup,
    mut window: Window,
    duration: Option<Duration>,
) -> (Window, Verdicts) {
    let mut engine = engine::start(setup);
    let end = Instant::now() + duration.unwrap_or(MOST);
    let mut verdicts = Verdicts::default();
    let mut firm_since: Option<Instant> = None;
    // A time-out gives way to a batch that is there: on a slow host there always is one.
    while Instant::now() < end {
        let Ok(Some(batch)) = timeout_at(end, engine.batches.recv()).await else {
            break;
        };
        batch.observations.iter().for_each(|o| window.take(o));
        if let Some(news) = batch.verdicts {
            verdicts = news;
        }
        if duration.is_some() {
            continue;
        }
        let firm = !verdicts.pending.is_empty()
            && verdicts
                .pending
                .iter()
                .all(|(_, missing)| missing.is_empty());
        firm_since = if firm {
            firm_since.or(Some(Instant::now()))
        } else {
            None
        };
        if firm_since.is_some_and(|s| s.elapsed() >= SETTLE) {
            break;
        }
    }
    let _ = engine.commands.send(Command::Leave).await;
    (window, verdicts)
}
