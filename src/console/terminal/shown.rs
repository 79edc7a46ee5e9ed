//! The console as it is: its state and its view.

use ratatui::Frame;

use super::run::Console;
use crate::config::theme::Theme;
use crate::console::state::App;
use crate::console::state::message::Message;
use crate::console::view;
use crate::model::command::Command;

/// The state with the theme it is drawn in.
#[derive(Debug)]
pub struct Shown {
    /// State.
    pub app: App,
    /// Theme.
    pub theme: Theme,
}

impl Console for Shown {
    fn update(&mut self, message: Message) -> Vec<Command> {
        self.app.update(message)
    }
    fn take_dirty(&mut self) -> bool {
        self.app.take_dirty()
    }
    fn take_stirred(&mut self) -> bool {
        self.app.take_stirred()
    }
    fn leaving(&self) -> bool {
        self.app.leaving()
    }
    fn draw(&self, frame: &mut Frame<'_>) {
        view::draw(&self.app, &self.theme, frame);
    }
}
