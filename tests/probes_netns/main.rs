//! Probes on a real path, as root and as nobody, IPv4 and IPv6.

// The whole file is tests; helpers outside `#[test]` functions may fail like them.
#![allow(clippy::expect_used, clippy::print_stdout)]

mod lab;
mod ping;
mod pmtu;
mod pmtu_echo;
mod pmtu_tcp;
mod quality;
mod rights;
mod short_quote;
#[path = "../lab/steady.rs"]
mod steady;
mod sweep;
mod tcp;
mod trace;
mod trace_flows;
mod trace_form;
mod trace_owners;
mod trace_report;
mod trace_said;

use lab::User;

/// Every pair of user and family.
pub const ALL: [(User, bool); 4] = [
    (User::Root, false),
    (User::Root, true),
    (User::Nobody, false),
    (User::Nobody, true),
];
