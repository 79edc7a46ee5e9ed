//! The screen: pure state, pure view, one owner of the terminal.
pub mod state;
pub mod terminal;
pub mod view;
