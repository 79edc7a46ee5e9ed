//! Draws the state. It places lines and paints roles; what lines say is decided in
//! [`super::state`]. Nothing here changes the state.

use ratatui::Frame;

use super::state::App;
use crate::config::theme::Theme;

/// Draws the whole screen.
pub fn draw(app: &App, theme: &Theme, frame: &mut Frame) {
    let _ = (app, theme, frame);
}
