//! `warroom TARGET…`: puts recorder, engine and terminal together and shows the console.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::{Common, ConsoleArgs};
use super::setup::{self, Vantage};
use super::{CliError, HEALTHY, warn};
use crate::config::Config;
use crate::config::theme::Theme;
use crate::console::terminal::{
    App, AppInit, Exit, Facts, Keymap, Link, Options, Settings, Shown, Terminal, kept_panics,
    run as show,
};
use crate::engine::recorder::{Leave, Place, Recorder, RecorderHandle, Who};
use crate::engine::{self, Adopt, Recording};
use crate::incident::samples::Limits;
use crate::incident::{Folder, Store};
use crate::inventory;
use crate::model::incident::Incident;
use crate::model::target::{Target, TargetId, TargetKind, distinct, recorded};
use crate::model::text::SafeText;
use crate::redact::Secrets;
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// How long the first frame may wait for the incident's name.
const NAME_WAIT: Duration = Duration::from_millis(150);

/// When the start is over: every probe has run, every pane was drawn that will be looked at first.
const STARTED: Duration = Duration::from_secs(8);

/// Shows the console until the person leaves.
///
/// # Errors
/// Usage, and a terminal that can't show it. Trouble with the incident folder is not one: the
/// console says so and goes on.
pub fn run(common: &Common, args: &ConsoleArgs, resume: Option<Folder>) -> Result<u8, CliError> {
    let config = setup::load(common)?;
    let targets = match &resume {
        Some(folder) => resumed_targets(folder)?,
        None => setup::targets(&config, &args.targets)?,
    };
    for text in targets
        .iter()
        .filter_map(|t| t.warning.as_ref())
        .chain(&config.warnings)
    {
        warn(text);
    }
    let Look { facts, keys, theme } = look(&config, args.theme.as_deref())?;
    let clock = Clock::start();
    let rights = Rights::detect();
    let sockets = setup::sockets(common, clock, false);
    let terminal = Terminal::open(facts).map_err(CliError::could_not_run)?;
    let vantage = Vantage::here(&rights);
    let place = place(common, args, &config, &targets, resume, clock)?;
    let secrets = Secrets::new();
    setup::patterns(&config, &secrets)?;
    for secret in inventory::secrets(&config, &targets) {
        secrets.add(&secret);
    }
    let who = Who {
        title: Some(title(args, &targets)),
        user: SafeText::new(&vantage.user),
        host: SafeText::new(&vantage.host),
        version: SafeText::new(env!("CARGO_PKG_VERSION")),
        privileges: SafeText::new(&vantage.privileges),
        targets: targets.iter().map(|t| t.id.clone()).collect(),
    };
    let mut setup = setup::engine(
        common,
        &args.watch,
        &config,
        targets.clone(),
        sockets,
        rights,
    )?;
    setup.adopt = adopt(&config, &secrets);
    let (handle, news) = Recorder::start(place, clock, secrets, who, limits(&config));
    let (name, dir) = folder_name(&handle);
    setup.origins = Some(config.address_origin.clone());
    setup.recording = Some(Recording { handle, news });
    let mut app = App::new(AppInit {
        targets,
        incident_name: name,
        incident_dir: dir,
        who: SafeText::new(format!("{}@{}", vantage.user, vantage.host)),
        cwd: SafeText::new(
            crate::runbook::environment::directory()
                .display()
                .to_string(),
        ),
        started: clock.now(),
        utf8: facts.utf8,
        size: terminal.size(),
        settings: Settings {
            flows: setup.flows,
            hide_hops: args.hide_hops.unwrap_or(config.display.hide_hops),
            keys,
        },
    });
    let begin = args.runbook.as_deref();
    let begin = begin.map_or_else(Vec::new, |name| app.begin_with(SafeText::new(name)));
    let shown = Shown { app, theme };
    let runtime = setup::runtime(setup.targets.len())?;
    let (exit, leave) = runtime.block_on(async {
        let engine = engine::start(setup);
        for command in begin {
            // The engine has room for these before the console asks for anything.
            engine.commands.send(command).await.ok();
        }
        let link = Link {
            commands: engine.commands,
            batches: engine.batches,
        };
        tokio::spawn(async {
            tokio::time::sleep(STARTED).await;
            crate::sys::memory::give_back();
        });
        let exit = show(shown, link, terminal, Options::new(clock)).await;
        let left = tokio::time::timeout(Duration::from_millis(1500), engine.left).await;
        (exit, left.ok().and_then(Result::ok))
    });
    runtime.shutdown_timeout(Duration::from_millis(50));
    farewell(exit, leave)
}

/// How long samples are kept, if they are.
fn limits(config: &Config) -> Option<Limits> {
    config.record.samples.then(|| Limits {
        size: config.record.samples_size,
        age: i64::try_from(config.record.samples_raw.as_millis()).unwrap_or(i64::MAX),
    })
}

/// A target that is added later has the devices and communities that it would have had from the
/// start.
fn adopt(config: &Config, secrets: &Secrets) -> Adopt {
    let (config, secrets) = (config.clone(), secrets.clone());
    Arc::new(move |target| {
        let one = std::slice::from_ref(target);
        for secret in inventory::secrets(&config, one) {
            secrets.add(&secret);
        }
        match target.kind {
            TargetKind::Snmp { .. } => inventory::devices(&config, one),
            // All configured devices are polled already.
            _ => Vec::new(),
        }
    })
}

/// What the incident was about, so that nobody has to remember it.
fn resumed_targets(folder: &Folder) -> Result<Vec<Target>, CliError> {
    let journal = crate::incident::read(folder).map_err(CliError::could_not_run)?;
    let incident = Incident::fold(journal.events);
    let mut targets = Vec::new();
    let watched = incident.watched();
    for id in watched.iter().filter(|id| **id != TargetId::local()) {
        match Target::parse(recorded(id)) {
            Ok(target) => {
                if target.lacks_its_secret() {
                    warn(format!(
                        "{id} was recorded without its secret and is asked for as it stands; give the URL again to ask with it"
                    ));
                }
                targets.push(target);
            }
            Err(e) => warn(e),
        }
    }
    targets.push(Target::local());
    Ok(distinct(targets))
}

fn place(
    common: &Common,
    args: &ConsoleArgs,
    config: &Config,
    targets: &[Target],
    resume: Option<Folder>,
    clock: Clock,
) -> Result<Place, CliError> {
    if let Some(folder) = resume {
        return Ok(Place::Existing(folder));
    }
    let state = common.state.as_deref().or(config.record.state.as_deref());
    let store = Store::place(state).map_err(CliError::could_not_run)?;
    let ids: BTreeSet<TargetId> = targets.iter().map(|t| t.id.clone()).collect();
    if !args.new
        && let Some(folder) = store.resumable(&ids, clock.now().wall)
    {
        warn(format!(
            "going on with incident {} of the same targets; --new starts another",
            folder.name
        ));
        return Ok(Place::Existing(folder));
    }
    Ok(Place::New(store))
}

fn title(args: &ConsoleArgs, targets: &[Target]) -> SafeText {
    if let Some(title) = &args.title {
        return SafeText::capped(title, 120);
    }
    let names: Vec<_> = targets
        .iter()
        .filter(|t| t.id != TargetId::local())
        .map(|t| t.id.to_string())
        .collect();
    SafeText::capped(
        &if names.is_empty() {
            "is it us".to_owned()
        } else {
            names.join(" ")
        },
        120,
    )
}

/// The folder is there within milliseconds on a healthy disk; on another the console starts
/// without its name.
fn folder_name(handle: &RecorderHandle) -> (SafeText, SafeText) {
    let until = Instant::now() + NAME_WAIT;
    loop {
        if let Some(path) = handle.folder() {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            return (
                SafeText::new(name),
                SafeText::new(path.display().to_string()),
            );
        }
        if Instant::now() >= until {
            return (SafeText::new("(no folder yet)"), SafeText::default());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How the console looks and what its keys are.
pub(super) struct Look {
    pub(super) facts: Facts,
    pub(super) keys: Keymap,
    pub(super) theme: Theme,
}

/// From the environment, the configuration and the theme asked for.
pub(super) fn look(config: &Config, theme: Option<&str>) -> Result<Look, CliError> {
    let facts = Facts::from_env();
    Ok(Look {
        facts,
        keys: setup::keymap(config)?,
        theme: match theme.or(config.display.theme.as_deref()) {
            None => Theme::for_depth(facts.depth),
            Some(name) => Theme::named(name, facts.depth).map_err(CliError::usage)?,
        },
    })
}

/// Where the incident is and how to go on with it; what could not be saved, as the last resort.
fn farewell(
    exit: Result<Exit, crate::console::terminal::TerminalError>,
    leave: Option<Leave>,
) -> Result<u8, CliError> {
    if let Some(leave) = leave {
        if !leave.said.is_empty() {
            warn(&leave.said);
        }
        // A line of its own, to be copied whole from a narrow terminal.
        if let Some(folder) = &leave.folder {
            warn(format!(
                "go on with: warroom incident resume {}",
                folder.name
            ));
        }
        for text in &leave.unsaved {
            warn(format!("NOT SAVED: {text}"));
        }
    }
    for panic in kept_panics() {
        warn(format!(
            "a part of the console failed and was left out: {panic}"
        ));
    }
    match exit {
        Ok(Exit::Left { .. }) => Ok(HEALTHY),
        Ok(exit) => Ok(exit.code()),
        Err(e) => Err(CliError::could_not_run(e)),
    }
}
