//! Probes on a real path, as root and as nobody, IPv4 and IPv6.

// The whole file is tests; helpers outside `#[test]` functions may fail like them.
#![allow(clippy::expect_used, clippy::print_stdout)]

mod lab;
mod ping;
mod pmtu;
mod quality;
mod rights;
mod short_quote;
mod sweep;
mod tcp;
mod trace;

use lab::User;

/// Every pair of user and family.
pub const ALL: [(User, bool); 4] = [
    (User::Root, false),
    (User::Root, true),
    (User::Nobody, false),
    (User::Nobody, true),
];
