//! Runbooks: shapes of real files, values that must never become code, process trees that must
//! never survive, and the files that are shipped.

mod injection;
mod processes;
mod shapes;
mod shipped;
