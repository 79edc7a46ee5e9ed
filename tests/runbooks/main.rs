//! Runbooks: shapes of real files, values that must never become code, process trees that must
//! never survive, and the files that are shipped.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod injection;
mod processes;
mod shapes;
mod shipped;
