//! The rules, tested by stories: a window of observations goes in, findings come out.

mod backend;
mod changes;
mod clock;
mod compare;
mod devices;
mod dns;
mod dns_differ;
mod dns_explained;
mod firm;
mod ledger;
mod load;
mod local;
mod loops;
mod loss;
mod path;
mod property;
mod quality;
mod reach;
mod redirects;
mod rights;
mod router;
pub(crate) mod scene;
mod services;
mod shared;
mod tls;
mod world;
