//! What an answer shows of DNSSEC. Nothing is validated here: dates are compared with the clock,
//! the rest is what the server itself says by its AD bit, or by refusing to answer until checking
//! is disabled.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::observation::{DnsAnswer, Outcome};
use crate::model::service::{DnsSecurity, DnssecFault, DnssecState, Signature};
use crate::model::text::SafeText;

use super::codes;

/// Every signature whose dates are wrong or nearly over.
pub fn dates(signatures: &[Signature], now: Timestamp, soon: Duration) -> Vec<DnssecFault> {
    let fault = |s: &Signature| {
        let left = s.expiration.as_second() - now.as_second();
        let signature = s.clone();
        if left < 0 {
            Some(DnssecFault::Expired { signature })
        } else if s.inception > now {
            Some(DnssecFault::NotYetValid { signature })
        } else if left.unsigned_abs() < soon.as_secs() {
            let hours = u32::try_from(left / 3600).unwrap_or(u32::MAX);
            Some(DnssecFault::ExpiresSoon { signature, hours })
        } else {
            None
        }
    };
    signatures.iter().filter_map(fault).collect()
}

/// Judges one answer.
pub(super) fn of_answer(
    outcome: &Outcome<DnsAnswer>,
    asked_for: bool,
    now: Timestamp,
    soon: Duration,
) -> DnsSecurity {
    let Some(a) = outcome.ok() else {
        return DnsSecurity::default();
    };
    let failed = !matches!(a.rcode.as_str(), "NOERROR" | "NXDOMAIN");
    let state = if failed {
        DnssecState::Unknown
    } else if a.ad {
        DnssecState::Authenticated
    } else if !a.detail.signatures.is_empty() {
        DnssecState::Signed
    } else if asked_for {
        DnssecState::Unsigned
    } else {
        DnssecState::Unknown
    };
    DnsSecurity {
        state,
        faults: dates(&a.detail.signatures, now, soon),
        cd_retry: None,
    }
}

/// What the resolver says is wrong with the DNSSEC of a name, if it says anything.
pub(super) fn reason(a: &DnsAnswer) -> Option<SafeText> {
    let mut errors = a.detail.errors.iter();
    errors
        .find(|e| codes::error_is_about_dnssec(e.code))
        .map(|e| SafeText::new(e.label()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(from: i64, to: i64) -> Signature {
        Signature {
            owner: "x".into(),
            covers: "A".into(),
            algorithm: "ED25519".into(),
            key_tag: 1,
            signer: "x".into(),
            inception: Timestamp::from_second(from).unwrap(),
            expiration: Timestamp::from_second(to).unwrap(),
        }
    }

    #[test]
    fn dates_are_judged() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let soon = Duration::from_secs(7200);
        let judged = |from, to| dates(&[signature(from, to)], now, soon).pop();
        assert_eq!(judged(0, 2_000_000), None);
        assert_eq!(judged(0, 1_007_200), None);
        assert!(matches!(
            judged(0, 999_999),
            Some(DnssecFault::Expired { .. })
        ));
        assert!(matches!(
            judged(1_000_001, 2_000_000),
            Some(DnssecFault::NotYetValid { .. })
        ));
        assert!(matches!(
            judged(0, 1_003_700),
            Some(DnssecFault::ExpiresSoon { hours: 1, .. })
        ));
    }
}
