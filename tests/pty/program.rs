//! The test program, started in a folder of its own that it reports to.

use std::path::PathBuf;

use tempfile::TempDir;

use super::harness::{Launch, Session, content, folder, wait_until};
use super::screen;

/// The test program in a folder of its own.
pub struct Program {
    pub session: Session,
    pub dir: TempDir,
}

pub fn launch(words: &str, dir: &TempDir) -> Launch {
    Launch::new(std::env::current_exe().expect("this binary"))
        .arg("--exact")
        .arg("the_program_under_test")
        .arg("--nocapture")
        .env(screen::FOLDER, dir.path().to_str().expect("UTF-8"))
        .env(screen::WORDS, words)
        .stdout_null()
}

pub fn start_as(words: &str, adapt: impl FnOnce(Launch) -> Launch) -> Program {
    let dir = folder();
    let session = adapt(launch(words, &dir)).start();
    Program { session, dir }
}

pub fn start(words: &str) -> Program {
    let program = start_as(words, |l| l);
    program.session.wait_text("size 80x24");
    program
}

impl Program {
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn said(&self, name: &str) -> String {
        content(&self.file(name))
    }
    pub fn count(&self, name: &str) -> usize {
        self.said(name).len()
    }
    /// Waits until the loop has taken in `more` more batches.
    pub fn wait_beats(&self, more: usize) {
        let goal = self.count("beats") + more;
        wait_until("the loop to go on", || self.count("beats") >= goal);
    }
}
