//! The rules, tested by stories: a window of observations goes in, findings come out.

mod backend;
mod clock;
mod dns;
mod firm;
mod ledger;
mod local;
mod loops;
mod loss;
mod path;
mod property;
mod reach;
mod redirects;
mod rights;
pub(crate) mod scene;
mod services;
mod tls;
mod world;
