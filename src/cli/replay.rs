//! `warroom replay INCIDENT`: the whole console, fed from the record.

use jiff::Timestamp;

use super::args::Common;
use super::console::{Look, look};
use super::{CliError, HEALTHY, setup, warn};
use crate::console::terminal::{
    App, AppInit, Exit, Link, Options, Settings, Terminal, run as show,
};
use crate::engine::replay::{Archive, screen};
use crate::incident::Store;
use crate::model::event::EventKind;
use crate::model::note::parse_note;
use crate::model::text::SafeText;
use crate::sys::clock::Clock;

/// Arguments of `warroom replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// Name, beginning of a name, path, or `last`
    #[arg(default_value = "last")]
    pub incident: String,
    /// Begin at this time (UTC): 14:05, 2026-11-22T14:05, start, end; without it at the first
    /// finding, else at the end
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Colours and symbols: default, light, mono
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Mask this host and the first N hops on the screen, for sharing it; `H` shows them again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub hide_hops: Option<u8>,
}

/// Shows a record until the person leaves.
///
/// # Errors
/// Usage, an incident that can't be read or is empty, and a terminal that can't show it.
pub fn run(common: &Common, args: &ReplayArgs) -> Result<u8, CliError> {
    let config = setup::load(common)?;
    let state = common.state.as_deref().or(config.record.state.as_deref());
    let store = Store::place(state).map_err(CliError::could_not_run)?;
    let folder = store
        .find(&args.incident)
        .map_err(CliError::could_not_run)?;
    setup::give_up_rights();
    let mut archive = Archive::new(&folder);
    let span = archive.span().map_err(CliError::could_not_run)?;
    let Some(span) = span else {
        let path = folder.path.display();
        return Err(CliError::could_not_run(format!(
            "{path} holds no events and no samples: there is nothing to show"
        )));
    };
    for damage in archive.damage().map_err(CliError::could_not_run)? {
        warn(damage);
    }
    let at = match &args.at {
        Some(typed) => instant(typed, span)?,
        None => archive
            .first(|kind| matches!(kind, EventKind::FindingOpened { .. }))
            .unwrap_or(span.1),
    };
    let Look { facts, keys, theme } = look(&config, args.theme.as_deref())?;
    let terminal = Terminal::open(facts).map_err(CliError::could_not_run)?;
    let clock = Clock::start();
    let app = App::new(AppInit {
        targets: archive.targets().map_err(CliError::could_not_run)?,
        incident_name: SafeText::new(&folder.name),
        incident_dir: SafeText::new(folder.path.display().to_string()),
        who: SafeText::new(format!("{}@{}", setup::user_name(), setup::host_name())),
        cwd: SafeText::default(),
        started: clock.now(),
        utf8: facts.utf8,
        size: terminal.size(),
        settings: Settings {
            flows: 1,
            hide_hops: args.hide_hops.unwrap_or(config.display.hide_hops),
            keys,
        },
    })
    .for_replay();
    drop(archive);
    let shown = crate::console::terminal::Shown { app, theme };
    let runtime = setup::runtime(0)?;
    let exit = runtime.block_on(async {
        let engine = screen::start(folder, at, clock);
        let link = Link {
            commands: engine.commands,
            batches: engine.batches,
        };
        show(shown, link, terminal, Options::new(clock)).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_millis(50));
    match exit {
        Ok(Exit::Left { .. }) => Ok(HEALTHY),
        Ok(exit) => Ok(exit.code()),
        Err(e) => Err(CliError::could_not_run(e)),
    }
}

/// An instant as a person types it, within what is on record.
pub(super) fn instant(typed: &str, span: (Timestamp, Timestamp)) -> Result<Timestamp, CliError> {
    match typed {
        "start" => return Ok(span.0),
        "end" => return Ok(span.1),
        _ => {}
    }
    if let Ok(at) = typed.parse::<Timestamp>() {
        return Ok(at);
    }
    let dated = typed.parse::<jiff::civil::DateTime>().ok();
    if let Some(dated) = dated.filter(|_| typed.contains('T'))
        && let Ok(at) = dated.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(at.timestamp());
    }
    // A time of day is the last one that is on record.
    match parse_note(&format!("@{typed} x"), span.1) {
        (_, rest, Some(at)) if rest == "x" => Ok(at),
        _ => Err(CliError::usage(format!(
            "cannot read '{}' as a time; give 14:05, 14:05:30, 2026-11-22T14:05, start or end (UTC)",
            SafeText::capped(typed, 40)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_begin_at() {
        let t = |s: &str| s.parse::<Timestamp>().unwrap();
        let span = (t("2026-11-22T23:30:00Z"), t("2026-11-23T01:10:00Z"));
        for (typed, expected) in [
            ("start", "2026-11-22T23:30:00Z"),
            ("end", "2026-11-23T01:10:00Z"),
            ("23:45", "2026-11-22T23:45:00Z"),
            ("00:45:10", "2026-11-23T00:45:10Z"),
            ("2026-11-22T23:31", "2026-11-22T23:31:00Z"),
            ("2026-11-22T23:31:05Z", "2026-11-22T23:31:05Z"),
        ] {
            assert_eq!(instant(typed, span).ok(), Some(t(expected)), "{typed}");
        }
        for typed in ["", "soon", "25:00", "14:05 x"] {
            assert!(instant(typed, span).is_err(), "{typed}");
        }
    }
}
