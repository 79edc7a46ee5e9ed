//! Runs one confirmed script.
//!
//! In its own session below a keeper ([`crate::sys::process`]), with an environment by
//! allow-list, without a terminal, within a time limit. Nothing of it survives: TERM, five
//! seconds, KILL, down to processes that left their group. Whether it may run at all (shown,
//! confirmed, recorded) is decided before this is called.

use std::ffi::OsStr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::environment::{directory, environment};
use super::fence::BASH_LINE;
use super::output::Collector;
use crate::model::runbook::check_value;
use crate::model::text::SafeText;
use crate::sys::process::{self, End, REPORT_BYTES, Report, Spec, Tree};

/// From TERM to KILL.
const GRACE: Duration = Duration::from_secs(5);
/// How long processes that the script left behind may finish by themselves, and how long they
/// have after TERM.
const STRAGGLE: Duration = Duration::from_secs(1);
/// How long KILL is repeated before giving up on what can't be ended (another user's process).
const FORCE: Duration = Duration::from_secs(1);
/// Between two rounds of KILL.
const FORCE_EVERY: Duration = Duration::from_millis(20);
/// How long the output may stay open after the last process is gone.
const DRAIN: Duration = Duration::from_secs(1);

/// How a script ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Exit code; `None` if a signal, the time limit or a person ended it, or it never started.
    pub exit: Option<i32>,
    /// How it ended in words, if not by itself.
    pub ended_by: Option<SafeText>,
    /// Duration.
    pub took: Duration,
    /// Its output and errors in the order of arrival, cleaned; the beginning and the end of it
    /// if it was long.
    pub output: Vec<SafeText>,
    /// Bytes of output that were not kept.
    pub cut_bytes: u64,
}

/// Runs `script` with the parameters in `env` (names begin with `RB_`) and waits for its end.
/// Lines go to `output` as they come; a slow receiver misses lines, the command never waits.
/// Needs a tokio runtime with IO and time. Dropping the future ends the whole process tree.
pub async fn run(
    script: &str,
    env: &[(String, String)],
    timeout: Duration,
    cancel: CancellationToken,
    output: mpsc::Sender<SafeText>,
) -> Ended {
    let started = Instant::now();
    let never = |why: String| Ended {
        exit: None,
        ended_by: Some(SafeText::new(format!("not started: {why}"))),
        took: started.elapsed(),
        output: Vec::new(),
        cut_bytes: 0,
    };
    if let Err(why) = check(script, env) {
        return never(why);
    }
    let shell = shell_of(script);
    let environment = environment(std::env::vars_os(), env);
    let cwd = directory();
    let argv = [
        OsStr::new(shell),
        OsStr::new("-c"),
        OsStr::new(script),
        OsStr::new(shell),
    ];
    let spec = Spec {
        argv: &argv,
        env: &environment,
        cwd: &cwd,
    };
    let (tree, pipes) = match process::spawn(&spec) {
        Ok(started) => started,
        Err(error) => {
            return never(format!(
                "could not start `{shell}` in {}: {error}",
                cwd.display()
            ));
        }
    };
    let pipes = Receiver::from_owned_fd(pipes.output)
        .and_then(|out| Receiver::from_owned_fd(pipes.reports).map(|reports| (out, reports)));
    let (out, reports) = match pipes {
        Ok(pipes) => pipes,
        Err(error) => return never(format!("could not read its output: {error}")),
    };
    let run = Run {
        tree,
        out: Some(out),
        reports,
        collector: Collector::new(output),
        phase: Phase::Running,
        exit: None,
        ended_by: None,
    };
    run.until_end(started, timeout, cancel).await
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The script runs.
    Running,
    /// The script ended by itself; what it left behind may finish.
    Straggling,
    /// TERM was sent.
    Asked,
    /// KILL is being sent, until then.
    Forced { until: Instant },
}

struct Run {
    tree: Tree,
    out: Option<Receiver>,
    reports: Receiver,
    collector: Collector,
    phase: Phase,
    exit: Option<i32>,
    ended_by: Option<String>,
}

impl Run {
    async fn until_end(
        mut self,
        started: Instant,
        timeout: Duration,
        cancel: CancellationToken,
    ) -> Ended {
        let mut deadline = started + timeout;
        let mut buffer = vec![0u8; 64 * 1024];
        let mut message = Message::default();
        loop {
            let stoppable = self.phase == Phase::Running;
            tokio::select! {
                // Reports first: they end the loop, and a flood of output must not starve them.
                biased;
                report = message.next(&mut self.reports) => match report {
                    Some(report) => self.reported(report, &mut deadline),
                    None => break,
                },
                () = cancel.cancelled(), if stoppable => {
                    self.ended_by = Some("stopped".into());
                    self.ask(GRACE, &mut deadline);
                }
                () = sleep_until(deadline) => {
                    if !self.expired(timeout, &mut deadline) {
                        break;
                    }
                }
                read = read(&mut self.out, &mut buffer), if self.out.is_some() => match read {
                    Some(bytes) => self.collector.take(bytes),
                    None => self.out = None,
                },
            }
        }
        if self.tree.is_orphaned() && !matches!(self.phase, Phase::Forced { .. }) {
            self.end_orphans().await;
        }
        self.drain(&mut buffer).await;
        self.finish(started)
    }

    fn reported(&mut self, report: Report, deadline: &mut Instant) {
        self.tree.note(report);
        let running = self.phase == Phase::Running;
        match report {
            Report::Started(_) => return,
            Report::Exited(code) if running => self.exit = Some(code),
            Report::Signalled(signal) if running => {
                self.ended_by = Some(format!("ended by signal {signal}{}", signal_name(signal)));
            }
            Report::Exited(_) | Report::Signalled(_) => return,
        }
        self.phase = Phase::Straggling;
        *deadline = Instant::now() + STRAGGLE;
    }

    fn ask(&mut self, grace: Duration, deadline: &mut Instant) {
        self.tree.end(End::Ask);
        self.phase = Phase::Asked;
        *deadline = Instant::now() + grace;
    }

    /// A deadline has passed; false if there is nothing left to try.
    fn expired(&mut self, timeout: Duration, deadline: &mut Instant) -> bool {
        let now = Instant::now();
        match self.phase {
            Phase::Running => {
                self.ended_by = Some(format!("time limit of {} s", timeout.as_secs_f64()));
                self.ask(GRACE, deadline);
            }
            Phase::Straggling => {
                let left = self.tree.alive();
                let words = format!("left {left} processes behind, which were ended");
                self.also(&words);
                self.ask(STRAGGLE, deadline);
            }
            Phase::Asked => {
                self.phase = Phase::Forced { until: now + FORCE };
                *deadline = now;
            }
            Phase::Forced { until } => {
                self.tree.end(End::Force);
                if now >= until {
                    let left = self.tree.alive();
                    self.also(&format!(
                        "{left} processes could not be ended (another user's?)"
                    ));
                    return false;
                }
                *deadline = now + FORCE_EVERY;
            }
        }
        true
    }

    /// Something ended the keeper: what is left of the script's session ends now.
    async fn end_orphans(&mut self) {
        self.also("its keeper process was killed");
        let until = Instant::now() + FORCE;
        while self.tree.end(End::Force) > 0 && Instant::now() < until {
            tokio::time::sleep(FORCE_EVERY).await;
        }
    }

    fn also(&mut self, words: &str) {
        match &mut self.ended_by {
            Some(said) => {
                said.push_str("; ");
                said.push_str(words);
            }
            None => self.ended_by = Some(words.to_owned()),
        }
    }

    /// What is still in the pipe; whoever else holds it open is not waited for.
    async fn drain(&mut self, buffer: &mut [u8]) {
        let until = Instant::now() + DRAIN;
        while let Ok(Some(bytes)) = timeout_at(until, read(&mut self.out, buffer)).await {
            self.collector.take(bytes);
            if Instant::now() >= until {
                break;
            }
        }
    }

    fn finish(mut self, started: Instant) -> Ended {
        let forced_out = matches!(self.phase, Phase::Forced { .. }) && self.tree.alive() > 0;
        if !forced_out && self.tree.reap().is_err() {
            self.also("its keeper could not be reaped");
        }
        let (output, cut_bytes) = self.collector.finish();
        Ended {
            exit: self.exit,
            ended_by: self.ended_by.map(SafeText::new),
            took: started.elapsed(),
            output,
            cut_bytes,
        }
    }
}

/// Next bytes of the output; `None` at its end.
async fn read<'b>(out: &mut Option<Receiver>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = out.as_mut()?.read(buffer).await.ok().filter(|n| *n > 0)?;
    buffer.get(..length)
}

/// Puts the keeper's messages together; safe to be cancelled between reads.
#[derive(Default)]
struct Message {
    bytes: [u8; REPORT_BYTES],
    length: usize,
}

impl Message {
    /// Next message; `None` when the last process of the tree is gone.
    async fn next(&mut self, reports: &mut Receiver) -> Option<Report> {
        loop {
            reports.ready(Interest::READABLE).await.ok()?;
            match reports.try_read(self.bytes.get_mut(self.length..)?) {
                Ok(0) => return None,
                Ok(n) => self.length += n,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(_) => return None,
            }
            if self.length == REPORT_BYTES {
                self.length = 0;
                if let Some(report) = Report::decode(self.bytes) {
                    return Some(report);
                }
            }
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => " (HUP)",
        libc::SIGINT => " (INT)",
        libc::SIGKILL => " (KILL)",
        libc::SIGSEGV => " (SEGV)",
        libc::SIGPIPE => " (PIPE)",
        libc::SIGTERM => " (TERM)",
        libc::SIGABRT => " (ABRT)",
        _ => "",
    }
}

/// A script that needs a value must have it, and a value must be one that can be shown.
fn check(script: &str, env: &[(String, String)]) -> Result<(), String> {
    if let Some(bad) = script.chars().find(|c| c.is_control() && *c != '\n') {
        return Err(format!("the script holds the control character {bad:?}"));
    }
    for (name, value) in env {
        let sound = name.strip_prefix("RB_").is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        if !sound {
            return Err(format!(
                "`{}` is no name of a parameter",
                SafeText::capped(name, 64)
            ));
        }
        check_value(name, value).map_err(|e| e.to_string())?;
    }
    for name in needed(script) {
        if !env.iter().any(|(have, _)| *have == name) {
            return Err(format!(
                "the placeholder `{name}` has no value: fill it in first"
            ));
        }
    }
    Ok(())
}

/// Parameters that a script refers to.
fn needed(script: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in script.match_indices("RB_") {
        let before = script.get(..at).unwrap_or_default();
        if !(before.ends_with('$') || before.ends_with("${")) {
            continue;
        }
        let rest = script.get(at..).unwrap_or_default();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        names.push(rest.get(..end).unwrap_or_default().to_owned());
    }
    names
}

fn shell_of(script: &str) -> &'static str {
    let first = script.lines().next().unwrap_or_default();
    let bash = first == BASH_LINE || first.starts_with("#!") && first.ends_with("bash");
    if bash { "bash" } else { "/bin/sh" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unfilled_or_hidden_is_run() {
        let env = |n: &str, v: &str| vec![(n.to_owned(), v.to_owned())];
        assert!(check("ping \"$RB_TARGET\"", &[]).is_err());
        assert!(check("ping \"${RB_TARGET}\"", &[]).is_err());
        assert!(check("ping \"$RB_TARGET\"", &env("RB_TARGET", "")).is_err());
        assert!(check("ping \"$RB_TARGET\"", &env("RB_TARGET", "-f")).is_err());
        assert!(check("ping \"$RB_TARGET\"", &env("RB_TARGET", "a\nb")).is_err());
        assert!(check("ls", &env("LD_PRELOAD", "x")).is_err());
        assert!(check("ls\u{1b}", &[]).is_err());
        assert!(check("ping \"$RB_TARGET\"", &env("RB_TARGET", "h")).is_ok());
    }
}
