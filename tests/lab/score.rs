//! What a scenario expected of the program and what it got, for `scripts/score`: one line of JSON
//! for each run and each expectation, in the file that `WARROOM_SCORE` names. They are written by
//! the judge itself and before it asserts, so the suite and the score can't differ.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

static RUNS: AtomicUsize = AtomicUsize::new(0);

/// Where the lines about one run of the program go.
pub struct Sheet {
    file: PathBuf,
    run: usize,
}

impl Sheet {
    /// One for the next run, if anybody wants to know.
    pub fn of_environment() -> Option<Self> {
        let file = std::env::var_os("WARROOM_SCORE").filter(|f| !f.is_empty())?;
        Some(Self::at(Path::new(&file)))
    }

    /// One for the next run, in that file.
    pub fn at(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            run: RUNS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Adds a line about the run: what kind of line, and its fields.
    ///
    /// # Panics
    /// If it can't be written: a score without it would be better than it should be.
    pub fn line(&self, kind: &str, mut fields: Value) {
        fields["kind"] = kind.into();
        fields["run"] = self.run.into();
        fields["scenario"] = std::thread::current().name().unwrap_or("?").into();
        // In one piece: root's scenario and nobody's write to the same file.
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)
            .and_then(|mut f| f.write_all(format!("{fields}\n").as_bytes()))
            .unwrap_or_else(|e| panic!("the score can't be written to {:?}: {e}", self.file));
    }
}

/// What the score needs of one finding.
fn told(finding: &Value) -> Value {
    let mut told = json!({});
    for name in [
        "code",
        "severity",
        "subject",
        "location",
        "opened_after_ms",
        "flap",
        "summary",
    ] {
        told[name] = finding[name].clone();
    }
    told
}

/// The line about what the program said.
pub fn run(report: &Value, alarms: &[&Value], args: &[&str], user: &str, fault_ms: u64) -> Value {
    json!({
        "args": args,
        "user": user,
        // When the fault was there, where it came only after the start.
        "fault_ms": fault_ms,
        "alarms": alarms.iter().map(|a| told(a)).collect::<Vec<_>>(),
        "states": report["targets"].as_array().map_or(&[][..], Vec::as_slice).iter()
            .map(|t| t["state"].clone()).collect::<Vec<_>>(),
    })
}
