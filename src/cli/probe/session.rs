//! What the single probes have in common: several targets at once, repetition, ^C, and the three
//! ways to print. A probe hands over its samples as they come and one verdict for each target.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::printer::{Format, Printer};
use crate::cli::args::Common;
use crate::cli::setup::{self, Vantage};
use crate::cli::{CliError, FOUND, HEALTHY, Out};
use crate::model::observation::{Body, How, ObsId, Observation, Outcome, Refusal, Resolution};
use crate::model::target::{Target, TargetId, distinct};
use crate::model::time::Stamp;
use crate::net::sockets::Sockets;
use crate::probe::resolve::{self, SystemResolvers};
use crate::sys::clock::Clock;
use crate::sys::privileges::Rights;

/// Samples that may wait for the printer; a probe that finds the queue full waits with its next.
const WAITING: usize = 256;

/// Options of every single probe.
#[derive(Clone, Debug, Default, Args)]
pub struct Repeat {
    /// How many times (pings, rounds, questions, handshakes, requests); 0: until ^C
    #[arg(short, long, value_name = "N")]
    pub count: Option<u32>,
    /// Time from one to the next, like 200ms or 2s
    #[arg(short, long, value_name = "TIME", value_parser = crate::cli::args::parse_duration)]
    pub interval: Option<Duration>,
    /// Longest wait for one answer
    #[arg(short = 'w', long, value_name = "TIME", value_parser = crate::cli::args::parse_duration)]
    pub timeout: Option<Duration>,
    /// Print one JSON document at the end
    #[arg(long, conflicts_with_all = ["stream_json", "csv"])]
    pub json: bool,
    /// Print one JSON line for each sample as it comes, errors and time-outs included
    #[arg(long, conflicts_with = "csv")]
    pub stream_json: bool,
    /// Print comma-separated values, one line for each sample
    #[arg(long)]
    pub csv: bool,
}

impl Repeat {
    /// Whether there is to be an attempt number `n`, counting from 0.
    pub fn again(&self, n: u32, usual: u32) -> bool {
        match self.count {
            Some(0) => true,
            given => n < given.unwrap_or(usual),
        }
    }

    fn format(&self) -> Format {
        match (self.json, self.stream_json, self.csv) {
            (true, ..) => Format::Json,
            (_, true, _) => Format::Stream,
            (_, _, true) => Format::Csv,
            _ => Format::Plain,
        }
    }
}

/// What a probe needs of its surroundings.
#[derive(Clone)]
pub struct World {
    /// The clocks.
    pub clock: Clock,
    /// What this process may do.
    pub rights: Arc<Rights>,
    /// Probing sockets, and with them the way out of this host.
    pub sockets: Sockets,
    /// Options that every subcommand knows.
    pub common: Common,
    /// Resolvers of this host.
    pub resolvers: Arc<crate::model::local::ResolverConfig>,
}

/// What came of one target.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Whether it is as hoped; else the exit status is 1.
    pub good: bool,
    /// Summary for people.
    pub lines: Vec<String>,
    /// Members of the target's object in the JSON document.
    pub json: serde_json::Map<String, serde_json::Value>,
}

/// One sample with its forms for people and for tables.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How it was learned.
    pub how: How,
    /// What was seen; in the JSON stream as it is.
    pub body: Body,
    /// A line for people; `None` where only the summary matters.
    pub plain: Option<String>,
    /// Rows of the table, each with as many cells as the header of the probe.
    pub rows: Vec<Vec<String>>,
}

/// How a probe of one target speaks while it runs.
#[derive(Clone)]
pub struct Voice {
    target: TargetId,
    index: usize,
    next: Arc<AtomicU64>,
    clock: Clock,
    to: mpsc::Sender<(usize, Said)>,
    stop: CancellationToken,
}

pub(super) enum Said {
    Note(String),
    Sample(Box<Observation>, Option<String>, Vec<Vec<String>>),
    Aside(Stamp, &'static str, Value),
}

impl Voice {
    /// A line for people only.
    pub async fn note(&self, text: impl Into<String>) {
        let _ = self.to.send((self.index, Said::Note(text.into()))).await;
    }

    /// A sample; gives the observation back as it was filed.
    pub async fn sample(&self, sample: Sample) -> Observation {
        let obs = Observation {
            id: ObsId(self.next.fetch_add(1, Ordering::Relaxed)),
            at: self.clock.now(),
            target: self.target.clone(),
            how: sample.how,
            body: sample.body,
        };
        let said = Said::Sample(Box::new(obs.clone()), sample.plain, sample.rows);
        let _ = self.to.send((self.index, said)).await;
        obs
    }

    /// A line of its own in the JSON stream: what became known beside the samples.
    pub async fn aside(&self, what: &'static str, value: Value) {
        let said = Said::Aside(self.clock.now(), what, value);
        let _ = self.to.send((self.index, said)).await;
    }

    /// Whether the user wants no more.
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until then; false if the user wants no more.
    pub async fn wait_until(&self, when: tokio::time::Instant) -> bool {
        self.stop
            .run_until_cancelled(tokio::time::sleep_until(when))
            .await
            .is_some()
    }

    /// What a probe came to, unless the user wants no more before that.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }
}

/// What a run needs of the process's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Sockets that are opened before the rights are given up.
    Usual,
    /// The same, for packets that may be fragmented.
    Fragments,
    /// The rights themselves: a library opens its own sockets.
    Rights,
}

/// A boxed probe of one target.
pub type Work = Pin<Box<dyn Future<Output = Result<Verdict, CliError>> + Send>>;

/// Probes all targets at once and prints. `name` is the subcommand, `header` of the table the
/// names of the cells that follow time and target.
///
/// # Errors
/// See [`Form::run`].
pub fn run(
    common: &Common,
    repeat: &Repeat,
    name: &'static str,
    header: &'static [&'static str],
    typed: &[String],
    out: &mut Out,
    work: impl Fn(World, Target, Voice) -> Work,
) -> Result<u8, CliError> {
    let needs = Needs::Usual;
    let form = Form {
        common,
        repeat,
        name,
        header,
        needs,
        own: None,
    };
    form.run(typed, out, work)
}

/// A run of a subcommand, before its targets.
pub struct Form<'a> {
    /// Options that every subcommand knows.
    pub common: &'a Common,
    /// Options of every single probe.
    pub repeat: &'a Repeat,
    /// The subcommand.
    pub name: &'static str,
    /// Names of the table's cells that follow time and target.
    pub header: &'static [&'static str],
    /// Rights.
    pub needs: Needs,
    /// How comments begin in a form of the probe's own, where that is printed.
    pub own: Option<&'static str>,
}

impl Form<'_> {
    /// Probes all targets at once and prints.
    ///
    /// # Errors
    /// What no target can do without; with several targets a fault of one is printed in its place.
    pub fn run(
        &self,
        typed: &[String],
        out: &mut Out,
        work: impl Fn(World, Target, Voice) -> Work,
    ) -> Result<u8, CliError> {
        let Self {
            common,
            repeat,
            name,
            header,
            needs,
            own,
        } = *self;
        let format = own.map_or(repeat.format(), |comment| Format::Own { comment });
        let targets = parse(typed)?;
        let clock = Clock::start();
        let rights = Rights::detect();
        let vantage = Vantage::here(&rights);
        let sockets = match needs {
            Needs::Usual => setup::sockets(common, clock, false),
            Needs::Fragments => setup::sockets(common, clock, true),
            Needs::Rights => Sockets::new(clock, setup::source(common)),
        };
        let world = World {
            clock,
            rights: Arc::new(rights),
            sockets,
            common: common.clone(),
            resolvers: Arc::new(SystemResolvers::load(std::path::Path::new(
                "/etc/resolv.conf",
            ))),
        };
        let names = targets.iter().map(|t| t.id.clone()).collect();
        let printer = Printer::new(format, name, header, names, &vantage, clock.now());
        printer.begin(out);
        let runtime = setup::runtime(targets.len().max(setup::MANY))?;
        let (to, mut said) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let results = runtime.block_on(async {
            tokio::spawn(stop_when_asked(stop.clone()));
            let next = Arc::new(AtomicU64::new(0));
            let tasks: Vec<_> = targets
                .into_iter()
                .enumerate()
                .map(|(index, target)| {
                    let voice = Voice {
                        target: target.id.clone(),
                        index,
                        next: Arc::clone(&next),
                        clock,
                        to: to.clone(),
                        stop: stop.clone(),
                    };
                    tokio::spawn(work(world.clone(), target, voice))
                })
                .collect();
            drop(to);
            while let Some((index, said)) = said.recv().await {
                printer.said(index, said, out);
            }
            let mut results = Vec::with_capacity(tasks.len());
            for task in tasks {
                results.push(task.await.unwrap_or_else(|e| {
                    Err(CliError::could_not_run(format!(
                        "the probe ended by itself: {e}"
                    )))
                }));
            }
            results
        });
        runtime.shutdown_timeout(Duration::from_millis(50));
        let interrupted = stop.is_cancelled();
        // With one target and nobody parsing, its fault is the fault of the command.
        if let ([Err(_)], Format::Plain | Format::Own { .. }) = (results.as_slice(), format) {
            return results
                .into_iter()
                .next()
                .map_or(Ok(FOUND), |r| r.map(|_| FOUND));
        }
        let code = results.iter().map(exit_code).max().unwrap_or(HEALTHY);
        printer.end(results, interrupted, clock.now(), out);
        Ok(code)
    }
}

fn exit_code(result: &Result<Verdict, CliError>) -> u8 {
    match result {
        Ok(v) if v.good => HEALTHY,
        Ok(_) => FOUND,
        Err(e) => e.code,
    }
}

fn parse(typed: &[String]) -> Result<Vec<Target>, CliError> {
    let mut targets: Vec<Target> = Vec::new();
    for text in typed {
        let target = Target::parse(text).map_err(CliError::usage)?;
        if let Some(warning) = &target.warning {
            crate::cli::warn(warning);
        }
        targets.push(target);
    }
    Ok(distinct(targets))
}

/// The first ^C ends the measuring, so that what is known is still printed; the second one ends
/// the program.
async fn stop_when_asked(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let mut again = false;
    loop {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        if again {
            std::process::exit(130);
        }
        again = true;
        stop.cancel();
    }
}

/// A flag that ^C raises, for work that does not wait on tokio.
///
/// # Errors
/// The process may not start threads.
pub fn stop_flag() -> Result<Arc<AtomicBool>, CliError> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::could_not_run(format!("cannot wait for signals: {e}")))?;
    let wait = move || {
        runtime.block_on(async {
            let stop = CancellationToken::new();
            tokio::spawn(stop_when_asked(stop.clone()));
            stop.cancelled().await;
            raised.store(true, Ordering::Relaxed);
            // The second ^C ends the program.
            std::future::pending::<()>().await;
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map_err(|e| CliError::could_not_run(format!("cannot start threads: {e}")))?;
    Ok(flag)
}

impl World {
    /// The addresses of a target in the families wanted, best first, and how they were learned.
    ///
    /// # Errors
    /// The target names no host, or its name can't be resolved.
    pub async fn addresses(
        &self,
        target: &Target,
        timeout: Duration,
    ) -> Result<(How, Resolution, Vec<IpAddr>), CliError> {
        let Some(host) = target.host() else {
            return Err(CliError::usage(format!(
                "{} names no host; give a host, an address, host:port or a URL",
                target.id
            )));
        };
        let (how, found) =
            resolve::resolve(host, &self.resolvers, self.common.family(), timeout).await;
        let words = match &found.outcome {
            Outcome::Ok(addrs) if !addrs.is_empty() => {
                let addrs = addrs.clone();
                return Ok((how, found, addrs));
            }
            Outcome::Ok(_) => "it has no address of that family".to_owned(),
            Outcome::Refused {
                why: Refusal::Protocol(w),
                ..
            } => w.to_string(),
            Outcome::CannotTry { need } => need.to_string(),
            _ => "no resolver answered".into(),
        };
        Err(CliError::could_not_run(format!(
            "cannot resolve {host}: {words}"
        )))
    }

    /// The first address of the target, and a line about it: the way it was learned and the
    /// source address it is reached from.
    ///
    /// # Errors
    /// See [`World::addresses`].
    pub async fn address(
        &self,
        target: &Target,
        timeout: Duration,
    ) -> Result<(IpAddr, String), CliError> {
        let (how, _, addrs) = self.addresses(target, timeout).await?;
        let Some(addr) = addrs.first().copied() else {
            return Err(CliError::could_not_run(format!(
                "{} has no address",
                target.id
            )));
        };
        let from = crate::probe::local::route_exists(addr)
            .ok()
            .flatten()
            .map_or("nowhere: there is no route".to_owned(), |a| a.to_string());
        Ok((
            addr,
            format!("{addr} ({}), from {from}", how.method.label()),
        ))
    }
}
