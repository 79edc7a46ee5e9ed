//! Probes on a real path, as root and as nobody, IPv4 and IPv6.

mod lab;
mod ping;
mod pmtu;
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
