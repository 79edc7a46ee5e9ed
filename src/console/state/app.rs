//! The state of the console and its one door, [`App::update`].

use super::message::Message;
use super::screen::Screen;
use super::symbols::Symbols;
use crate::model::command::{Command, Verdicts};
use crate::model::target::Target;
use crate::model::text::SafeText;
use crate::model::time::Stamp;
use crate::model::window::Window;

/// What the console starts with.
#[derive(Clone, Debug)]
pub struct AppInit {
    /// Targets in the order the user gave them.
    pub targets: Vec<Target>,
    /// Name of the incident's folder.
    pub incident_name: SafeText,
    /// Where that folder is.
    pub incident_dir: SafeText,
    /// Who is here, `ana@jump1`; also who commands run as.
    pub who: SafeText,
    /// Folder that commands run in.
    pub cwd: SafeText,
    /// When the console started.
    pub started: Stamp,
    /// Whether the terminal shows UTF-8.
    pub utf8: bool,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

/// The console.
#[derive(Debug)]
pub struct App {
    pub(crate) init: AppInit,
    pub(crate) symbols: &'static Symbols,
    pub(crate) window: Window,
    pub(crate) verdicts: Verdicts,
    pub(crate) screen: Screen,
    pub(crate) now: Stamp,
    pub(crate) size: (u16, u16),
    dirty: bool,
    leaving: bool,
}

impl App {
    /// The console before anything happened.
    pub fn new(init: AppInit) -> Self {
        Self {
            symbols: if init.utf8 {
                Symbols::utf8()
            } else {
                Symbols::ascii()
            },
            window: Window::new(init.targets.iter().cloned()),
            verdicts: Verdicts::default(),
            screen: Screen::default(),
            now: init.started,
            size: init.size,
            dirty: true,
            leaving: false,
            init,
        }
    }

    /// Takes one thing in; what is to be done about it comes out.
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        match message {
            Message::Resize { cols, rows } => self.size = (cols, rows),
            Message::Key(_) | Message::Paste(_) | Message::Batch(_) | Message::Tick(_) => {}
        }
        self.dirty = true;
        Vec::new()
    }

    /// Whether the screen no longer shows the state.
    pub fn dirty(&self) -> bool {
        self.dirty
    }
    /// The same, and takes it as drawn.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
    /// True once leaving was confirmed and [`Command::Leave`] was emitted.
    pub fn leaving(&self) -> bool {
        self.leaving
    }
}
