//! Owns the terminal.
pub mod decoder;
pub mod facts;
pub mod painter;
pub mod pen;
mod sequences;
#[cfg(test)]
mod decoder_tests;
