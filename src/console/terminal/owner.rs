//! The one that holds the screen: takes it, draws on it, steps aside and gives it back.
//!
//! Whatever ends the console ends here, in [`Owner::hide`], which may be called any number of
//! times and is called by `Drop` as well.

use std::io;
use std::sync::Arc;

use ratatui::Frame;
use tokio::sync::{Notify, mpsc};

use super::decoder;
use super::facts::Facts;
use super::input::Input;
use super::output::Output;
use super::painter::Painter;
use crate::sys::clock::Clock;
use crate::sys::signals;
use crate::sys::tty::{self, TAKE, TAKE_AGAIN, Tty, TtyError, Typed};

/// Size that is assumed when the terminal does not know its own.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Columns and rows of a terminal.
pub(super) fn size_of(tty: &Tty) -> (u16, u16) {
    tty.size().unwrap_or(USUAL_SIZE)
}

/// The screen, taken or given back.
#[derive(Debug)]
pub(super) struct Owner {
    tty: Arc<Tty>,
    painter: Painter,
    output: Output,
    input: Input,
    shown: bool,
}

impl Owner {
    /// Starts the reading and the writing thread; the screen is not taken yet.
    pub(super) fn start(
        tty: Arc<Tty>,
        facts: Facts,
        clock: Clock,
        news: Arc<Notify>,
    ) -> io::Result<(Self, mpsc::Receiver<decoder::Typed>)> {
        let output = Output::start(Arc::clone(&tty), news)?;
        let (input, typed) = Input::start(Arc::clone(&tty), clock)?;
        let owner = Self {
            painter: Painter::new(facts, size_of(&tty)),
            tty,
            output,
            input,
            shown: false,
        };
        Ok((owner, typed))
    }

    /// Takes the screen, or takes it again after something else may have drawn on it. Does
    /// nothing for a job in the background, which would be stopped for it.
    ///
    /// # Errors
    /// When the terminal refuses raw mode.
    pub(super) fn show(&mut self) -> Result<(), TtyError> {
        if !self.tty.foreground() {
            return Ok(());
        }
        self.tty.take()?;
        self.painter.resize(size_of(&self.tty));
        // A frame that is being written may end; all of it is painted over.
        self.painter
            .repaint(if self.shown { TAKE_AGAIN } else { TAKE });
        self.output.resume();
        self.input.resume();
        self.shown = true;
        Ok(())
    }

    /// Gives the screen back.
    pub(super) fn hide(&mut self, typed: Typed) {
        self.shown = false;
        self.output.halt();
        self.input.pause();
        tty::restore(typed);
    }

    /// Steps aside as for Ctrl-Z, and returns when the job goes on.
    ///
    /// # Errors
    /// When the terminal refuses raw mode.
    pub(super) fn stop_job(&mut self) -> Result<(), TtyError> {
        self.hide(Typed::Keep);
        signals::stop_process_group();
        self.show()
    }

    /// Is the screen ours?
    pub(super) fn shown(&self) -> bool {
        self.shown
    }

    /// Would a frame be written now?
    pub(super) fn ready(&self) -> bool {
        self.shown && self.output.ready()
    }

    /// Columns and rows now; the next frame has that size.
    pub(super) fn resize(&mut self) -> (u16, u16) {
        let size = size_of(&self.tty);
        self.painter.resize(size);
        size
    }

    /// Everything is painted again with the next frame.
    pub(super) fn repaint(&mut self) {
        self.painter.repaint(&[]);
    }

    /// Draws, if [`Owner::ready`]; what does not differ is not written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) {
        if !self.ready() {
            return;
        }
        let bytes = self.painter.paint(draw);
        if !bytes.is_empty() {
            self.output.submit(bytes);
        }
    }

    /// Is the terminal gone?
    pub(super) fn hung_up(&self) -> bool {
        self.tty.hung_up()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.shown {
            self.hide(Typed::Discard);
        }
    }
}
