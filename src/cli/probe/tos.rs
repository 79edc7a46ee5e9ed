//! Type of service and DSCP as people type them.

/// Names of DSCP values: RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622.
const NAMES: [(&str, u8); 25] = [
    ("cs0", 0),
    ("be", 0),
    ("df", 0),
    ("le", 1),
    ("cs1", 8),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("cs2", 16),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("cs3", 24),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("cs4", 32),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs5", 40),
    ("va", 44),
    ("ef", 46),
    ("cs6", 48),
    ("cs7", 56),
];

/// All eight bits, DSCP and ECN.
pub fn tos(text: &str) -> Result<u8, String> {
    let parsed = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => u8::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "give a number from 0 to 255, or 0x00 to 0xff".into())
}

/// The six bits of DSCP.
pub fn dscp(text: &str) -> Result<u8, String> {
    let lower = text.to_ascii_lowercase();
    let named = NAMES.iter().find(|(name, _)| *name == lower);
    let number = || text.parse().ok().filter(|n| *n < 64);
    named
        .map(|(_, n)| *n)
        .or_else(number)
        .ok_or_else(|| "give a number from 0 to 63, or ef, va, le, cs0-cs7, af11-af43".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(dscp("EF"), Ok(46));
        assert_eq!(dscp("af41"), Ok(34));
        assert_eq!(dscp("63"), Ok(63));
        for wrong in ["64", "af14", "af44", "af51", "cs8", "", "x", "-1"] {
            assert!(dscp(wrong).is_err(), "{wrong}");
        }
        assert_eq!(tos("0xb8"), Ok(184));
        assert_eq!(tos("184"), Ok(184));
        assert!(tos("256").is_err() && tos("0x100").is_err());
    }
}
