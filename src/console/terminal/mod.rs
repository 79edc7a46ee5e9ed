//! Owns the terminal.
pub mod decoder;
#[cfg(test)]
mod decoder_tests;
pub mod facts;
mod sequences;
