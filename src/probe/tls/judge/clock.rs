//! Dates: what has expired, what is to expire, and whether it is rather this host's clock.

use std::time::Duration;

use jiff::Timestamp;
use x509_parser::extensions::ParsedExtension;

use super::certs::Cert;
use crate::model::text::SafeText;
use crate::model::time::{date_time_utc, human};
use crate::model::tls::TlsFault;

/// Less than this is left: time to renew, time to hurry.
const SOON: i64 = 21 * 86_400;
const URGENT: i64 = 3 * 86_400;
/// Certificates that live no longer than this are renewed by machines: a third and a tenth of
/// their life count instead.
const SHORT_LIVED: i64 = 7 * 86_400 + 3600;
/// A log that signed this much later than now has another clock than this host.
const SKEW: i64 = 3600;

/// Expired or not valid yet.
pub(super) fn out_of_date(index: usize, c: &Cert<'_>, now: Timestamp) -> Option<TlsFault> {
    let (not_before, not_after) = c.validity();
    if now > not_after {
        Some(TlsFault::Expired { index, not_after })
    } else if now < not_before {
        Some(TlsFault::NotYetValid { index, not_before })
    } else {
        None
    }
}

/// To expire soon.
pub(super) fn expiring(index: usize, c: &Cert<'_>, now: Timestamp) -> Option<TlsFault> {
    let (not_before, not_after) = c.validity();
    let left = not_after.as_second() - now.as_second();
    let life = not_after.as_second() - not_before.as_second();
    let (soon, urgent) = if life <= SHORT_LIVED {
        (life / 3, life / 10)
    } else {
        (SOON, URGENT)
    };
    (now >= not_before && (0..soon).contains(&left)).then_some(TlsFault::Expiring {
        index,
        not_after,
        days: left.div_euclid(86_400),
        urgent: left < urgent,
    })
}

/// Whether the clock is rather wrong than the certificates: on the way up (the root last) all
/// are out of date in the same direction, or a log has signed in the future.
pub(super) fn suspicion(leaf: &Cert<'_>, way: &[&Cert<'_>], now: Timestamp) -> Option<TlsFault> {
    let why = signed_later(leaf, now).or_else(|| all_off(way, now))?;
    Some(TlsFault::Clock {
        why: SafeText::new(why),
    })
}

/// Certificate transparency: the logs have signed at a time that is still to come.
fn signed_later(leaf: &Cert<'_>, now: Timestamp) -> Option<String> {
    let latest = leaf.extension(|e| match e {
        ParsedExtension::SCT(list) => list.iter().map(|s| s.timestamp).max(),
        _ => None,
    })?;
    let latest = Timestamp::from_millisecond(i64::try_from(latest).ok()?).ok()?;
    (latest.as_second() - now.as_second() > SKEW).then(|| {
        format!(
            "a transparency log has signed the certificate at {}, which is still to come",
            date_time_utc(latest)
        )
    })
}

fn all_off(way: &[&Cert<'_>], now: Timestamp) -> Option<String> {
    if way.len() < 2 {
        return None;
    }
    if way.iter().all(|c| now < c.validity().0) {
        let latest = way.iter().map(|c| c.validity().0).max()?;
        let by = Duration::try_from(latest.duration_since(now)).ok()?;
        return Some(format!(
            "none of the {} certificates up to the root is valid yet; it is {} slow, or more",
            way.len(),
            human(by)
        ));
    }
    if way.iter().all(|c| now > c.validity().1) {
        return Some(format!(
            "all of the {} certificates up to the root have expired; it may be fast",
            way.len()
        ));
    }
    None
}
