//! Durations as people write them in a file: `500ms`, `2s`, `1m30s`, `21d`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration: whole numbers, each with a unit (`d`, `h`, `m` or `min`, `s`, `ms`).
///
/// # Errors
/// Says what is wrong and what would be right.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = |what: &str| format!("{what}; write for example \"500ms\", \"2s\" or \"1m30s\"");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong("the duration is empty"));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number
            .parse()
            .map_err(|_| wrong(&format!("'{text}' is not a duration")))?;
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let factor = match unit {
            "" => return Err(wrong(&format!("'{text}' lacks a unit"))),
            "min" => Some(60_000),
            unit => UNITS.iter().find(|(u, _)| *u == unit).map(|(_, f)| *f),
        };
        let factor = factor.ok_or_else(|| wrong(&format!("'{unit}' is not a unit of time")))?;
        total = number
            .checked_mul(factor)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| wrong("the duration is too long"))?;
        rest = tail.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration so that [`parse`] reads the same one (to the millisecond).
pub fn write(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, factor) in UNITS {
        if left >= factor {
            out.push_str(&format!("{}{unit}", left / factor));
            left %= factor;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write() {
        for (text, ms) in [
            ("2s", 2_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("3min", 180_000),
            ("1h 30m", 5_400_000),
            ("21d", 1_814_400_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn nonsense_says_what_would_be_right() {
        for bad in [
            "",
            "2",
            "s",
            "2 s",
            "-1s",
            "2 parsecs",
            "99999999999999999999s",
            "9999999999999d",
            "1.5s",
        ] {
            let said = parse(bad).expect_err(bad);
            assert!(said.contains("write for example"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn written_and_read_again_is_the_same(ms in 0u64..10_000_000_000) {
            let d = Duration::from_millis(ms);
            prop_assert_eq!(parse(&write(d)), Ok(d));
        }
        #[test]
        fn never_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
