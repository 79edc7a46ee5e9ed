//! Pure state of the console: a message in, commands out. Knows no terminal, no async, no IO.
//!
//! ```text
//! Message → App::update → Commands          what happens          app, keys, layer, news
//! App → pane::body → lines with roles       what the screen says  pane/, sheet/, doc, table
//! ```
//!
//! The second half is here and not in the view so that the screen, a pinned copy and a test read
//! the same words; the view places lines and paints roles.

pub mod action;
pub mod app;
mod change;
pub mod decision;
mod dismiss;
pub mod doc;
pub mod facts;
pub mod history;
pub mod hold;
pub mod input;
pub mod key;
pub mod keymap;
mod keys;
pub mod layer;
pub mod message;
pub mod moves;
mod news;
pub mod outbox;
pub mod pane;
pub mod past;
pub mod room;
pub mod runbooks;
pub mod screen;
mod sends;
pub mod sheet;
pub mod standing;
mod symbols;
pub mod table;
mod targets;
pub mod veil;

pub use app::{App, AppInit, Settings};
pub use screen::Screen;
