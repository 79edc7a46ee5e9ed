//! A source port of the user's choice that can't be had, in words.

use std::io;

use crate::model::text::SafeText;
use crate::net::refusal;

/// Whether an error says that an address and port are somebody's already.
pub(super) fn is_taken(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse
    )
}

/// Why nothing can be sent from a port, and what to do.
pub(super) fn no_port(port: u16, e: &io::Error) -> SafeText {
    SafeText::new(match e.kind() {
        _ if is_taken(e) => format!(
            "source port {port} is in use on this host, by another socket or by a connection that \
             is not over (TIME_WAIT lasts a minute): `ss -anp sport = :{port}` shows it; choose \
             another port"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "source port {port} is below the first one that a plain user may use \
             (net.ipv4.ip_unprivileged_port_start); choose a higher port"
        ),
        _ => format!("cannot send from port {port}: {}", refusal::words(e)),
    })
}
