//! A stapled OCSP response in words (RFC 6960 4.2). Its signature is not checked: it is shown,
//! and trusted no further than the server that sends it. Plain functions over bytes.

use jiff::Timestamp;
use x509_parser::asn1_rs::{FromDer, GeneralizedTime};

use super::der::element;
use super::judge::ParsedCert;
use crate::model::text::SafeText;
use crate::model::time::date_time_utc;
use crate::model::tls::{Staple, TlsFault, TlsNote};

/// More than this ahead of this host's clock cannot be.
const SKEW: i64 = 3600;

/// Reads the response to a handshake; `None` if there was none.
pub fn read(ocsp: &[u8], leaf: Option<&[u8]>) -> Option<Staple> {
    if ocsp.is_empty() {
        return None;
    }
    let serial = leaf
        .and_then(|der| ParsedCert::parse(der).ok())
        .map(|c| c.x.raw_serial().to_vec());
    Some(parse(ocsp, serial.as_deref()).unwrap_or_else(|why| Staple {
        status: why.into(),
        ..Staple::default()
    }))
}

fn parse(ocsp: &[u8], serial: Option<&[u8]>) -> Result<Staple, &'static str> {
    const BROKEN: &str = "unreadable";
    let (outer, _) = element(ocsp, 0x30).ok_or(BROKEN)?;
    let (status, rest) = element(outer, 0x0a).ok_or(BROKEN)?;
    match status {
        [0] => {}
        [1] => return Err("malformed request"),
        [2] => return Err("internal error"),
        [3] => return Err("try later"),
        [5] => return Err("signature required"),
        [6] => return Err("unauthorized"),
        _ => return Err(BROKEN),
    }
    let (bytes, _) = element(rest, 0xa0).ok_or(BROKEN)?;
    let (bytes, _) = element(bytes, 0x30).ok_or(BROKEN)?;
    let (_, rest) = element(bytes, 0x06).ok_or(BROKEN)?;
    let (basic, _) = element(rest, 0x04).ok_or(BROKEN)?;
    let (basic, _) = element(basic, 0x30).ok_or(BROKEN)?;
    let (data, _) = element(basic, 0x30).ok_or(BROKEN)?;
    let data = element(data, 0xa0).map_or(data, |(_, rest)| rest);
    // By name or by key.
    let (_, rest) = element(data, 0xa1)
        .or_else(|| element(data, 0xa2))
        .ok_or(BROKEN)?;
    let (produced, rest) = time(rest).ok_or(BROKEN)?;
    let (mut singles, _) = element(rest, 0x30).ok_or(BROKEN)?;
    let mut answer = Err("for another certificate");
    for _ in 0..64 {
        let Some((single, more)) = element(singles, 0x30) else {
            break;
        };
        singles = more;
        let (id, rest) = element(single, 0x30).ok_or(BROKEN)?;
        if serial.is_none_or(|s| serial_of(id) == Some(s)) {
            answer = status_of(rest).ok_or(BROKEN);
            break;
        }
    }
    let mut staple = answer?;
    staple.produced_at = Some(produced);
    Ok(staple)
}

fn serial_of(id: &[u8]) -> Option<&[u8]> {
    let (_, rest) = element(id, 0x30)?;
    let (_, rest) = element(rest, 0x04)?;
    let (_, rest) = element(rest, 0x04)?;
    element(rest, 0x02).map(|(s, _)| s)
}

fn status_of(rest: &[u8]) -> Option<Staple> {
    let mut staple = Staple::default();
    let rest = match rest.first()? {
        0x80 => {
            staple.status = "good".into();
            element(rest, 0x80)?.1
        }
        0xa1 => {
            let (info, rest) = element(rest, 0xa1)?;
            staple.status = "revoked".into();
            staple.revoked_at = time(info).map(|(t, _)| t);
            rest
        }
        0x82 => {
            staple.status = "unknown".into();
            element(rest, 0x82)?.1
        }
        _ => return None,
    };
    let (this, rest) = time(rest)?;
    staple.this_update = Some(this);
    staple.next_update = element(rest, 0xa0)
        .and_then(|(inner, _)| time(inner))
        .map(|(t, _)| t);
    Some(staple)
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    element(bytes, 0x18)?;
    let (rest, time) = GeneralizedTime::from_der(bytes).ok()?;
    let seconds = time.utc_datetime().ok()?.unix_timestamp();
    Some((Timestamp::from_second(seconds).ok()?, rest))
}

/// What a staple means for the judgement.
pub(super) fn judge(staple: &Staple, now: Timestamp) -> (Option<TlsFault>, Option<TlsNote>) {
    if staple.status.as_str() == "revoked" {
        let at = staple.revoked_at;
        return (Some(TlsFault::Revoked { at }), None);
    }
    if let Some(made) = staple.produced_at
        && made.as_second() - now.as_second() > SKEW
    {
        let why = format!(
            "the CA's OCSP responder has signed at {}, which is still to come",
            date_time_utc(made)
        );
        let why = SafeText::new(why);
        return (Some(TlsFault::Clock { why }), None);
    }
    let detail = match staple.next_update {
        Some(next) if next < now => format!(
            "the stapled OCSP response is too old: a newer one was due at {}",
            date_time_utc(next)
        ),
        _ if staple.status.as_str() != "good" => {
            format!("the stapled OCSP response is of no use: {}", staple.status)
        }
        _ => return (None, None),
    };
    let note = TlsNote {
        code: "staple".into(),
        index: Some(0),
        detail: SafeText::new(detail),
    };
    (None, Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_is_unreadable_and_nothing_worse() {
        assert_eq!(read(&[], None), None);
        for bytes in [
            &[0u8][..],
            &[0x30, 3, 0x0a, 1, 0],
            &[0x30, 0x84, 255, 255, 255, 255],
        ] {
            assert_eq!(read(bytes, None).unwrap().status.as_str(), "unreadable");
        }
        assert_eq!(
            read(&[0x30, 3, 0x0a, 1, 3], None).unwrap().status.as_str(),
            "try later"
        );
    }
}
