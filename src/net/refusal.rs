//! Errors of the local kernel in the terms of an observation.

use std::io;

use crate::model::observation::{Outcome, Refusal};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

/// What a failed send or connect means: a refusal where the kernel judged the way or a local
/// firewall did; "could not try" where this process or host lacked something.
pub fn outcome_of<T>(error: &io::Error, after: Rtt) -> Outcome<T> {
    match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => Outcome::Timeout { after },
        Some(
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EACCES
            | libc::EPERM
            | libc::EINVAL
            | libc::EMSGSIZE
            | libc::ECONNRESET
            | libc::ECONNREFUSED
            | libc::ENOPROTOOPT,
        ) => Outcome::Refused {
            by: None,
            why: Refusal::Kernel(words(error)),
            after,
        },
        _ => Outcome::CannotTry {
            need: SafeText::new(format!("a packet that can be sent ({})", words(error))),
        },
    }
}

/// The kernel's words without the number that the standard library adds.
pub fn words(error: &io::Error) -> SafeText {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    SafeText::new(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_no_is_a_refusal_and_a_full_buffer_is_not() {
        let no_route = io::Error::from_raw_os_error(libc::ENETUNREACH);
        let Outcome::<()>::Refused { by: None, why, .. } = outcome_of(&no_route, Rtt(0)) else {
            panic!("not a refusal");
        };
        assert_eq!(why, Refusal::Kernel("network is unreachable".into()));
        let full = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(matches!(
            outcome_of::<()>(&full, Rtt(0)),
            Outcome::CannotTry { .. }
        ));
    }
}
