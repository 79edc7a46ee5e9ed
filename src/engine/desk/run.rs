//! The one command that may run at a time: intent first, then output, then how it ended.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::model::command::{Notice, Ticket};
use crate::model::event::EventKind;
use crate::model::text::SafeText;
use crate::runbook::execute::{self, Ended};

/// Lines of output that wait for the console; more are dropped from the live view only.
const LINES: usize = 256;
/// Tickets of our own have this bit, which the console never sets.
const OWN: u64 = 1 << 63;
/// How long leaving waits for a command that was told to stop.
const STOP_WAIT: Duration = Duration::from_secs(8);

struct Prepared {
    run: u64,
    script: String,
    env: Vec<(String, String)>,
    timeout: Duration,
}

struct Running {
    run: u64,
    stop: CancellationToken,
    output: mpsc::Receiver<SafeText>,
    task: JoinHandle<Ended>,
}

/// Runs, one at a time.
#[derive(Default)]
pub struct Runs {
    next: u64,
    prepared: Option<Prepared>,
    running: Option<Running>,
}

/// What a running command said.
pub enum Said {
    Line(SafeText),
    Ended(Option<Ended>),
}

/// What follows from it.
#[derive(Default)]
pub struct Follows {
    pub notices: Vec<Notice>,
    pub entries: Vec<EventKind>,
}

impl Runs {
    /// Gets a command ready; it starts when its intent is on record. The ticket of the intent and
    /// the intent itself.
    pub fn prepare(
        &mut self,
        _asked: Ticket,
        script: String,
        env: Vec<(String, String)>,
        step: Option<SafeText>,
        timeout_s: u64,
    ) -> Result<(Ticket, EventKind), SafeText> {
        if self.running.is_some() || self.prepared.is_some() {
            return Err("another command is still running; stop it or wait for it".into());
        }
        let run = self.next;
        self.next += 1;
        let shown = with_parameters(&script, &env);
        let (_, host) = crate::incident::me();
        self.prepared = Some(Prepared {
            run,
            script,
            env,
            timeout: Duration::from_secs(timeout_s.max(1)),
        });
        let kind = EventKind::CommandStarted {
            run,
            command: SafeText::capped(&shown, 16_384),
            host,
            step,
            timeout_s,
        };
        Ok((Ticket(OWN | run), kind))
    }

    /// Starts what was prepared under this ticket; false if it is not one of ours.
    pub fn start(&mut self, ticket: Ticket) -> bool {
        if ticket.0 & OWN == 0 {
            return false;
        }
        let Some(p) = self.prepared.take_if(|p| OWN | p.run == ticket.0) else {
            // Saved again after trouble: it runs or ran already.
            return true;
        };
        let stop = CancellationToken::new();
        let (lines, output) = mpsc::channel(LINES);
        let token = stop.clone();
        let task =
            tokio::spawn(
                async move { execute::run(&p.script, &p.env, p.timeout, token, lines).await },
            );
        self.running = Some(Running {
            run: p.run,
            stop,
            output,
            task,
        });
        true
    }

    /// Tells the running command to stop.
    pub fn stop(&mut self) {
        if let Some(r) = &self.running {
            r.stop.cancel();
        }
        self.prepared = None;
    }

    /// The next thing the running command says. May be dropped at any time.
    pub async fn next(&mut self) -> Said {
        let Some(r) = &mut self.running else {
            return std::future::pending().await;
        };
        if let Some(line) = r.output.recv().await {
            return Said::Line(line);
        }
        Said::Ended((&mut r.task).await.ok())
    }

    /// What follows from what was said.
    pub fn take(&mut self, said: Said) -> Follows {
        let mut follows = Follows::default();
        match said {
            Said::Line(line) => follows.notices.push(Notice::RunOutput(line)),
            Said::Ended(ended) => {
                let run = self.running.take().map_or(0, |r| r.run);
                follows
                    .notices
                    .push(Notice::RunEnded(SafeText::new(in_words(ended.as_ref()))));
                follows.entries.push(entry(run, ended));
            }
        }
        follows
    }

    /// Stops what runs and waits for its end, for a while.
    pub async fn finish(&mut self) -> Option<EventKind> {
        let mut r = self.running.take()?;
        r.stop.cancel();
        r.output.close();
        let ended = tokio::time::timeout(STOP_WAIT, r.task)
            .await
            .ok()
            .and_then(Result::ok);
        Some(entry(r.run, ended))
    }
}

fn in_words(ended: Option<&Ended>) -> String {
    let Some(e) = ended else {
        return "it ended without saying how".into();
    };
    let took = crate::model::time::human(e.took);
    match (&e.ended_by, e.exit) {
        (Some(why), _) => format!("{why} after {took}"),
        (None, Some(0)) => format!("done, exit 0, {took}"),
        (None, Some(code)) => format!("failed, exit {code}, {took}"),
        (None, None) => format!("ended after {took}"),
    }
}

fn entry(run: u64, ended: Option<Ended>) -> EventKind {
    let e = ended.unwrap_or_else(|| Ended {
        exit: None,
        ended_by: Some("outcome unknown".into()),
        took: Duration::ZERO,
        output: Vec::new(),
        cut_bytes: 0,
    });
    EventKind::CommandEnded {
        run,
        exit: e.exit,
        ended_by: e.ended_by,
        took_ms: u64::try_from(e.took.as_millis()).unwrap_or(u64::MAX),
        output: e.output,
        cut_bytes: e.cut_bytes,
    }
}

/// The script as it runs, its parameters before it, so that the record needs nothing else.
fn with_parameters(script: &str, env: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in env {
        text.push_str(&format!("{name}='{}' ", value.replace('\'', "'\\''")));
    }
    text.push_str(script.trim_end());
    text
}
