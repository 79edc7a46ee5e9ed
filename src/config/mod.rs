//! `warroom.toml` and themes: typed values with defaults that know where they came from.
pub mod theme;
